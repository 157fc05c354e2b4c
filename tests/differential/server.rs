//! A server process and the connections to it.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::answer::length_of_first;
use super::step::Arg;

/// Time limit for a reply, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Above the numbers in generated commands.
const FIRST_ID: u64 = 32;

pub struct Server {
    process: Child,
    port: u16,
    /// Sees what the clients cannot: whether everything is done, who waits, what the keys contain.
    judge: Option<Connection>,
    pub clients: Vec<Connection>,
}

pub struct Connection {
    stream: TcpStream,
    pub id: u64,
    address: String,
    pub unread: Vec<u8>,
    pub is_closed: bool,
}

impl Server {
    pub fn tidegate() -> io::Result<Server> {
        // A redis-server answers wrong passwords at once, however many there are.
        let options = ["--auth-delay-max-ms", "0"];
        Server::start(Command::new(env!("CARGO_BIN_EXE_tidegate")), &options, "listens on")
    }

    pub fn redis(program: &Path) -> io::Result<Server> {
        // Timeouts are checked a hundred times per second.
        let options = ["--save", "", "--hz", "100"];
        Server::start(Command::new(program), &options, "Ready to accept connections")
    }

    fn start(mut command: Command, options: &[&str], ready: &'static str) -> io::Result<Server> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        command.args(["--bind", "127.0.0.1", "--databases", "4", "--port", &port.to_string()]);
        command.args(options).current_dir(std::env::temp_dir());
        let (log, output) = io::pipe()?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let process = command.spawn()?;
        drop(command);
        let mut server = Server { process, port, judge: None, clients: Vec::new() };
        if !wait_for_line(log, ready) {
            return Err(io::Error::other("the server does not become ready"));
        }
        while server.judge.as_ref().is_none_or(|judge| judge.id < FIRST_ID) {
            server.judge = Some(Connection::open(port)?);
        }
        Ok(server)
    }

    /// Empties the databases and replaces all clients.
    pub fn begin(&mut self, clients: usize) -> io::Result<()> {
        self.clients.clear();
        self.ask(&[b"FLUSHALL"])?;
        while self.client_list()?.lines().count() > 1 {}
        for _ in 0..clients {
            self.clients.push(Connection::open(self.port)?);
        }
        Ok(())
    }

    pub fn reconnect(&mut self, client: usize) -> io::Result<()> {
        self.clients[client] = Connection::open(self.port)?;
        Ok(())
    }

    /// One round trip of the judging connection.
    pub fn ask(&mut self, words: &[&[u8]]) -> io::Result<Vec<u8>> {
        let judge = self.judge.as_mut().ok_or(ErrorKind::NotConnected)?;
        judge.send(&encode(words))?;
        judge.receive()
    }

    pub fn client_list(&mut self) -> io::Result<String> {
        let reply = self.ask(&[b"CLIENT", b"LIST"])?;
        Ok(String::from_utf8_lossy(&reply).split_once("\r\n").unwrap_or_default().1.trim().into())
    }

    /// Reads what has arrived for the clients.
    pub fn drain(&mut self) -> io::Result<bool> {
        let mut found = false;
        for client in self.clients.iter_mut().filter(|client| !client.is_closed) {
            found |= client.drain()?;
        }
        Ok(found)
    }

    /// The bytes of a request, with this server's numbers and addresses.
    pub fn encode(&self, args: &[Arg], now: Duration) -> Vec<u8> {
        let words: Vec<Vec<u8>> = args
            .iter()
            .map(|arg| match arg {
                Arg::Bytes(bytes) => bytes.clone(),
                Arg::IdOf(client) => self.clients[*client].id.to_string().into_bytes(),
                Arg::AddressOf(client) => self.clients[*client].address.clone().into_bytes(),
                Arg::SecondsFromNow(seconds) => {
                    (now.as_secs() as i64 + seconds).to_string().into_bytes()
                }
                Arg::MillisecondsFromNow(ms) => {
                    (now.as_millis() as i64 + ms).to_string().into_bytes()
                }
            })
            .collect();
        encode(&words.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // This fails only if the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Connection {
    fn open(port: u16) -> io::Result<Connection> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let address = stream.local_addr()?.to_string();
        let mut connection =
            Connection { stream, id: 0, address, unread: Vec::new(), is_closed: false };
        connection.send(b"CLIENT ID\r\n")?;
        let reply = String::from_utf8_lossy(&connection.receive()?).into_owned();
        let id = reply.trim_start_matches(':').trim().parse();
        connection.id = id.map_err(|_| io::Error::other(format!("no id: {reply}")))?;
        Ok(connection)
    }

    /// A connection closed by the server takes nothing; the other server shows that as well.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.stream.write_all(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(length) = length_of_first(&self.unread) {
                return Ok(self.unread.drain(..length).collect());
            }
            if self.read()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn drain(&mut self) -> io::Result<bool> {
        self.stream.set_nonblocking(true)?;
        let mut found = false;
        let result = loop {
            match self.read() {
                Ok(1..) => found = true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break Ok(found),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => {
                    self.is_closed = true;
                    break Ok(true);
                }
            }
        };
        self.stream.set_nonblocking(false)?;
        result
    }

    fn read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16 * 1024];
        let length = self.stream.read(&mut buffer)?;
        self.unread.extend_from_slice(&buffer[..length]);
        Ok(length)
    }
}

pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970")
}

fn encode(words: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        request.extend_from_slice(word);
        request.extend_from_slice(b"\r\n");
    }
    request
}

/// Reads the log until the server is ready, and then the rest, so that the process never blocks on it. A
/// panic message is passed on.
fn wait_for_line(log: impl Read + Send + 'static, ready: &'static str) -> bool {
    let (found, wait) = mpsc::channel();
    thread::spawn(move || {
        let mut has_panicked = false;
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            has_panicked |= line.contains("panicked at");
            if has_panicked {
                eprintln!("{line}");
            }
            if line.contains(ready) {
                // The receiver is gone after the first match.
                let _ = found.send(());
            }
        }
    });
    wait.recv_timeout(PATIENCE).is_ok()
}
