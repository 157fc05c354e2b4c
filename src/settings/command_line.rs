//! The command line.

use super::definition::Settings;
use super::error::{Errors, Place, SettingsError};
use super::file;
use super::input::{Input, ReadInput};
use super::table::{self, is_secret};
use std::path::PathBuf;

/// What the command line asks for.
#[derive(Clone, Debug)]
pub enum Invocation {
    /// Serve with these settings.
    Run(Box<Settings>),
    /// Check the append files in this directory, then exit.
    Check(PathBuf),
    /// Repair the append files in this directory by cutting off what cannot be loaded, then exit.
    Repair(PathBuf),
    /// Read these arguments, which are those of a start, report what is wrong with them, then exit: see
    /// [`Settings::check_args`].
    CheckConfig(Vec<String>),
    /// Show a running broker in the terminal, as these arguments say.
    Top(Vec<String>),
    /// Print [`help`](super::help), then exit.
    Help,
    /// Print the version, then exit.
    Version,
}

/// Names the options as a source in errors.
const COMMAND_LINE: &str = "command line";
const STANDARD_INPUT: &str = "standard input";

/// Reads the arguments.
pub(super) fn parse(args: Vec<String>, read: ReadInput<'_>) -> Result<Invocation, SettingsError> {
    if let Some(invocation) = without_settings(&args) {
        return invocation;
    }
    let mut errors = Errors::at_most(1);
    let settings = settings_of(&args, read, &mut errors);
    match errors.into_found().pop() {
        Some(error) => Err(error),
        None => Ok(Invocation::Run(Box::new(settings))),
    }
}

/// The settings of a start: the file first, then standard input for `-`, then the options.
pub(super) fn settings_of(args: &[String], read: ReadInput<'_>, errors: &mut Errors) -> Settings {
    let mut settings = Settings::default();
    let mut rest = args;
    if let Some((path, after)) = rest.split_first()
        && !path.starts_with('-')
    {
        match read(Input::File(path.as_ref())) {
            Ok(text) => file::apply(&mut settings, &text, path, read, errors),
            Err(error) => {
                errors.add(fail(path, format!("can't open config file '{path}': {error}")))
            }
        }
        // Absolute, since the server may change its directory before CONFIG REWRITE.
        settings.config_file = std::path::absolute(path).ok();
        rest = after;
    }
    // Redis accepts the dash at either end, and always reads it before the options.
    let options = match rest {
        [dash, options @ ..] | [options @ .., dash] if dash == "-" => {
            match read(Input::Stdin) {
                Ok(text) => file::apply(&mut settings, &text, STANDARD_INPUT, read, errors),
                Err(error) => {
                    errors.add(fail("-", format!("can't read standard input: {error}")));
                }
            }
            options
        }
        options => options,
    };
    apply_options(&mut settings, options, errors);
    settings
}

/// Words that ask for something other than to serve. Write `./check` for a file of that name.
fn without_settings(args: &[String]) -> Option<Result<Invocation, SettingsError>> {
    let (first, rest) = args.split_first()?;
    Some(match (first.as_str(), rest) {
        ("--help" | "-h", _) | ("help", []) => Ok(Invocation::Help),
        ("--version" | "-v", _) | ("version", []) => Ok(Invocation::Version),
        ("check", [directory]) if !directory.starts_with('-') => {
            Ok(Invocation::Check(directory.into()))
        }
        ("repair", [directory]) if !directory.starts_with('-') => {
            Ok(Invocation::Repair(directory.into()))
        }
        ("--check-config", rest) => Ok(Invocation::CheckConfig(rest.to_vec())),
        ("top", rest) => Ok(Invocation::Top(rest.to_vec())),
        ("check" | "repair", _) => {
            let reason = format!("expected one directory with append files: tidegate {first} DIR");
            Err(fail(&args.join(" "), reason))
        }
        _ => return None,
    })
}

/// Applies `--name value …` in order.
fn apply_options(settings: &mut Settings, options: &[String], errors: &mut Errors) {
    let place = Place { source_name: COMMAND_LINE.into(), line: None };
    let mut rest = options;
    while let Some((option, after)) = rest.split_first() {
        if errors.is_full() {
            return;
        }
        let count = after.iter().take_while(|word| !word.starts_with("--")).count();
        let (args, next) = after.split_at(count);
        rest = next;
        let Some(name) = option.strip_prefix("--") else {
            let reason = "an option begins with '--', and the file comes before all options";
            errors.add(fail(option, reason.to_owned()));
            continue;
        };
        if let Some((name, value)) = name.split_once('=')
            && table::find(name).is_some()
        {
            let value = if is_secret(name) { "VALUE" } else { value };
            let reason =
                format!("write a directive and its value as separate words: --{name} {value}");
            errors.add(fail(&format!("--{name}"), reason));
            continue;
        }
        let mut words: Vec<Vec<u8>> = args.iter().map(|word| word.clone().into_bytes()).collect();
        // As in Redis 7, a bare `--save` clears the save points.
        if words.is_empty() && name.eq_ignore_ascii_case("save") {
            words.push(Vec::new());
        }
        if let Err(reason) = settings.apply_words(name, &words, &place) {
            let value = if is_secret(name) { "(hidden)" } else { &args.join(" ") };
            errors.add(fail(&format!("{option} {value}"), reason));
        }
    }
}

