//! One connection with TLS: from records to plaintext and back.

use super::certificate;
use super::config::Configuration;
use crate::clients::{CloseReason, TlsFailure};
use crate::resp::Output;
use crate::server::socket::Socket;
use crate::server::transfer::{Buffers, Received, SHORT_READ_EMPTIES, Sent};
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, ReadTraffic, UnbufferedStatus, WriteTraffic,
};
use rustls::{CommonState, Error, InvalidMessage, ProtocolVersion};
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::IpAddr;

/// The largest record: RFC 5246, section 6.2.3, and its header.
const RECORD_BYTES_MAX: usize = 5 + 16_384 + 2_048;
/// Records that are read at once.
const READ_BYTES_MAX: usize = 64 * 1024;
/// What may be kept before it is complete: a handshake message (the library allows 64 KiB) in records
/// of any size.
const SEALED_BYTES_MAX: usize = 2 * 64 * 1024;
/// Plaintext that is encrypted at once: four full records. It also limits what a connection whose peer
/// reads nothing keeps besides its outbox.
const SEND_BYTES_MAX: usize = 4 * 16_384;
/// More than the headers and tags of these records, and of messages of the handshake before them.
const SEND_OVERHEAD_BYTES: usize = 4 * 1024;

/// A socket and its session.
pub(in crate::server) struct Tls {
    socket: Socket,
    session: Session,
    /// Records, or a part of one, that are not decrypted yet.
    pub(super) sealed: Vec<u8>,
    /// Plaintext for which the reader had no place.
    pub(super) opened: Vec<u8>,
    /// Records that the socket has not accepted yet.
    pub(super) unsent: Vec<u8>,
    /// Whether the session has to continue before more is read: `sealed` may have whole records, or
    /// something is to be said.
    must_continue: bool,
    is_established: bool,
    /// Whether the peer said that it sends no more.
    has_ended: bool,
    failure: Option<TlsFailure>,
}

/// The library's part, which depends on who has connected.
enum Session {
    /// The peer.
    Accepted(Box<UnbufferedServerConnection>),
    /// We.
    Connected(Box<UnbufferedClientConnection>),
}

impl Session {
    /// Processes the next thing in records, or says the next thing.
    fn step(&mut self, records: &mut [u8], places: Places<'_>, write: &mut Write<'_>) -> Step {
        match self {
            Session::Accepted(session) => take(session.process_tls_records(records), places, write),
            Session::Connected(session) => {
                take(session.process_tls_records(records), places, write)
            }
        }
    }

    fn state(&self) -> &CommonState {
        match self {
            Session::Accepted(session) => session,
            Session::Connected(session) => session,
        }
    }
}

/// What encrypts.
trait Seal {
    /// Encrypts data into records; returns their length, none if the session can do so no more.
    fn seal(&mut self, plain: &[u8], records: &mut [u8]) -> Option<usize>;
    /// The same with the message that nothing more comes.
    fn seal_end(&mut self, records: &mut [u8]) -> Option<usize>;
}

impl<Data> Seal for WriteTraffic<'_, Data> {
    fn seal(&mut self, plain: &[u8], records: &mut [u8]) -> Option<usize> {
        self.encrypt(plain, records).ok()
    }

    fn seal_end(&mut self, records: &mut [u8]) -> Option<usize> {
        self.queue_close_notify(records).ok()
    }
}

/// Uses what encrypts, once there is such.
type Write<'a> = dyn FnMut(&mut dyn Seal) + 'a;

/// Where the results of a step go.
struct Places<'a> {
    /// For plaintext.
    free: &'a mut [u8],
    /// For plaintext that finds no place there.
    opened: &'a mut Vec<u8>,
    /// For what is to be said.
    unsent: &'a mut Vec<u8>,
}

/// What the session made of records.
#[derive(Default)]
struct Progress {
    /// Bytes of the records that are done.
    used: usize,
    /// Bytes of plaintext for the reader.
    opened: usize,
    has_just_begun: bool,
}

/// What one step of the session was.
#[derive(Default)]
struct Step {
    /// Bytes of the records that are done.
    used: usize,
    /// Bytes of plaintext for the reader.
    opened: usize,
    /// Whether nothing of a handshake is left to be said.
    is_behind_handshake: bool,
    /// Whether there is nothing more to do.
    is_last: bool,
    /// Whether there is something new to be said.
    has_spoken: bool,
    /// Whether the peer said that it sends no more.
    has_ended: bool,
    error: Option<Error>,
}

