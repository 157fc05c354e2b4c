//! A session of ours and a client of the library on a pair of sockets.

use super::{Configuration, Tls};
use crate::broker::Broker;
use crate::clients::{CloseReason, Peer as ClientPeer, TlsFailure};
use crate::clock::Now;
use crate::host::NoHost;
use crate::resp::{Output, Protocol};
use crate::server::connection::Connection;
use crate::server::socket::Socket;
use crate::server::speaker::{Service, Speaker};
use crate::server::transfer::{Buffers, Received, Sent};
use crate::server::transport::Transport;
use crate::settings::Settings;
use ::ring::aead;
use mio::{Events, Poll, Token};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, ConnectionTrafficSecrets, RootCertStore,
    SupportedProtocolVersion,
};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The record type of data, in the first byte of a record.
const DATA: u8 = 23;

/// A server and a client with a certificate that both know.
struct World {
    configuration: Configuration,
    client: Arc<ClientConfig>,
}

impl World {
    fn new(version: &'static SupportedProtocolVersion) -> World {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tidegate-tls-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
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
        let configuration = Configuration::default();
        configuration.load(&settings).expect("a certificate and its key");
        fs::remove_dir_all(&directory).expect("the directory");
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).expect("a certificate");
        let mut client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.resumption = Resumption::disabled();
        World { configuration, client: Arc::new(client) }
    }

    /// Both ends, before the handshake.
    fn ends(&self) -> (Ours, Peer) {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        ours.set_nonblocking(true).expect("no waiting");
        theirs.set_nonblocking(true).expect("no waiting");
        let socket = Socket::Unix(mio::net::UnixStream::from_std(ours));
        let tls = Tls::accept(socket, &self.configuration).expect("a session");
        let name = ServerName::try_from("localhost").expect("a name");
        let session = ClientConnection::new(Arc::clone(&self.client), name).expect("a session");
        (Ours { tls, buffers: Buffers::new() }, Peer { socket: theirs, session })
    }

    /// Both ends, after the handshake.
    fn established(&self) -> (Ours, Peer) {
        let (mut ours, mut peer) = self.ends();
        while peer.session.is_handshaking() || ours.tls.is_handshaking() {
            peer.flush();
            let _ = ours.read_all(usize::MAX);
            peer.fill();
        }
        let _ = ours.read_all(usize::MAX);
        peer.fill();
        (ours, peer)
    }
}

struct Ours {
    tls: Tls,
    buffers: Buffers,
}

impl Ours {
    fn receive(&mut self, bytes_max: usize) -> Received {
        let bytes_max = bytes_max.min(self.buffers.plain.len());
        self.tls.receive(&mut self.buffers, bytes_max)
    }

    /// Reads as the loop does after one event, until there is nothing more to expect; and sends what
    /// the session has to say. Returns the plaintext, and the last result.
    fn read_all(&mut self, bytes_max: usize) -> (Vec<u8>, Received) {
        let mut plain = Vec::new();
        loop {
            let received = self.receive(bytes_max);
            match received {
                Received::Bytes { count, is_all } => {
                    assert!(0 < count && count <= bytes_max);
                    plain.extend_from_slice(&self.buffers.plain[..count]);
                    if !is_all {
                        continue;
                    }
                }
                Received::Nothing { is_all: false, .. } | Received::Established => continue,
                _ => {}
            }
            self.tls.flush();
            return (plain, received);
        }
    }

    fn send(&mut self, output: &mut Output) -> Sent {
        let sent = self.tls.send(&mut self.buffers, output, output.len());
        if let Sent::Bytes(count) = sent {
            output.advance(count);
        }
        sent
    }

    /// Bytes kept for this connection alone, besides the session.
    fn kept_bytes(&self) -> usize {
        self.tls.sealed.capacity() + self.tls.opened.capacity() + self.tls.unsent.capacity()
    }
}

struct Peer {
    socket: UnixStream,
    session: ClientConnection,
}

impl Peer {
    /// The records of what was written since, and of what the session has to say.
    fn records(&mut self) -> Vec<u8> {
        let mut records = Vec::new();
        while self.session.wants_write() {
            self.session.write_tls(&mut records).expect("memory takes it");
        }
        records
    }

