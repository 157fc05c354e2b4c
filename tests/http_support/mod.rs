//! A client that speaks just enough HTTP, over any stream.

// Each test file uses a part of this.
#![allow(dead_code)]

use crate::server_support::{Client, settings};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;
use tidegate::{RunningServer, Server, ServerError};

/// Time limit for anything, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("tests use text")
    }
}

/// A client.
pub struct Http<S> {
    pub stream: BufReader<S>,
}

impl Http<TcpStream> {
    pub fn connect(address: SocketAddr) -> Http<TcpStream> {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("nodelay");
        Http::over(stream)
    }

    /// Sends no more.
    pub fn half_close(&self) {
        self.stream.get_ref().shutdown(Shutdown::Write).expect("it is open");
    }

    /// Sends what the server accepts without waiting; returns how much.
    pub fn send_some(&mut self, bytes: &[u8]) -> usize {
        let stream = self.stream.get_mut();
        stream.set_nonblocking(true).expect("no waiting");
        let result = stream.write(bytes);
        stream.set_nonblocking(false).expect("waiting");
        match result {
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            result => result.expect("the server reads"),
        }
    }
}

impl<S: Read + Write> Http<S> {
    pub fn over(stream: S) -> Http<S> {
        Http { stream: BufReader::new(stream) }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).expect("the server reads");
    }

    /// The next line without its end; `None` when the connection is closed.
    pub fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            read => read.expect("the server answers"),
        };
        let text = String::from_utf8(line).expect("tests use text");
        text.ends_with('\n').then(|| text.trim_end().to_owned())
    }

    /// The head of the next response, in lines; `None` when the connection is closed.
    pub fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        loop {
            match self.line()?.as_str() {
                "" => return Some(head),
                line => head += &format!("{line}\n"),
            }
        }
    }

    /// The next response; `None` when the connection is closed.
    pub fn next(&mut self) -> Option<Response> {
        let head = self.head()?;
        let status = head.get(9..12).and_then(|digits| digits.parse().ok()).expect("a status");
        let mut response = Response { status, head, body: Vec::new() };
        let length = response.header("Content-Length").map_or("0", |length| length);
        response.body = vec![0; length.parse().expect("a length")];
        self.stream.read_exact(&mut response.body).expect("the whole body");
        Some(response)
    }

    pub fn response(&mut self) -> Response {
        self.next().expect("a response")
    }

    /// Sends a request and returns its response.
    pub fn ask(&mut self, request: &str) -> Response {
        self.send(request);
        self.response()
    }

    pub fn get(&mut self, path: &str) -> Response {
        self.ask(&get(path, ""))
    }

    pub fn post(&mut self, path: &str, body: &str) -> Response {
        self.ask(&post(path, "", body))
    }

    /// Runs a command; returns the body.
    pub fn command(&mut self, words: &str) -> String {
        let response = self.ask(&post("/command", "Content-Type: application/json\r\n", words));
        response.text().trim_end().to_owned()
    }

    /// Whether the server closes the connection, without a further response.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => rest.is_empty(),
            Err(error) => panic!("the connection stays open: {error}"),
            Ok(_) => rest.is_empty(),
        }
    }
}

pub fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

pub fn post(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
}

/// A free port: a server with HTTP has two, and the second one cannot be asked for.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// A server with both protocols.
pub struct World {
    pub server: RunningServer,
    pub http: SocketAddr,
}

impl World {
    /// With these lines of a file.
    pub fn serve(lines: &str) -> World {
        // Another connection of this machine may take a port before the server does.
        for _ in 0..100 {
            let (plain, port) = (free_port(), free_port());
            let lines = format!("port {plain}\nhttp-port {port}\nhttp-bind 127.0.0.1\n{lines}");
            match Server::bind(settings(&lines)) {
                Err(ServerError::Listen { .. }) => {}
                server => {
                    let server = server.expect("the server listens").spawn().expect("a thread");
                    return World { server, http: ([127, 0, 0, 1], port).into() };
                }
            }
        }
        panic!("no free ports");
    }

    pub fn connect(&self) -> Http<TcpStream> {
        Http::connect(self.http)
    }

    pub fn redis(&self) -> Client {
        Client::connect(self.server.local_addrs()[0])
    }

    /// A figure of INFO.
    pub fn figure(&self, name: &str) -> u64 {
        let info = self.redis().info("everything");
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {name}"))
    }

    /// Waits until so many clients wait.
    pub fn until_blocked(&self, count: u64) {
        while self.figure("blocked_clients") != count {}
    }

    pub fn stop(self) {
        self.server.stop().expect("it stops");
    }
}

/// A request of Redis' protocol, of any size.
pub fn request(words: &[&str]) -> String {
    let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), words.collect::<String>())
}
