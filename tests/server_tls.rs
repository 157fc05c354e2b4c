//! TLS of the real program: certificates on both sides, their change while clients are connected,
//! and clients that break the protocol or take their time.

mod server_support;
mod tls_support;

use rustls::{ClientConnection, HandshakeKind, pki_types::ServerName};
use server_support::{Client, Directory, PATIENCE, Process, free_port};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use tls_support::{Authority, Identity, TlsClient, client_config, client_config_of};

/// A server with a certificate of an authority, which also has a plain port.
struct World {
    authority: Authority,
    directory: Directory,
    process: Process,
    address: SocketAddr,
}

impl World {
    fn start(name: &str, more: &[&str]) -> World {
        let (authority, directory) = (Authority::new(), Directory::new(name));
        fs::write(directory.join("ca.crt"), &authority.pem).expect("a file");
        authority.issue("server").write(&directory.join(""), "server");
        let (port, plain) = (free_port(), free_port().to_string());
        let dir = directory.join("").display().to_string();
        let tls = ["--tls-port", &port.to_string(), "--dir", &dir, "--tls-cert-file", "server.crt"];
        let key = ["--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.crt"];
        let process = Process::start_with(
            &[&["--bind", "127.0.0.1", "--port", &plain], &tls[..], &key, more].concat(),
        );
        World { authority, directory, process, address: ([127, 0, 0, 1], port).into() }
    }

    fn connect(&self, identity: Option<&Identity>) -> io::Result<TlsClient> {
        TlsClient::connect(self.address, &client_config(&self.authority, identity))
    }

    fn client(&self) -> TlsClient {
        self.connect(Some(&self.authority.issue("a client"))).expect("it is accepted")
    }

    fn failed_connections(&self) -> u64 {
        let info = self.process.client().info("stats");
        let line = info.lines().find_map(|line| line.strip_prefix("tls_failed_connections:"));
        line.and_then(|number| number.parse().ok()).expect("a number")
    }
}

#[test]
fn only_clients_with_a_certificate_of_the_authority_are_served() {
    let world = World::start("tls-auth", &["--loglevel", "verbose"]);
    let (other, good) = (Authority::new(), world.authority.issue("worker 7"));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let connect = |identity: Option<&Identity>| {
            TlsClient::connect(
                world.address,
                &client_config_of(&[version], &world.authority, identity),
            )
        };
        let mut client = connect(Some(&good)).expect("it is accepted");
        assert_eq!(
            client.ask("RPUSH q a"),
            if version.version == rustls::ProtocolVersion::TLSv1_2 { ":1" } else { ":2" }
        );
        assert!(connect(None).is_err(), "without a certificate");
        assert!(connect(Some(&other.issue("stranger"))).is_err(), "of another authority");
        assert!(connect(Some(&world.authority.issue_until("late", 2020))).is_err(), "expired");
    }
    world.process.line_with("with the certificate of worker 7");
    assert_eq!(world.failed_connections(), 6);
    let mut plain = world.process.client();
    assert_eq!(plain.ask("CONFIG SET tls-auth-clients optional"), "+OK");
    assert!(world.connect(None).is_ok());
    assert!(world.connect(Some(&good)).is_ok());
    assert!(world.connect(Some(&other.issue("stranger"))).is_err());
    assert_eq!(plain.ask("CONFIG SET tls-auth-clients no"), "+OK");
    assert!(world.connect(Some(&other.issue("stranger"))).is_ok(), "nobody asks for it");
    // A client that does not know the server refuses it.
    assert!(TlsClient::connect(world.address, &client_config(&other, None)).is_err());
}

