//! The generator's end of a connection, with or without TLS. Both behave like a socket that does not
//! wait.

use mio::net::TcpStream;
use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

pub enum Line {
    Plain(TcpStream),
    Tls(Box<(TcpStream, ClientConnection)>),
}

impl Line {
    /// Connects; with TLS, after the handshake.
    pub fn connect(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Line {
        let mut stream = std::net::TcpStream::connect(address).expect("the server accepts");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        let session = tls.map(|config| {
            let name = ServerName::try_from("localhost").expect("a name");
            let mut session = ClientConnection::new(Arc::clone(config), name).expect("a session");
            while session.is_handshaking() || session.wants_write() {
                session.complete_io(&mut stream).expect("a handshake");
            }
            session
        });
        stream.set_nonblocking(true).expect("a non-blocking socket");
        let stream = TcpStream::from_std(stream);
        match session {
            None => Line::Plain(stream),
            Some(session) => Line::Tls(Box::new((stream, session))),
        }
    }

    pub fn source(&mut self) -> &mut TcpStream {
        match self {
            Line::Plain(stream) => stream,
            Line::Tls(both) => &mut both.0,
        }
    }

    /// Whether a read that does not fill the buffer shows that there is no more.
    pub fn has_short_reads(&self) -> bool {
        matches!(self, Line::Plain(_))
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Line::Plain(stream) => stream.write(bytes),
            Line::Tls(both) => {
                let taken = both.1.writer().write(bytes)?;
                match self.flush() {
                    Err(error) if error.kind() == ErrorKind::WouldBlock && taken > 0 => Ok(taken),
                    result => result.map(|()| taken),
                }
            }
        }
    }

    /// Sends what was taken but not sent yet.
    fn flush(&mut self) -> io::Result<()> {
        if let Line::Tls(both) = self {
            let (stream, session) = &mut **both;
            while session.wants_write() {
                session.write_tls(stream)?;
            }
        }
        Ok(())
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (stream, session) = match self {
            Line::Plain(stream) => return stream.read(buffer),
            Line::Tls(both) => (&mut both.0, &mut both.1),
        };
        loop {
            match session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            if session.read_tls(stream)? == 0 {
                return Ok(0);
            }
            session.process_new_packets().map_err(io::Error::other)?;
        }
    }
}
