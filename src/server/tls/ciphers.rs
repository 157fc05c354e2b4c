//! Ciphers and versions by their names in OpenSSL, as the settings of Redis have them.

use rustls::crypto::ring::cipher_suite as all;
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

/// The ciphers of TLS 1.2, the best first.
const TLS_1_2: &[(&str, SupportedCipherSuite)] = &[
    ("ECDHE-ECDSA-AES256-GCM-SHA384", all::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", all::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", all::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-AES256-GCM-SHA384", all::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-AES128-GCM-SHA256", all::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-CHACHA20-POLY1305", all::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

/// The ciphers of TLS 1.3.
const TLS_1_3: &[(&str, SupportedCipherSuite)] = &[
    ("TLS_AES_256_GCM_SHA384", all::TLS13_AES_256_GCM_SHA384),
    ("TLS_AES_128_GCM_SHA256", all::TLS13_AES_128_GCM_SHA256),
    ("TLS_CHACHA20_POLY1305_SHA256", all::TLS13_CHACHA20_POLY1305_SHA256),
];

/// The ciphers that the settings allow, those of TLS 1.3 first.
///
/// # Errors
/// Which directive has a name that is not known, and what is possible.
pub(super) fn chosen(
    ciphers: &str,
    ciphersuites: &str,
) -> Result<Vec<SupportedCipherSuite>, String> {
    let mut chosen = named("tls-ciphersuites", ciphersuites, TLS_1_3)?;
    chosen.extend(named("tls-ciphers", ciphers, TLS_1_2)?);
    Ok(chosen)
}

fn named(
    directive: &str,
    list: &str,
    known: &[(&str, SupportedCipherSuite)],
) -> Result<Vec<SupportedCipherSuite>, String> {
    if list.is_empty() {
        return Ok(known.iter().map(|(_, cipher)| *cipher).collect());
    }
    let find = |name: &str| {
        let found = known.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, cipher)| *cipher).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            format!("{directive}: there is no cipher '{name}'; there are {}", names.join(":"))
        })
    };
    list.split(':').map(find).collect()
}

/// The versions of TLS that `tls-protocols` allows.
///
/// # Errors
/// A name is not known.
pub(super) fn versions(names: &str) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let find = |name: &str| match name.to_ascii_lowercase().as_str() {
        "tlsv1.2" => Ok(&rustls::version::TLS12),
        "tlsv1.3" => Ok(&rustls::version::TLS13),
        _ => Err(format!(
            "tls-protocols: expected TLSv1.2, TLSv1.3 or both, got '{name}'; older versions are not \
             secure"
        )),
    };
    match names.trim() {
        "" => Ok(rustls::ALL_VERSIONS.to_vec()),
        names => names.split_whitespace().map(find).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphers_come_in_the_order_of_the_setting() {
        assert_eq!(chosen("", "").expect("all").len(), TLS_1_2.len() + TLS_1_3.len());
        let list = "ECDHE-RSA-CHACHA20-POLY1305:ecdhe-rsa-aes128-gcm-sha256";
        let expected = vec![
            all::TLS13_AES_128_GCM_SHA256,
            all::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            all::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ];
        assert_eq!(chosen(list, "TLS_AES_128_GCM_SHA256"), Ok(expected));
    }

    #[test]
    fn an_unknown_name_is_an_error_with_the_known_ones() {
        let error = chosen("AES256-SHA", "").expect_err("not known");
        assert!(
            error.starts_with("tls-ciphers: there is no cipher 'AES256-SHA'; there are ECDHE-")
        );
        let error = chosen("", "X").expect_err("not known");
        assert!(error.starts_with("tls-ciphersuites: there is no cipher 'X'; there are TLS_AES_"));
    }

    #[test]
    fn versions_have_openssls_names() {
        assert_eq!(versions("").expect("both").len(), 2);
        assert_eq!(versions(" TLSv1.3  tlsv1.2 ").expect("both").len(), 2);
        assert_eq!(versions("TLSv1.2"), Ok(vec![&rustls::version::TLS12]));
        assert!(versions("TLSv1.1 TLSv1.2").expect_err("an old one").contains("'TLSv1.1'"));
    }
}
