//! The payload of DUMP and RESTORE: a value of any key. The version of the format and a checksum follow it.

use super::crc64::Crc64;
use super::format::CHECKSUM_BYTES;
use super::items::{VALKEY_VERSION, VERSION_MAX};

/// Returns the type and content of the value in a payload; `None` if the payload is of a later version, or
/// its checksum is wrong.
pub fn value_in(payload: &[u8]) -> Option<&[u8]> {
    let (summed, checksum) = payload.split_last_chunk::<CHECKSUM_BYTES>()?;
    let (value, version) = summed.split_last_chunk()?;
    let version = u16::from_le_bytes(*version);
    let is_known = version <= VERSION_MAX || version == VALKEY_VERSION;
    (is_known && u64::from_le_bytes(*checksum) == Crc64::of(summed)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_of_redis() {
        // DUMP of a string 'v' by redis-server 7.0.15.
        let payload = b"\x00\x01v\x0a\x00";
        let whole = [&payload[..], &Crc64::of(payload).to_le_bytes()].concat();
        assert_eq!(value_in(&whole), Some(&b"\x00\x01v"[..]));
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert_eq!(value_in(&damaged), None, "byte {at}");
            assert_eq!(value_in(&whole[..at]), None, "the first {at} bytes");
        }
        let later = b"\x00\x01v\x0d\x00";
        assert_eq!(value_in(&[&later[..], &Crc64::of(later).to_le_bytes()].concat()), None);
    }
}
