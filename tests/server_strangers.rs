//! A server and its strangers over sockets: who makes place for whom, who is kept out, what is known of
//! clients of the Unix socket, and who may choose where files are written.

mod server_support;

use server_support::{Client, Directory, Process, serve};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

const DISPLACED: &[u8] = b"-ERR max number of unauthenticated clients reached\r\n";
const FULL: &[u8] = b"-ERR max number of clients reached\r\n";
const DENIED: &str = "-DENIED Redis is running in protected mode";

/// A client that is authenticated.
fn known(address: std::net::SocketAddr) -> Client {
    let mut client = Client::connect(address);
    assert_eq!(client.ask("AUTH secret"), "+OK");
    client
}

#[test]
fn the_longest_stranger_makes_place_for_a_newer_one() {
    let server = serve("requirepass secret\nunauthenticated-clients-max 2");
    let address = server.local_addrs()[0];
    let mut worker = known(address);
    let mut strangers: Vec<Client> = Vec::new();
    for _ in 0..3 {
        let mut stranger = Client::connect(address);
        assert_eq!(stranger.ask("PING"), "-NOAUTH Authentication required.");
        strangers.push(stranger);
    }
    assert_eq!(strangers.remove(0).rest(), DISPLACED);
    for stranger in &mut strangers {
        assert_eq!(stranger.ask("PING"), "-NOAUTH Authentication required.");
    }
    let info = worker.info("everything");
    assert!(info.contains("unauthenticated_clients:2\r\n"), "{info}");
    assert!(info.contains("unauthenticated_clients_displaced:1\r\n"), "{info}");
}

/// Strangers never use up the places of clients that know the password.
#[test]
fn strangers_make_place_where_all_places_are_taken() {
    let server = serve("requirepass secret\nmaxclients 3");
    let address = server.local_addrs()[0];
    let strangers: Vec<Client> = (0..3).map(|_| Client::connect(address)).collect();
    let mut workers = Vec::new();
    for stranger in strangers {
        workers.push(known(address));
        assert_eq!(stranger.rest(), DISPLACED);
    }
    // Nobody makes place but strangers.
    assert_eq!(Client::connect(address).rest(), FULL);
    for worker in &mut workers {
        assert_eq!(worker.ask("PING"), "+PONG");
    }
    let info = workers[0].info("stats");
    assert!(info.contains("rejected_connections:1\r\n"), "{info}");
}

/// A pool of workers that all connect anew gets in, although silent strangers hold every place that
/// strangers may have.
#[test]
fn a_pool_that_connects_anew_is_not_locked_out() {
    let server = serve("requirepass secret\nunauthenticated-clients-max 20\nmaxclients 200");
    let address = server.local_addrs()[0];
    let _silent: Vec<Client> = (0..60).map(|_| Client::connect(address)).collect();
    let mut pool: Vec<Client> = Vec::new();
    for _ in 0..5 {
        let mut batch: Vec<Client> = (0..20).map(|_| Client::connect(address)).collect();
        batch.iter_mut().for_each(|worker| worker.send("AUTH secret\r\nPING\r\n"));
        for worker in &mut batch {
            assert_eq!(worker.lines(2), ["+OK", "+PONG"]);
        }
        pool.append(&mut batch);
    }
    for worker in &mut pool {
        assert_eq!(worker.ask("PING"), "+PONG");
    }
}

#[test]
fn a_stranger_that_does_not_read_is_closed() {
    let server = serve("requirepass secret\nunauthenticated-errors-max 0");
    let address = server.local_addrs()[0];
    let mut stranger = Client::connect(address);
    let pings = "PING\r\n".repeat(10_000);
    let mut sent = 0;
    // The sockets of both sides hold some megabytes of replies.
    while stranger.stream.get_mut().write_all(pings.as_bytes()).is_ok() {
        sent += pings.len();
        assert!(sent < 1 << 30, "it is never closed");
    }
    let mut worker = known(address);
    let info = worker.info("everything");
    assert!(info.contains("client_output_buffer_limit_disconnections:1\r\n"), "{info}");
    assert!(info.contains("connected_clients:1\r\n"), "{info}");
}

