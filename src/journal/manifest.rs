//! The manifest of Redis: which files make up the data, and in which order.
//!
//! ```text
//! file appendonly.aof.2.base.aof seq 2 type b checks TG1-5a0e4a0b
//! file appendonly.aof.3.incr.aof seq 3 type i checks TG1-0d2f5a31
//! file appendonly.aof.4.incr.aof seq 4 type i checks TG1-b1f6a1c7
//! ```
//!
//! `checks` is ours: it shows that the file has checksums, see [`super::batch`], so such a file without
//! an opening has lost its beginning. Its value is the kind of checksums and a checksum of the line.
//! Redis ignores it, and omits it when it writes the manifest itself.
//!
//! The data is the base file (`b`), then the increments (`i`) in order. Files replaced by a rewrite are
//! history (`h`) until they are deleted. Files that the manifest does not name are not part of the data.
//!
//! Reading is as strict as Redis, and stricter where Redis would guess: a truncated, doubled or mixed-up
//! manifest must not load as a different state. Only a whole and durable manifest ever replaces it: see
//! [`Manifest::save`].

use super::files::{Directory, is_file_name, write_all};
use super::temporary::{self, temporary_name};
use crate::resp::split_quoted;
use std::collections::HashSet;
use std::fmt::{self, Display, Formatter};
use std::io::{self, Read};
use thiserror::Error;

/// Maximum length of a line with its end, in bytes. As in Redis.
const LINE_BYTES_MAX: usize = 1024;

/// Maximum size of a manifest in bytes: some hundred thousand files. A different file under its name
/// must not fill the memory.
const MANIFEST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The highest number of a file. Counting up from it never overflows.
const SEQ_MAX: u64 = 1 << 62;

/// The name of the manifest of files with this prefix (`appendfilename`).
pub fn manifest_name(prefix: &str) -> String {
    format!("{prefix}.manifest")
}

/// The name of a base file.
pub fn base_name(prefix: &str, seq: u64) -> String {
    format!("{prefix}.{seq}.base.aof")
}

/// The name of an increment.
pub fn increment_name(prefix: &str, seq: u64) -> String {
    format!("{prefix}.{seq}.incr.aof")
}

/// One file of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the directory, valid by [`is_file_name`].
    pub name: String,
    /// Its number among the base files, or among the increments; from 1.
    pub seq: u64,
    /// Whether it has checksums.
    pub is_checked: bool,
}

/// The files that make up the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// All data up to the last rewrite.
    pub base: Option<Entry>,
    /// No longer needed, and still to be deleted.
    pub history: Vec<Entry>,
    /// The changes since the base; `seq` increases.
    pub increments: Vec<Entry>,
}

/// Why a manifest could not be read or replaced.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// A file operation failed.
    #[error("{file}: {error}")]
    Io {
        /// The file.
        file: String,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// The text is not that of a manifest.
    #[error("{file}: {error}")]
    Text {
        /// The file.
        file: String,
        /// Where and why.
        #[source]
        error: ParseError,
    },
}

