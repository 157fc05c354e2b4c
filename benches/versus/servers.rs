//! Starts the servers, fills them, and reads their data and memory.

use crate::bare_loop;
use crate::process::{self, PATIENCE, Process, SERVER_CORE};
use crate::workload::{Workload, add_request, encode};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Messages sent at once while filling.
const FILL_BATCH: usize = 1000;
/// Messages before memory is measured.
const FIRST_MESSAGES: usize = 10_000;
/// Freed memory is returned within this time.
const REST: Duration = Duration::from_secs(2);
/// Connections made at once. Beyond the server's backlog they would have to retry after a second.
const CONNECT_BATCH: usize = 256;
/// Queues whose lengths are requested together.
const LENGTHS_BATCH: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Tidegate,
    Redis,
    /// A later one, whose program `TIDEGATE_REDIS_8` names.
    Redis8,
    Valkey,
    BareLoop,
}

impl Kind {
    pub const ALL: [Kind; 5] =
        [Kind::Tidegate, Kind::Redis, Kind::Redis8, Kind::Valkey, Kind::BareLoop];

    pub fn name(&self) -> &'static str {
        match self {
            Kind::Tidegate => "tidegate",
            Kind::Redis => "redis-server",
            Kind::Redis8 => "redis-server 8",
            Kind::Valkey => "valkey-server",
            Kind::BareLoop => "bare loop",
        }
    }

    pub fn is_installed(&self) -> bool {
        match self {
            Kind::Tidegate | Kind::BareLoop => true,
            Kind::Redis | Kind::Redis8 | Kind::Valkey => {
                Command::new(self.program()).arg("--version").stdout(Stdio::null()).status().is_ok()
            }
        }
    }

    /// The name with the version of a Redis, as documents write it.
    pub fn name_and_version(&self) -> String {
        let output = match self {
            Kind::Tidegate => return "Tidegate".to_owned(),
            Kind::BareLoop => return self.name().to_owned(),
            Kind::Redis | Kind::Redis8 | Kind::Valkey => {
                Command::new(self.program()).arg("--version").output()
            }
        };
        let text = String::from_utf8(output.expect("it is installed").stdout).expect("a text");
        let version = text.split_whitespace().find_map(|word| word.strip_prefix("v="));
        let program = if *self == Kind::Valkey { self.name() } else { Kind::Redis.name() };
        format!("{program} {}", version.expect("its version"))
    }

    /// The program of another server.
    fn program(&self) -> OsString {
        match self {
            Kind::Redis8 => std::env::var_os("TIDEGATE_REDIS_8").unwrap_or_default(),
            other => other.name().into(),
        }
    }
}

