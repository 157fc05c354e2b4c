//! However records are split and whatever happens between them, the plaintext arrives in order, both
//! ways; damage ends the connection, and what came before is right.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};
use tidegate::Settings;
use tidegate::server::{TlsProbe, TlsProbes};

/// Bytes on their way to the server at most: they must fit a socket.
const UNDER_WAY_MAX: usize = 50_000;
/// New keys of the client at most: the library takes more than 32 in a row, without data, as an attack.
const NEW_KEYS_MAX: u32 = 32;

struct Servers {
    probes: TlsProbes,
    clients: [Arc<ClientConfig>; 2],
}

fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| {
        let directory = std::env::temp_dir().join(format!("tidegate-fuzz-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        fs::write(directory.join("cert.pem"), cert.pem()).expect("a file");
        fs::write(directory.join("key.pem"), signing_key.serialize_pem()).expect("a file");
        let text = format!(
            "dir {}\ntls-port 1\ntls-cert-file cert.pem\ntls-key-file key.pem\ntls-auth-clients no",
            directory.display()
        );
        let settings = Settings::from_text(&text, "test").expect("settings");
        let probes = TlsProbes::new(&settings).expect("a certificate and its key");
        fs::remove_dir_all(&directory).expect("the directory");
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).expect("a certificate");
        let clients = [&rustls::version::TLS12, &rustls::version::TLS13].map(|version| {
            let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
            let builder = builder.with_protocol_versions(&[version]).expect("a version");
            Arc::new(builder.with_root_certificates(roots.clone()).with_no_client_auth())
        });
        Servers { probes, clients }
    })
}

struct World {
    server: TlsProbe,
    socket: UnixStream,
    client: ClientConnection,
    /// Records of the client that are not in the socket yet.
    under_way: Vec<u8>,
    sent: Vec<u8>,
    received: Vec<u8>,
    replied: Vec<u8>,
    replies: Vec<u8>,
    is_damaged: bool,
    new_keys: u32,
}

/// A byte for the version, one for the bytes of a read, then what happens, a byte each.
pub fn check(data: &[u8]) {
    let [version, bytes_max, events @ ..] = data else { return };
    let servers = servers();
    let (ours, socket) = UnixStream::pair().expect("a pair of sockets");
    ours.set_nonblocking(true).expect("no waiting");
    socket.set_nonblocking(true).expect("no waiting");
    let server = servers.probes.accept(ours).expect("a session");
    let name = ServerName::try_from("localhost").expect("a name");
    let config = Arc::clone(&servers.clients[usize::from(version % 2)]);
    let client = ClientConnection::new(config, name).expect("a session");
    let mut world = World {
        server,
        socket,
        client,
        under_way: Vec::new(),
        sent: Vec::new(),
        received: Vec::new(),
        replied: Vec::new(),
        replies: Vec::new(),
        is_damaged: false,
        new_keys: 0,
    };
    let bytes_max = 1 << (bytes_max % 17);
    for &event in events.iter().take(300) {
        if !world.happens(event, bytes_max) {
            assert!(world.is_damaged, "a connection without damage ends");
            assert!(world.sent.starts_with(&world.received));
            return;
        }
    }
    if !world.is_damaged {
        world.settle(bytes_max);
        assert!(world.received == world.sent, "{} of {}", world.received.len(), world.sent.len());
        assert!(world.replies == world.replied);
    }
}

impl World {
    /// False once the connection has ended.
    fn happens(&mut self, event: u8, bytes_max: usize) -> bool {
        let size = usize::from(event % 32);
        match event / 32 {
            // A record of the client, of up to 16 KiB.
            0 | 1
                if !self.client.is_handshaking()
                    && !self.is_damaged
                    && self.under_way.len() < UNDER_WAY_MAX =>
            {
                let plain = vec![event; 1 + size * size * 17];
                self.client.writer().write_all(&plain).expect("it is taken");
                self.sent.extend_from_slice(&plain);
            }
            // Some of its bytes arrive.
            2 => self.deliver(1 + size),
            3 => self.deliver(size * size * 100),
            4 => return self.server.read(bytes_max, &mut self.received) && self.answer(&[]),
            5 if !self.server.is_handshaking() && !self.is_damaged => {
                let reply = vec![event; size * 1_000];
                self.replied.extend_from_slice(&reply);
                return self.answer(&reply);
            }
            6 if event.is_multiple_of(2) && self.new_keys < NEW_KEYS_MAX => {
                self.new_keys += 1;
                // Only TLS 1.3 can, once the handshake is done.
                let _ = self.client.refresh_traffic_keys();
            }
            7 if size == 31 && !self.under_way.is_empty() => {
                self.under_way[0] ^= 0x10;
                self.is_damaged = true;
            }
            _ => {}
        }
        if !self.is_damaged {
            while self.client.wants_write() {
                self.client.write_tls(&mut self.under_way).expect("memory takes it");
            }
        }
        true
    }

    fn deliver(&mut self, count: usize) {
        let count = count.min(self.under_way.len());
        if let Ok(written) = self.socket.write(&self.under_way[..count]) {
            self.under_way.drain(..written);
        }
    }

    /// The server sends, and the client receives all of it.
    fn answer(&mut self, reply: &[u8]) -> bool {
        let is_well = self.server.write(reply);
        if !self.is_damaged {
            self.receive();
        }
        is_well
    }

    fn receive(&mut self) {
        let mut raw = Vec::new();
        if let Err(error) = self.socket.read_to_end(&mut raw) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
        let mut raw = raw.as_slice();
        while !raw.is_empty() {
            self.client.read_tls(&mut raw).expect("memory gives it");
            let state = self.client.process_new_packets().expect("valid records");
            let start = self.replies.len();
            self.replies.resize(start + state.plaintext_bytes_to_read(), 0);
            self.client.reader().read_exact(&mut self.replies[start..]).expect("as announced");
        }
    }

    /// Everything that is under way arrives.
    fn settle(&mut self, bytes_max: usize) {
        loop {
            while self.client.wants_write() {
                self.client.write_tls(&mut self.under_way).expect("memory takes it");
            }
            let before = (self.under_way.len(), self.received.len(), self.replies.len());
            self.deliver(usize::MAX);
            assert!(self.server.read(bytes_max, &mut self.received), "it goes on");
            assert!(self.answer(&[]), "it goes on");
            let after = (self.under_way.len(), self.received.len(), self.replies.len());
            if before == after && !self.client.wants_write() && self.under_way.is_empty() {
                return;
            }
        }
    }
}