    fn flush(&mut self) {
        let records = self.records();
        self.socket.write_all(&records).expect("it fits");
    }

    /// One record of its own.
    fn record(&mut self, plain: &[u8]) -> Vec<u8> {
        self.session.writer().write_all(plain).expect("it is taken");
        self.records()
    }

    /// Everything that has arrived, as it came.
    fn raw(&mut self) -> Vec<u8> {
        let mut raw = Vec::new();
        match self.socket.read_to_end(&mut raw) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        raw
    }

    fn open(&mut self, mut raw: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        while !raw.is_empty() {
            self.session.read_tls(&mut raw).expect("memory gives it");
            let state = self.session.process_new_packets().expect("valid records");
            let start = plain.len();
            plain.resize(start + state.plaintext_bytes_to_read(), 0);
            self.session.reader().read_exact(&mut plain[start..]).expect("as announced");
        }
        plain
    }

    fn fill(&mut self) -> Vec<u8> {
        let raw = self.raw();
        self.open(&raw)
    }
}

/// The number of records in a stream, and of those with data.
fn count_records(mut raw: &[u8]) -> (usize, usize) {
    let (mut all, mut with_data) = (0, 0);
    while let [kind, _, _, high, low, rest @ ..] = raw {
        all += 1;
        with_data += usize::from(*kind == DATA);
        raw = &rest[usize::from(*high) << 8 | usize::from(*low)..];
    }
    (all, with_data)
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

#[test]
fn records_may_come_byte_by_byte() {
    for version in VERSIONS {
        let (mut ours, mut peer) = World::new(version).ends();
        while peer.session.is_handshaking() || ours.tls.is_handshaking() {
            for byte in peer.records() {
                peer.socket.write_all(&[byte]).expect("it fits");
                let (plain, _) = ours.read_all(usize::MAX);
                assert_eq!(plain, b"");
            }
            peer.fill();
        }
        let mut plain = Vec::new();
        for byte in [peer.record(b"PING\r\n"), peer.record(&[b'x'; 300])].concat() {
            peer.socket.write_all(&[byte]).expect("it fits");
            plain.extend(ours.read_all(usize::MAX).0);
        }
        assert_eq!(plain, [&b"PING\r\n"[..], &[b'x'; 300]].concat());
        assert_eq!(ours.kept_bytes(), 0);
    }
}

#[test]
fn many_records_in_one_read_are_all_found_however_little_is_asked_for() {
    for version in VERSIONS {
        let (mut ours, mut peer) = World::new(version).established();
        for bytes_max in [1, 7, 1_000, usize::MAX] {
            let plains: Vec<Vec<u8>> = (0..200_usize).map(|n| vec![n as u8; 1 + n * 7]).collect();
            let records: Vec<u8> = plains.iter().flat_map(|plain| peer.record(plain)).collect();
            peer.socket.write_all(&records).expect("it fits");
            let (plain, last) = ours.read_all(bytes_max);
            assert!(plain == plains.concat(), "{} bytes", plain.len());
            let is_all =
                matches!(last, Received::Bytes { is_all: true, .. } | Received::WouldBlock);
            assert!(is_all, "{last:?}");
            assert!(matches!(ours.receive(1), Received::WouldBlock));
            assert_eq!(ours.kept_bytes(), 0, "an idle connection has no buffers");
        }
    }
}

#[test]
fn a_large_record_is_kept_for_a_reader_with_little_place() {
    let (mut ours, mut peer) = World::new(&rustls::version::TLS13).established();
    let plain: Vec<u8> = (0..16_384_u32).map(|n| n as u8).collect();
    let records = [peer.record(&plain), peer.record(b"behind")].concat();
    peer.socket.write_all(&records).expect("it fits");
    for part in plain.chunks(1_000) {
        let Received::Bytes { count, is_all: false } = ours.receive(1_000) else { panic!("more") };
        assert_eq!(&ours.buffers.plain[..count], part);
    }
    assert_eq!(ours.read_all(1_000).0, b"behind");
}

#[test]
fn a_peer_that_ends_in_order_still_gets_its_replies() {
    for version in VERSIONS {
        let (mut ours, mut peer) = World::new(version).established();
        let record = peer.record(b"PING\r\n");
        peer.session.send_close_notify();
        let end = peer.records();
        peer.socket.write_all(&[record, end].concat()).expect("it fits");
        peer.socket.shutdown(Shutdown::Write).expect("half of it");
        let (plain, last) = ours.read_all(usize::MAX);
        assert_eq!(plain, b"PING\r\n");
        assert!(matches!(last, Received::End), "{last:?}");
        let mut output = Output::new(Protocol::Resp2);
        output.raw(b"+PONG\r\n");
        assert!(matches!(ours.send(&mut output), Sent::Bytes(7)));
        ours.tls.end(CloseReason::PeerClosed, &mut ours.buffers);
        drop(ours);
        let raw = peer.raw();
        assert_eq!(peer.open(&raw), b"+PONG\r\n");
        let end = peer.session.reader().read(&mut [0; 1]);
        assert_eq!(end.expect("an end in order, not one of the socket"), 0);
    }
}

/// As in Redis, the end of the socket is the end.
#[test]
fn an_end_without_goodbye_is_an_end() {
    let (mut ours, mut peer) = World::new(&rustls::version::TLS13).established();
    let record = peer.record(b"PING\r\n");
    peer.socket.write_all(&record).expect("it fits");
    peer.socket.write_all(&record[..9]).expect("it fits");
    drop(peer);
    let (plain, last) = ours.read_all(usize::MAX);
    assert_eq!(plain, b"PING\r\n");
    let last = if matches!(last, Received::Bytes { .. }) { ours.receive(10) } else { last };
    assert!(matches!(last, Received::End), "{last:?}");
}

#[test]
fn replies_of_a_turn_share_records() {
    for version in VERSIONS {
        let (mut ours, mut peer) = World::new(version).established();
        let mut output = Output::new(Protocol::Resp2);
        (0..1_000).for_each(|_| output.ok());
        assert!(matches!(ours.send(&mut output), Sent::Bytes(5_000)));
        let raw = peer.raw();
        assert_eq!(count_records(&raw), (1, 1));
        assert_eq!(peer.open(&raw), b"+OK\r\n".repeat(1_000));
        // Messages that many subscribers share, with others between them.
        let mut expected = Vec::new();
        for number in 0..300_u16 {
            let message = number.to_string().into_bytes();
            expected.extend_from_slice(&message);
            expected.extend_from_slice(b"+OK\r\n");
            output.share(message.into());
            output.ok();
        }
        let length = output.len();
        assert!(matches!(ours.send(&mut output), Sent::Bytes(count) if count == length));
        let raw = peer.raw();
        assert_eq!(count_records(&raw), (1, 1));
        assert_eq!(peer.open(&raw), expected);
    }
}

/// Only what one write takes is encrypted: the rest stays in the outbox, where its limits apply.
#[test]
fn a_peer_that_reads_nothing_costs_no_more_than_one_write() {
    let (mut ours, mut peer) = World::new(&rustls::version::TLS13).established();
    let mut output = Output::new(Protocol::Resp2);
    let text: Vec<u8> = (0..8_000_000_u32).map(|n| n as u8).collect();
    output.raw(&text);
    while !matches!(ours.send(&mut output), Sent::WouldBlock) {
        assert!(ours.kept_bytes() <= 80_000, "{}", ours.kept_bytes());
    }
    assert!(output.len() > 1_000_000, "the socket takes it all");
    assert!(ours.tls.unsent_bytes() > 0);
    let mut received = Vec::new();
    while received.len() < text.len() {
        received.extend(peer.fill());
        while !output.is_empty() && matches!(ours.send(&mut output), Sent::Bytes(_)) {}
        ours.tls.flush();
    }
    assert!(received == text);
    assert_eq!(ours.kept_bytes(), 0);
}

/// The socket takes only a part of a reply's last record. Nothing but an event for it brings the rest.
#[test]
fn the_rest_of_a_last_record_waits_for_the_socket() {
    let (ours, mut peer) = World::new(&rustls::version::TLS13).established();
    let Ours { tls, mut buffers } = ours;
    let now = Now::default();
    let mut broker = Broker::new(Settings::default(), 7, Box::new(NoHost), now);
    let speaker = Speaker::begin(&mut broker, Service::Resp, 0, ClientPeer::in_process(), now);
    let mut connection = Connection::new(speaker, Transport::Tls(Box::new(tls)));
    let mut poll = Poll::new().expect("a poll");
    connection.transport.register(poll.registry(), Token(0)).expect("it is registered");
    let echo = format!("*2\r\n$4\r\nECHO\r\n$9000\r\n{}\r\n", "x".repeat(9_000));
    let mut replies = 0;
    while connection.transport.unsent_bytes() == 0 {
        let records = peer.record(echo.as_bytes());
        peer.socket.write_all(&records).expect("it fits");
        let mut share = usize::MAX;
        while let Ok(count) = connection.read(&mut broker, &mut buffers, &mut share, now) {
            connection.speaker.receive(&mut broker, &buffers.plain[..count], now, &mut ());
        }
        let _ = connection.write(&mut broker, &mut buffers, poll.registry(), Token(0), now);
        replies += 9_009;
        assert!(replies < 100_000_000, "the socket takes everything");
    }
    let mut received = 0;
    let mut events = Events::with_capacity(8);
    while received < replies {
        received += peer.fill().len();
        poll.poll(&mut events, Some(Duration::from_secs(10))).expect("events");
        let is_writable = events.iter().any(|event| event.is_writable());
        assert!(is_writable || received == replies, "{received} of {replies} bytes");
        connection.is_writable |= is_writable;
        let _ = connection.write(&mut broker, &mut buffers, poll.registry(), Token(0), now);
        received += peer.fill().len();
    }
}

#[test]
fn new_keys_change_nothing_else() {
    let (mut ours, mut peer) = World::new(&rustls::version::TLS13).established();
    for _ in 0..5 {
        peer.session.refresh_traffic_keys().expect("TLS 1.3");
        let records = peer.record(b"PING\r\n");
        peer.socket.write_all(&records).expect("it fits");
        assert_eq!(ours.read_all(usize::MAX).0, b"PING\r\n");
        let mut output = Output::new(Protocol::Resp2);
        output.ok();
        assert!(matches!(ours.send(&mut output), Sent::Bytes(5)));
        assert_eq!(peer.fill(), b"+OK\r\n");
    }
}

/// A record of TLS 1.3 with AES-256, made by hand: the library splits no message behind the handshake.
fn record_by_hand(
    secrets: &ConnectionTrafficSecrets,
    sequence: u64,
    kind: u8,
    part: &[u8],
) -> Vec<u8> {
    let ConnectionTrafficSecrets::Aes256Gcm { key, iv } = secrets else { panic!("another cipher") };
    let mut nonce = [0; 12];
    nonce.copy_from_slice(iv.as_ref());
    for (byte, of_sequence) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
        *byte ^= of_sequence;
    }
    let header = [DATA, 3, 3, 0, (part.len() + 1 + 16) as u8];
    let mut sealed = [part, &[kind]].concat();
    let key = aead::UnboundKey::new(&aead::AES_256_GCM, key.as_ref()).expect("a key");
    aead::LessSafeKey::new(key)
        .seal_in_place_append_tag(
            aead::Nonce::assume_unique_for_key(nonce),
            aead::Aad::from(header),
            &mut sealed,
        )
        .expect("it fits");
    [&header[..], &sealed].concat()
}