#[test]
fn a_certificate_names_its_user() {
    let world = World::start("tls-user", &["--requirepass", "top"]);
    let mut admin = world.process.client();
    assert_eq!(admin.ask("AUTH top"), "+OK");
    assert_eq!(admin.ask("ACL SETUSER bob on +ping +acl|whoami +get ~b*"), "+OK");
    let connect = |name: &str| world.connect(Some(&world.authority.issue(name)));
    let no_auth = "-NOAUTH Authentication required.\r\n";
    let refused = |name: &str| connect(name).err().expect("no user").to_string();
    assert_eq!(refused("bob"), no_auth, "it is off by default");
    assert_eq!(admin.ask("CONFIG SET tls-auth-clients-user CN"), "+OK");
    let mut bob = connect("bob").expect("he may PING");
    bob.send("ACL WHOAMI\r\nGET a\r\nGET b\r\n");
    assert_eq!([bob.line(), bob.line()], ["$3", "bob"]);
    assert_eq!(bob.line(), "-NOPERM No permissions to access a key");
    assert_eq!(bob.line(), "$-1");
    for name in ["eve", "default"] {
        let reply = connect(name).map(|mut client| client.ask("ACL WHOAMI"));
        assert_eq!(reply.ok(), (name == "default").then(|| "$7".to_owned()), "{name}");
    }
    assert_eq!(admin.ask("ACL SETUSER bob off"), "+OK");
    assert_eq!(refused("bob"), no_auth);
    assert_eq!(bob.ask("PING"), "+PONG", "he stays");
}

#[test]
fn failures_are_logged_once_a_minute_for_each_kind() {
    let world = World::start("tls-log", &[]);
    for _ in 0..20 {
        assert!(world.connect(None).is_err());
        Client::connect(world.address).send("PING\r\n");
    }
    world.process.line_with("the peer gave no certificate, see `tls-auth-clients`");
    world.process.line_with("no TLS, but something else, came from the peer");
    while world.failed_connections() < 40 {}
    world.process.signal("TERM");
    let World { process, .. } = world;
    let (_, lines) = process.wait();
    let closed = lines.iter().filter(|line| line.contains("closed client")).count();
    assert_eq!(closed, 0, "{lines:#?}");
}

#[test]
fn certificates_change_while_clients_are_connected() {
    let world = World::start("tls-reload", &["--tls-auth-clients", "no"]);
    let mut client = world.connect(None).expect("it is accepted");
    let before = client.server_certificate();
    let directory = world.directory.join("");
    world.authority.issue("next").write(&directory, "next");
    let mut plain = world.process.client();
    // Each alone does not fit the other.
    let error = plain.ask("CONFIG SET tls-cert-file next.crt");
    assert!(
        error.starts_with("-ERR CONFIG SET failed (possibly related to argument 'tls-cert-file')")
    );
    assert!(error.contains("server.key: it is not the key of the certificate in "), "{error}");
    assert_eq!(world.connect(None).expect("as before").server_certificate(), before);
    assert_eq!(plain.ask("CONFIG SET tls-cert-file next.crt tls-key-file next.key"), "+OK");
    let next = world.connect(None).expect("it is accepted").server_certificate();
    assert_ne!(next, before);
    // The same names, but other files: by CONFIG SET, and by a signal.
    world.authority.issue("third").write(&directory, "next");
    assert_eq!(plain.ask("CONFIG SET tls-cert-file next.crt"), "+OK");
    let third = world.connect(None).expect("it is accepted").server_certificate();
    assert_ne!(third, next);
    world.authority.issue("fourth").write(&directory, "next");
    world.process.signal("HUP");
    world.process.line_with("read the TLS certificates again");
    assert_ne!(world.connect(None).expect("it is accepted").server_certificate(), third);
    fs::write(directory.join("next.crt"), "nothing").expect("a file");
    world.process.signal("HUP");
    let line = world.process.line_with("cannot read the TLS certificates again, those before stay");
    assert!(line.contains("next.crt: there is no certificate in it"), "{line}");
    assert!(world.connect(None).is_ok());
    assert_eq!(client.ask("PING"), "+PONG", "nobody was dropped");
}

