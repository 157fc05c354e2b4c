//! The configuration file: lines, comments, `include`.

use super::definition::Settings;
use super::error::{Errors, Place};
use super::input::{Input, ReadInput};
use super::table::is_secret;
use super::words::{NOT_TEXT, split};
use std::sync::Arc;

/// Maximum depth of `include`: a file that includes itself must end in an error.
const INCLUDE_DEPTH_MAX: usize = 16;

/// Applies the lines of a file in order. Lines with an error change nothing.
pub(super) fn apply(
    settings: &mut Settings,
    text: &str,
    source_name: &str,
    read: ReadInput<'_>,
    errors: &mut Errors,
) {
    Reading { settings, read, errors }.text(text, source_name, 0);
}

/// What is read, and where to.
struct Reading<'a, 'b> {
    settings: &'a mut Settings,
    read: ReadInput<'b>,
    errors: &'a mut Errors,
}

impl Reading<'_, '_> {
    fn text(&mut self, text: &str, source_name: &str, depth: usize) {
        let source_name: Arc<str> = source_name.into();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = Place { source_name: Arc::clone(&source_name), line: Some(at + 1) };
            if let Err(reason) = self.line(line, &place, depth) {
                self.errors.add(place.error(&without_secret(line), reason));
            }
            if self.errors.is_full() {
                return;
            }
        }
    }

    fn line(&mut self, line: &str, place: &Place, depth: usize) -> Result<(), String> {
        let words = split(line.as_bytes())
            .ok_or_else(|| "Unbalanced quotes in configuration line".to_owned())?;
        // Bytes that were not UTF-8 have been replaced: a password would be a different one.
        if line.contains(char::REPLACEMENT_CHARACTER) {
            return Err(NOT_TEXT.to_owned());
        }
        let Some((name, args)) = words.split_first() else { return Ok(()) };
        let name = str::from_utf8(name).map_err(|_| NOT_TEXT.to_owned())?;
        match name.eq_ignore_ascii_case("include") {
            true => self.include(args, depth),
            false => self.settings.apply_words(name, args, place),
        }
    }

    fn include(&mut self, args: &[Vec<u8>], depth: usize) -> Result<(), String> {
        let [path] = args else {
            return Err("wrong number of arguments (include takes one file)".to_owned());
        };
        let path = str::from_utf8(path).map_err(|_| NOT_TEXT.to_owned())?;
        if depth == INCLUDE_DEPTH_MAX {
            return Err(format!("include nests deeper than {INCLUDE_DEPTH_MAX} files"));
        }
        if path.contains(['*', '?', '[']) {
            return Err("include takes no pattern; name each file on its own line".to_owned());
        }
        let included = (self.read)(Input::File(path.as_ref()))
            .map_err(|error| format!("can't open config file '{path}': {error}"))?;
        self.text(&included, path, depth + 1);
        Ok(())
    }
}

/// A line as errors show it. They are logged, and passwords must not be.
fn without_secret(line: &str) -> String {
    match line.split_whitespace().next().filter(|name| is_secret(name)) {
        Some(name) => format!("{name} (hidden)"),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::SettingsError;
    use super::*;
    use std::io;

    fn errors_of(text: &str, read: ReadInput<'_>) -> Vec<SettingsError> {
        let mut errors = Errors::at_most(3);
        apply(&mut Settings::default(), text, "a", read, &mut errors);
        errors.into_found()
    }

    #[test]
    fn a_file_that_includes_itself_is_an_error() {
        // Twice: its readings must not double with each level.
        let mut count = 0;
        let mut read = |_: Input<'_>| {
            count += 1;
            Ok("include a\ninclude a".to_owned())
        };
        let errors = errors_of("include a", &mut read);
        assert_eq!(errors.len(), 3);
        assert!(errors.iter().all(|e| e.reason == "include nests deeper than 16 files"));
        assert!(count < 20, "{count} files");
    }

    #[test]
    fn an_include_names_its_own_lines_in_errors() {
        let mut read = |input: Input<'_>| match input {
            Input::File(path) if path.ends_with("b.conf") => {
                Ok("port 1\ntimeout x\nhz y".to_owned())
            }
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        let errors = errors_of("\ninclude b.conf\ninclude c", &mut read);
        let places = errors.iter().map(|error| (error.source_name.as_str(), error.line));
        let expected = [("b.conf", Some(2)), ("b.conf", Some(3)), ("a", Some(3))];
        assert_eq!(places.collect::<Vec<_>>(), expected);
        assert!(errors[2].reason.starts_with("can't open config file 'c': "));
    }
}
