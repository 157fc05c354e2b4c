//! A replica's connection to its primary: what it says and hears until the stream begins.
//!
//! The link is a plain value. The server makes the connection; its bytes come in here, and answers go out
//! through the outbox of the client that the broker has for it.

use super::history::StreamId;
use crate::client_id::ClientId;
use crate::key::DbIndex;
use crate::resp::write_command;
use std::collections::VecDeque;

/// Limit on a line of the primary.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// The length of the mark at the end of a snapshot without a length.
pub(crate) const MARK_LEN: usize = 40;
/// Time until a warning is given again.
const WARNING_PERIOD_US: u64 = 1_000_000;
/// Time until the next try after a failure.
pub(crate) const RETRY_US: u64 = 1_000_000;

/// Where a primary is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryAddress {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// The link of a replica.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) primary: PrimaryAddress,
    pub(crate) phase: Phase,
    /// The database that the stream has selected.
    pub(crate) db: DbIndex,
    /// The commands of a transaction, until its EXEC is there.
    pub(crate) transaction: Option<Vec<u8>>,
    /// The client that the broker has for the connection.
    pub(crate) client: Option<ClientId>,
    /// When bytes last came, in microseconds of the monotonic clock.
    pub(crate) heard_us: u64,
    /// Since when the stream has not been received, in microseconds of the monotonic clock.
    pub(crate) down_since_us: Option<u64>,
    /// When the next acknowledgement is due.
    pub(crate) ack_due_us: u64,
    /// The primary has asked for an acknowledgement.
    pub(crate) owes_ack: bool,
    /// Why the stream is not followed any more: only an operator can help.
    pub(crate) stopped: Option<String>,
    /// The latest warning about the link, and when it was given, in microseconds of the monotonic clock.
    warning: Option<(String, u64)>,
    /// Keys and commands that were skipped, since they need features that do not exist here.
    pub(crate) skipped: u64,
}

/// What the link does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The connection is tried at this time.
    Down { retry_us: u64 },
    /// The connection is being made.
    Connects,
    /// Answers are expected to what was sent.
    Greets(VecDeque<Expected>),
    /// A snapshot is about to come, with the stream from this offset on.
    AwaitsSnapshot { id: StreamId, offset: u64 },
    /// The snapshot comes.
    Loads { id: StreamId, offset: u64, end: SnapshotEnd },
    /// The stream comes.
    Follows,
}

/// Which answer comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Pong,
    Auth,
    /// To a word about ourselves, which an old server may not know.
    Told,
    Psync,
}

/// How the end of a snapshot is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SnapshotEnd {
    /// So many bytes are left.
    Bytes(u64),
    /// These bytes follow it.
    Mark([u8; MARK_LEN]),
}

/// What we say of ourselves.
#[derive(Clone, Debug)]
pub(crate) struct Greeting<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) port: u16,
    pub(crate) ip: &'a str,
    /// The id of the stream that we have, and how many bytes of it; `None` if we have nothing of one.
    pub(crate) has: Option<(StreamId, u64)>,
}

/// The meaning of a line during the greeting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing to do.
    Nothing,
    /// A snapshot follows, then the stream from this offset on.
    FullSync { id: StreamId, offset: u64 },
    /// The stream goes on where we are, perhaps under a new id.
    Continue { id: Option<StreamId> },
    /// It does not work now: why.
    Failed(String),
}

impl Link {
    pub(crate) fn new(primary: PrimaryAddress, now_us: u64) -> Link {
        Link {
            primary,
            phase: Phase::Down { retry_us: now_us },
            db: 0,
            transaction: None,
            client: None,
            heard_us: now_us,
            down_since_us: Some(now_us),
            ack_due_us: now_us,
            owes_ack: false,
            stopped: None,
            warning: None,
            skipped: 0,
        }
    }

    /// Why the link fails: a warning, but not again for the same reason within a second.
    pub(crate) fn warn(&mut self, reason: &str, now_us: u64) {
        let PrimaryAddress { host, port } = &self.primary;
        if self.is_told(reason, now_us) {
            log::debug!("replication: {host}:{port}: {reason}");
            return;
        }
        log::warn!("replication: {host}:{port}: {reason}");
        self.warning = Some((reason.to_owned(), now_us));
    }

    fn is_told(&self, reason: &str, now_us: u64) -> bool {
        self.warning.as_ref().is_some_and(|(last, at_us)| {
            last == reason && now_us.saturating_sub(*at_us) < WARNING_PERIOD_US
        })
    }

    /// Whether the stream is being received.
    pub(crate) fn is_up(&self) -> bool {
        self.phase == Phase::Follows
    }