#[test]
fn errors_name_the_file_and_the_reason() {
    let world = World::start("tls-errors", &["--tls-auth-clients", "no"]);
    let at = |name: &str| world.directory.join(name);
    fs::write(at("empty"), "").expect("a file");
    fs::write(at("bad"), "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
        .expect("a file");
    let mut plain = world.process.client();
    for (setting, reason) in [
        ("tls-cert-file missing", "missing: No such file or directory (os error 2)"),
        ("tls-cert-file empty", "empty: there is no certificate in it"),
        ("tls-cert-file bad", "bad: it is not a PEM file"),
        ("tls-cert-file /dev/zero", "/dev/zero: expected at most 16777216 bytes"),
        ("tls-cert-file server.key", "server.key: there is no certificate in it"),
        ("tls-key-file server.crt", "server.crt: there is no private key in it"),
        ("tls-cert-file \"\"", "tls-cert-file: expected a PEM file with the server's certificate"),
        (
            "tls-protocols TLSv1.1",
            "tls-protocols: expected TLSv1.2, TLSv1.3 or both, got 'tlsv1.1'",
        ),
        ("tls-ciphers RC4", "tls-ciphers: there is no cipher 'RC4'; there are ECDHE-"),
        (
            "tls-auth-clients yes tls-ca-cert-file \"\"",
            "tls-ca-cert-file or tls-ca-cert-dir: expected",
        ),
        ("tls-auth-clients yes tls-ca-cert-file empty", "empty: there is no certificate in it"),
        ("tls-auth-clients yes tls-ca-cert-dir missing", "missing: No such file or directory"),
    ] {
        let error = plain.ask(&format!("CONFIG SET {setting}"));
        assert!(error.contains("Unable to update TLS configuration: "), "{setting}: {error}");
        assert!(error.to_lowercase().contains(&reason.to_lowercase()), "{setting}: {error}");
    }
    assert!(world.connect(None).is_ok());
    // An authority may be in any file of a directory.
    fs::create_dir(at("authorities")).expect("a directory");
    fs::write(at("authorities/README"), "Our authorities").expect("a file");
    fs::copy(at("ca.crt"), at("authorities/ours.pem")).expect("a file");
    let set = "CONFIG SET tls-ca-cert-dir authorities tls-ca-cert-file \"\" tls-auth-clients yes";
    assert_eq!(plain.ask(set), "+OK");
    assert!(world.connect(None).is_err());
    world.client();
}

/// Runs the program with a configuration that it refuses; returns its last line.
fn refusal(directory: &Path, more: &[&str]) -> String {
    let program = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["--tls-port", "1", "--tls-auth-clients", "no", "--dir"])
        .arg(directory)
        .args(more)
        .output()
        .expect("tidegate runs");
    assert!(!program.status.success());
    String::from_utf8_lossy(&program.stderr).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_key_may_have_a_password() {
    let world = World::start("tls-password", &["--tls-auth-clients", "no"]);
    let at = |name: &str| world.directory.join(name);
    let run = |args: &[&str]| {
        let status = Command::new("openssl").args(args).current_dir(at("")).status();
        assert!(status.expect("openssl runs").success());
    };
    run(&["pkcs8", "-topk8", "-in", "server.key", "-out", "sealed.key", "-passout", "pass:secret"]);
    let mut plain = world.process.client();
    let error = plain.ask("CONFIG SET tls-key-file sealed.key");
    assert!(error.ends_with("the key is encrypted: set tls-key-file-pass"), "{error}");
    let error = plain.ask("CONFIG SET tls-key-file sealed.key tls-key-file-pass wrong");
    assert!(error.ends_with("tls-key-file-pass is not its password"), "{error}");
    assert_eq!(plain.ask("CONFIG SET tls-key-file sealed.key tls-key-file-pass secret"), "+OK");
    assert!(world.connect(None).is_ok());
    let files = ["--tls-cert-file", "server.crt", "--tls-key-file", "sealed.key"];
    let line = refusal(&at(""), &[&files[..], &["--tls-key-file-pass", "wrong"]].concat());
    assert!(line.contains("cannot use TLS: tls-key-file "), "{line}");
    assert!(line.ends_with("sealed.key: tls-key-file-pass is not its password"), "{line}");
    let line = refusal(&at(""), &files[..2]);
    assert!(line.ends_with("a port with TLS is set"), "{line}");
}

#[test]
fn an_expired_certificate_is_only_a_warning() {
    let world = World::start("tls-expired", &["--tls-auth-clients", "no"]);
    world.authority.issue_until("server", 2020).write(&world.directory.join(""), "server");
    world.process.signal("HUP");
    world.process.line_with("server.crt: a certificate in it has expired");
    world.process.line_with("read the TLS certificates again");
    assert!(world.connect(None).is_err(), "clients refuse it");
    assert_eq!(world.process.client().ask("PING"), "+PONG");
}

#[test]
fn certificates_are_checked_without_a_start() {
    let (authority, directory) = (Authority::new(), Directory::new("tls-check-config"));
    fs::write(directory.join("ca.crt"), &authority.pem).expect("a file");
    authority.issue("server").write(&directory.join(""), "server");
    authority.issue_until("old", 2002).write(&directory.join(""), "old");
    let check = |text: &str| {
        fs::write(directory.join("a.conf"), text).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        let output = command.args(["--check-config", "a.conf"]).current_dir(directory.join(""));
        let output = output.output().expect("the binary runs");
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        (output.status.code(), text)
    };
    let files = "tls-key-file server.key\ntls-cert-file server.crt\ntls-ca-cert-file ca.crt\n";
    assert_eq!(check(&format!("tls-port 1\n{files}")), (Some(0), "a.conf: ok\n".to_owned()));
    let (code, text) =
        check("tls-port 1\ntls-auth-clients no\ntls-cert-file old.crt\ntls-key-file old.key");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("warning: tls-cert-file ") && text.contains(" has expired"), "{text}");

    let (code, text) = check(
        "tls-port 1\ntls-cert-file nosuch\ntls-key-file ca.crt\ntls-protocols SSLv3\n\
         tls-ciphers x",
    );
    assert_eq!(code, Some(1), "{text}");
    for expected in [
        "a.conf, line 5: tls-ciphers: there is no cipher 'x'",
        "a.conf, line 4: tls-protocols: expected TLSv1.2",
        "a.conf, line 1: tls-ca-cert-file or tls-ca-cert-dir: expected the authorities",
        "a.conf, line 2: tls-cert-file ",
        "a.conf, line 3: tls-key-file ",
    ] {
        assert!(text.lines().any(|line| line.starts_with(expected)), "{expected:?} in {text}");
    }
    let (code, text) = check(&format!("tls-port 1\n{files}tls-key-file old.key"));
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.starts_with("a.conf, line 5: tls-key-file ") && text.contains("it is not the key")
    );
}