/// Nobody waits for a client that has gone.
#[test]
fn a_peer_that_goes_while_its_auth_waits_is_forgotten() {
    let lines = "requirepass secret\nauth-delay-after 0\nauth-delay-max-ms 60000";
    let server = serve(lines);
    let mut inside = server.connect().expect("a client of this program");
    let mut ask = |words: &[&str]| {
        let reply = tidegate::Calls::call(&mut inside, words).expect("a reply");
        String::from_utf8(reply.into_bytes().unwrap_or_default()).expect("text")
    };
    ask(&["AUTH", "secret"]);
    let mut guesser = Client::connect(server.local_addrs()[0]);
    guesser.send("AUTH a\r\n");
    assert!(guesser.line().expect("a reply").starts_with("-WRONGPASS"));
    guesser.send("AUTH b\r\n");
    assert!(guesser.line().expect("a reply").starts_with("-WRONGPASS"));
    // The wait is 200 ms by now, and this one is not waited for.
    guesser.send("AUTH c\r\n");
    while !ask(&["INFO", "stats"]).contains("auth_delayed:2\r\n") {}
    drop(guesser);
    while !ask(&["INFO", "clients"]).contains("connected_clients:1\r\n") {}
    assert!(ask(&["INFO", "clients"]).contains("unauthenticated_clients:0\r\n"));
}

#[test]
fn wrong_passwords_have_a_line_a_minute() {
    let process = Process::start(&["--requirepass", "secret"]);
    let mut client = process.client();
    for _ in 0..10 {
        assert!(client.ask("AUTH default hunter2").starts_with("-WRONGPASS"));
    }
    let line = process.line_with("was refused: wrong name or password");
    assert!(line.ends_with(", number 1 from 127.0.0.1"), "{line}");
    process.signal("TERM");
    let (_, lines) = process.wait();
    let others = lines.iter().filter(|line| line.contains("refused") || line.contains("hunter2"));
    assert_eq!(others.count(), 0, "{lines:#?}");
}

/// The first line of a reply to a request over a Unix socket, and what follows it in the same reply.
fn ask_unix(path: &Path, request: &str) -> String {
    let mut stream = BufReader::new(UnixStream::connect(path).expect("the server listens"));
    stream.get_mut().write_all(format!("{request}\r\n").as_bytes()).expect("it is taken");
    let mut line = String::new();
    stream.read_line(&mut line).expect("a reply");
    if let Some(length) = line.strip_prefix('$').and_then(|rest| rest.trim_end().parse().ok()) {
        let mut text = vec![0; length];
        stream.read_exact(&mut text).expect("the text");
        return String::from_utf8(text).expect("it is text");
    }
    line
}

/// Who is behind a Unix socket is shown at the end of the line, and only there.
#[cfg(target_os = "linux")]
#[test]
fn the_process_behind_a_unix_socket_is_shown() {
    use rustix::process::{getgid, getuid};
    let directory = Directory::new("peer-credentials");
    let path = directory.join("socket");
    let _server = serve(&format!("unixsocket {}", path.display()));
    let (pid, uid, gid) = (std::process::id(), getuid().as_raw(), getgid().as_raw());
    let expected = format!(" pid={pid} uid={uid} gid={gid}\n");
    let shown = ask_unix(&path, "CLIENT INFO");
    assert!(shown.ends_with(&expected) && shown.contains(" flags=U "), "{shown}");
    let listed = ask_unix(&path, "CLIENT LIST TYPE normal");
    assert!(listed.contains(&expected), "{listed}");
    let server = serve("");
    let mut other = Client::connect(server.local_addrs()[0]);
    other.send("CLIENT INFO\r\n");
    let line = other.lines(2).pop().unwrap_or_default();
    assert!(line.ends_with(" lib-ver=") && !line.contains(" pid="), "{line}");
}

/// 0 and an empty value leave the permissions to the umask.
#[test]
fn the_unix_socket_has_the_permissions_of_its_setting() {
    let directory = Directory::new("socket-permissions");
    let mode = |lines: &str| {
        let path = directory.join("socket");
        let server = serve(&format!("unixsocket {}\n{lines}", path.display()));
        let mode = path.metadata().expect("the socket").permissions().mode() & 0o777;
        assert_eq!(ask_unix(&path, "PING"), "+PONG\r\n");
        server.stop().expect("an orderly end");
        mode
    };
    let by_default = mode("");
    for (value, expected) in
        [("0", by_default), ("\"\"", by_default), ("700", 0o700), ("0777", 0o777), ("600", 0o600)]
    {
        assert_eq!(mode(&format!("unixsocketperm {value}")), expected, "{value}");
    }
}