    /// Whether a snapshot is about to come, or comes.
    pub(crate) fn is_syncing(&self) -> bool {
        matches!(self.phase, Phase::AwaitsSnapshot { .. } | Phase::Loads { .. })
    }

    /// Redis' word for the phase in ROLE.
    pub(crate) fn role_word(&self) -> &'static str {
        match self.phase {
            Phase::Down { .. } => "connect",
            Phase::Connects => "connecting",
            Phase::Greets(_) => "handshake",
            Phase::AwaitsSnapshot { .. } | Phase::Loads { .. } => "sync",
            Phase::Follows => "connected",
        }
    }

    /// The connection is made: says hello.
    pub(crate) fn greet(&mut self, out: &mut Vec<u8>) {
        write_command(out, [&b"PING"[..]]);
        self.phase = Phase::Greets(VecDeque::from([Expected::Pong]));
    }

    /// Handles a line that came during the greeting. What is to be sent goes to `out`.
    pub(crate) fn hear(
        &mut self,
        line: &[u8],
        greeting: &Greeting<'_>,
        out: &mut Vec<u8>,
    ) -> Heard {
        let Phase::Greets(expected) = &mut self.phase else { return Heard::Nothing };
        let Some(next) = expected.pop_front() else { return Heard::Nothing };
        let failed = |line: &[u8]| Heard::Failed(line.escape_ascii().to_string());
        match next {
            // It answers, even if it wants a password first.
            Expected::Pong
                if line.starts_with(b"+")
                    || line.starts_with(b"-NOAUTH")
                    || line.starts_with(b"-NOPERM")
                    || line.starts_with(b"-ERR operation not permitted") =>
            {
                introduce(greeting, expected, out);
                Heard::Nothing
            }
            Expected::Auth if line.starts_with(b"+") => Heard::Nothing,
            Expected::Told => {
                if expected.is_empty() {
                    ask(greeting, expected, out);
                }
                Heard::Nothing
            }
            Expected::Psync => read_answer(line).unwrap_or_else(|| failed(line)),
            Expected::Pong | Expected::Auth => failed(line),
        }
    }
}

/// Says who we are.
fn introduce(greeting: &Greeting<'_>, expected: &mut VecDeque<Expected>, out: &mut Vec<u8>) {
    let &Greeting { user, password, port, ip, .. } = greeting;
    if !password.is_empty() {
        let words = [user.as_bytes(), password.as_bytes()];
        let words = if user.is_empty() { &words[1..] } else { &words[..] };
        let all: Vec<&[u8]> = std::iter::once(&b"AUTH"[..]).chain(words.iter().copied()).collect();
        write_command(out, all);
        expected.push_back(Expected::Auth);
    }
    let mut digits = itoa::Buffer::new();
    write_command(out, [&b"REPLCONF"[..], b"listening-port", digits.format(port).as_bytes()]);
    expected.push_back(Expected::Told);
    if !ip.is_empty() {
        write_command(out, [b"REPLCONF", &b"ip-address"[..], ip.as_bytes()]);
        expected.push_back(Expected::Told);
    }
    write_command(out, [&b"REPLCONF"[..], b"capa", b"eof", b"capa", b"psync2"]);
    expected.push_back(Expected::Told);
}

/// Asks for the stream.
fn ask(greeting: &Greeting<'_>, expected: &mut VecDeque<Expected>, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    match &greeting.has {
        // The next byte, counted from 1.
        Some((id, offset)) => write_command(
            out,
            [b"PSYNC", id.as_bytes(), digits.format(offset.saturating_add(1)).as_bytes()],
        ),
        None => write_command(out, [&b"PSYNC"[..], b"?", b"-1"]),
    }
    expected.push_back(Expected::Psync);
}

/// Reads the answer to PSYNC.
fn read_answer(line: &[u8]) -> Option<Heard> {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    match words.next()? {
        b"+FULLRESYNC" => {
            let id = StreamId::parse(words.next()?)?;
            let offset = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
            Some(Heard::FullSync { id, offset })
        }
        b"+CONTINUE" => {
            // A wrong id must not be taken for none.
            match words.next().map(StreamId::parse) {
                Some(None) => None,
                id => Some(Heard::Continue { id: id.flatten() }),
            }
        }
        _ => None,
    }
}

/// Reads the line before a snapshot.
pub(crate) fn read_snapshot_head(line: &[u8]) -> Option<SnapshotEnd> {
    let rest = line.strip_prefix(b"$")?;
    match rest.strip_prefix(b"EOF:") {
        Some(mark) => Some(SnapshotEnd::Mark(mark.try_into().ok()?)),
        None => Some(SnapshotEnd::Bytes(std::str::from_utf8(rest).ok()?.parse().ok()?)),
    }
}

