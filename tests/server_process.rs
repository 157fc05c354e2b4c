//! Starting, listening and stopping: addresses, the Unix socket, signals, exit codes, idleness.

mod server_support;

use server_support::{Client, Directory, Process, serve, settings};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;
#[cfg(all(target_os = "linux", feature = "mimalloc"))]
use std::time::Instant;
use tidegate::{Allocator, Server, ServerError};

#[test]
fn several_addresses_share_a_port() {
    let mut addresses = vec!["127.0.0.1"];
    if cfg!(target_os = "linux") {
        addresses.push("127.0.0.2");
    }
    if TcpListener::bind("[::1]:0").is_ok() {
        addresses.push("::1");
    } else {
        eprintln!("SKIPPED in part: this machine has no ::1");
    }
    let server = serve(&format!("bind {} -192.0.2.123", addresses.join(" ")));
    let listening = server.local_addrs().to_vec();
    assert_eq!(listening.len(), addresses.len(), "the optional address is not this machine's");
    for address in listening {
        assert_eq!(address.port(), server.local_addrs()[0].port());
        assert_eq!(Client::connect(address).ask("PING"), "+PONG");
    }
}

#[test]
fn any_address_of_both_versions_shares_a_port() {
    let server = serve("bind * -::*");
    let port = server.local_addrs()[0].port();
    assert_eq!(Client::connect(([127, 0, 0, 1], port).into()).ask("PING"), "+PONG");
    if server.local_addrs().len() > 1 {
        let address = (std::net::Ipv6Addr::LOCALHOST, port).into();
        assert_eq!(Client::connect(address).ask("PING"), "+PONG");
    } else {
        eprintln!("SKIPPED in part: this machine has no IPv6");
    }
}

#[test]
fn an_address_that_is_taken_is_an_error_even_if_it_is_optional() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    for bind in ["127.0.0.1", "-127.0.0.1"] {
        let result = Server::bind(settings(&format!("bind {bind}\nport {port}")));
        let error = result.err().expect("an error");
        assert!(matches!(error, ServerError::Listen { .. }), "{error}");
        assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    }
}

#[test]
fn the_unix_socket_has_its_permissions_and_goes_with_the_server() {
    let directory = Directory::new("unix-socket");
    let path = directory.join("broker.sock");
    // The socket of a dead broker is replaced.
    drop(UnixListener::bind(&path).expect("a socket"));
    let server = serve(&format!("unixsocket {}\nunixsocketperm 700", path.display()));
    assert!(server.local_addrs().is_empty(), "port 0 beside a Unix socket is no TCP");
    let metadata = fs::metadata(&path).expect("the socket");
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o700);
    let mut stream = UnixStream::connect(&path).expect("the server accepts");
    stream.write_all(b"PING\r\n").expect("the server reads");
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).expect("a reply");
    assert_eq!(&reply, b"+PONG\r\n");

    let lines = format!("unixsocket {}", path.display());
    let second = Server::bind(settings(&lines));
    assert!(matches!(second.err(), Some(ServerError::SocketInUse { .. })));
    assert!(path.exists(), "the one of a living broker stays");
    server.stop().expect("a stop");
    assert!(!path.exists());
}

#[test]
fn what_is_not_a_socket_is_left_alone() {
    let directory = Directory::new("not-a-socket");
    let path = directory.join("precious");
    fs::write(&path, "text").expect("a file");
    let result = Server::bind(settings(&format!("unixsocket {}", path.display())));
    assert!(matches!(result.err(), Some(ServerError::NotASocket { .. })));
    assert_eq!(fs::read_to_string(&path).expect("the file"), "text");
}

/// Pending output is still sent after SIGTERM.
#[test]
fn sigterm_flushes_and_exits_with_0() {
    let process = Process::start(&[]);
    let mut client = process.client();
    let message = vec![b'z'; 1 << 20];
    for number in 1..=32 {
        client.send(b"*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$1048576\r\n");
        client.send(&message);
        client.send(b"\r\n");
        assert_eq!(client.line(), Some(format!(":{number}")));
    }
    // More than all buffers between us hold.
    client.send("LRANGE q 0 -1\r\n");
    assert_eq!(client.line().as_deref(), Some("*32"));
    process.signal("TERM");
    assert_eq!(client.rest().len(), 32 * ("$1048576\r\n".len() + message.len() + 2));
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(0), "{log:?}");
    assert!(log.last().is_some_and(|line| line.ends_with("stopped")), "{log:?}");
}

#[test]
fn the_second_signal_ends_the_process_at_once() {
    let process = Process::start(&[]);
    let mut client = process.client();
    client
        .send(format!("*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$33554432\r\n{}\r\n", "z".repeat(1 << 25)));
    assert_eq!(client.line().as_deref(), Some(":1"));
    client.send("LRANGE q 0 -1\r\n");
    // Its pending output is more than it reads, so the first signal alone would take seconds.
    assert_eq!(client.line().as_deref(), Some("*1"));
    process.signal("HUP");
    process.signal("INT");
    let mut other = None;
    while other.is_none() {
        // No connection is accepted after the first signal.
        other = std::net::TcpStream::connect(process.address).err();
    }
    process.signal("TERM");
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(128 + 15), "{log:?}");
}

#[test]
fn a_hangup_is_ignored() {
    let process = Process::start(&[]);
    process.signal("HUP");
    assert_eq!(process.client().ask("PING"), "+PONG");
}

#[test]
fn shutdown_ends_the_process_with_0() {
    let process = Process::start(&[]);
    let mut client = process.client();
    client.send("SHUTDOWN\r\n");
    assert_eq!(client.line(), None);
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(0), "{log:?}");
}

