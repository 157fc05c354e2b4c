//! TLS of the connection to the broker: whom we trust, and who we are.

use super::stream::Stream;
use super::target::TlsOptions;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    StreamOwned,
};
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The variable that names a file with the authorities of the system, as for OpenSSL.
const AUTHORITIES_VARIABLE: &str = "SSL_CERT_FILE";
/// Where systems keep them: Debian and Alpine, Fedora, SUSE, BSD and macOS.
const AUTHORITIES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Encrypts a connection to a host. Returns when the handshake is done, so that its errors are known.
///
/// # Errors
/// The reason, with the option or the file.
pub fn wrap(
    mut stream: TcpStream,
    host: &str,
    options: &TlsOptions,
) -> Result<Box<dyn Stream>, String> {
    let name = options.name.as_deref().unwrap_or(host);
    let name = ServerName::try_from(name.to_owned())
        .map_err(|_| format!("--sni: expected a name or an address, got '{name}'"))?;
    let config = Arc::new(config(options)?);
    let mut session = ClientConnection::new(config, name).map_err(|error| error.to_string())?;
    while session.is_handshaking() {
        session.complete_io(&mut stream).map_err(|error| {
            format!("TLS: {error}{}", advice(error.get_ref().and_then(|e| e.downcast_ref())))
        })?;
    }
    Ok(Box::new(StreamOwned::new(session, stream)))
}

/// What to do about an error.
fn advice(error: Option<&Error>) -> &'static str {
    match error {
        Some(Error::InvalidCertificate(
            rustls::CertificateError::UnknownIssuer | rustls::CertificateError::BadSignature,
        )) => " (--cacert names a file with its authority)",
        Some(Error::InvalidCertificate(
            rustls::CertificateError::NotValidForName
            | rustls::CertificateError::NotValidForNameContext { .. },
        )) => " (--sni names the name in the certificate)",
        Some(Error::InvalidMessage(_)) => " (is it the port with TLS?)",
        _ => "",
    }
}

fn config(options: &TlsOptions) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match options.is_insecure {
        true => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptsAny { provider }))
        }
        false => builder.with_root_certificates(authorities(options)?),
    };
    let (Some(cert), Some(key)) = (&options.cert, &options.key) else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates("--cert", cert)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        format!("--key {}: expected a private key in PEM, not encrypted: {error}", key.display())
    })?;
    builder.with_client_auth_cert(chain, key).map_err(|error| format!("--cert and --key: {error}"))
}

fn authorities(options: &TlsOptions) -> Result<RootCertStore, String> {
    let mut authorities = RootCertStore::empty();
    if let Some(path) = &options.ca_cert {
        authorities.add_parsable_certificates(certificates("--cacert", path)?);
    }
    if let Some(directory) = &options.ca_cert_dir {
        let entries = fs::read_dir(directory)
            .map_err(|error| format!("--cacertdir {}: {error}", directory.display()))?;
        // Such directories have other files as well.
        let files = entries.flatten().filter_map(|entry| certificates("", &entry.path()).ok());
        for found in files {
            authorities.add_parsable_certificates(found);
        }
    }
    if options.ca_cert.is_none() && options.ca_cert_dir.is_none() {
        let path = std::env::var_os(AUTHORITIES_VARIABLE)
            .map(PathBuf::from)
            .or_else(|| AUTHORITIES.iter().map(PathBuf::from).find(|path| path.exists()));
        if let Some(path) = path {
            authorities.add_parsable_certificates(certificates(AUTHORITIES_VARIABLE, &path)?);
        }
    }
    match authorities.is_empty() {
        true => {
            Err("there are no authorities to trust: --cacert names a file with them".to_owned())
        }
        false => Ok(authorities),
    }
}

fn certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let error = |reason: String| format!("{option} {}: {reason}", path.display());
    let found =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(found) if found.is_empty() => Err(error("there is no certificate in it".to_owned())),
        Ok(found) => Ok(found),
        Err(reason) => Err(error(reason.to_string())),
    }
}

/// `--insecure`: any certificate will do, if the broker has its key.
#[derive(Debug)]
struct AcceptsAny {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AcceptsAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