/// In protected mode a stranger is told why, once it can read that.
#[test]
fn strangers_are_told_why_after_their_handshake() {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
    // Connecting a datagram socket sends nothing.
    if socket.connect("192.0.2.1:9").is_err() {
        eprintln!("SKIPPED: this machine has no address besides the loopback");
        return;
    }
    let own = socket.local_addr().expect("an address").ip();
    let bind = ["--bind", "127.0.0.1", &own.to_string()];
    let world = World::start("tls-stranger", &[&bind[..], &["--tls-auth-clients", "no"]].concat());
    let config = client_config(&world.authority, None);
    let stranger = TlsClient::connect((own, world.address.port()).into(), &config);
    let line = stranger.err().expect("it is not served").to_string();
    assert!(line.starts_with("-DENIED Redis is running in protected mode"), "{line}");
    assert!(world.connect(None).is_ok());
    assert!(world.process.client().info("stats").contains("rejected_connections:1\r\n"));
}

/// The first bytes of a handshake.
fn hello(world: &World) -> Vec<u8> {
    let name = ServerName::try_from("localhost").expect("a name");
    let config = client_config(&world.authority, None);
    let mut session = ClientConnection::new(config, name).expect("a session");
    let mut bytes = Vec::new();
    session.write_tls(&mut bytes).expect("memory takes it");
    bytes
}

#[test]
fn a_slow_handshake_ends_at_its_deadline() {
    let world = World::start("tls-slow", &["--tls-handshake-timeout", "1"]);
    let mut client = world.client();
    let hello = hello(&world);
    let begun = Instant::now();
    for sent in [&b""[..], &hello[..40], &hello] {
        let mut slow = TcpStream::connect(world.address).expect("it listens");
        slow.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        slow.write_all(sent).expect("it reads");
        let connected = Instant::now();
        slow.read_to_end(&mut Vec::new()).expect("it is closed");
        assert!(connected.elapsed().as_millis() >= 900, "{:?}", connected.elapsed());
    }
    assert!(begun.elapsed() < PATIENCE);
    world.process.line_with("the TLS handshake took longer than `tls-handshake-timeout`");
    assert_eq!(world.failed_connections(), 3);
    assert_eq!(client.ask("PING"), "+PONG", "its handshake was done in time");
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_half_open_handshakes_delay_nobody() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised).expect("as much as is allowed");
    let world = World::start("tls-half-open", &[]);
    let (mut client, hello) = (world.client(), hello(&world));
    let connect = |number: usize| {
        let mut half = TcpStream::connect(world.address).expect("it listens");
        half.write_all(&hello[..hello.len() - number % 2]).expect("it reads");
        half
    };
    let half_open: Vec<TcpStream> = (0..1_000).map(connect).collect();
    for _ in 0..100 {
        assert_eq!(client.ask("PING"), "+PONG");
    }
    world.client();
    let info = world.process.client().info("clients");
    assert!(info.contains("connected_clients:1002\r\n"), "{info}");
    drop(half_open);
    assert_eq!(client.ask("PING"), "+PONG");
}