/// Behind the handshake a message may come in parts too, and each byte by itself. Meanwhile replies go,
/// somebody looks for the end, and the connection ends.
#[test]
fn parts_of_a_message_behind_the_handshake_may_wait() {
    const HANDSHAKE: u8 = 22;
    const UPDATE_KEYS: [u8; 5] = [24, 0, 0, 1, 1];
    let mut world = World::new(&rustls::version::TLS13);
    Arc::make_mut(&mut world.client).enable_secret_extraction = true;
    for (cut, at) in (0..150).flat_map(|cut| [1, 4].map(|at| (cut, at))) {
        let (mut ours, peer) = world.established();
        let Peer { mut socket, session } = peer;
        let (first, secrets) = session.dangerous_extract_secrets().expect("established").tx;
        let (start, rest) = UPDATE_KEYS.split_at(at);
        let parts = [(DATA, &b"PING\r\n"[..]), (HANDSHAKE, start), (HANDSHAKE, rest)];
        let records = parts
            .iter()
            .zip(first..)
            .map(|((kind, part), sequence)| record_by_hand(&secrets, sequence, *kind, part));
        // The last one is no record under the new keys.
        let stream =
            [records.collect::<Vec<_>>().concat(), vec![DATA, 3, 3, 0, 20], vec![0; 20]].concat();
        let is_broken = cut % 2 == 1;
        let stream = &stream[..stream.len() - if is_broken { 0 } else { 25 }];
        let mut plain = Vec::new();
        for bytes in [&stream[..cut.min(stream.len())], &stream[cut.min(stream.len())..]] {
            socket.write_all(bytes).expect("it fits");
            if at == 1 {
                assert!(!ours.tls.finds_end(&mut ours.buffers));
            }
            plain.extend(ours.read_all(3 + cut % 7).0);
            let mut output = Output::new(Protocol::Resp2);
            output.ok();
            let is_sent = matches!(ours.send(&mut output), Sent::Bytes(5));
            assert!(is_sent || is_broken);
        }
        assert_eq!(plain, b"PING\r\n");
        let last = ours.receive(100);
        assert_eq!(is_broken, !matches!(last, Received::WouldBlock), "{last:?}");
        ours.tls.end(CloseReason::Quit, &mut ours.buffers);
    }
}

