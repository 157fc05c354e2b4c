//! Reads the certificates and keys that the settings name, and makes a configuration of them. Errors
//! say which directive and file, and why.

use super::sessions::Sessions;
use super::{certificate, ciphers, key};
use crate::settings::{ClientCertificates, Settings};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{
    Error, InconsistentKeys, RootCertStore, ServerConfig, SupportedCipherSuite,
    SupportedProtocolVersion,
};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A larger file holds no certificates, and would occupy memory.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The configuration of new connections, shared by what accepts them and by CONFIG SET. Connections
/// keep the one with which they began.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Configuration {
    /// `None` without a `tls-port`.
    current: Arc<Mutex<Option<Arc<ServerConfig>>>>,
}

impl Configuration {
    /// Reads everything again. After an error the configuration is the one before.
    ///
    /// # Errors
    /// Each begins with the directive and the file.
    pub(in crate::server) fn load(&self, settings: &Settings) -> Result<(), String> {
        let config = self.read(settings).map_err(|errors| errors.join("; "))?;
        self.set(config);
        Ok(())
    }

    /// Reads everything again, to be set later.
    ///
    /// # Errors
    /// Each begins with the directive and the file.
    pub(in crate::server) fn read(
        &self,
        settings: &Settings,
    ) -> Result<Option<Arc<ServerConfig>>, Vec<String>> {
        // Without a port nothing is needed, so that nothing is examined, as in Redis.
        settings.uses_tls().then(|| build(settings).map(Arc::new)).transpose()
    }

    /// Uses a configuration for connections from now on.
    pub(in crate::server) fn set(&self, config: Option<Arc<ServerConfig>>) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// The configuration for a new connection.
    pub(super) fn current(&self) -> Option<Arc<ServerConfig>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn build(settings: &Settings) -> Result<ServerConfig, Vec<String>> {
    let mut errors = Vec::new();
    let parts = Parts::read(settings, &mut errors);
    let mut config = match parts {
        Some(parts) if errors.is_empty() => parts.join().map_err(|error| vec![error])?,
        _ => return Err(errors),
    };
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
    ciphers: Vec<SupportedCipherSuite>,
    versions: Vec<&'static SupportedProtocolVersion>,
    /// Those of the clients' certificates, and whether a client needs one; `None` if they need none.
    authorities: Option<(RootCertStore, ClientCertificates)>,
    cert_file: Named,
    chain: Vec<CertificateDer<'static>>,
    key_file: Named,
    key: PrivateKeyDer<'static>,
}

impl Parts {
    /// `None` if there is an error.
    fn read(settings: &Settings, errors: &mut Vec<String>) -> Option<Parts> {
        let tls = &settings.tls;
        let ciphers = kept(ciphers::chosen(&tls.ciphers, &tls.ciphersuites), errors);
        let versions = kept(ciphers::versions(&tls.protocols), errors);
        let authorities = kept(authorities(settings), errors);
        let [cert_file, key_file] = [
            ("tls-cert-file", &tls.cert_file, "the server's certificate"),
            ("tls-key-file", &tls.key_file, "the key of the server's certificate"),
        ]
        .map(|(directive, path, what)| match path {
            Some(path) => Ok(Named { directive, path: settings.dir.join(path) }),
            None => Err(format!(
                "{directive}: expected a PEM file with {what}, since a port with TLS is set"
            )),
        });
        let (cert_file, key_file) = (kept(cert_file, errors), kept(key_file, errors));
        let chain = cert_file.as_ref().and_then(|file| kept(file.certificates(), errors));
        let key = key_file.as_ref().and_then(|file| {
            let key = file.read().and_then(|pem| {
                key::read(&pem, &tls.key_file_pass).map_err(|reason| file.error(reason))
            });
            kept(key, errors)
        });
        Some(Parts {
            ciphers: ciphers?,
            versions: versions?,
            authorities: authorities?,
            cert_file: cert_file?,
            chain: chain?,
            key_file: key_file?,
            key: key?,
        })
    }

