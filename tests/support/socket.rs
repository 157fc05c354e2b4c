//! A server process behind a socket: Tidegate's binary, or the original.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::driver::{Driver, Received};
use super::reply::{Reply, take_reply};
use crate::directory::Directory;
use crate::originals::{Original, Version};

/// Time limit for a reply, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Maximum total delay of a case. Transcripts that depend on time allow several times as much between
/// two events.
const DELAY_MAX: Duration = Duration::from_millis(20);

type Directives = [(String, String)];

pub struct SocketDriver {
    /// `None` for Tidegate.
    version: Option<Version>,
    process: Child,
    /// Its own: a server loads what another one has saved.
    _directory: Directory,
    port: u16,
    password: Option<String>,
    clients: Vec<Option<Connection>>,
    /// When the time passed in the transcript will have passed.
    time: Instant,
    /// The delay of this case by the machine.
    delay: Duration,
    /// Whether that was too much in any case.
    was_held_up: bool,
}

struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl SocketDriver {
    /// Starts Tidegate's own binary on a port that it picks and prints.
    pub fn tidegate(config: &Directives) -> SocketDriver {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(["--port", "0", "--bind", "127.0.0.1"]).args(arguments(config));
        let directory = Directory::new("transcripts");
        command.current_dir(directory.path()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("tidegate starts");
        let log = process.stderr.take().expect("stderr is piped");
        let port = wait_for_line(log, |line| {
            let (_, rest) = line.split_once("127.0.0.1:")?;
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse().ok()
        });
        let port = port.expect("tidegate prints the address on which it listens");
        SocketDriver::new(None, (process, directory), port, config)
    }

    pub fn redis(original: &Original, config: &Directives) -> SocketDriver {
        // The port that was free a moment ago may be in use by now: then another one.
        let directory = Directory::new("transcripts");
        let started = (0..5).find_map(|_| start_redis(&original.program, directory.path(), config));
        let (process, port) = started.expect("redis-server starts");
        SocketDriver::new(Some(original.version), (process, directory), port, config)
    }

    fn new(
        version: Option<Version>,
        (process, directory): (Child, Directory),
        port: u16,
        config: &Directives,
    ) -> SocketDriver {
        let password = config.iter().find(|(name, _)| name == "requirepass");
        SocketDriver {
            version,
            process,
            _directory: directory,
            port,
            password: password.map(|(_, value)| value.clone()),
            clients: Vec::new(),
            time: Instant::now(),
            delay: Duration::ZERO,
            was_held_up: false,
        }
    }

    /// Whether the machine was so busy that timing may have failed.
    pub fn was_held_up(&self) -> bool {
        self.was_held_up
    }

    fn set_recorded_delay(&mut self, since: Instant) {
        self.delay += since.elapsed();
        self.was_held_up |= self.delay > DELAY_MAX;
    }

    /// Returns when the server has handled everything sent before.
    ///
    /// A connection whose first bytes break the protocol is accepted, answered and closed in turns of
    /// the server after everything sent before. It needs no password, is not held by CLIENT PAUSE, and
    /// is not shown by MONITOR.
    fn barrier(&mut self) {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(b"*x\r\n").expect("the server reads");
        stream.read_to_end(&mut Vec::new()).expect("the server closes after a protocol error");
        self.set_recorded_delay(begun);
    }

    fn close_all(&mut self) {
        self.clients.drain(..).flatten().for_each(Connection::close);
    }

    fn wait_until_time(&mut self) {
        let wait = self.time.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            thread::sleep(wait);
            self.set_recorded_delay(self.time);
        }
        self.time = Instant::now();
    }

    fn receive_until(&mut self, client: usize, deadline: Instant) -> Received {
        let Some(connection) = &mut self.clients[client] else { return Received::Closed };
        loop {
            if let Some(reply) = take_reply(&mut connection.unread) {
                return Received::Reply(reply);
            }
            match connection.read(deadline.saturating_duration_since(Instant::now())) {
                Ok(0) => return Received::Closed,
                Ok(_) => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Received::Nothing;
                }
                Err(_) => return Received::Closed,
            }
        }
    }
}

