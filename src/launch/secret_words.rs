//! Passwords on the command line: every user of the machine could read them with `ps`. So the
//! program executes itself again with other words in their place, and hands them over in a pipe.

use std::fs;
use std::io::{self, PipeReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use tidegate::settings::is_secret;

/// What `ps` shows in the place of a password.
const HIDDEN: &str = "(hidden)";
/// The variable that names the descriptor from which the passwords can be read.
const VARIABLE: &str = "TIDEGATE_SECRETS_FD";
/// Where descriptors have names.
const DESCRIPTORS: &str = "/dev/fd";
/// What a pipe holds in any case before somebody reads it.
const PIPE_BYTES_MAX: usize = 4096;

/// The words with the passwords that the execution before has handed over.
pub fn restored(words: Vec<String>) -> io::Result<Vec<String>> {
    let Some(fd) = std::env::var_os(VARIABLE) else { return Ok(words) };
    let fd: u32 = fd.to_str().and_then(|fd| fd.parse().ok()).ok_or(io::ErrorKind::InvalidInput)?;
    let text = fs::read_to_string(format!("{DESCRIPTORS}/{fd}"))?;
    let mut secrets = text.split('\0').map(str::to_owned);
    let is_hidden = places(&words);
    let restored = words.into_iter().zip(is_hidden).map(|(word, is_hidden)| {
        let secret = if is_hidden { secrets.next() } else { None };
        secret.unwrap_or(word)
    });
    Ok(restored.collect())
}

/// Replaces this program by itself with hidden words, if there are passwords among them that `ps`
/// can see. It returns where there are none, or where that cannot be done.
pub fn hide(words: &[String]) -> io::Result<()> {
    let has_secrets = places(words).contains(&true);
    if !has_secrets || std::env::var_os(VARIABLE).is_some() {
        return Ok(());
    }
    let mut command = super::ourselves()?;
    let _reader = hand_over(&mut command, words)?;
    Err(command.exec())
}

/// Gives a command these words, the passwords among them through a pipe. The pipe must live until
/// the command has begun.
pub(super) fn hand_over(command: &mut Command, words: &[String]) -> io::Result<Option<PipeReader>> {
    let is_hidden = places(words);
    let shown = words.iter().zip(&is_hidden);
    command.args(shown.map(|(word, is_hidden)| if *is_hidden { HIDDEN } else { word }));
    if !is_hidden.contains(&true) {
        command.env_remove(VARIABLE);
        return Ok(None);
    }
    let secrets = words.iter().zip(&is_hidden).filter(|(_, is_hidden)| **is_hidden);
    let text = secrets.map(|(word, _)| word.as_str()).collect::<Vec<_>>().join("\0");
    if text.len() > PIPE_BYTES_MAX {
        return Err(io::Error::other("they are too long"));
    }
    // It is not there where `/proc` is not.
    if !Path::new(DESCRIPTORS).exists() {
        return Err(io::Error::other(format!("there is no {DESCRIPTORS}")));
    }
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(text.as_bytes())?;
    rustix::io::fcntl_setfd(&reader, rustix::io::FdFlags::empty())?;
    command.env(VARIABLE, reader.as_raw_fd().to_string());
    Ok(Some(reader))
}

/// Which words are passwords: those that follow the name of such a directive.
fn places(words: &[String]) -> Vec<bool> {
    let mut follows_secret = false;
    let is_secret = words.iter().map(|word| match word.strip_prefix("--") {
        Some(name) => {
            follows_secret = is_secret(name);
            false
        }
        None => follows_secret && word != "-",
    });
    is_secret.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_follow_their_directives() {
        let words = ["a.conf", "--port", "1", "--RequirePass", "x", "--masteruser", "y", "-"];
        let words: Vec<String> = words.map(str::to_owned).to_vec();
        assert_eq!(places(&words), [false, false, false, false, true, false, true, false]);
    }
}
