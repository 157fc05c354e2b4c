//! The configuration file: lines, comments, `include`.

use super::definition::Settings;
use super::error::SettingsError;
use super::input::{Input, ReadInput};
use super::table::is_secret;
use super::words::{NOT_TEXT, split};

/// Maximum depth of `include`: a file that includes itself must end in an error.
const INCLUDE_DEPTH_MAX: usize = 16;

/// Applies the lines of a file in order.
pub(super) fn apply(
    settings: &mut Settings,
    text: &str,
    source_name: &str,
    read: ReadInput<'_>,
) -> Result<(), SettingsError> {
    apply_nested(settings, text, source_name, read, 0)
}

fn apply_nested(
    settings: &mut Settings,
    text: &str,
    source_name: &str,
    read: ReadInput<'_>,
    depth: usize,
) -> Result<(), SettingsError> {
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let fail = |reason: String| SettingsError {
            source_name: source_name.to_owned(),
            line: Some(at + 1),
            // Errors are logged, and passwords must not be.
            text: match line.split_whitespace().next().filter(|name| is_secret(name)) {
                Some(name) => format!("{name} (hidden)"),
                None => line.to_owned(),
            },
            reason,
        };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words = split(line.as_bytes())
            .ok_or_else(|| fail("Unbalanced quotes in configuration line".to_owned()))?;
        // Bytes that were not UTF-8 have been replaced: a password would be a different one.
        if line.contains(char::REPLACEMENT_CHARACTER) {
            return Err(fail(NOT_TEXT.to_owned()));
        }
        let Some((name, args)) = words.split_first() else { continue };
        let name = str::from_utf8(name).map_err(|_| fail(NOT_TEXT.to_owned()))?;
        if !name.eq_ignore_ascii_case("include") {
            settings.apply_words(name, args).map_err(fail)?;
            continue;
        }
        let [path] = args else {
            return Err(fail("wrong number of arguments (include takes one file)".to_owned()));
        };
        let path = str::from_utf8(path).map_err(|_| fail(NOT_TEXT.to_owned()))?;
        if depth == INCLUDE_DEPTH_MAX {
            return Err(fail(format!("include nests deeper than {INCLUDE_DEPTH_MAX} files")));
        }
        if path.contains(['*', '?', '[']) {
            return Err(fail(
                "include takes no pattern; name each file on its own line".to_owned(),
            ));
        }
        let included = read(Input::File(path.as_ref()))
            .map_err(|error| fail(format!("can't open config file '{path}': {error}")))?;
        apply_nested(settings, &included, path, read, depth + 1)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn a_file_that_includes_itself_is_an_error() {
        let mut settings = Settings::default();
        let mut read = |_: Input<'_>| Ok("include a".to_owned());
        let error = apply(&mut settings, "include a", "a", &mut read).expect_err("endless");
        assert_eq!(error.reason, "include nests deeper than 16 files");
    }

    #[test]
    fn an_include_names_its_own_lines_in_errors() {
        let mut settings = Settings::default();
        let mut read = |input: Input<'_>| match input {
            Input::File(path) if path.ends_with("b.conf") => Ok("port 1\ntimeout x".to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        let error = apply(&mut settings, "\ninclude b.conf", "a", &mut read).expect_err("bad");
        assert_eq!((error.source_name.as_str(), error.line), ("b.conf", Some(2)));
        let error = apply(&mut settings, "\ninclude c", "a", &mut read).expect_err("missing");
        assert_eq!((error.source_name.as_str(), error.line), ("a", Some(2)));
        assert!(error.reason.starts_with("can't open config file 'c': "));
    }
}
