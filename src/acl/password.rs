//! Passwords, of which only a hash is kept.

use sha2::{Digest, Sha256};
use std::fmt;

/// The SHA-256 of a password, as Redis keeps it. It is shown in ACL LIST, which only administrators
/// may call.
#[derive(Clone, Copy)]
pub(super) struct PasswordHash([u8; 32]);

impl PasswordHash {
    /// The hash of a password in clear text.
    pub(super) fn of(password: &[u8]) -> PasswordHash {
        PasswordHash(Sha256::digest(password).into())
    }

    /// Parses 64 lower-case hexadecimal digits.
    pub(super) fn parse(digits: &[u8]) -> Option<PasswordHash> {
        let digits: &[u8; 64] = digits.try_into().ok()?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let &[high, low] = pair else { return None };
            *byte = digit(high)? << 4 | digit(low)?;
        }
        Some(PasswordHash(bytes))
    }

    /// Whether both are the same, in a time that does not depend on where they differ.
    pub(super) fn is_same(&self, other: &PasswordHash) -> bool {
        let differing = self.0.iter().zip(other.0).fold(0, |differing, (a, b)| differing | (a ^ b));
        std::hint::black_box(differing) == 0
    }
}

fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Hashes are kept out of debugging output.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_as_it_is_shown() {
        let hash = PasswordHash::of(b"x");
        let shown = hash.to_string();
        assert_eq!(shown, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
        let read = PasswordHash::parse(shown.as_bytes()).expect("it was shown");
        assert!(read.is_same(&hash) && !read.is_same(&PasswordHash::of(b"y")));
        let upper = shown.to_ascii_uppercase();
        for bad in [&shown[1..], &upper, &format!("{shown}0"), &shown.replace('2', "g"), ""] {
            assert!(PasswordHash::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
