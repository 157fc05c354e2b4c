//! The versions and ciphers of TLS that the settings allow.

use super::ciphers;
use super::files::kept;
use crate::settings::Settings;
use rustls::SupportedProtocolVersion;
use rustls::crypto::{CryptoProvider, ring};
use std::sync::Arc;

/// What both sides may agree on.
pub(super) struct Offer {
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) versions: Vec<&'static SupportedProtocolVersion>,
}

impl Offer {
    /// Reads it; `None` if there is an error.
    pub(super) fn read(settings: &Settings, errors: &mut Vec<String>) -> Option<Offer> {
        let tls = &settings.tls;
        let ciphers = kept(ciphers::chosen(&tls.ciphers, &tls.ciphersuites), errors);
        let versions = kept(ciphers::versions(&tls.protocols), errors);
        let mut provider = ring::default_provider();
        provider.cipher_suites = ciphers?;
        Some(Offer { provider: Arc::new(provider), versions: versions? })
    }
}
