//! Files with certificates and keys. Errors say which directive and file, and why.

use super::{certificate, key};
use crate::settings::Settings;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{Error, InconsistentKeys, RootCertStore};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A larger file holds no certificates, and would occupy memory.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// What `read` returns, unless it has found errors: then all of these.
pub(super) fn all<T>(read: impl FnOnce(&mut Vec<String>) -> Option<T>) -> Result<T, Vec<String>> {
    let mut errors = Vec::new();
    match read(&mut errors) {
        Some(value) if errors.is_empty() => Ok(value),
        _ => Err(errors),
    }
}

/// The value; an error joins the others.
pub(super) fn kept<T>(result: Result<T, String>, errors: &mut Vec<String>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

/// A certificate and its key, as settings name them.
pub(super) struct Identity {
    cert_file: Named,
    chain: Vec<CertificateDer<'static>>,
    key_file: Named,
    key: PrivateKeyDer<'static>,
}

/// The settings of an identity: directives with their values, and the password of the key.
pub(super) struct IdentityNames<'a> {
    pub(super) cert_file: (&'static str, &'a Option<PathBuf>),
    pub(super) key_file: (&'static str, &'a Option<PathBuf>),
    pub(super) key_file_pass: &'a str,
    /// Whose certificate it is, and why it is needed.
    pub(super) purpose: [&'static str; 2],
}

impl Identity {
    /// Reads it; `None` if there is an error.
    pub(super) fn read(
        settings: &Settings,
        names: &IdentityNames<'_>,
        errors: &mut Vec<String>,
    ) -> Option<Identity> {
        let [whose, why] = names.purpose;
        let named = |(directive, path): (&'static str, &Option<PathBuf>), what| match path {
            Some(path) => Ok(Named { directive, path: settings.dir.join(path) }),
            None => Err(format!(
                "{directive}: expected a PEM file with {what}the {whose}'s certificate, since {why}"
            )),
        };
        let cert_file = kept(named(names.cert_file, ""), errors);
        let key_file = kept(named(names.key_file, "the key of "), errors);
        let chain = cert_file.as_ref().and_then(|file| kept(file.certificates(), errors));
        let key = key_file.as_ref().and_then(|file| {
            let key = file.read().and_then(|pem| {
                key::read(&pem, names.key_file_pass).map_err(|reason| file.error(reason))
            });
            kept(key, errors)
        });
        Some(Identity { cert_file: cert_file?, chain: chain?, key_file: key_file?, key: key? })
    }

    /// Passes the certificates and the key to `join`, and says which file an error is about.
    pub(super) fn join<T>(
        self,
        join: impl FnOnce(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) -> Result<T, Error>,
    ) -> Result<T, String> {
        let Identity { cert_file, chain, key_file, key } = self;
        cert_file.warn_if_expired(&chain);
        join(chain, key).map_err(|error| match error {
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

/// The authorities in the files that the settings name; there may be none.
pub(super) fn authorities(settings: &Settings) -> Result<RootCertStore, String> {
    let mut authorities = RootCertStore::empty();
    if let Some(path) = &settings.tls.ca_cert_file {
        let file = Named { directive: "tls-ca-cert-file", path: settings.dir.join(path) };
        file.add_to(&mut authorities)?;
    }
    if let Some(path) = &settings.tls.ca_cert_dir {
        let directory = Named { directive: "tls-ca-cert-dir", path: settings.dir.join(path) };
        directory.add_all_to(&mut authorities)?;
    }
    Ok(authorities)
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