impl Tls {
    /// Begins with a connection that a peer has made.
    pub(in crate::server) fn accept(socket: Socket, from: &Configuration) -> io::Result<Tls> {
        let config = from.accepting().ok_or_else(not_configured)?;
        let session = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Tls::new(socket, Session::Accepted(Box::new(session))))
    }

    /// Begins with a connection to another server. The greeting is sent by the first `flush`.
    pub(in crate::server) fn connect(
        socket: Socket,
        to: IpAddr,
        from: &Configuration,
    ) -> io::Result<Tls> {
        let config = from.connecting().ok_or_else(not_configured)?;
        // The certificate is not checked for it.
        let name = ServerName::from(to);
        let session = UnbufferedClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut tls = Tls::new(socket, Session::Connected(Box::new(session)));
        while !tls.step(&mut [], &mut [], &mut |_| ()).is_last {}
        Ok(tls)
    }

    fn new(socket: Socket, session: Session) -> Tls {
        Tls {
            socket,
            session,
            sealed: Vec::new(),
            opened: Vec::new(),
            unsent: Vec::new(),
            must_continue: false,
            is_established: false,
            has_ended: false,
            failure: None,
        }
    }

    pub(in crate::server) fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Whether the handshake is not finished: no request can come, and no reply go.
    pub(in crate::server) fn is_handshaking(&self) -> bool {
        !self.is_established
    }

    /// The common name in the certificate of a peer that has connected.
    pub(in crate::server) fn certificate_name(&self) -> Option<Box<str>> {
        let Session::Accepted(session) = &self.session else { return None };
        let certificate = session.peer_certificates()?.first()?;
        certificate::common_name(certificate).map(Box::from)
    }

    /// Bytes that the socket has not accepted yet.
    pub(in crate::server) fn unsent_bytes(&self) -> usize {
        self.unsent.len()
    }

    /// Reads up to `bytes_max` bytes of plaintext into `buffers.plain`, with at most one read of the
    /// socket.
    pub(in crate::server) fn receive(
        &mut self,
        buffers: &mut Buffers,
        bytes_max: usize,
    ) -> Received {
        let plain = &mut buffers.plain[..bytes_max];
        if !self.opened.is_empty() {
            let count = self.opened.len().min(plain.len());
            plain[..count].copy_from_slice(&self.opened[..count]);
            self.opened.drain(..count);
            if self.opened.is_empty() {
                self.opened = Vec::new();
            }
            return Received::Bytes { count, is_all: false };
        }
        if let Some(failure) = self.failure {
            return Received::Failed(CloseReason::Tls(failure));
        }
        if self.has_ended {
            return Received::End;
        }
        // Plaintext is never longer than its records, so what is read usually has a place.
        let read_max = bytes_max.clamp(RECORD_BYTES_MAX, READ_BYTES_MAX);
        let records = &mut buffers.records;
        let kept = self.sealed.len();
        records.resize(records.len().max(SEALED_BYTES_MAX + READ_BYTES_MAX), 0);
        records[..kept].copy_from_slice(&self.sealed);
        let (mut read, mut is_emptied) = (0, false);
        if !self.must_continue {
            match self.socket.read(&mut records[kept..kept + read_max]) {
                Ok(0) => return Received::End,
                Ok(count) => {
                    read = count;
                    is_emptied = SHORT_READ_EMPTIES && count < read_max;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Received::WouldBlock,
                Err(_) => return Received::Failed(CloseReason::ConnectionFailed),
            }
        }
        let end = kept + read;
        let progress = self.process(&mut records[..end], plain);
        self.keep_sealed(&records[progress.used..end]);
        let is_all = is_emptied
            && !self.must_continue
            && self.opened.is_empty()
            && self.failure.is_none()
            && !self.has_ended;
        match progress {
            Progress { has_just_begun: true, .. } => Received::Established,
            Progress { opened: 0, .. } => Received::Nothing { read, is_all },
            Progress { opened: count, .. } => Received::Bytes { count, is_all },
        }
    }

    /// Whether the peer said that it sends no more, as far as one read shows: for a reader that takes
    /// nothing now. Plaintext that this finds is kept; while there is some, nothing more is read.
    pub(in crate::server) fn finds_end(&mut self, buffers: &mut Buffers) -> bool {
        if self.is_established
            && self.opened.is_empty()
            && let Received::Bytes { count, .. } = self.receive(buffers, RECORD_BYTES_MAX)
        {
            // It comes before what had no place in the buffer.
            self.opened.splice(..0, buffers.plain[..count].iter().copied());
        }
        self.has_ended
    }

    /// Lets the session process records until it needs more, or `plain` is full, or the handshake has
    /// ended.
    fn process(&mut self, records: &mut [u8], plain: &mut [u8]) -> Progress {
        let mut progress = Progress::default();
        self.must_continue = false;
        loop {
            // The reader first learns that the handshake is done.
            let free = match self.is_established {
                true => &mut plain[progress.opened..],
                false => &mut [],
            };
            let step = self.step(&mut records[progress.used..], free, &mut |_| ());
            progress.used += step.used;
            progress.opened += step.opened;
            if self.failure.is_some() || self.has_ended {
                return progress;
            }
            if step.is_behind_handshake
                && !self.is_established
                && !self.session.state().is_handshaking()
            {
                self.is_established = true;
                self.must_continue = true;
                progress.has_just_begun = true;
                return progress;
            }
            if step.is_last {
                return progress;
            }
            if progress.opened == plain.len() {
                self.must_continue = true;
                return progress;
            }
        }
    }

    /// Lets the session do one thing. Plaintext goes to `free` or, if it finds no place there, to
    /// `self.opened`. Once nothing is left to do before data may be written, `write` is called.
    ///
    /// `records` must begin with all bytes that the session has not used: it remembers where in them the
    /// parts of a handshake message are.
    fn step(&mut self, records: &mut [u8], free: &mut [u8], write: &mut Write<'_>) -> Step {
        let Tls { session, opened, unsent, .. } = self;
        let mut step = session.step(records, Places { free, opened, unsent }, write);
        self.has_ended |= step.has_ended;
        // The only thing that a session says by itself here is that it does not begin anew.
        if step.has_spoken && self.is_established && is_version_1_2(self.session.state()) {
            self.failure = Some(TlsFailure::Renegotiation);
        }
        if let Some(error) = step.error.take() {
            step.is_last = true;
            self.fail(&error, records.get_mut(step.used..).unwrap_or_default());
        }
        step
    }

    /// Calls `write` as soon as data may be written; not at all if the session can do so no more.
    fn write_with(&mut self, write: &mut Write<'_>) {
        let mut sealed = std::mem::take(&mut self.sealed);
        let mut used = 0;
        loop {
            let step = self.step(&mut sealed[used..], &mut [], write);
            used += step.used;
            // There are whole records only if the reader left them.
            self.must_continue |= !self.opened.is_empty();
            if step.is_last {
                break;
            }
        }
        self.keep_sealed(&sealed[used..]);
    }

    /// Keeps what the session has not used.
    fn keep_sealed(&mut self, rest: &[u8]) {
        if self.failure.is_some() || rest.is_empty() {
            self.sealed = Vec::new();
        } else if rest.len() > SEALED_BYTES_MAX {
            self.sealed = Vec::new();
            self.failure = Some(TlsFailure::Record);
        } else {
            self.sealed.clear();
            self.sealed.extend_from_slice(rest);
        }
    }

    /// Records an error of the session, with the alert for the peer.
    fn fail(&mut self, error: &Error, records: &mut [u8]) {
        log::debug!("TLS: {error}");
        self.failure = Some(failure(error, self.is_established));
        let mut used = 0;
        // Only that: the session must not see the bad record again.
        while self.session.state().wants_write() {
            let records = records.get_mut(used..).unwrap_or_default();
            let places =
                Places { free: &mut [], opened: &mut Vec::new(), unsent: &mut self.unsent };
            let step = self.session.step(records, places, &mut |_| ());
            if !step.has_spoken {
                return;
            }
            used += step.used;
        }
    }

    /// Offers the socket what it has not accepted yet. `Bytes` says that nothing is left.
    pub(in crate::server) fn flush(&mut self) -> Sent {
        let mut sent = 0;
        while sent < self.unsent.len() {
            match self.socket.write_bytes(&self.unsent[sent..]) {
                Ok(count) if count > 0 => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unsent.drain(..sent);
                    return Sent::WouldBlock;
                }
                _ => return Sent::Failed,
            }
        }
        self.unsent = Vec::new();
        Sent::Bytes(sent)
    }

    /// Encrypts as many of the first `bytes_max` bytes of `output` as one write may take, in as few
    /// records as possible. More is encrypted only once the socket has accepted all of it, so the rest
    /// stays in the outbox, where the limits of the client's output apply.
    pub(in crate::server) fn send(
        &mut self,
        buffers: &mut Buffers,
        output: &Output,
        bytes_max: usize,
    ) -> Sent {
        if self.failure.is_some() {
            return Sent::Failed;
        }
        if !self.unsent.is_empty() {
            match self.flush() {
                Sent::Bytes(_) => {}
                other => return other,
            }
        }
        let bytes_max = bytes_max.min(SEND_BYTES_MAX);
        let Buffers { records, gathered, .. } = buffers;
        let plain = match output.contiguous() {
            Some(bytes) => &bytes[..bytes.len().min(bytes_max)],
            None => {
                gathered.clear();
                output.copy_to(gathered, bytes_max);
                gathered
            }
        };
        records.resize(records.len().max(SEND_BYTES_MAX + SEND_OVERHEAD_BYTES), 0);
        let mut sealed = None;
        self.write_with(&mut |seal| sealed = seal.seal(plain, records));
        let Some(sealed) = sealed else { return Sent::Failed };
        if !self.unsent.is_empty() {
            // The session had to say something before.
            self.unsent.extend_from_slice(&records[..sealed]);
            return match self.flush() {
                Sent::Failed => Sent::Failed,
                _ => Sent::Bytes(plain.len()),
            };
        }
        match self.socket.write_bytes(&records[..sealed]) {
            Ok(count) => self.unsent.extend_from_slice(&records[count..sealed]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.unsent.extend_from_slice(&records[..sealed]);
            }
            Err(_) => return Sent::Failed,
        }
        Sent::Bytes(plain.len())
    }

    /// Says goodbye, if the socket accepts that at once. In an orderly end that tells the peer that
    /// nothing is missing; after a failure the alert tells it why.
    pub(in crate::server) fn end(&mut self, reason: CloseReason, buffers: &mut Buffers) {
        if self.is_established && self.failure.is_none() && reason.flushes_first() {
            let mut alert = [0; 256];
            let mut sealed = None;
            self.write_with(&mut |seal| sealed = seal.seal_end(&mut alert));
            self.unsent.extend_from_slice(&alert[..sealed.unwrap_or(0)]);
        }
        if self.failure.is_some() || reason.flushes_first() {
            // The peer may have gone.
            let _ = self.flush();
            self.socket.discard_input(&mut buffers.plain);
        }
    }
}

