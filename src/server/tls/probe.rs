//! Sessions for the fuzzer and its properties, on one end of a pair of sockets.

use super::{Configuration, Tls};
use crate::resp::{Output, Protocol};
use crate::server::socket::Socket;
use crate::server::transfer::{Buffers, Received, Sent};
use crate::settings::Settings;
use std::os::unix::net::UnixStream;

/// Makes sessions from settings of TLS.
#[derive(Debug)]
pub struct TlsProbes {
    configuration: Configuration,
}

/// One session, as the loop has it.
#[derive(Debug)]
pub struct TlsProbe {
    tls: Tls,
    buffers: Buffers,
    output: Output,
}

impl TlsProbes {
    /// Reads the certificates of the settings.
    ///
    /// # Errors
    /// The directive, the file and the reason.
    pub fn new(settings: &Settings) -> Result<TlsProbes, String> {
        let configuration = Configuration::default();
        configuration.load(settings)?;
        Ok(TlsProbes { configuration })
    }

    /// Begins with a socket that does not wait.
    ///
    /// # Errors
    /// There is no `tls-port` in the settings.
    pub fn accept(&self, socket: UnixStream) -> std::io::Result<TlsProbe> {
        let socket = Socket::Unix(mio::net::UnixStream::from_std(socket));
        let tls = Tls::accept(socket, &self.configuration)?;
        Ok(TlsProbe { tls, buffers: Buffers::new(), output: Output::new(Protocol::Resp2) })
    }
}

impl TlsProbe {
    /// Reads as the loop does after an event, with at most `bytes_max` bytes at once, and adds the
    /// plaintext to `plain`. False once the connection has ended or failed.
    pub fn read(&mut self, bytes_max: usize, plain: &mut Vec<u8>) -> bool {
        let bytes_max = bytes_max.clamp(1, self.buffers.plain.len());
        loop {
            match self.tls.receive(&mut self.buffers, bytes_max) {
                Received::Bytes { count, is_all } => {
                    assert!((1..=bytes_max).contains(&count));
                    plain.extend_from_slice(&self.buffers.plain[..count]);
                    if is_all {
                        return true;
                    }
                }
                Received::Nothing { is_all: true, .. } | Received::WouldBlock => return true,
                Received::Nothing { .. } | Received::Established => {}
                Received::End | Received::Failed(_) => return false,
            }
        }
    }

    /// Sends bytes and what was not sent before, if the handshake is done; otherwise what the handshake
    /// has to say. False if the connection has failed.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        if !self.tls.is_handshaking() {
            self.output.raw(bytes);
        }
        let mut sent = self.tls.flush();
        while let Sent::Bytes(_) = sent
            && !self.output.is_empty()
        {
            sent = self.tls.send(&mut self.buffers, &self.output, self.output.len());
            if let Sent::Bytes(count) = sent {
                self.output.advance(count);
            }
        }
        !matches!(sent, Sent::Failed)
    }

    /// Whether the handshake is not finished.
    pub fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }
}