#[test]
fn what_is_not_tls_is_refused_with_an_alert() {
    let world = World::new(&rustls::version::TLS13);
    for garbage in [&b"*1\r\n$4\r\nPING\r\n"[..], b"GET / HTTP/1.1\r\n\r\n", &[0xff; 100]] {
        let (mut ours, mut peer) = world.ends();
        peer.socket.write_all(garbage).expect("it fits");
        let (plain, last) = ours.read_all(usize::MAX);
        assert_eq!(plain, b"");
        let Received::Failed(CloseReason::Tls(TlsFailure::NoTls)) = last else {
            panic!("{last:?}")
        };
        ours.tls.end(CloseReason::Tls(TlsFailure::NoTls), &mut ours.buffers);
        drop(ours);
        let raw = peer.raw();
        assert_eq!((raw.first(), raw.len()), (Some(&21), 7), "an alert");
    }
}

#[test]
fn a_damaged_record_is_the_end_behind_the_whole_ones() {
    let (mut ours, mut peer) = World::new(&rustls::version::TLS13).established();
    let whole = peer.record(b"PING\r\n");
    let mut damaged = peer.record(b"PING\r\n");
    damaged[10] ^= 1;
    peer.socket.write_all(&[whole, damaged].concat()).expect("it fits");
    let (plain, last) = ours.read_all(usize::MAX);
    assert_eq!(plain, b"PING\r\n");
    assert!(matches!(last, Received::Failed(CloseReason::Tls(TlsFailure::Record))), "{last:?}");
}