fn not_configured() -> io::Error {
    io::Error::other("TLS is not configured")
}

/// Does what the session asks for.
fn take<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    places: Places<'_>,
    write: &mut Write<'_>,
) -> Step {
    let UnbufferedStatus { discard, state, .. } = status;
    let mut step = Step { used: discard, ..Step::default() };
    match state {
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            // Whatever a handshake has to say comes before this.
            step.is_behind_handshake = true;
            match take_records(&mut traffic, places.free, places.opened) {
                Ok((opened, also_discard)) => {
                    step.opened = opened;
                    step.used += also_discard;
                }
                Err(error) => step.error = Some(error),
            }
        }
        Ok(ConnectionState::EncodeTlsData(mut message)) => {
            append(places.unsent, |space| message.encode(space));
            step.has_spoken = true;
        }
        Ok(ConnectionState::TransmitTlsData(message)) => message.done(),
        Ok(ConnectionState::PeerClosed) => step.has_ended = true,
        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
            (step.is_behind_handshake, step.is_last) = (true, true);
            write(&mut traffic);
        }
        Ok(_) => step.is_last = true,
        Err(error) => step.error = Some(error),
    }
    step
}

/// Moves decrypted records to `free` and, what finds no place there, to `kept`. Returns how many bytes the
/// reader has got, and how many more of the input are done.
fn take_records<Data>(
    traffic: &mut ReadTraffic<'_, '_, Data>,
    free: &mut [u8],
    kept: &mut Vec<u8>,
) -> Result<(usize, usize), Error> {
    let (mut count, mut discard) = (0, 0);
    while let Some(record) = traffic.next_record() {
        let record = record?;
        discard += record.discard;
        let fits = record.payload.len().min(free.len() - count);
        free[count..count + fits].copy_from_slice(&record.payload[..fits]);
        kept.extend_from_slice(&record.payload[fits..]);
        count += fits;
    }
    Ok((count, discard))
}

/// Appends a message to a buffer.
fn append(buffer: &mut Vec<u8>, mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>) {
    if let Err(EncodeError::InsufficientSize(needed)) = encode(&mut []) {
        let start = buffer.len();
        buffer.resize(start + needed.required_size, 0);
        let written = encode(&mut buffer[start..]);
        buffer.truncate(start + written.unwrap_or(0));
    }
}

fn is_version_1_2(session: &CommonState) -> bool {
    session.protocol_version() == Some(ProtocolVersion::TLSv1_2)
}

/// The kind of an error, for the log.
fn failure(error: &Error, is_established: bool) -> TlsFailure {
    match error {
        _ if is_established => TlsFailure::Record,
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::InvalidEmptyPayload
            | InvalidMessage::MessageTooLarge,
        ) => TlsFailure::NoTls,
        Error::NoCertificatesPresented => TlsFailure::NoCertificate,
        Error::InvalidCertificate(_) => TlsFailure::Certificate,
        Error::AlertReceived(_) => TlsFailure::Refused,
        Error::PeerIncompatible(_) => TlsFailure::Incompatible,
        _ => TlsFailure::Handshake,
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the session: it has keys.
        f.debug_struct("Tls").field("socket", &self.socket).finish_non_exhaustive()
    }
}