    fn join(self) -> Result<ServerConfig, String> {
        let Parts { cert_file, key_file, .. } = self;
        let mut provider = ring::default_provider();
        provider.cipher_suites = self.ciphers;
        let provider = Arc::new(provider);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions)
            .map_err(|error| format!("tls-protocols: {error}"))?;
        let builder = match self.authorities {
            Some((authorities, needed)) => {
                builder.with_client_cert_verifier(verifier(authorities, needed, provider)?)
            }
            None => builder.with_no_client_auth(),
        };
        cert_file.warn_if_expired(&self.chain);
        builder.with_single_cert(self.chain, self.key).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                let certificate = cert_file.path.display();
                key_file.error(format!("it is not the key of the certificate in {certificate}"))
            }
            Error::InvalidCertificate(reason) => {
                cert_file.error(format!("the certificate is not valid: {reason:?}"))
            }
            error => key_file.error(format!("the key cannot be used: {error}")),
        })
    }
}

/// The value; an error joins the others.
fn kept<T>(result: Result<T, String>, errors: &mut Vec<String>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

/// The authorities of the certificates of clients; `None` if these need none.
fn authorities(settings: &Settings) -> Result<Option<(RootCertStore, ClientCertificates)>, String> {
    let needed = settings.tls.auth_clients;
    if needed == ClientCertificates::None {
        return Ok(None);
    }
    let mut authorities = RootCertStore::empty();
    if let Some(path) = &settings.tls.ca_cert_file {
        let file = Named { directive: "tls-ca-cert-file", path: settings.dir.join(path) };
        file.add_to(&mut authorities)?;
    }
    if let Some(path) = &settings.tls.ca_cert_dir {
        let directory = Named { directive: "tls-ca-cert-dir", path: settings.dir.join(path) };
        directory.add_all_to(&mut authorities)?;
    }
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

/// A file or directory, and the directive that names it.
struct Named {
    directive: &'static str,
    path: PathBuf,
}

impl Named {
    fn error(&self, reason: impl std::fmt::Display) -> String {
        format!("{} {}: {reason}", self.directive, self.path.display())
    }

    fn read(&self) -> Result<Vec<u8>, String> {
        let file = File::open(&self.path).map_err(|error| self.error(error))?;
        // Not by its size: a device says 0, and never ends.
        let mut content = Vec::new();
        let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content);
        read.map_err(|error| self.error(error))?;
        if content.len() as u64 > FILE_BYTES_MAX {
            return Err(self.error(format_args!("expected at most {FILE_BYTES_MAX} bytes")));
        }
        Ok(content)
    }

    /// The certificates in the file, at least one.
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let pem = self.read()?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let found = found.map_err(|error| self.error(format!("it is not a PEM file: {error}")))?;
        match found.is_empty() {
            true => Err(self.error("there is no certificate in it")),
            false => Ok(found),
        }
    }

    /// Adds the authorities in the file.
    fn add_to(&self, authorities: &mut RootCertStore) -> Result<(), String> {
        let certificates = self.certificates()?;
        self.warn_if_expired(&certificates);
        for certificate in certificates {
            let added = authorities.add(certificate);
            added.map_err(|error| {
                self.error(format!("not a certificate of an authority: {error}"))
            })?;
        }
        Ok(())
    }

    /// Adds the authorities in all files of the directory. Files without certificates are passed over:
    /// such directories also have lists of revoked ones.
    fn add_all_to(&self, authorities: &mut RootCertStore) -> Result<(), String> {
        let entries = fs::read_dir(&self.path).map_err(|error| self.error(error))?;
        for entry in entries {
            let path = entry.map_err(|error| self.error(error))?.path();
            let file = Named { directive: self.directive, path };
            if is_file(&file.path)
                && let Ok(certificates) = file.certificates()
            {
                authorities.add_parsable_certificates(certificates);
            }
        }
        match authorities.is_empty() {
            true => Err(self.error("there is no certificate of an authority in it")),
            false => Ok(()),
        }
    }

    /// The server begins nevertheless: clients decide whether they accept it, and the operator needs it
    /// to renew the certificate.
    fn warn_if_expired(&self, certificates: &[CertificateDer<'_>]) {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let ends_s = certificates.iter().filter_map(|one| certificate::valid_until_s(one));
        // Seconds since 1970 fit for any time to come.
        if ends_s.min().is_some_and(|end_s| end_s < now_s as i64) {
            log::warn!("{}", self.error("a certificate in it has expired"));
        }
    }
}

fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}