/// Parts of a handshake message wait for the rest, in records of their own. Meanwhile replies go, and the
/// connection may end: the session must still find those parts.
#[test]
fn a_part_of_a_handshake_message_may_wait_while_replies_go() {
    let world = World::new(&rustls::version::TLS13);
    for is_whole in [true, false] {
        let (mut ours, mut peer) = world.ends();
        let hello = peer.records();
        // The client's first message in two records.
        let (first, second) = hello[5..].split_at(20);
        let record = |part: &[u8]| {
            [&[22, 3, 1, (part.len() >> 8) as u8, part.len() as u8][..], part].concat()
        };
        peer.socket.write_all(&record(first)).expect("it fits");
        assert!(matches!(ours.receive(100), Received::Nothing { .. }));
        assert!(matches!(ours.receive(100), Received::WouldBlock));
        if is_whole {
            peer.socket.write_all(&record(second)).expect("it fits");
            while peer.session.is_handshaking() || ours.tls.is_handshaking() {
                let _ = ours.read_all(100);
                peer.fill();
                peer.flush();
            }
        } else {
            // Not a handshake any more.
            peer.socket.write_all(b"PING\r\n").expect("it fits");
            let (_, last) = ours.read_all(100);
            assert!(matches!(last, Received::Failed(CloseReason::Tls(_))), "{last:?}");
        }
        ours.tls.end(CloseReason::Quit, &mut ours.buffers);
    }
}
