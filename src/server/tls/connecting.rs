//! The configuration of connections to other servers: that of a replica to its primary, those of MIGRATE.
//!
//! As in Redis, any certificate of the authorities is accepted, whatever its names: servers are often known by
//! addresses that change. The authorities should issue certificates to the servers of one group only.

use super::files::{Identity, IdentityNames, all, authorities, kept};
use super::offer::Offer;
use crate::settings::Settings;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// Makes it of what the settings name.
///
/// # Errors
/// All that there are. Each begins with the directive and the file.
pub(super) fn build(settings: &Settings) -> Result<ClientConfig, Vec<String>> {
    let parts = all(|errors| Parts::read(settings, errors))?;
    parts.join().map_err(|error| vec![error])
}

/// What a configuration is made of, each read by itself, so that all errors are found.
struct Parts {
    offer: Offer,
    authorities: RootCertStore,
    /// `None` without a certificate: then the server must not need one.
    identity: Option<Identity>,
}

impl Parts {
    /// `None` if there is an error.
    fn read(settings: &Settings, errors: &mut Vec<String>) -> Option<Parts> {
        let tls = &settings.tls;
        let offer = Offer::read(settings, errors);
        let authorities = authorities(settings).and_then(|authorities| match authorities.is_empty() {
            true => Err("tls-ca-cert-file or tls-ca-cert-dir: expected the authorities of other servers' \
                 certificates, since tls-replication or tls-cluster is set"
                .to_owned()),
            false => Ok(authorities),
        });
        let authorities = kept(authorities, errors);
        let (own, general) = (
            IdentityNames {
                cert_file: ("tls-client-cert-file", &tls.client_cert_file),
                key_file: ("tls-client-key-file", &tls.client_key_file),
                key_file_pass: &tls.client_key_file_pass,
                purpose: ["client", "one of both is set"],
            },
            IdentityNames {
                cert_file: ("tls-cert-file", &tls.cert_file),
                key_file: ("tls-key-file", &tls.key_file),
                key_file_pass: &tls.key_file_pass,
                purpose: ["server", "one of both is set"],
            },
        );
        let mut all = [own, general].into_iter();
        let names = all.find(|names| names.cert_file.1.is_some() || names.key_file.1.is_some());
        let identity = match names {
            Some(names) => Some(Identity::read(settings, &names, errors)?),
            None => None,
        };
        Some(Parts { offer: offer?, authorities: authorities?, identity })
    }

    fn join(self) -> Result<ClientConfig, String> {
        let Offer { provider, versions } = self.offer;
        let verifier = Verifier { authorities: self.authorities, provider: Arc::clone(&provider) };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|error| format!("tls-protocols: {error}"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match self.identity {
            Some(identity) => {
                identity.join(|chain, key| builder.with_client_auth_cert(chain, key))?
            }
            None => builder.with_no_client_auth(),
        };
        // There is one connection for a long time.
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

/// Checks everything of a server's certificate but its names.
#[derive(Debug)]
struct Verifier {
    authorities: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(certificate)?,
            &self.authorities,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
