//! A server to talk to: inside the test, or Tidegate's binary as a separate process.

// Each test file uses a part of this.
#![allow(dead_code)]

#[path = "../directory/mod.rs"]
mod directory;

#[allow(unused_imports)]
pub use directory::Directory;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;
use tidegate::settings::Settings;
use tidegate::{RunningServer, Server};

/// Time limit for anything, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A port that was free just now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Settings from the lines of a file, with a free port.
pub fn settings(lines: &str) -> Settings {
    Settings::from_text(&format!("port 0\nbind 127.0.0.1\n{lines}"), "test").expect("settings")
}

/// A server within this process.
pub fn serve(lines: &str) -> RunningServer {
    let server = Server::bind(settings(lines)).expect("the server listens");
    server.spawn().expect("a thread")
}

/// A client that reads and writes lines.
pub struct Client {
    pub stream: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("nodelay");
        Client { stream: BufReader::new(stream) }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).expect("the server reads");
    }

    /// The next line without its end; `None` when the connection is closed.
    pub fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let length = self.stream.read_until(b'\n', &mut line).unwrap_or(0);
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        (length > 0).then_some(text)
    }

    /// `count` lines.
    pub fn lines(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.line().expect("a line")).collect()
    }

    /// Sends one command; returns the first line of the reply.
    pub fn ask(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n"));
        self.line().expect("a reply")
    }

    /// A section of INFO.
    pub fn info(&mut self, section: &str) -> String {
        let length = self.ask(&format!("INFO {section}"));
        let length: usize = length.trim_start_matches('$').parse().expect("a bulk string");
        let mut text = vec![0; length + 2];
        self.stream.read_exact(&mut text).expect("the text");
        String::from_utf8(text).expect("INFO is text")
    }

    /// Everything until the connection closes, in order or by a reset.
    pub fn rest(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Err(error) = self.stream.read_to_end(&mut bytes) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the connection ends");
        }
        bytes
    }
}

/// Tidegate as a process.
pub struct Process {
    child: Child,
    log: Receiver<String>,
    pub address: SocketAddr,
    /// The log up to the line with the address.
    pub first_lines: Vec<String>,
}

impl Process {
    /// Starts the binary on a free port of 127.0.0.1.
    pub fn start(arguments: &[&str]) -> Process {
        Process::start_with(&[&["--port", "0", "--bind", "127.0.0.1"], arguments].concat())
    }

    /// The same with all arguments: a file comes before the others.
    pub fn start_with(arguments: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(arguments);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("tidegate starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let (sender, log) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // The test may have ended.
                let _ = sender.send(line);
            }
        });
        let mut first_lines = Vec::new();
        loop {
            let line = log.recv_timeout(PATIENCE).expect("the binary says where it listens");
            first_lines.push(line.clone());
            let Some((_, rest)) = line.split_once("127.0.0.1:") else { continue };
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let port: u16 = rest[..digits].parse().expect("a port");
            let address = ([127, 0, 0, 1], port).into();
            return Process { child, log, address, first_lines };
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of the log; waits for it.
    pub fn next_log_line(&self) -> Option<String> {
        self.log.recv_timeout(PATIENCE).ok()
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Sends a signal such as `TERM`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success());
    }

    /// Stops the process until the signal `CONT`, so that it then learns of everything at once.
    #[cfg(target_os = "linux")]
    pub fn pause(&self) {
        self.signal("STOP");
        let stat = format!("/proc/{}/stat", self.pid());
        while !fs::read_to_string(&stat).expect("the process").contains(") T ") {
            thread::yield_now();
        }
    }

    /// The next line of the log that contains this.
    pub fn line_with(&self, part: &str) -> String {
        let mut passed = Vec::new();
        loop {
            match self.next_log_line() {
                Some(line) if line.contains(part) => return line,
                Some(line) => passed.push(line),
                None => panic!("no line has {part:?}: {passed:#?}"),
            }
        }
    }

    /// Waits for the end; returns the exit status and all log lines.
    pub fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let lines = std::iter::from_fn(|| self.next_log_line()).collect();
        (self.child.wait().expect("a status"), lines)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // This fails only if the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