/// Where and why a text is not a manifest.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {problem}")]
pub struct ParseError {
    /// From 1.
    pub line: usize,
    /// What was expected.
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// There is no line at all.
    #[error("expected a file name, got an empty manifest")]
    Empty,
    /// The text ends without a line end.
    #[error("expected the end of the line; the manifest may be truncated")]
    CutOff,
    /// A line that Redis could not read.
    #[error("expected at most {LINE_BYTES_MAX} bytes, got {0}")]
    TooLong(usize),
    /// A line that does not consist of words.
    #[error("expected pairs of a key and a value, with every quote closed")]
    NotPairs,
    /// A required key is missing.
    #[error("expected 'file NAME seq NUMBER type b|h|i', got no '{0}'")]
    Missing(&'static str),
    /// A key that appears twice.
    #[error("expected one '{0}', got two")]
    Doubled(&'static str),
    /// A path, or another text that is not a file name.
    #[error("expected a file name without a path, got '{0}'")]
    Name(String),
    /// Not the number of a file.
    #[error("expected a number from 1 to {SEQ_MAX}, got '{0}'")]
    Seq(String),
    /// Neither base, nor history, nor increment.
    #[error("expected the type b (base), h (history) or i (increment), got '{0}'")]
    Type(String),
    /// A line that was altered, or of a newer version.
    #[error("expected 'checks {expected}', got '{found}'")]
    Checks {
        /// For this line.
        expected: String,
        /// In the line.
        found: String,
    },
    /// The key before the checksum kind was altered.
    #[error("expected 'checks', got '{0}'")]
    Key(String),
    /// A second base.
    #[error("expected one base file, got a second")]
    SecondBase,
    /// An increment whose number is not above the previous one.
    #[error("expected a number above {before}, the previous increment's, got {found}")]
    NotRising {
        /// The previous number.
        before: u64,
        /// This number.
        found: u64,
    },
    /// A file that an earlier line names.
    #[error("expected each file once, got '{0}' again")]
    Again(String),
}

impl ManifestError {
    /// Whether [`Manifest::save`] failed before replacing the old manifest.
    pub(super) fn is_before_replacing(&self) -> bool {
        matches!(self, ManifestError::Io { file, .. } if file.starts_with(temporary::PREFIX))
    }
}

impl Manifest {
    /// Parses a manifest.
    ///
    /// Lines that begin with `#` are comments. Keys are case-insensitive and in any order, and unknown
    /// pairs are ignored, as in Redis.
    pub fn parse(text: &[u8]) -> Result<Manifest, ParseError> {
        let mut manifest = Manifest::default();
        let mut names = HashSet::new();
        if text.is_empty() {
            return Err(ParseError { line: 1, problem: Problem::Empty });
        }
        for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let added = parse_line(line).and_then(|parsed| match parsed {
                Some((_, entry)) if !names.insert(entry.name.clone()) => {
                    Err(Problem::Again(entry.name))
                }
                Some((kind, entry)) => manifest.add(kind, entry),
                None => Ok(()),
            });
            added.map_err(|problem| ParseError { line: index + 1, problem })?;
        }
        Ok(manifest)
    }

    fn add(&mut self, kind: Kind, entry: Entry) -> Result<(), Problem> {
        match kind {
            Kind::Base if self.base.is_some() => return Err(Problem::SecondBase),
            Kind::Base => self.base = Some(entry),
            Kind::History => self.history.push(entry),
            Kind::Increment => {
                let before = self.increments.last().map_or(0, |last| last.seq);
                if entry.seq <= before {
                    return Err(Problem::NotRising { before, found: entry.seq });
                }
                self.increments.push(entry);
            }
        }
        Ok(())
    }

    /// Whether the manifest names this file.
    pub fn names(&self, name: &str) -> bool {
        self.entries().any(|(_, entry)| entry.name == name)
    }

    /// A new base file, not yet in the manifest: `<prefix>.<seq>.base.aof`.
    pub fn next_base(&self, prefix: &str) -> Entry {
        self.next(self.base.as_ref(), |seq| base_name(prefix, seq))
    }

    /// A new increment, not yet in the manifest: `<prefix>.<seq>.incr.aof`.
    pub fn next_increment(&self, prefix: &str) -> Entry {
        self.next(self.increments.last(), |seq| increment_name(prefix, seq))
    }

    /// The next number, skipping names in the history.
    fn next(&self, last: Option<&Entry>, name_of: impl Fn(u64) -> String) -> Entry {
        let mut seq = last.map_or(0, |entry| entry.seq);
        loop {
            seq += 1;
            let name = name_of(seq);
            if !self.names(&name) {
                return Entry { name, seq, is_checked: true };
            }
        }
    }

    fn entries(&self) -> impl Iterator<Item = (Kind, &Entry)> {
        let base = self.base.iter().map(|entry| (Kind::Base, entry));
        let history = self.history.iter().map(|entry| (Kind::History, entry));
        base.chain(history).chain(self.increments.iter().map(|entry| (Kind::Increment, entry)))
    }

    /// Reads the manifest of the files with this prefix, if there is one.
    pub fn load(
        directory: &dyn Directory,
        prefix: &str,
    ) -> Result<Option<Manifest>, ManifestError> {
        let file = manifest_name(prefix);
        let text = match read_text(directory, &file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ManifestError::Io { file, error }),
        };
        match Manifest::parse(&text) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(error) => Err(ManifestError::Text { file, error }),
        }
    }

    /// Replaces the manifest durably. The files it names, and their names, must be durable before. A
    /// manifest that could not be read back, such as an empty one, is refused, and nothing changes.
    ///
    /// At every moment in between, and after an error, a power failure leaves either the old or the new
    /// manifest, whole. After an error it is unknown which.
    pub fn save(&self, directory: &dyn Directory, prefix: &str) -> Result<(), ManifestError> {
        let name = manifest_name(prefix);
        let text = self.to_string();
        if let Err(error) = Manifest::parse(text.as_bytes()) {
            return Err(ManifestError::Text { file: name, error });
        }
        let temporary = temporary_name(&name);
        let failed = |error| ManifestError::Io { file: temporary.clone(), error };
        let written = write_durably(directory, &name, text.as_bytes());
        written.inspect_err(|_| drop(directory.remove(&temporary))).map_err(failed)?;
        let replaced = temporary::complete(directory, &name);
        replaced.map_err(|error| ManifestError::Io { file: name, error })
    }
}

/// A new file under its temporary name, with these bytes, which are durable; the name is not yet.
fn write_durably(directory: &dyn Directory, name: &str, bytes: &[u8]) -> io::Result<()> {
    let file = temporary::create(directory, name)?;
    write_all(&*file, bytes, 0)?;
    file.sync()
}