/// The first line of `bytes` without its end, and how many bytes it takes; `None` if it is not complete.
///
/// # Errors
/// It is too long.
pub(crate) fn first_line(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, String> {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            let line = &bytes[..end];
            Ok(Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1)))
        }
        None if bytes.len() > LINE_BYTES_MAX => Err("a line without an end".to_owned()),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    fn greeting(has: Option<u64>) -> Greeting<'static> {
        let id = || StreamId::parse(ID.as_bytes()).expect("an id");
        let has = has.map(|offset| (id(), offset));
        Greeting { user: "", password: "secret", port: 7000, ip: "", has }
    }

    fn link() -> Link {
        let mut link = Link::new(PrimaryAddress { host: "a".into(), port: 1 }, 0);
        let mut out = Vec::new();
        link.greet(&mut out);
        assert_eq!(out, b"*1\r\n$4\r\nPING\r\n");
        link
    }

    /// What is sent after these lines, and what was heard last.
    fn talk(link: &mut Link, greeting: &Greeting<'_>, lines: &[&str]) -> (String, Heard) {
        let mut out = Vec::new();
        let heard = lines.iter().map(|line| link.hear(line.as_bytes(), greeting, &mut out));
        let heard = heard.last().expect("a line");
        (String::from_utf8(out).expect("words"), heard)
    }

    #[test]
    fn a_greeting_leads_to_the_stream() {
        let mut link = link();
        let lines = ["-NOAUTH Authentication required.", "+OK", "-ERR unknown", "+OK"];
        let (sent, _) = talk(&mut link, &greeting(Some(41)), &lines);
        assert!(
            sent.contains("AUTH\r\n$6\r\nsecret") && sent.contains("listening-port\r\n$4\r\n7000")
        );
        assert!(sent.ends_with(&format!("PSYNC\r\n$40\r\n{ID}\r\n$2\r\n42\r\n")), "{sent}");
        let line = format!("+CONTINUE {ID}");
        let (sent, heard) = talk(&mut link, &greeting(Some(41)), &[&line]);
        assert_eq!(
            (sent.as_str(), heard),
            ("", Heard::Continue { id: StreamId::parse(ID.as_bytes()) })
        );
    }

    #[test]
    fn answers_to_psync_are_read_strictly() {
        let id = || StreamId::parse(ID.as_bytes()).expect("an id");
        let full = format!("+FULLRESYNC {ID} 7");
        assert_eq!(read_answer(full.as_bytes()), Some(Heard::FullSync { id: id(), offset: 7 }));
        assert_eq!(read_answer(b"+CONTINUE"), Some(Heard::Continue { id: None }));
        for wrong in
            ["+CONTINUE abc", "+FULLRESYNC 1 2", "-LOADING", "", &format!("+FULLRESYNC {ID} x")]
        {
            assert_eq!(read_answer(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_failure_is_told_once_a_second() {
        let mut link = link();
        link.warn("refused", 5_000_000);
        assert!(link.is_told("refused", 5_000_000) && link.is_told("refused", 5_999_999));
        assert!(!link.is_told("another", 5_000_000) && !link.is_told("refused", 6_000_000));
        link.warn("another", 5_500_000);
        assert!(!link.is_told("refused", 5_500_000) && link.is_told("another", 6_000_000));
    }

    #[test]
    fn a_wrong_password_fails() {
        let mut link = link();
        let (_, heard) = talk(&mut link, &greeting(None), &["+PONG", "-WRONGPASS no"]);
        assert_eq!(heard, Heard::Failed("-WRONGPASS no".into()));
    }

    #[test]
    fn snapshots_have_a_length_or_a_mark() {
        assert_eq!(read_snapshot_head(b"$12"), Some(SnapshotEnd::Bytes(12)));
        let mark = format!("$EOF:{ID}");
        let expected: [u8; MARK_LEN] = ID.as_bytes().try_into().expect("40 digits");
        assert_eq!(read_snapshot_head(mark.as_bytes()), Some(SnapshotEnd::Mark(expected)));
        for wrong in [&b"12"[..], b"$-1", b"$EOF:12", b"$"] {
            assert_eq!(read_snapshot_head(wrong), None);
        }
    }

    #[test]
    fn lines_end_with_a_newline() {
        assert_eq!(first_line(b"+OK\r\nrest"), Ok(Some((&b"+OK"[..], 5))));
        assert_eq!(first_line(b"\n$"), Ok(Some((&b""[..], 1))));
        assert_eq!(first_line(b"+O"), Ok(None));
        assert!(first_line(&vec![b'x'; LINE_BYTES_MAX + 1]).is_err());
    }
}