fn fail(text: &str, reason: String) -> SettingsError {
    let (source_name, text) = (COMMAND_LINE.to_owned(), text.to_owned());
    SettingsError { source_name, line: None, text: text.trim_end().to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::path::Path;

    const FILE: &str = "port 1\ntimeout 5\n";

    fn run(args: &[&str]) -> Result<Settings, String> {
        let mut read = |input: Input<'_>| match input {
            Input::File(path) if path == Path::new("a.conf") => Ok(FILE.to_owned()),
            Input::File(_) => Err(io::ErrorKind::NotFound.into()),
            Input::Stdin => Ok("timeout 7".to_owned()),
        };
        match parse(args.iter().map(|a| (*a).to_owned()).collect(), &mut read) {
            Ok(Invocation::Run(settings)) => Ok(*settings),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn options_apply_after_the_file_and_standard_input() {
        let settings = run(&["a.conf", "--port", "2", "-"]).expect("valid");
        assert_eq!((settings.port, settings.timeout_s), (2, 7));
        assert!(settings.config_file.is_some_and(|p| p.is_absolute() && p.ends_with("a.conf")));
        assert_eq!(run(&["-", "--port", "3"]).map(|s| (s.port, s.timeout_s)), Ok((3, 7)));
    }

    #[test]
    fn an_option_takes_several_words() {
        let args = ["--bind", "127.0.0.1", "::1", "--save", "", "--SAVE", "--port", "7000"];
        let settings = run(&args).expect("valid");
        assert_eq!(settings.bind, ["127.0.0.1", "::1"]);
        assert_eq!(settings.port, 7000);
    }

    #[test]
    fn help_and_version_come_first() {
        for (arg, expected) in
            [("--help", "Help"), ("-h", "Help"), ("--version", "Version"), ("-v", "Version")]
        {
            assert_eq!(run(&[arg]).map(|_| ()), Err(expected.to_owned()));
        }
        assert!(run(&[]).is_ok());
    }

    #[test]
    fn words_in_the_place_of_a_file() {
        let cases: &[(&[&str], &str)] = &[
            (&["help"], "Help"),
            (&["version"], "Version"),
            (&["check", "d"], "Check(\"d\")"),
            (&["repair", "d"], "Repair(\"d\")"),
            (&["top", "-p", "1"], "Top([\"-p\", \"1\"])"),
            (&["--check-config", "f", "--port"], "CheckConfig([\"f\", \"--port\"])"),
            (
                &["check"],
                "command line: 'check': expected one directory with append files: tidegate check DIR",
            ),
            (
                &["repair", "a", "b"],
                "command line: 'repair a b': expected one directory with append files: tidegate \
                 repair DIR",
            ),
            (
                &["--port=7101"],
                "command line: '--port': write a directive and its value as separate words: --port \
                 7101",
            ),
            (
                &["--port", "1", "--requirepass=x"],
                "command line: '--requirepass': write a directive and its value as separate words: \
                 --requirepass VALUE",
            ),
        ];
        for (args, expected) in cases {
            assert_eq!(run(args).map(|_| ()), Err((*expected).to_owned()), "{args:?}");
        }
    }

    #[test]
    fn errors_show_the_option() {
        assert_eq!(
            run(&["--port", "a"]).map(|_| ()),
            Err("command line: '--port a': argument couldn't be parsed into an integer (port \
                 takes a whole number from 0 to 65535)"
                .to_owned())
        );
        let error = run(&["--requirepass", "top", "secret"]).map(|_| ()).expect_err("two words");
        assert!(error.starts_with("command line: '--requirepass (hidden)': "), "{error}");
        let error = Settings::from_text("RequirePass top secret", "a.conf").expect_err("two words");
        let error = error.to_string();
        assert!(error.starts_with("a.conf, line 1: 'RequirePass (hidden)': "), "{error}");
        for args in [&["-x"][..], &["a.conf", "port"], &["--port"], &["b.conf"]] {
            let error = run(args).map(|_| ()).expect_err("invalid");
            assert!(error.starts_with("command line: '"), "{error}");
        }
    }
}
