//! A connection to the broker that asks and waits for the reply.

use super::stream::Stream;
use super::target::{Address, Target};
use super::text::printable;
use super::tls;
use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use tidegate::resp::write_command;
use tidegate::{Reply, ReplyParser};

/// Time for a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for the next bytes of a reply.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// A reply is a page of queues, or INFO. Names of queues may be long.
const REPLY_BYTES_MAX: usize = 64 << 20;

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection failed, or could not be made.
    Lost(String),
    /// The broker refuses us, or is none that we know.
    Refused(String),
}

impl Failure {
    /// The reason for people.
    pub fn reason(&self) -> &str {
        match self {
            Failure::Lost(reason) | Failure::Refused(reason) => reason,
        }
    }
}

/// A connection, as a user, in a database.
pub struct Connection {
    stream: Box<dyn Stream>,
    parser: ReplyParser,
}

impl Connection {
    /// Connects, authenticates and chooses the database.
    pub fn open(target: &Target) -> Result<Connection, Failure> {
        let stream = connect(target).map_err(|reason| {
            Failure::Lost(format!("cannot connect to {}: {reason}", target.address))
        })?;
        let parser = ReplyParser::new(REPLY_BYTES_MAX);
        let mut connection = Connection { stream, parser };
        if let Some(password) = &target.password {
            let user = target.user.as_deref();
            let words = ["AUTH"].into_iter().chain(user).chain([password.as_str()]);
            connection.ask(&words.collect::<Vec<_>>())?;
        }
        if target.db != 0 {
            connection.ask(&["SELECT", &target.db.to_string()])?;
        }
        // For CLIENT LIST. It may be forbidden.
        connection.call(&["CLIENT", "SETNAME", "tidegate-top"])?;
        Ok(connection)
    }

    /// Runs a command; an error reply is a failure.
    pub fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Reply, Failure> {
        match self.call(words)? {
            Reply::Error(text) => Err(Failure::Refused(printable(&text))),
            reply => Ok(reply),
        }
    }

    /// Runs a command.
    pub fn call<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Reply, Failure> {
        let mut request = Vec::new();
        write_command(&mut request, words.iter().map(AsRef::as_ref));
        let lost = |error: io::Error| Failure::Lost(reason_of(&error));
        self.stream.write_all(&request).and_then(|()| self.stream.flush()).map_err(lost)?;
        let mut bytes = [0; 16 * 1024];
        loop {
            let reply =
                self.parser.next_reply().map_err(|error| Failure::Lost(error.to_string()))?;
            if let Some(reply) = reply {
                return Ok(reply);
            }
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(Failure::Lost("the broker has closed the connection".into())),
                Ok(length) => self.parser.feed(&bytes[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(lost(error)),
            }
        }
    }
}

fn connect(target: &Target) -> Result<Box<dyn Stream>, String> {
    match &target.address {
        Address::Unix(path) => {
            let stream = UnixStream::connect(path).map_err(|error| reason_of(&error))?;
            let timeouts = stream
                .set_read_timeout(Some(REPLY_TIMEOUT))
                .and_then(|()| stream.set_write_timeout(Some(REPLY_TIMEOUT)));
            timeouts.map_err(|error| error.to_string())?;
            Ok(Box::new(stream))
        }
        Address::Tcp { host, port } => {
            let stream = connect_tcp(host, *port).map_err(|error| reason_of(&error))?;
            match target.is_tls {
                true => tls::wrap(stream, host, &target.tls),
                false => Ok(Box::new(stream)),
            }
        }
    }
}

/// Tries each address of the host.
fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut error = io::Error::from(ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
                stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(failure) => error = failure,
        }
    }
    Err(error)
}

fn reason_of(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "there is no answer in time".to_owned(),
        ErrorKind::UnexpectedEof => "the broker has closed the connection".to_owned(),
        // In TLS 1.3 a client learns only after the handshake that it was refused.
        _ if error.to_string().ends_with("CertificateRequired") => {
            "the broker asks for our certificate: --cert and --key name its files".to_owned()
        }
        _ => error.to_string(),
    }
}