fn read_text(directory: &dyn Directory, name: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    directory.read(name, 0)?.take(MANIFEST_BYTES_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MANIFEST_BYTES_MAX {
        let text = format!("expected at most {MANIFEST_BYTES_MAX} bytes of a manifest, got more");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(text)
}

/// The text of the manifest: base, history, increments, a line each.
impl Display for Manifest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (kind, entry) in self.entries() {
            let Entry { name, seq, is_checked } = entry;
            write!(f, "file {} seq {seq} type {}", Quoted(name), kind.letter())?;
            if *is_checked {
                write!(f, " checks {}", checks_of(name, *seq, kind))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// The role of a file.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Base,
    History,
    Increment,
}

impl Kind {
    fn letter(self) -> char {
        match self {
            Kind::Base => 'b',
            Kind::History => 'h',
            Kind::Increment => 'i',
        }
    }
}

/// Parses a line, given with its end; `None` for a comment.
fn parse_line(line: &[u8]) -> Result<Option<(Kind, Entry)>, Problem> {
    let is_comment = line.starts_with(b"#");
    if line.len() > LINE_BYTES_MAX {
        return Err(Problem::TooLong(line.len()));
    }
    if !line.ends_with(b"\n") && !is_comment {
        return Err(Problem::CutOff);
    }
    if is_comment {
        return Ok(None);
    }
    let mut words = Vec::new();
    // In Redis, lines end at a NUL.
    let is_split = !line.contains(&0) && split_quoted(line, |word| words.push(word)).is_ok();
    if !is_split || words.is_empty() || words.len() % 2 != 0 {
        return Err(Problem::NotPairs);
    }
    let (mut name, mut seq, mut kind, mut checks) = (None, None, None, None);
    for pair in words.chunks_exact(2) {
        let [key, value] = pair else { continue };
        if key.eq_ignore_ascii_case(b"file") {
            set_once(&mut name, "file", parse_name(value)?)?;
        } else if key.eq_ignore_ascii_case(b"seq") {
            set_once(&mut seq, "seq", parse_seq(value)?)?;
        } else if key.eq_ignore_ascii_case(b"type") {
            set_once(&mut kind, "type", parse_kind(value)?)?;
        } else if key.eq_ignore_ascii_case(b"checks") {
            set_once(&mut checks, "checks", value)?;
        } else if is_of_checks(value) {
            return Err(Problem::Key(shown(key)));
        }
    }
    let name = name.ok_or(Problem::Missing("file"))?;
    let seq = seq.ok_or(Problem::Missing("seq"))?;
    let kind = kind.ok_or(Problem::Missing("type"))?;
    let expected = checks_of(&name, seq, kind);
    match checks {
        Some(found) if *found != expected.as_bytes() => {
            Err(Problem::Checks { expected, found: shown(found) })
        }
        _ => Ok(Some((kind, Entry { name, seq, is_checked: checks.is_some() }))),
    }
}

fn set_once<T>(field: &mut Option<T>, key: &'static str, value: T) -> Result<(), Problem> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(Problem::Doubled(key)),
    }
}

fn parse_name(value: &[u8]) -> Result<String, Problem> {
    let name = str::from_utf8(value).ok().filter(|name| is_file_name(name));
    name.map(str::to_string).ok_or_else(|| Problem::Name(shown(value)))
}

fn parse_seq(value: &[u8]) -> Result<u64, Problem> {
    let digits = str::from_utf8(value).ok().filter(|_| value.iter().all(u8::is_ascii_digit));
    let seq = digits.and_then(|digits| digits.parse().ok());
    seq.filter(|seq| (1..=SEQ_MAX).contains(seq)).ok_or_else(|| Problem::Seq(shown(value)))
}

/// The kind of checksums of our files, and a checksum of the line.
fn checks_of(name: &str, seq: u64, kind: Kind) -> String {
    let line = format!("{name} {seq} {}", kind.letter());
    format!("TG1-{:08x}", crc32c::crc32c(line.as_bytes()))
}

/// Whether this is a value for `checks`: then a bit of the key was flipped.
fn is_of_checks(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"TG1-");
    digits.is_some_and(|digits| digits.len() == 8 && digits.iter().all(u8::is_ascii_hexdigit))
}

fn parse_kind(value: &[u8]) -> Result<Kind, Problem> {
    match value {
        b"b" => Ok(Kind::Base),
        b"h" => Ok(Kind::History),
        b"i" => Ok(Kind::Increment),
        _ => Err(Problem::Type(shown(value))),
    }
}

/// A value in an error text.
fn shown(value: &[u8]) -> String {
    value.escape_ascii().to_string()
}

/// A name as a word of a line, quoted where Redis would quote it or needs quotes.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let needs_quotes = |byte: &u8| !byte.is_ascii_graphic() || b"\\\"'".contains(byte);
        if !self.0.as_bytes().iter().any(needs_quotes) {
            return f.write_str(self.0);
        }
        f.write_str("\"")?;
        for byte in self.0.bytes() {
            match byte {
                b'\\' | b'"' => write!(f, "\\{}", char::from(byte))?,
                b' '..=b'~' => write!(f, "{}", char::from(byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests;
