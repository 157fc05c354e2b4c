//! The configuration of connections that clients make.

use super::files::{Identity, IdentityNames, all, authorities, kept};
use super::offer::Offer;
use super::sessions::Sessions;
use crate::settings::{ClientCertificates, Settings};
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;
use std::time::Duration;

/// Makes it of what the settings name.
///
/// # Errors
/// All that there are. Each begins with the directive and the file.
pub(super) fn build(settings: &Settings) -> Result<ServerConfig, Vec<String>> {
    let parts = all(|errors| Parts::read(settings, errors))?;
    let mut config = parts.join().map_err(|error| vec![error])?;
    config.ignore_client_order = settings.tls.prefer_server_ciphers;
    if settings.tls.session_caching && settings.tls.session_cache_timeout_s > 0 {
        let timeout = Duration::from_secs(settings.tls.session_cache_timeout_s.into());
        let sessions = Sessions::new(settings.tls.session_cache_size, timeout);
        config.session_storage = Arc::new(sessions);
        // One for the connection that follows this one; each costs memory here.
        config.send_tls13_tickets = 1;
    } else {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

/// What a configuration is made of, each read by itself, so that all errors are found.
struct Parts {
    offer: Offer,
    /// Those of the clients' certificates, and whether a client needs one; `None` if they need none.
    authorities: Option<(RootCertStore, ClientCertificates)>,
    identity: Identity,
}

impl Parts {
    /// `None` if there is an error.
    fn read(settings: &Settings, errors: &mut Vec<String>) -> Option<Parts> {
        let tls = &settings.tls;
        let offer = Offer::read(settings, errors);
        let authorities = kept(client_authorities(settings), errors);
        let names = IdentityNames {
            cert_file: ("tls-cert-file", &tls.cert_file),
            key_file: ("tls-key-file", &tls.key_file),
            key_file_pass: &tls.key_file_pass,
            purpose: ["server", "a port with TLS is set"],
        };
        let identity = Identity::read(settings, &names, errors);
        Some(Parts { offer: offer?, authorities: authorities?, identity: identity? })
    }

    fn join(self) -> Result<ServerConfig, String> {
        let Offer { provider, versions } = self.offer;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(|error| format!("tls-protocols: {error}"))?;
        let builder = match self.authorities {
            Some((authorities, needed)) => {
                builder.with_client_cert_verifier(verifier(authorities, needed, provider)?)
            }
            None => builder.with_no_client_auth(),
        };
        self.identity.join(|chain, key| builder.with_single_cert(chain, key))
    }
}

/// The authorities of the certificates of clients; `None` if these need none.
fn client_authorities(
    settings: &Settings,
) -> Result<Option<(RootCertStore, ClientCertificates)>, String> {
    let needed = settings.tls.auth_clients;
    if needed == ClientCertificates::None {
        return Ok(None);
    }
    let authorities = authorities(settings)?;
    if authorities.is_empty() {
        return Err(
            "tls-ca-cert-file or tls-ca-cert-dir: expected the authorities of the clients' \
                    certificates; with tls-auth-clients no, clients need none"
                .to_owned(),
        );
    }
    Ok(Some((authorities, needed)))
}

/// What checks the certificates of clients.
fn verifier(
    authorities: RootCertStore,
    needed: ClientCertificates,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider);
    let verifier = match needed {
        ClientCertificates::Optional => verifier.allow_unauthenticated(),
        _ => verifier,
    };
    verifier.build().map_err(|error| format!("tls-ca-cert-file: {error}"))
}
