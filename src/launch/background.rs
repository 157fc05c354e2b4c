//! `daemonize yes`: the program starts a second process in a session of its own, without the terminal,
//! and ends when that process listens or has failed.

use super::Supervisor;
use super::{secret_words, supervisor};
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{ExitCode, Stdio};
use tidegate::settings::Supervision;

/// The variable that tells the second process what it is.
const VARIABLE: &str = "TIDEGATE_IN_BACKGROUND";
/// What it prints once it listens.
const READY: &str = "ready";

/// The role of this process.
#[derive(Debug)]
pub enum Role {
    /// It serves, in the background or not.
    Server(Background),
    /// It has started the second process, and ends with this code.
    Starter(ExitCode),
}

/// What must be done once the server listens.
#[derive(Debug)]
pub struct Background {
    is_in_background: bool,
}

/// Continues in the background, if wanted.
pub fn enter(words: &[String], is_wanted: bool, supervision: Supervision) -> io::Result<Role> {
    let is_in_background = std::env::var_os(VARIABLE).is_some();
    if is_in_background {
        // The end means that the starter has told the service manager about this process.
        io::copy(&mut io::stdin(), &mut io::sink())?;
        // Leaves the terminal and its signals.
        rustix::process::setsid()?;
    }
    if is_in_background || !is_wanted {
        return Ok(Role::Server(Background { is_in_background }));
    }
    start(words, supervision).map(Role::Starter)
}

fn start(words: &[String], supervision: Supervision) -> io::Result<ExitCode> {
    if words.iter().any(|word| word == "-") {
        return Err(io::Error::other(
            "the settings come from standard input, which does not exist in the background: use a file, or \
             daemonize no",
        ));
    }
    let mut command = super::ourselves()?;
    let secrets = secret_words::hand_over(&mut command, words)?;
    command.env(VARIABLE, "1").stdin(Stdio::piped()).stdout(Stdio::piped());
    supervisor::variables_of_this_process().for_each(|name| {
        command.env_remove(name);
    });
    let mut child = command.spawn()?;
    drop(secrets);
    // A service manager ignores other processes than the one that it knows. So this comes first, and the
    // second process waits for it until its standard input ends.
    Supervisor::find(supervision).hand_over(child.id());
    drop(child.stdin.take());
    // Lines such as the port's are for the program that started us.
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
        let line = line?;
        if line == READY {
            return Ok(ExitCode::SUCCESS);
        }
        // The pipe may be closed.
        let _ = writeln!(io::stdout(), "{line}");
    }
    // It has given the reason on standard error, or in its log.
    child.wait()?;
    Ok(ExitCode::FAILURE)
}

impl Background {
    /// Reports that the server listens, and closes the terminal.
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