/// Pins this process to one core; false without taskset.
pub fn pin_this_process(core: &str) -> bool {
    let pid = std::process::id().to_string();
    let status = Command::new("taskset").args(["-cp", core, &pid]).stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// A server on a free port; it ends with this value.
pub struct Server {
    kind: Kind,
    process: Process,
    address: SocketAddr,
}

impl Server {
    /// Starts a server with additional arguments; returns when it answers PING.
    pub fn start(kind: Kind, more: &[String]) -> Server {
        Server::start_on(SERVER_CORE, kind, more)
    }

    /// The same on this core.
    pub fn start_on(core: &str, kind: Kind, more: &[String]) -> Server {
        let [address] = process::free_addresses();
        let port = address.port().to_string();
        let mut command = match kind {
            Kind::Tidegate => {
                let mut command = Process::command_on(core, env!("CARGO_BIN_EXE_tidegate"));
                command.args(["--bind", "127.0.0.1", "--port", &port]);
                command
            }
            Kind::Redis | Kind::Redis8 | Kind::Valkey => {
                let mut command = Process::command_on(core, kind.program());
                command.args(["--bind", "127.0.0.1", "--port", &port, "--save", ""]);
                command
            }
            Kind::BareLoop => {
                let this = std::env::current_exe().expect("this program");
                let mut command = Process::command_on(core, this);
                command.args([bare_loop::COMMAND, &port]);
                command
            }
        };
        let process = Process::start(command.args(more));
        let mut server = Server { kind, process, address };
        server.wait_until_ready();
        server
    }

    fn wait_until_ready(&mut self) {
        let begun = Instant::now();
        let connection = self.connect();
        if self.kind == Kind::BareLoop {
            return;
        }
        loop {
            let reply = ask(&connection, &[b"PING"]);
            if reply == "+PONG" {
                return;
            }
            assert!(reply.starts_with("-LOADING"), "{reply}");
            assert!(begun.elapsed() < PATIENCE, "it still loads");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Stops it as an operator does, so that all data is in its files.
    pub fn shut_down(mut self) {
        let mut connection = self.connect();
        connection.write_all(&encode(&[b"SHUTDOWN"])).expect("the server reads");
        self.process.wait();
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn connect(&self) -> TcpStream {
        process::connect(self.address)
    }

    /// Empties the server, and adds the data that a measurement of this duration needs.
    pub fn prepare(&mut self, workload: &Workload, duration: Duration) {
        if self.kind == Kind::BareLoop {
            return;
        }
        self.empty();
        if workload.request[0] == "GET" {
            let request = encode(&[b"SET", workload.request[1].as_bytes(), &[b'm'; 64]]);
            call(&mut self.connect(), &request, b"+OK\r\n");
        }
        let messages = (workload.messages_a_second as f64 * duration.as_secs_f64()) as usize;
        fill(&mut self.connect(), b"queue", messages);
    }

    pub fn empty(&mut self) {
        call(&mut self.connect(), &encode(&[b"FLUSHALL"]), b"+OK\r\n");
    }

    /// Makes sure that all pushes are there, and that pops always found a message.
    pub fn check(&mut self, workload: &Workload, answered: usize) {
        if self.kind == Kind::BareLoop {
            return;
        }
        match workload.request[0] {
            "RPUSH" => assert_eq!(self.count_messages(["queue"]), answered),
            "LPOP" => assert_eq!(ask(&self.connect(), &[b"EXISTS", b"queue"]), ":1"),
            _ => {}
        }
    }

    /// The number of messages in the queues.
    pub fn count_messages<T: AsRef<[u8]>>(&self, queues: impl IntoIterator<Item = T>) -> usize {
        let mut connection = self.connect();
        let mut lines = BufReader::new(connection.try_clone().expect("a descriptor")).lines();
        let requests: Vec<_> =
            queues.into_iter().map(|queue| encode(&[b"LLEN", queue.as_ref()])).collect();
        let mut count = 0;
        for batch in requests.chunks(LENGTHS_BATCH) {
            connection.write_all(&batch.concat()).expect("the server reads");
            for line in lines.by_ref().take(batch.len()) {
                let line = line.expect("the server answers");
                let length = line.strip_prefix(':').and_then(|number| number.parse::<usize>().ok());
                count += length.unwrap_or_else(|| panic!("{line}"));
            }
        }
        count
    }

    /// Line ends in one reply.
    pub fn lines_per_reply(&self, workload: &Workload) -> usize {
        if self.kind == Kind::BareLoop { 1 } else { workload.lines_per_reply }
    }

    /// Pushes this many messages of 64 bytes to each of `queue:0`, `queue:1` and so on.
    pub fn fill(&mut self, queues: usize, messages: usize) {
        let mut connection = self.connect();
        for queue in 0..queues {
            fill(&mut connection, format!("queue:{queue}").as_bytes(), messages);
        }
    }

    /// The same with messages as jobs are: they differ, and can be compressed to about a half.
    pub fn fill_with_jobs(&mut self, queues: usize, messages: usize) {
        let mut connection = self.connect();
        let mut number = 1_u64;
        for queue in 0..queues {
            fill_with(&mut connection, format!("queue:{queue}").as_bytes(), messages, || {
                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let user = (number >> 20) % 1_000_000;
                format!(r#"{{"id":"{number:016x}","kind":"mail","to":"user{user:06}@a.org"}}"#)
            });
        }
    }

    /// Resident bytes for each message of 64 bytes, pushed one by one, to each queue in turn.
    pub fn bytes_per_message(&mut self, queues: usize, messages: usize) -> f64 {
        // Memory for the first requests does not count.
        self.fill(1, FIRST_MESSAGES);
        self.empty();
        let before = self.resident_bytes_at_rest();
        self.fill_in_turn(queues, messages);
        assert_eq!(self.count_messages(["queue:0"]), messages);
        (self.resident_bytes_at_rest() - before) / (queues * messages) as f64
    }

    /// Resident bytes without freed memory, which some servers keep for seconds.
    pub fn resident_bytes_at_rest(&mut self) -> f64 {
        call(&mut self.connect(), &encode(&[b"MEMORY", b"PURGE"]), b"+OK\r\n");
        std::thread::sleep(REST);
        self.process.resident_bytes()
    }

    /// Pushes like `fill`, but a message to each queue before the next one to the first.
    fn fill_in_turn(&mut self, queues: usize, messages: usize) {
        let mut connection = self.connect();
        let mut pushes = (1..=messages).flat_map(|length| (0..queues).map(move |to| (to, length)));
        loop {
            let (mut requests, mut replies) = (Vec::new(), String::new());
            for (queue, length) in pushes.by_ref().take(FILL_BATCH) {
                let queue = format!("queue:{queue}");
                add_request(&[b"RPUSH", queue.as_bytes(), &[b'm'; 64]], &mut requests);
                replies += &format!(":{length}\r\n");
            }
            if requests.is_empty() {
                return;
            }
            call(&mut connection, &requests, replies.as_bytes());
        }
    }

    /// This many connections, accepted by the server.
    pub fn connect_many(&self, count: usize) -> Vec<TcpStream> {
        let mut connections = Vec::with_capacity(count);
        while connections.len() < count {
            let batch = CONNECT_BATCH.min(count - connections.len());
            connections.extend((0..batch).map(|_| self.connect()));
            // The last one's reply shows that all before it are accepted.
            call(connections.last_mut().expect("one"), &encode(&[b"PING"]), b"+PONG\r\n");
        }
        connections
    }

    pub fn bytes_per_connection(&mut self, count: usize) -> f64 {
        let before = self.process.resident_bytes();
        let _connections = self.connect_many(count);
        (self.process.resident_bytes() - before) / count as f64
    }
}

/// Sends a request; returns a one-line reply, or the content of a bulk string.
pub fn ask(mut connection: &TcpStream, args: &[&[u8]]) -> String {
    connection.write_all(&encode(args)).expect("the server reads");
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line).expect("the server answers");
    let Some(length) = line.strip_prefix('$') else { return line.trim_end().to_string() };
    let mut text = vec![0; length.trim_end().parse::<usize>().expect("a length") + 2];
    reader.read_exact(&mut text).expect("the whole reply");
    String::from_utf8(text).expect("a text")
}

/// A field of INFO, in this section.
pub fn info(connection: &TcpStream, section: &str, name: &str) -> String {
    let info = ask(connection, &[b"INFO", section.as_bytes()]);
    let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("INFO has no {name}")).to_string()
}

/// Sends a request and checks the reply.
fn call(connection: &mut TcpStream, request: &[u8], expected: &[u8]) {
    connection.write_all(request).expect("the server reads");
    let mut reply = vec![0; expected.len()];
    connection.read_exact(&mut reply).expect("the server answers");
    assert_eq!(reply, expected);
}

/// Pushes this many messages of 64 bytes to an empty queue, in a few large requests.
fn fill(connection: &mut TcpStream, queue: &[u8], messages: usize) {
    fill_with(connection, queue, messages, || [b'm'; 64]);
}

/// The same with messages of any kind.
fn fill_with<M: AsRef<[u8]>>(
    connection: &mut TcpStream,
    queue: &[u8],
    messages: usize,
    mut message: impl FnMut() -> M,
) {
    let mut there = 0;
    while there < messages {
        let batch = FILL_BATCH.min(messages - there);
        let batch: Vec<M> = (0..batch).map(|_| message()).collect();
        let mut args: Vec<&[u8]> = vec![b"RPUSH", queue];
        args.extend(batch.iter().map(AsRef::as_ref));
        there += batch.len();
        call(connection, &encode(&args), format!(":{there}\r\n").as_bytes());
    }
}
