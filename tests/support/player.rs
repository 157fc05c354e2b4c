//! Plays a transcript on a driver.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::driver::{Dialect, Driver, Received};
use super::pattern::Names;
use super::transcript::{Action, Case, Expected, Transcript};
use super::words::Word;

pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("transcripts")
}

pub fn load(name: &str) -> Transcript {
    let path = directory().join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Transcript::parse(&text).unwrap_or_else(|e| panic!("{name}.txt, {e}"))
}

/// Plays every case, and fails with all places that differ rather than with the first.
pub fn play(name: &str, transcript: &Transcript, driver: &mut dyn Driver) {
    let mut failures = Vec::new();
    for case in &transcript.cases {
        if case.not_for.iter().any(|skipped| skipped == driver.name()) {
            continue;
        }
        driver.begin();
        let mut player = Player { driver, clients: HashMap::new(), names: Names::new() };
        if let Err(failure) = player.play(case) {
            failures.push(format!("{name}.txt, case '{}', {failure}", case.name));
        }
    }
    assert!(failures.is_empty(), "{} differs:\n{}", driver.name(), failures.join("\n"));
}

struct Player<'a> {
    driver: &'a mut dyn Driver,
    clients: HashMap<String, usize>,
    names: Names,
}

impl Player<'_> {
    fn play(&mut self, case: &Case) -> Result<(), String> {
        for step in &case.steps {
            self.step(&step.action).map_err(|e| format!("line {}: {e}", step.line))?;
        }
        for (name, &client) in &self.clients {
            if let Received::Reply(reply) = self.driver.receive_now(client) {
                return Err(format!("at the end {name} has not read {reply}"));
            }
        }
        Ok(())
    }

    fn step(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Open(name) => {
                self.client(name);
            }
            Action::Request(name, words) => {
                let request = encode_request(&self.bytes_of(words)?);
                let client = self.client(name);
                self.driver.send(client, &request);
            }
            Action::Bytes(name, words) => {
                let bytes = self.bytes_of(words)?.concat();
                let client = self.client(name);
                self.driver.send(client, &bytes);
            }
            Action::Close(name) => {
                let client = self.clients.remove(name).ok_or("closed before it was opened")?;
                self.driver.close(client);
            }
            Action::Advance { ms } => self.driver.advance(*ms),
            Action::Expect { client, expected, expected_of_redis_7_0 } => {
                let expected = match (self.driver.dialect(), expected_of_redis_7_0) {
                    (Dialect::Redis70, Some(original)) => original,
                    _ => expected,
                };
                self.expect(client, expected)?;
            }
        }
        Ok(())
    }

    fn expect(&mut self, name: &str, expected: &Expected) -> Result<(), String> {
        let client = self.client(name);
        let received = match expected {
            Expected::Nothing => self.driver.receive_now(client),
            Expected::Reply(_) | Expected::Closed => self.driver.receive(client),
        };
        let came = match received {
            Received::Reply(reply) => {
                if let Expected::Reply(pattern) = expected
                    && pattern.fits(&reply, &mut self.names)
                {
                    return Ok(());
                }
                reply.to_string()
            }
            Received::Nothing if matches!(expected, Expected::Nothing) => return Ok(()),
            Received::Closed if matches!(expected, Expected::Closed) => return Ok(()),
            Received::Nothing => "(nothing)".to_owned(),
            Received::Closed => "(closed)".to_owned(),
        };
        Err(format!("came {name}< {came}"))
    }

    fn client(&mut self, name: &str) -> usize {
        *self.clients.entry(name.to_owned()).or_insert_with(|| self.driver.connect())
    }

    fn bytes_of(&self, words: &[Word]) -> Result<Vec<Vec<u8>>, String> {
        let bytes_of_word = |word: &Word| match word {
            Word::Bytes(bytes) => Ok(bytes.clone()),
            Word::Name(name) => {
                self.names.get(name).cloned().ok_or_else(|| format!("nothing was named {name}"))
            }
        };
        words.iter().map(bytes_of_word).collect()
    }
}

fn encode_request(words: &[Vec<u8>]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        request.extend_from_slice(word);
        request.extend_from_slice(b"\r\n");
    }
    request
}