/// The address from which this machine would send; connecting a datagram socket sends nothing.
fn address_of_this_machine() -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("198.51.100.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// The answer to a request from an address.
fn from(address: IpAddr, port: u16, request: &str) -> String {
    let mut client = Client::connect((address, port).into());
    // A refused client may be closed before it is read.
    let _ = client.stream.get_mut().write_all(format!("{request}\r\n").as_bytes());
    let mut line = Vec::new();
    match client.stream.read_until(b'\n', &mut line) {
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        Ok(length) => assert!(length > 0),
    }
    String::from_utf8_lossy(&line).trim_end().to_owned()
}

/// As redis-server 7.0 and 8.2 do. `bind` does not matter, and existing clients stay.
#[test]
fn protected_mode_follows_the_settings_at_run_time() {
    let Some(own) = address_of_this_machine() else {
        eprintln!("SKIPPED: this machine has no address besides the loopback");
        return;
    };
    let addresses = [format!("bind {own} 127.0.0.1 127.0.0.2"), "bind *".to_owned()];
    for bind in addresses {
        let server = serve(&bind);
        let port = server.local_addrs()[0].port();
        let mut admin = Client::connect(([127, 0, 0, 1], port).into());
        assert_eq!(from([127, 0, 0, 2].into(), port, "PING"), "+PONG");
        assert!(from(own, port, "PING").starts_with(DENIED));
        assert_eq!(admin.ask("CONFIG SET requirepass secret"), "+OK");
        assert_eq!(from(own, port, "PING"), "-NOAUTH Authentication required.");
        let mut inside = Client::connect((own, port).into());
        assert_eq!(inside.ask("AUTH secret"), "+OK");
        assert_eq!(admin.ask("CONFIG SET requirepass \"\""), "+OK");
        assert!(from(own, port, "PING").starts_with(DENIED));
        assert_eq!(inside.ask("PING"), "+PONG", "it was let in");
        assert_eq!(admin.ask("CONFIG SET protected-mode no"), "+OK");
        assert_eq!(from(own, port, "PING"), "+PONG");
        assert_eq!(admin.ask("CONFIG SET protected-mode yes"), "+OK");
        assert!(from(own, port, "PING").starts_with(DENIED));
        server.stop().expect("an orderly end");
    }
}

/// An IPv4 address within an IPv6 one is local as well.
#[test]
fn a_mapped_loopback_address_is_local() {
    for (ip, is_local) in [
        ("127.0.0.1", true),
        ("127.9.9.9", true),
        ("::1", true),
        ("::ffff:127.0.0.1", true),
        ("::ffff:192.0.2.1", false),
        ("192.0.2.1", false),
        ("::127.0.0.1", false),
        ("2001:db8::1", false),
    ] {
        let addr = std::net::SocketAddr::new(ip.parse().expect("an address"), 1);
        assert_eq!(tidegate::Peer::Tcp { addr, laddr: addr, fd: 3 }.is_local(), is_local, "{ip}");
    }
}

#[test]
fn protected_settings_are_for_whom_the_setting_names() {
    let failed = "-ERR CONFIG SET failed (possibly related to argument 'dir') - ";
    let refused = format!("{failed}can't set protected config");
    for (access, for_local, for_others) in
        [("no", &refused[..], &refused[..]), ("local", "+OK", &refused), ("yes", "+OK", "+OK")]
    {
        let lines = format!("bind *\nprotected-mode no\nenable-protected-configs {access}");
        let server = serve(&lines);
        let port = server.local_addrs()[0].port();
        assert_eq!(from([127, 0, 0, 1].into(), port, "CONFIG SET dir /usr"), for_local);
        if let Some(own) = address_of_this_machine() {
            assert_eq!(from(own, port, "CONFIG SET dir /usr"), for_others);
        }
    }
}

/// Append files are where `dir` says, and it cannot change below them.
#[test]
fn append_files_do_not_move() {
    let (first, second) = (Directory::new("dir-first"), Directory::new("dir-second"));
    let (first_files, second_files) = (first.join("appendonlydir"), second.join("appendonlydir"));
    let lines = format!("dir {}\nenable-protected-configs yes", first.join("").display());
    let server = serve(&lines);
    let mut client = Client::connect(server.local_addrs()[0]);
    assert_eq!(client.ask("RPUSH q a"), ":1");
    let set = format!("CONFIG SET dir {}", second.join("").display());
    assert_eq!(client.ask(&format!("{set} appendonly yes")), "+OK");
    while !client.info("persistence").contains("aof_rewrite_in_progress:0") {}
    assert!(second_files.is_dir() && !first_files.exists());
    let back = format!("CONFIG SET dir {}", first.join("").display());
    let refusal = client.ask(&back);
    assert!(refusal.ends_with("append files are in use: set appendonly to no first"), "{refusal}");
    assert_eq!(client.ask("CONFIG SET appendonly no"), "+OK");
    while client.ask(&back) != "+OK" {}
    // What is in the other directory by now does not belong to this process.
    assert_eq!(client.ask(&set), "+OK");
    let refusal = client.ask("CONFIG SET appendonly yes");
    assert!(refusal.contains("that were not loaded"), "{refusal}");
    assert_eq!(client.ask(&back), "+OK");
    assert_eq!(client.ask("CONFIG SET appendonly yes"), "+OK");
    while !first_files.exists() {}
}