impl Driver for SocketDriver {
    fn name(&self) -> &'static str {
        if self.version.is_some() { "redis" } else { "tidegate" }
    }

    fn version(&self) -> Option<Version> {
        self.version
    }

    fn begin(&mut self) -> Result<(), String> {
        self.time = Instant::now();
        self.close_all();
        self.delay = Duration::ZERO;
        let client = self.connect();
        let login = self.password.as_ref().map(|password| format!("AUTH {password}\r\n"));
        for request in login.as_deref().into_iter().chain(["FLUSHALL\r\n"]) {
            self.send(client, request.as_bytes());
            match self.receive(client) {
                Received::Reply(Reply::Simple(ok)) if ok == b"OK" => {}
                Received::Reply(reply) => return Err(format!("{}: {reply}", request.trim())),
                other => return Err(format!("{}: {other:?}", request.trim())),
            }
        }
        self.close_all();
        Ok(())
    }

    fn connect(&mut self) -> usize {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server accepts");
        stream.set_nodelay(true).expect("nodelay");
        self.clients.push(Some(Connection { stream, unread: Vec::new() }));
        self.barrier();
        self.clients.len() - 1
    }

    fn send(&mut self, client: usize, bytes: &[u8]) {
        self.wait_until_time();
        let connection = self.clients[client].as_mut().expect("an open client");
        connection.send(bytes);
        self.barrier();
    }

    fn close(&mut self, client: usize) {
        self.wait_until_time();
        if let Some(connection) = self.clients[client].take() {
            connection.close();
        }
    }

    /// Waits for the reply rather than for the time that should pass before it.
    fn receive(&mut self, client: usize) -> Received {
        let received = self.receive_until(client, self.time.max(Instant::now()) + PATIENCE);
        self.time = Instant::now();
        received
    }

    fn receive_now(&mut self, client: usize) -> Received {
        self.wait_until_time();
        self.barrier();
        self.receive_until(client, Instant::now())
    }

    fn advance(&mut self, ms: u64) {
        self.time = self.time.max(Instant::now()) + Duration::from_millis(ms);
    }
}

impl Drop for SocketDriver {
    fn drop(&mut self) {
        // This fails only if the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Connection {
    /// Reads what arrives within `patience`; with zero, only what is there already.
    fn read(&mut self, patience: Duration) -> std::io::Result<usize> {
        self.stream.set_nonblocking(patience.is_zero())?;
        if !patience.is_zero() {
            self.stream.set_read_timeout(Some(patience))?;
        }
        let mut buffer = [0; 16 * 1024];
        let length = self.stream.read(&mut buffer)?;
        self.unread.extend_from_slice(&buffer[..length]);
        Ok(length)
    }

    /// Ends the output, and waits until the server has closed the client.
    fn close(mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.read(deadline.saturating_duration_since(Instant::now())) {
                Ok(0) => return,
                Ok(_) => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!("the server does not notice that a client is gone");
                }
                Err(_) => return,
            }
        }
    }

    /// A server that closes after a protocol error need not read the rest, so an error here is no
    /// failure: the transcript decides.
    fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.set_nonblocking(false);
        let _ = self.stream.set_write_timeout(Some(PATIENCE));
        let _ = self.stream.write_all(bytes);
    }
}

/// The rules of a user are words of their own. Any other value is one word, even with spaces.
fn arguments(config: &Directives) -> impl Iterator<Item = String> {
    config.iter().flat_map(|(name, value)| {
        let words_max = if name == "user" { usize::MAX } else { 1 };
        let words = value.splitn(words_max, ' ').map(str::to_owned);
        std::iter::once(format!("--{name}")).chain(words)
    })
}

fn start_redis(program: &Path, directory: &Path, config: &Directives) -> Option<(Child, u16)> {
    let free = TcpListener::bind(("127.0.0.1", 0)).ok()?;
    let port = free.local_addr().ok()?.port();
    drop(free);
    let mut command = Command::new(program);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
    // Timeouts are checked this many times per second.
    command.args(["--hz", "100"]).args(arguments(config));
    command.current_dir(directory).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().ok()?;
    let log = process.stdout.take()?;
    match wait_for_line(log, |line| line.contains("Ready to accept connections").then_some(())) {
        Some(()) => Some((process, port)),
        None => {
            let _ = process.kill();
            let _ = process.wait();
            None
        }
    }
}

/// Reads the log until a line matches, and then the rest, so that the process never blocks on it.
fn wait_for_line<T: Send + 'static>(
    log: impl Read + Send + 'static,
    find: impl Fn(&str) -> Option<T> + Send + 'static,
) -> Option<T> {
    let (found, wait) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if let Some(value) = find(&line) {
                // The receiver is gone after the first match.
                let _ = found.send(value);
            }
        }
    });
    wait.recv_timeout(PATIENCE).ok()
}