#[test]
fn a_renegotiation_closes_the_connection() {
    let world = World::start("tls-renegotiate", &["--tls-auth-clients", "no"]);
    let mut openssl = Command::new("openssl")
        .args(["s_client", "-tls1_2", "-connect", &world.address.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl runs");
    let mut input = openssl.stdin.take().expect("a pipe");
    input.write_all(b"PING\n").expect("it reads");
    let mut output = openssl.stdout.take().expect("a pipe");
    let mut seen = Vec::new();
    while !seen.ends_with(b"+PONG\r\n") {
        let mut byte = [0];
        output.read_exact(&mut byte).expect("it shows the reply");
        seen.push(byte[0]);
    }
    input.write_all(b"R\n").expect("it reads");
    world.process.line_with("the peer asked for a TLS renegotiation");
    drop(input);
    openssl.wait().expect("it ends");
    assert_eq!(world.failed_connections(), 1);
}

#[test]
fn plaintext_behind_a_waiting_command_is_not_forgotten() {
    let world = World::start("tls-blocked", &["--turn-read-bytes-max", "1kb"]);
    let (mut client, mut other) = (world.client(), world.client());
    // More than one read, in records that fit none: the command that waits is the first.
    let pushes = 4_000;
    let behind = format!("RPUSH behind {}\r\n", "x".repeat(50)).repeat(pushes);
    client.send(format!("BLPOP q 0\r\n{behind}PING\r\n"));
    while !world.process.client().info("clients").contains("blocked_clients:1\r\n") {}
    assert_eq!(other.ask("PING"), "+PONG");
    assert_eq!(other.ask("RPUSH q a"), ":1");
    for line in ["*2", "$1", "q", "$1", "a"] {
        assert_eq!(client.line(), line);
    }
    for number in 1..=pushes {
        assert_eq!(client.line(), format!(":{number}"));
    }
    assert_eq!(client.line(), "+PONG");
}

/// A client closes others that have decrypted input, in the turn in which theirs is due.
#[test]
fn cve_2026_56684_and_81934_tls_connections_with_pending_input_are_closed() {
    let world = World::start("tls-kill", &["--turn-read-bytes-max", "1kb"]);
    let mut clients: Vec<TlsClient> = (0..9).map(|_| world.client()).collect();
    let ids: Vec<String> =
        clients.iter_mut().map(|client| client.ask("CLIENT ID").split_off(1)).collect();
    world.process.pause();
    for (index, client) in clients.iter_mut().enumerate() {
        // More than the share of a turn, in records that fit none.
        let more = "ECHO more\r\n".repeat(1000);
        let others = ids.iter().filter(|id| **id != ids[index]);
        let kills: String = others.map(|id| format!("CLIENT KILL ID {id}\r\n")).collect();
        let is_killer = index == 4 || index == 5;
        let input = if is_killer { format!("{kills}{more}{kills}{more}") } else { more };
        client.send(input);
    }
    world.process.signal("CONT");
    // One of the two closes all others; its own input is answered to the end.
    let survivors = clients.into_iter().filter_map(|mut client| {
        let mut replies = Vec::new();
        client.send("QUIT\r\n");
        let ended = client.stream.read_to_end(&mut replies);
        (ended.is_ok() && replies.ends_with(b"+OK\r\n")).then_some(())
    });
    assert!(survivors.count() <= 1);
    let mut other = world.process.client();
    assert_eq!(other.ask("PING"), "+PONG");
    assert!(other.info("clients").contains("connected_clients:1\r\n"));
}

/// A client may end the session and keep the connection open. Nothing is delivered to it any more.
#[test]
fn a_client_that_says_goodbye_waits_no_longer() {
    let world = World::start("tls-goodbye", &[]);
    let (mut client, mut other) = (world.client(), world.client());
    let blocked = |count: u32| {
        let line = format!("blocked_clients:{count}\r\n");
        while !world.process.client().info("clients").contains(&line) {}
    };
    client.send("BLPOP q 0\r\n");
    blocked(1);
    client.send("RPUSH behind it\r\n");
    assert_eq!(other.ask("PING"), "+PONG");
    assert_eq!(other.ask("RPUSH q a"), ":1");
    for line in ["*2", "$1", "q", "$1", "a", ":1"] {
        assert_eq!(client.line(), line, "what was sent while it waited runs afterwards");
    }
    client.send("BLPOP q 0\r\n");
    blocked(1);
    let stream = client.stream.get_mut();
    stream.conn.send_close_notify();
    stream.flush().expect("it reads");
    blocked(0);
    assert_eq!(other.ask("RPUSH q b"), ":1");
    assert_eq!(other.ask("LLEN q"), ":1");
}

#[test]
fn large_requests_and_replies_go_through() {
    let world = World::start("tls-large", &[]);
    let mut client = world.client();
    let text: String = (0..3_000_000).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    client.send(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{text}\r\n", text.len()));
    assert_eq!(client.line(), "+OK");
    for _ in 0..5 {
        client.send("GET k\r\n");
    }
    for _ in 0..5 {
        assert_eq!(client.line(), format!("${}", text.len()));
        assert!(client.line() == text);
    }
    assert_eq!(client.ask("QUIT"), "+OK");
    let mut rest = Vec::new();
    client.stream.read_to_end(&mut rest).expect("an end in order, with a goodbye");
    assert!(rest.is_empty());
}

#[test]
fn above_maxclients_a_connection_just_ends() {
    let world = World::start("tls-full", &["--maxclients", "1"]);
    let _client = world.client();
    // As in Redis: nothing can be said before a handshake.
    assert_eq!(Client::connect(world.address).rest(), b"");
}

#[test]
fn sessions_are_resumed_unless_that_is_off() {
    let world = World::start("tls-sessions", &["--tls-auth-clients", "no"]);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = client_config_of(&[version], &world.authority, None);
        let kind = || {
            let client = TlsClient::connect(world.address, &config).expect("it is accepted");
            client.stream.get_ref().conn.handshake_kind()
        };
        assert_eq!(kind(), Some(HandshakeKind::Full));
        assert_eq!(kind(), Some(HandshakeKind::Resumed));
        let mut plain = world.process.client();
        assert_eq!(plain.ask("CONFIG SET tls-session-caching no"), "+OK");
        assert_eq!((kind(), kind()), (Some(HandshakeKind::Full), Some(HandshakeKind::Full)));
        assert_eq!(plain.ask("CONFIG SET tls-session-caching yes"), "+OK");
    }
}

#[test]
fn redis_cli_connects_to_a_server_with_tls_only() {
    let (authority, directory) = (Authority::new(), Directory::new("tls-only"));
    fs::write(directory.join("ca.crt"), &authority.pem).expect("a file");
    authority.issue("server").write(&directory.join(""), "server");
    authority.issue("client").write(&directory.join(""), "client");
    let (port, dir) = (free_port().to_string(), directory.join("").display().to_string());
    let process = Process::start(
        &[
            ["--tls-port", &port, "--dir", &dir],
            ["--tls-cert-file", "server.crt", "--tls-key-file", "server.key"],
            ["--tls-ca-cert-file", "ca.crt", "--tls-protocols", "TLSv1.3"],
        ]
        .concat(),
    );
    assert_eq!(process.address.port().to_string(), port, "there is no other port");
    let ask = |words: &[&str]| {
        let output = Command::new("redis-cli")
            .args(["--tls", "-p", &port, "--cacert", "ca.crt", "--sni", "localhost"])
            .args(["--cert", "client.crt", "--key", "client.key"])
            .args(words)
            .current_dir(&dir)
            .output()
            .expect("redis-cli runs");
        String::from_utf8(output.stdout).expect("text")
    };
    assert_eq!(ask(&["PING"]), "PONG\n");
    assert!(ask(&["CLIENT", "LIST"]).contains(" flags=N "));
    assert!(ask(&["INFO", "server"]).contains(&format!("tcp_port:{port}\r\n")));
}
