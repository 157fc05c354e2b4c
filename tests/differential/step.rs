//! The steps of a run.

use std::fmt;

/// An event on both servers, after which both are at rest.
#[derive(Clone, Debug)]
pub enum Step {
    /// Commands in one write, or in two if cut at this many thousandths.
    Send {
        client: usize,
        commands: Vec<Command>,
        cut: Option<usize>,
    },
    /// Bytes that may not be a request at all.
    Bytes {
        client: usize,
        bytes: &'static [u8],
    },
    /// Commands including SWAPDB. The original serves the keys that it makes ready in the order of a
    /// hash table, so the step is omitted if there may be more than one.
    Swap {
        client: usize,
        commands: Vec<Command>,
    },
    /// Commands with short timeouts, each to a free client; then time passes.
    Elapse {
        sends: Vec<(usize, Command)>,
    },
    /// A full iteration.
    Scan {
        db: usize,
        options: Vec<Vec<u8>>,
    },
    Disconnect {
        client: usize,
    },
}

#[derive(Clone, Debug)]
pub struct Command(pub Vec<Arg>);

#[derive(Clone, Debug)]
pub enum Arg {
    Bytes(Vec<u8>),
    /// The number that the server gave a client.
    IdOf(usize),
    /// A client's own address.
    AddressOf(usize),
    /// The Unix time this many seconds from now.
    SecondsFromNow(i64),
    MillisecondsFromNow(i64),
}

impl Command {
    pub fn of(words: &[&[u8]]) -> Command {
        Command(words.iter().map(|word| Arg::Bytes(word.to_vec())).collect())
    }

    /// An argument in capitals, as far as it is known before sending.
    pub fn word(&self, index: usize) -> Vec<u8> {
        match self.0.get(index) {
            Some(Arg::Bytes(bytes)) => bytes.to_ascii_uppercase(),
            _ => Vec::new(),
        }
    }

    /// The keys that it may wait for.
    pub fn awaited(&self) -> impl Iterator<Item = &[u8]> {
        let places = match self.word(0).as_slice() {
            b"BLPOP" | b"BRPOP" => 1..self.0.len().saturating_sub(1),
            b"BLMOVE" | b"BRPOPLPUSH" => 1..2,
            b"BLMPOP" => 3..self.0.len(),
            _ => 0..0,
        };
        let args = self.0.get(places).unwrap_or_default();
        args.iter().filter_map(|arg| match arg {
            Arg::Bytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        })
    }
}

impl Step {
    pub fn commands(&self) -> usize {
        match self {
            Step::Send { commands, .. } | Step::Swap { commands, .. } => commands.len(),
            Step::Elapse { sends } => sends.len(),
            Step::Bytes { .. } | Step::Scan { .. } | Step::Disconnect { .. } => 1,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |commands: &[Command]| {
            commands.iter().map(Command::to_string).collect::<Vec<_>>().join(" ; ")
        };
        match self {
            Step::Send { client, commands, cut: None } => write!(f, "{client}> {}", list(commands)),
            Step::Send { client, commands, cut: Some(cut) } => {
                write!(f, "{client}> (cut at {cut}/1000) {}", list(commands))
            }
            Step::Bytes { client, bytes } => write!(f, "{client}>> \"{}\"", bytes.escape_ascii()),
            Step::Swap { client, commands } => write!(f, "{client}> (swap) {}", list(commands)),
            Step::Elapse { sends } => {
                for (client, command) in sends {
                    write!(f, "{client}> {command}  ")?;
                }
                f.write_str("then time goes by")
            }
            Step::Scan { db, options } => {
                write!(f, "scan of database {db}")?;
                options.iter().try_for_each(|option| write!(f, " \"{}\"", option.escape_ascii()))
            }
            Step::Disconnect { client } => write!(f, "{client}! close"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, arg) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match arg {
                Arg::Bytes(bytes) if bytes.len() > 100 => {
                    write!(f, "\"{}\"*{}", bytes[..1].escape_ascii(), bytes.len())?;
                }
                Arg::Bytes(bytes) if bytes.iter().all(u8::is_ascii_graphic) && bytes != b"" => {
                    write!(f, "{}", bytes.escape_ascii())?;
                }
                Arg::Bytes(bytes) => write!(f, "\"{}\"", bytes.escape_ascii())?,
                Arg::IdOf(client) => write!(f, "$id{client}")?,
                Arg::AddressOf(client) => write!(f, "$address{client}")?,
                Arg::SecondsFromNow(seconds) => write!(f, "$now+{seconds}s")?,
                Arg::MillisecondsFromNow(ms) => write!(f, "$now+{ms}ms")?,
            }
        }
        Ok(())
    }
}
