//! `daemonize yes`: the program starts itself once more, in a session of its own and away from the
//! terminal, and ends when the new one listens or has failed.

use super::secret_words;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{ExitCode, Stdio};

/// The variable by which the one in the background knows that it is.
const VARIABLE: &str = "TIDEGATE_IN_BACKGROUND";
/// What it says when it listens.
const READY: &str = "ready";

/// Which of the two this process is.
#[derive(Debug)]
pub enum Role {
    /// The one that serves, in the background or not.
    Server(Background),
    /// The one that has started another and ends with this.
    Starter(ExitCode),
}

/// What has to be done when the server listens.
#[derive(Debug)]
pub struct Background {
    is_in_background: bool,
}

/// Goes into the background, if that is asked for.
pub fn enter(words: &[String], is_wanted: bool) -> io::Result<Role> {
    let is_in_background = std::env::var_os(VARIABLE).is_some();
    if is_in_background {
        // The terminal and its signals are those of the session that is left.
        rustix::process::setsid()?;
    }
    if is_in_background || !is_wanted {
        return Ok(Role::Server(Background { is_in_background }));
    }
    start(words).map(Role::Starter)
}

fn start(words: &[String]) -> io::Result<ExitCode> {
    if words.iter().any(|word| word == "-") {
        return Err(io::Error::other(
            "the settings come from standard input, which the background has not: use a file, or \
             daemonize no",
        ));
    }
    let mut command = super::ourselves()?;
    let secrets = secret_words::hand_over(&mut command, words)?;
    command.env(VARIABLE, "1").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    drop(secrets);
    // Lines such as that of the port are for whoever starts us.
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
        let line = line?;
        if line == READY {
            return Ok(ExitCode::SUCCESS);
        }
        // Nobody may be reading.
        let _ = writeln!(io::stdout(), "{line}");
    }
    // It has said why on standard error, or in its log.
    child.wait()?;
    Ok(ExitCode::FAILURE)
}

impl Background {
    /// Says that the server listens, and lets go of the terminal.
    pub fn is_ready(&self) -> io::Result<()> {
        if !self.is_in_background {
            return Ok(());
        }
        // The starter may have been killed meanwhile.
        let _ = writeln!(io::stdout(), "{READY}");
        let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdout(&null)?;
        rustix::stdio::dup2_stderr(&null)?;
        Ok(())
    }
}
