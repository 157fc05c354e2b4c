//! Passwords on the command line: every user of the machine could read them with `ps`. So the program
//! executes itself again with placeholders, and passes the passwords through a pipe.

use std::fs;
use std::io::{self, PipeReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use tidegate::settings::is_secret;

/// Shown by `ps` in place of a password.
const HIDDEN: &str = "(hidden)";
/// The variable with the descriptor of the pipe.
const VARIABLE: &str = "TIDEGATE_SECRETS_FD";
/// The directory of descriptors as files.
const DESCRIPTORS: &str = "/dev/fd";
/// The capacity of a pipe on any system.
const PIPE_BYTES_MAX: usize = 4096;

/// The arguments, with the passwords from the previous execution restored.
pub fn restored(words: Vec<String>) -> io::Result<Vec<String>> {
    let Some(fd) = std::env::var_os(VARIABLE) else { return Ok(words) };
    let fd: u32 = fd.to_str().and_then(|fd| fd.parse().ok()).ok_or(io::ErrorKind::InvalidInput)?;
    let text = fs::read_to_string(format!("{DESCRIPTORS}/{fd}"))?;
    let mut secrets = text.split('\0').map(str::to_owned);
    let is_hidden = are_secret(&words);
    let restored = words.into_iter().zip(is_hidden).map(|(word, is_hidden)| {
        let secret = if is_hidden { secrets.next() } else { None };
        secret.unwrap_or(word)
    });
    Ok(restored.collect())
}

/// Replaces this program by itself with placeholders, if it has visible passwords. Returns if there are
/// none, or if that cannot be done.
pub fn hide(words: &[String]) -> io::Result<()> {
    let has_secrets = are_secret(words).contains(&true);
    if !has_secrets || std::env::var_os(VARIABLE).is_some() {
        return Ok(());
    }
    let mut command = super::ourselves()?;
    let _reader = hand_over(&mut command, words)?;
    Err(command.exec())
}

/// Gives a command these arguments, with the passwords in a pipe. The pipe must live until the command
/// has begun.
pub(super) fn hand_over(command: &mut Command, words: &[String]) -> io::Result<Option<PipeReader>> {
    let is_hidden = are_secret(words);
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
    // It does not exist without `/proc`.
    if !Path::new(DESCRIPTORS).exists() {
        return Err(io::Error::other(format!("there is no {DESCRIPTORS}")));
    }
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(text.as_bytes())?;
    rustix::io::fcntl_setfd(&reader, rustix::io::FdFlags::empty())?;
    command.env(VARIABLE, reader.as_raw_fd().to_string());
    Ok(Some(reader))
}

/// Which words are passwords: those after the name of such a directive.
fn are_secret(words: &[String]) -> Vec<bool> {
    if words.first().is_some_and(|word| word == "top") {
        return are_secret_for_top(words);
    }
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

/// The same for `tidegate top`, with the options of redis-cli: also URLs that may have a password.
fn are_secret_for_top(words: &[String]) -> Vec<bool> {
    let before = std::iter::once("").chain(words.iter().map(String::as_str));
    let is_secret = words.iter().zip(before).map(|(word, before)| {
        let is_url = word.starts_with("redis://") || word.starts_with("rediss://");
        // A URL has no option before it that would be left when it is hidden.
        matches!(before, "-a" | "--pass") || (is_url && word.contains('@')) || word == HIDDEN
    });
    is_secret.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_a_view_are_those_of_a_client() {
        let words =
            ["top", "-p", "1", "--pass", "x", "-a", "y", "rediss://u:z@h", "redis://h", "--once"];
        let words: Vec<String> = words.map(str::to_owned).to_vec();
        let hidden: Vec<usize> = (0..words.len()).filter(|at| are_secret(&words)[*at]).collect();
        assert_eq!(hidden, [4, 6, 7]);
        assert_eq!(are_secret(&["top".to_owned(), HIDDEN.to_owned()]), [false, true]);
    }

    #[test]
    fn passwords_follow_their_directives() {
        let words = ["a.conf", "--port", "1", "--RequirePass", "x", "--masteruser", "y", "-"];
        let words: Vec<String> = words.map(str::to_owned).to_vec();
        assert_eq!(are_secret(&words), [false, false, false, false, true, false, true, false]);
    }
}
