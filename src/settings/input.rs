//! Reads files and standard input. No other file of this module does.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// A source of text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Input<'a> {
    /// A file by its path.
    File(&'a Path),
    /// Standard input.
    Stdin,
}

/// Reads an input to its end. Tests replace it with their own texts.
pub(super) type ReadInput<'a> = &'a mut dyn FnMut(Input<'_>) -> io::Result<String>;

/// Reads the real input. Bytes that are not UTF-8, as in old comments, are replaced.
pub(super) fn read_input(input: Input<'_>) -> io::Result<String> {
    let mut bytes = Vec::new();
    match input {
        Input::File(path) => bytes = fs::read(path)?,
        Input::Stdin => {
            io::stdin().lock().read_to_end(&mut bytes)?;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
