//! The private key, also an encrypted one. `openssl` encrypts with PBKDF2 and AES unless it is told
//! otherwise (PKCS#8 with PBES2, RFC 8018); for other ways the error says how to change the file.

use super::der::{Der, OBJECT_ID, OCTET_STRING, SEQUENCE};
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use aes::{Aes128, Aes256};
use ring::pbkdf2::{self, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA512};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::num::NonZeroU32;

const ENCRYPTED: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
const ENCRYPTED_END: &[u8] = b"-----END ENCRYPTED PRIVATE KEY-----";
/// The mark of the encryption in files before PKCS#8.
const OLD_ENCRYPTION: &[u8] = b"Proc-Type: 4,ENCRYPTED";
/// Rounds of the key derivation: more would stop the server for seconds.
const ROUNDS_MAX: u32 = 10_000_000;

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
/// The hash functions are numbers behind this: 7 is SHA-1, 9 SHA-256, 11 SHA-512.
const HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
/// AES with cipher block chaining, by its number behind this: 2 has 128 bits, 42 has 256.
const AES: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];

/// What the error about an unknown encryption says.
const CHANGE_IT: &str = "the key is encrypted in a way that is not supported; change that with \
    `openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW`";

/// Reads a key from the text of a PEM file.
///
/// # Errors
/// A clause with the reason.
pub(super) fn read(pem: &[u8], password: &str) -> Result<PrivateKeyDer<'static>, String> {
    let contains = |mark: &[u8]| memchr::memmem::find(pem, mark);
    if contains(OLD_ENCRYPTION).is_some() {
        return Err(CHANGE_IT.to_owned());
    }
    let Some(start) = contains(ENCRYPTED) else {
        return PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => {
                "there is no private key in it".to_owned()
            }
            error => format!("it is not a PEM file: {error}"),
        });
    };
    if password.is_empty() {
        return Err("the key is encrypted: set tls-key-file-pass".to_owned());
    }
    let damaged = || "the encrypted key is damaged".to_owned();
    let end = contains(ENCRYPTED_END).filter(|&end| end > start).ok_or_else(damaged)?;
    // The library reads the lines of a section, but does not know this kind: only the name differs.
    let mut renamed = b"-----BEGIN PRIVATE KEY-----".to_vec();
    renamed.extend_from_slice(&pem[start + ENCRYPTED.len()..end]);
    renamed.extend_from_slice(b"-----END PRIVATE KEY-----\n");
    let sealed = PrivatePkcs8KeyDer::from_pem_slice(&renamed).map_err(|_| damaged())?;
    decrypt(sealed.secret_pkcs8_der(), password).map(|key| PrivatePkcs8KeyDer::from(key).into())
}

/// The ways to encrypt that are supported, with their parameters.
struct Encryption<'a> {
    hash: pbkdf2::Algorithm,
    salt: &'a [u8],
    rounds: NonZeroU32,
    key_bytes: usize,
    iv: &'a [u8],
    sealed: &'a [u8],
}

fn decrypt(der: &[u8], password: &str) -> Result<Vec<u8>, String> {
    let encryption = encryption(der).ok_or(CHANGE_IT)?;
    let mut key = [0; 32];
    let key = &mut key[..encryption.key_bytes];
    let Encryption { hash, salt, rounds, iv, sealed, .. } = encryption;
    pbkdf2::derive(hash, rounds, salt, password.as_bytes(), key);
    let opened = match key.len() {
        16 => cbc::Decryptor::<Aes128>::new_from_slices(key, iv)
            .map(|cipher| cipher.decrypt_padded_vec::<Pkcs7>(sealed).ok()),
        _ => cbc::Decryptor::<Aes256>::new_from_slices(key, iv)
            .map(|cipher| cipher.decrypt_padded_vec::<Pkcs7>(sealed).ok()),
    };
    // A wrong password gives bytes at random, which may end as if they were right.
    let is_key =
        |bytes: &Vec<u8>| Der::new(bytes).inside(SEQUENCE).and_then(|mut k| k.number()).is_some();
    opened
        .map_err(|_| CHANGE_IT.to_owned())?
        .filter(is_key)
        .ok_or_else(|| "tls-key-file-pass is not its password".to_owned())
}