#[test]
fn bad_settings_exit_with_1_and_say_why() {
    for arguments in [["--no-such-directive", "1"], ["--port", "seventy"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_tidegate")).args(arguments).output();
        let output = output.expect("the binary runs");
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(&arguments[0][2..]), "{text}");
        assert!(output.stdout.is_empty());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn arguments_that_are_not_text_exit_with_1() {
    use std::os::unix::ffi::OsStrExt;
    let word = std::ffi::OsStr::from_bytes(b"caf\xe9");
    for arguments in [&[word][..], &["--requirepass".as_ref(), word]] {
        let output = Command::new(env!("CARGO_BIN_EXE_tidegate")).args(arguments).output();
        let output = output.expect("the binary runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("UTF-8"), "{text}");
    }
}

#[test]
fn a_log_file_that_cannot_be_written_exits_with_1() {
    let directory = Directory::new("log");
    let path = directory.join("missing/log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    // The address does not exist, so the process also ends if the log file works.
    command.args(["--bind", "192.0.2.123", "--logfile"]).arg(&path);
    let output = command.output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("log file"), "{text}");
}

#[test]
fn help_and_version_are_printed() {
    for (argument, word) in [("--help", "Usage"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let output = Command::new(env!("CARGO_BIN_EXE_tidegate")).arg(argument).output();
        let output = output.expect("the binary runs");
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains(word));
    }
}

#[test]
fn settings_without_effect_are_named_once() {
    let process = Process::start(&["--hz", "50", "--rdbchecksum", "no"]);
    let lines: Vec<&String> =
        process.first_lines.iter().filter(|line| line.contains("without effect")).collect();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains(" WARN "), "{lines:?}");
    assert!(lines[0].contains("hz") && lines[0].contains("rdbchecksum"), "{lines:?}");
}

/// While nothing happens the loop sleeps in one system call. In half a second of a waiting pop it is
/// woken by the request and by the deadline, not by a clock tick.
#[cfg(target_os = "linux")]
#[test]
fn an_idle_broker_makes_no_system_calls() {
    let process = Process::start(&[]);
    let mut client = process.client();
    assert_eq!(client.ask("PING"), "+PONG");
    let path = format!("/proc/{0}/task/{0}/status", process.pid());
    let waits = || -> u64 {
        let status = fs::read_to_string(&path).expect("the status");
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.expect("a counter").trim().parse().expect("a number")
    };
    let before = waits();
    assert_eq!(client.ask("BLPOP q 0.5"), "*-1");
    let woken = waits() - before;
    assert!(woken <= 4, "it slept {woken} times");
}

/// A queue is popped at its old end, and the newest messages stay: the memory below them must be
/// returned to the system as well.
#[cfg(all(target_os = "linux", feature = "mimalloc"))]
#[test]
fn memory_of_popped_messages_is_returned() {
    let process = Process::start(&[]);
    let mut client = process.client();
    let path = format!("/proc/{}/statm", process.pid());
    let resident_pages = || -> u64 {
        let sizes = fs::read_to_string(&path).expect("the sizes");
        sizes.split(' ').nth(1).expect("the resident one").parse().expect("a number")
    };
    let before = resident_pages();
    let messages = format!("{} ", "m".repeat(64)).repeat(500);
    let push = |queue: &str| format!("RPUSH {queue} {messages}");
    for count in 1..=600 {
        assert_eq!(client.ask(&push("q")), format!(":{}", 500 * count));
    }
    let full = resident_pages() - before;
    assert_eq!(client.ask("LTRIM q -20000 -1"), "+OK");
    // Nothing else happens meanwhile.
    let begun = Instant::now();
    while resident_pages().saturating_sub(before) > full / 4 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{full} pages, and still most of them");
        std::thread::yield_now();
    }
    assert_eq!(client.ask("LLEN q"), ":20000");
    let memory = client.info("memory");
    assert!(memory.contains("mem_allocator:mimalloc-"), "{memory}");
}

/// Reports that it was called.
struct Told(Sender<()>);

impl Allocator for Told {
    fn name(&self) -> &str {
        "told-1.0"
    }

    fn release_memory(&mut self) {
        // The test may have ended.
        let _ = self.0.send(());
    }
}

#[test]
fn the_allocator_is_asked_to_return_memory_after_work_and_on_demand() {
    let (told, calls) = mpsc::channel();
    let server = Server::bind_with(settings(""), Box::new(Told(told))).expect("a server");
    let address = server.local_addrs()[0];
    let running = server.spawn().expect("a thread");
    let mut client = Client::connect(address);
    assert!(client.info("memory").contains("mem_allocator:told-1.0"));
    calls.recv_timeout(Duration::from_secs(30)).expect("a call after work");
    assert_eq!(client.ask("MEMORY PURGE"), "+OK");
    calls.try_recv().expect("a call before the answer");
    calls.recv_timeout(Duration::from_secs(30)).expect("a call after work");
    assert!(calls.recv_timeout(Duration::from_millis(1500)).is_err(), "a call without work");
    running.stop().expect("an end");
}

#[test]
fn a_running_server_that_is_dropped_stops() {
    // Another server may get the port at once, but not the name of the socket.
    let directory = Directory::new("dropped");
    let path = directory.join("broker.sock");
    let server = serve(&format!("unixsocket {}", path.display()));
    let mut client = UnixStream::connect(&path).expect("it listens");
    client.write_all(b"PING\r\n").expect("sent");
    let mut reply = [0; 7];
    client.read_exact(&mut reply).expect("a reply");
    assert_eq!(&reply, b"+PONG\r\n");
    drop(server);
    assert_eq!(client.read(&mut reply).expect("an end"), 0);
    assert!(UnixStream::connect(&path).is_err());
}
