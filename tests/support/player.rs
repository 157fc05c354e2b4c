//! Plays a transcript on a driver.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::driver::{Driver, Received};
use super::pattern::Names;
use super::transcript::{Action, Case, Expected, Transcript};
use super::words::Word;
use crate::originals::Version;

pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("transcripts")
}

/// The names of all transcripts, in order.
pub fn names() -> Vec<String> {
    let files = std::fs::read_dir(directory()).expect("the directory of the transcripts");
    let mut names: Vec<String> = files
        .map(|file| file.expect("an entry").file_name().into_string().expect("a name in UTF-8"))
        .filter_map(|name| name.strip_suffix(".txt").map(str::to_owned))
        .collect();
    names.sort();
    names
}

pub fn load(name: &str) -> Transcript {
    let path = directory().join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Transcript::parse(&text).unwrap_or_else(|e| panic!("{name}.txt, {e}"))
}

/// Plays all cases, and fails with all differences rather than with the first.
pub fn play(name: &str, transcript: &Transcript, driver: &mut dyn Driver) -> Result<(), String> {
    let mut failures = Vec::new();
    for case in &transcript.cases {
        if case.not_for.iter().any(|skipped| is_named(skipped, driver)) {
            continue;
        }
        let played = driver.begin().and_then(|()| {
            let mut player = Player { driver, clients: HashMap::new(), names: Names::new() };
            player.play(case)
        });
        if let Err(failure) = played {
            failures.push(format!("{name}.txt, case '{}', {failure}", case.name));
        }
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(format!("{} differs:\n{}", driver.name(), failures.join("\n"))),
    }
}

/// Whether `not for …` means this driver: by its name, or by its name and version.
fn is_named(skipped: &str, driver: &dyn Driver) -> bool {
    match skipped.split_once(' ') {
        None => skipped == driver.name(),
        Some((name, version)) => {
            name == driver.name() && driver.version().map(Version::name) == Some(version)
        }
    }
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
            Action::Expect { client, expected, originals } => {
                let version = self.driver.version();
                let original = originals.iter().find(|(of, _)| Some(*of) == version);
                self.expect(client, original.map_or(expected, |(_, original)| original))?;
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
