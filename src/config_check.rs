//! `tidegate --check-config`: reads the configuration as a start would, and says what is wrong with it.
//! Opens no port and changes no file.

use crate::launch;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use tidegate::Settings;
use tidegate::server;
use tidegate::settings::SettingsError;

/// There is an error in the configuration.
const WRONG: u8 = 1;
/// The command line does not say what to check.
const MISUSED: u8 = 2;

/// Checks the settings of a start with these arguments.
pub fn run(args: &[String]) -> ExitCode {
    let name = match args.first().map(String::as_str) {
        Some("-") => "standard input",
        Some(path) if !path.starts_with('-') => path,
        _ => {
            eprintln!(
                "tidegate: expected a configuration file, or - for standard input: tidegate \
                 --check-config FILE [--name value ...] ..."
            );
            return ExitCode::from(MISUSED);
        }
    };
    let (mut settings, mut errors) = Settings::check_args(args);
    errors.extend(errors_in_use(&mut settings));
    for error in &errors {
        eprintln!("{error}");
    }
    for remark in settings.remarks_without_effect() {
        eprintln!("warning: {remark}");
    }
    if !errors.is_empty() {
        return ExitCode::from(WRONG);
    }
    // A closed pipe is not an error.
    let _ = writeln!(io::stdout(), "{name}: ok");
    ExitCode::SUCCESS
}

/// What would be wrong once the settings are used.
fn errors_in_use(settings: &mut Settings) -> Vec<SettingsError> {
    log_warnings();
    if let Err(reason) = launch::enter_directory(settings) {
        return vec![settings.error_of(&["dir"], reason)];
    }
    let mut errors = server::check(settings);
    if !settings.logfile.is_empty()
        && let Err(error) = can_append(Path::new(&settings.logfile))
    {
        let reason = format!("cannot write the log file {}: {error}", settings.logfile);
        errors.push(settings.error_of(&["logfile"], reason));
    }
    errors
}

/// Whether the file can be written, or its directory is there.
fn can_append(path: &Path) -> io::Result<()> {
    match OpenOptions::new().append(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
            fs::metadata(directory.unwrap_or(Path::new("."))).map(drop)
        }
        opened => opened.map(drop),
    }
}

/// Shows the warnings that a start would log, such as for an expired certificate. Errors are returned.
fn log_warnings() {
    let mut builder = env_logger::Builder::new();
    builder.filter_level(log::LevelFilter::Warn);
    builder.format(|out, record| match record.level() {
        log::Level::Warn => writeln!(out, "warning: {}", record.args()),
        _ => Ok(()),
    });
    builder.init();
}