fn encryption(der: &[u8]) -> Option<Encryption<'_>> {
    let mut outer = Der::new(der).inside(SEQUENCE)?;
    let mut algorithm = outer.inside(SEQUENCE)?;
    let sealed = outer.content(OCTET_STRING)?;
    if algorithm.content(OBJECT_ID)? != PBES2 {
        return None;
    }
    let mut parameters = algorithm.inside(SEQUENCE)?;
    let (mut derivation, mut cipher) = (parameters.inside(SEQUENCE)?, parameters.inside(SEQUENCE)?);
    if derivation.content(OBJECT_ID)? != PBKDF2 {
        return None;
    }
    let mut derivation = derivation.inside(SEQUENCE)?;
    let salt = derivation.content(OCTET_STRING)?;
    let rounds = derivation.number().filter(|rounds| *rounds <= ROUNDS_MAX)?;
    if derivation.tag() == Some(super::der::INTEGER) {
        // The length of the key, which the cipher says as well.
        derivation.value()?;
    }
    let hash = match derivation.inside(SEQUENCE) {
        None => PBKDF2_HMAC_SHA1,
        Some(mut hash) => match hash.content(OBJECT_ID)?.strip_prefix(HMAC)? {
            [7] => PBKDF2_HMAC_SHA1,
            [9] => PBKDF2_HMAC_SHA256,
            [11] => PBKDF2_HMAC_SHA512,
            _ => return None,
        },
    };
    let key_bytes = match cipher.content(OBJECT_ID)?.strip_prefix(AES)? {
        [2] => 16,
        [42] => 32,
        _ => return None,
    };
    let iv = cipher.content(OCTET_STRING)?;
    Some(Encryption { hash, salt, rounds: NonZeroU32::new(rounds)?, key_bytes, iv, sealed })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `openssl genpkey -algorithm ed25519` and `openssl pkcs8 -topk8 -passout pass:secret`,
    /// with other options behind it.
    const PLAIN: &[u8] = include_bytes!("keys/plain.pem");
    const AES_256: &[u8] = include_bytes!("keys/aes_256.pem");
    const AES_128_SHA_512: &[u8] = include_bytes!("keys/aes_128_sha_512.pem");
    const SHA_1: &[u8] = include_bytes!("keys/sha_1.pem");
    const SCRYPT: &[u8] = include_bytes!("keys/scrypt.pem");

    #[test]
    fn an_encrypted_key_is_the_same_as_the_plain_one() {
        let plain = read(PLAIN, "").expect("a key");
        assert_eq!(read(PLAIN, "unused"), Ok(plain.clone_key()));
        for pem in [AES_256, AES_128_SHA_512, SHA_1] {
            assert_eq!(read(pem, "secret"), Ok(plain.clone_key()));
            let wrong = read(pem, "wrong").expect_err("a wrong password");
            assert_eq!(wrong, "tls-key-file-pass is not its password");
            let missing = read(pem, "").expect_err("no password");
            assert_eq!(missing, "the key is encrypted: set tls-key-file-pass");
        }
    }

    #[test]
    fn what_cannot_be_read_gets_a_reason() {
        let error = |pem: &[u8]| read(pem, "secret").expect_err("no key");
        assert_eq!(error(SCRYPT), CHANGE_IT);
        assert_eq!(error(b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"), CHANGE_IT);
        assert_eq!(error(b""), "there is no private key in it");
        assert_eq!(
            error(b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
            "there is no private key in it"
        );
        assert_eq!(error(ENCRYPTED), "the encrypted key is damaged");
        assert!(
            error(b"-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n").contains("PEM")
        );
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let start = memchr::memmem::find(AES_256, b"\n").expect("a line") + 1;
        for at in start..AES_256.len() {
            let mut damaged = AES_256.to_vec();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            // It may make the rounds many: no more than a file that was not damaged by chance.
            if let Ok(key) = read(&damaged, "secret") {
                assert!(!key.secret_der().is_empty());
            }
            assert!(read(&AES_256[..at], "secret").is_err() || at >= AES_256.len() - 1);
        }
    }
}
