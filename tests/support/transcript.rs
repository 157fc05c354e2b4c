//! The transcript files: the input of clients and their replies, in the order of time.
//!
//! ```text
//! config: requirepass secret   a directive of the server that this file runs against (file header)
//! not for redis: why           all cases are skipped by a driver (file header)
//! # …                          a comment
//! --- name                     a case of its own: an empty keyspace and new clients
//! not for redis: why           this case is skipped by a driver: redis, redis 8.2, tidegate or
//!                              in-process
//! a> BLPOP q 0                 client a sends; clients connect when first named
//! b>> "PING\r\n"               client b sends these bytes as they are; several strings are joined
//! b< +PONG                     the next reply to b, in the notation of `pattern`
//! a<                           nothing waits for a
//! a< (closed)                  the server has closed a's connection
//! a! close                     a disconnects
//! a! open                      a connects and says nothing yet
//! +100ms                       time goes on
//! redis 7.0 7.2< -ERR …        what these versions of the original answer, and we do not (7.0, 7.2,
//!                              8.2); right behind what we answer
//! ```
//!
//! At the end of a case nothing may be left unread.

use super::pattern::Pattern;
use super::words::{Word, split_words};
use crate::originals::Version;

#[derive(Debug, Default)]
pub struct Transcript {
    /// Directives and their values.
    pub config: Vec<(String, String)>,
    pub cases: Vec<Case>,
    /// Drivers that skip all cases.
    pub not_for: Vec<String>,
}

#[derive(Debug, Default)]
pub struct Case {
    pub name: String,
    pub not_for: Vec<String>,
    pub steps: Vec<Step>,
}

#[derive(Debug)]
pub struct Step {
    pub line: usize,
    pub action: Action,
}

#[derive(Debug)]
pub enum Action {
    Open(String),
    Request(String, Vec<Word>),
    Bytes(String, Vec<Word>),
    Close(String),
    Advance {
        ms: u64,
    },
    /// What we answer, and what those originals do that answer otherwise.
    Expect {
        client: String,
        expected: Expected,
        originals: Vec<(Version, Expected)>,
    },
}

#[derive(Debug)]
pub enum Expected {
    Reply(Pattern),
    Nothing,
    Closed,
}

impl Transcript {
    /// Whether nothing of it is played by a driver of this name.
    pub fn is_not_for(&self, driver: &str) -> bool {
        self.cases.iter().all(|case| case.not_for.iter().any(|skipped| skipped == driver))
    }

    pub fn parse(text: &str) -> Result<Transcript, String> {
        let mut transcript = Transcript::default();
        for (i, line) in text.lines().enumerate() {
            transcript.add_line(i + 1, line.trim()).map_err(|e| format!("line {}: {e}", i + 1))?;
        }
        Ok(transcript)
    }

    fn add_line(&mut self, number: usize, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if let Some(directive) = line.strip_prefix("config: ") {
            let (name, value) = directive.split_once(' ').ok_or("a directive has a value")?;
            self.config.push((name.to_owned(), value.to_owned()));
            return Ok(());
        }
        if let Some(name) = line.strip_prefix("--- ") {
            let not_for = self.not_for.clone();
            self.cases.push(Case { name: name.to_owned(), not_for, ..Case::default() });
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix("not for ") {
            let (driver, _why) = rest.split_once(": ").ok_or("say why after a colon")?;
            let not_for = self.cases.last_mut().map_or(&mut self.not_for, |case| &mut case.not_for);
            not_for.push(driver.to_owned());
            return Ok(());
        }
        let case = self.cases.last_mut().ok_or("a file begins with --- and the case's name")?;
        if let Some(original) = line.strip_prefix("redis ") {
            let (versions, reply) = original.split_once('<').ok_or("the reply follows <")?;
            for version in versions.split(' ') {
                let version = Version::named(version).ok_or("a version is 7.0, 7.2 or 8.2")?;
                case.add_original(version, parse_expected(reply)?)?;
            }
            return Ok(());
        }
        case.steps.push(Step { line: number, action: parse_action(line)? });
        Ok(())
    }
}

impl Case {
    fn add_original(&mut self, version: Version, original: Expected) -> Result<(), String> {
        match self.steps.last_mut().map(|step| &mut step.action) {
            Some(Action::Expect { originals, .. })
                if originals.iter().all(|(known, _)| *known != version) =>
            {
                originals.push((version, original));
                Ok(())
            }
            _ => Err("what an original answers follows once the reply that we expect".to_owned()),
        }
    }
}

fn parse_action(line: &str) -> Result<Action, String> {
    if let Some(time) = line.strip_prefix('+') {
        let ms = time.strip_suffix("ms").and_then(|ms| ms.parse().ok());
        return Ok(Action::Advance { ms: ms.ok_or("time moves on like +100ms")? });
    }
    let end = line.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
    let (client, rest) = line.split_at(end.ok_or("a client is followed by > < or !")?);
    let client = client.to_owned();
    if client.is_empty() {
        return Err("a line begins with the name of a client".to_owned());
    }
    if let Some(bytes) = rest.strip_prefix(">>") {
        return Ok(Action::Bytes(client, split_words(bytes)?));
    }
    if let Some(request) = rest.strip_prefix('>') {
        return Ok(Action::Request(client, split_words(request)?));
    }
    if let Some(reply) = rest.strip_prefix('<') {
        let expected = parse_expected(reply)?;
        return Ok(Action::Expect { client, expected, originals: Vec::new() });
    }
    match rest {
        "! close" => Ok(Action::Close(client)),
        "! open" => Ok(Action::Open(client)),
        _ => Err("a client is followed by > < or !".to_owned()),
    }
}

fn parse_expected(text: &str) -> Result<Expected, String> {
    Ok(match text.trim() {
        "" | "(nothing)" => Expected::Nothing,
        "(closed)" => Expected::Closed,
        reply => Expected::Reply(Pattern::parse(reply)?),
    })
}
