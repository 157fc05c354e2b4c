//! Certificates that exist only for a test, and a client with TLS.

// Each test file uses a part of this.
#![allow(dead_code)]

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Time limit for anything, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// An authority whose certificates a server or a client accepts.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM.
pub struct Identity {
    pub cert: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "An authority");
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for `localhost` and 127.0.0.1, with this common name.
    pub fn issue(&self, common_name: &str) -> Identity {
        self.issue_until(common_name, 2090)
    }

    /// The same, until the start of a year.
    pub fn issue_until(&self, common_name: &str, year: i32) -> Identity {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Identity { cert, key: key.serialize_pem() }
    }
}

impl Identity {
    /// Writes `NAME.crt` and `NAME.key` into a directory.
    pub fn write(&self, directory: &Path, name: &str) {
        fs::write(directory.join(format!("{name}.crt")), &self.cert).expect("a file");
        fs::write(directory.join(format!("{name}.key")), &self.key).expect("a file");
    }

    /// The certificate as it is sent.
    pub fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.cert.as_bytes()).expect("a certificate")
    }
}

/// How a client connects: it accepts servers of the authority, and may have a certificate itself.
pub fn client_config(authority: &Authority, identity: Option<&Identity>) -> Arc<ClientConfig> {
    client_config_of(rustls::ALL_VERSIONS, authority, identity)
}

/// The same with some versions only.
pub fn client_config_of(
    versions: &[&'static SupportedProtocolVersion],
    authority: &Authority,
    identity: Option<&Identity>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("a certificate");
    roots.add(root).expect("an authority");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(versions).expect("versions");
    let builder = builder.with_root_certificates(roots);
    Arc::new(match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
            builder.with_client_auth_cert(vec![identity.der()], key).expect("its key")
        }
    })
}

/// A client that reads and writes lines.
pub struct TlsClient {
    pub stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

impl TlsClient {
    /// Connects and waits for the answer to a PING: with TLS 1.3 a client learns only behind its own
    /// handshake whether the server accepts it.
    pub fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<TlsClient> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").expect("a name");
        let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let mut client = TlsClient { stream: BufReader::new(StreamOwned::new(session, stream)) };
        client.stream.get_mut().write_all(b"PING\r\n")?;
        let mut line = String::new();
        client.stream.read_line(&mut line)?;
        match line.as_str() {
            "+PONG\r\n" => Ok(client),
            _ => Err(io::Error::other(line)),
        }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).expect("the server reads");
    }

    /// The next line without its end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the server answers");
        line.trim_end().to_owned()
    }

    /// Sends one command; returns the first line of the reply.
    pub fn ask(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n"));
        self.line()
    }

    /// The server's certificate.
    pub fn server_certificate(&self) -> CertificateDer<'static> {
        let chain = self.stream.get_ref().conn.peer_certificates().expect("a certificate");
        chain.first().expect("a certificate").clone().into_owned()
    }
}
