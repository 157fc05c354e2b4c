//! Who asks: basic authentication against the broker's users (RFC 7617).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// A user's name and password.
#[derive(Debug)]
pub(super) struct Credentials {
    pub user: Vec<u8>,
    pub password: Vec<u8>,
}

/// What identifies credentials without containing the password, so that it may be kept.
pub(super) type Fingerprint = [u8; 32];

pub(super) fn fingerprint(authorization: &[u8]) -> Fingerprint {
    Sha256::digest(authorization).into()
}

/// Reads the value of an `Authorization` header. `None` if it is not basic authentication.
pub(super) fn read(authorization: &[u8]) -> Option<Credentials> {
    let at = memchr::memchr(b' ', authorization)?;
    let (scheme, encoded) = authorization.split_at(at);
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim_ascii()).ok()?;
    let colon = memchr::memchr(b':', &decoded)?;
    Some(Credentials { user: decoded[..colon].to_vec(), password: decoded[colon + 1..].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_basic_authentication_is_read() {
        let read_parts =
            |value: &str| read(value.as_bytes()).map(|found| (found.user, found.password));
        let alice = Some((b"alice".to_vec(), b"a:b".to_vec()));
        assert_eq!(read_parts("Basic YWxpY2U6YTpi"), alice);
        assert_eq!(read_parts("bAsIc  YWxpY2U6YTpi "), alice);
        for wrong in
            ["", "Basic", "Basic !", "Basic YWxpY2U=", "Bearer YWxpY2U6YTpi", "YWxpY2U6YTpi"]
        {
            assert!(read(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
