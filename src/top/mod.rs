//! `tidegate top`: a running broker in the terminal, over the protocol of any client.
//!
//! `arguments.rs` and `target.rs` say where the broker is. `reader.rs` asks it with a `connection.rs`, and
//! `reading.rs` understands the replies. `state.rs` has what is shown, with the `queues.rs` and the
//! `columns.rs` of the table; keys change it. `view.rs` draws it as a `frame.rs`, which `terminal.rs` shows.
//! `live.rs` joins these; `once.rs` prints a table instead.

mod arguments;
mod columns;
mod connection;
mod frame;
mod keys;
mod live;
mod once;
mod queues;
mod reader;
mod reading;
mod state;
mod stream;
mod target;
mod terminal;
mod text;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls_absent.rs"]
mod tls;
mod view;

use arguments::{Asked, Options, PASSWORD_VARIABLE};
use connection::Failure;
use reader::Reader;
use state::State;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use terminal::Terminal;

/// The command line is wrong.
const MISUSED: u8 = 2;

/// Shows a broker, as the arguments say.
pub fn run(arguments: &[String]) -> ExitCode {
    let password = std::env::var(PASSWORD_VARIABLE).ok();
    let options = match arguments::parse(arguments, password) {
        Ok(Asked::Show(options)) => options,
        Ok(Asked::Help) => return print(arguments::HELP),
        Err(reason) => return misused(&reason),
    };
    if !options.is_once && !Terminal::is_there() {
        return misused("expected a terminal; --once prints a table without one");
    }
    match show(&options) {
        Ok(code) => code,
        Err(reason) => {
            eprintln!("tidegate top: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn show(options: &Options) -> Result<ExitCode, String> {
    let mut reader = Reader::new(options.target.clone(), options.pattern.clone());
    let mut state = State::new(options.target.address.to_string(), options.sort);
    if !options.is_once {
        // Who has mistyped something is told so before the screen changes.
        state.apply(reader.read().map_err(|failure| failure.reason().to_owned())?);
        let shown = live::run(options, reader, state);
        return shown.map(|()| ExitCode::SUCCESS).map_err(|error| format!("terminal: {error}"));
    }
    read_all(&mut reader, &mut state).map_err(|failure| failure.reason().to_owned())?;
    if !options.interval.is_zero() {
        thread::sleep(options.interval);
        read_all(&mut reader, &mut state).map_err(|failure| failure.reason().to_owned())?;
    }
    match &state.notice {
        Some(notice) => Err(notice.clone()),
        None => Ok(print(&once::table(&state))),
    }
}

/// Reads until all queues have been read.
fn read_all(reader: &mut Reader, state: &mut State) -> Result<(), Failure> {
    loop {
        let sample = reader.read()?;
        let is_done = sample.ends_round || sample.notice.is_some();
        state.apply(sample);
        if is_done {
            return Ok(());
        }
    }
}

fn misused(reason: &str) -> ExitCode {
    eprintln!("tidegate top: {reason}");
    ExitCode::from(MISUSED)
}

/// Prints a text. A closed pipe is not an error worth a message.
fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests;
