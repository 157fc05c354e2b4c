//! The broker as a program: arguments, log, signals, exit codes.

#[cfg(feature = "mimalloc")]
mod allocator;
mod config_check;
mod launch;
mod offline;
#[cfg(feature = "top")]
mod top;
#[cfg(not(feature = "top"))]
#[path = "top_absent.rs"]
mod top;

use launch::{Background, PidFile, Role, Supervisor};
use log::{info, warn};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::error::Error;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use tidegate::Server;
use tidegate::server::{StopHandle, log_filter};
use tidegate::settings::{self, Invocation, Settings};

fn main() -> ExitCode {
    let words: Result<Vec<String>, OsString> =
        std::env::args_os().skip(1).map(OsString::into_string).collect();
    let words = match words {
        Ok(words) => words,
        Err(word) => {
            let word = word.to_string_lossy();
            eprintln!("tidegate: command line: '{word}': arguments must be UTF-8 text");
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = launch::hide(&words) {
        eprintln!("tidegate: ps shows the passwords on the command line: {error}");
    }
    let words = match launch::restored(words) {
        Ok(words) => words,
        Err(error) => {
            eprintln!("tidegate: cannot read the passwords on the command line: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut settings = match Settings::from_args(words.clone()) {
        Ok(Invocation::Run(settings)) => *settings,
        Ok(Invocation::Check(directory)) => return offline::check(&directory),
        Ok(Invocation::Repair(directory)) => return offline::repair(&directory),
        Ok(Invocation::CheckConfig(args)) => return config_check::run(&args),
        Ok(Invocation::Top(args)) => return top::run(&args),
        Ok(Invocation::Help) => return print(&settings::help()),
        Ok(Invocation::Version) => return print(&format!("tidegate {}", version())),
        Err(error) => {
            eprintln!("tidegate: {error}");
            return ExitCode::FAILURE;
        }
    };
    let background = match launch::enter(&words, settings.daemonize, settings.supervised) {
        Ok(Role::Server(background)) => background,
        Ok(Role::Starter(code)) => return code,
        Err(error) => {
            eprintln!("tidegate: cannot continue in the background: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(reason) = launch::enter_directory(&mut settings) {
        eprintln!("tidegate: {reason}");
        return ExitCode::FAILURE;
    }
    if let Err(error) = start_log(&settings) {
        eprintln!("tidegate: cannot write the log file {}: {error}", settings.logfile);
        return ExitCode::FAILURE;
    }
    match serve(settings, &background) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(settings: Settings, background: &Background) -> Result<(), Box<dyn Error>> {
    let ignored = settings.without_effect();
    if !ignored.is_empty() {
        warn!("settings without effect here: {}", ignored.join(", "));
    }
    let socket = settings.unixsocket.clone();
    let port_is_free = settings.port == 0;
    let supervisor = Supervisor::find(settings.supervised);
    let pidfile = settings.pidfile.clone();
    #[cfg(feature = "mimalloc")]
    let allocator = allocator::Mimalloc::start()?;
    #[cfg(not(feature = "mimalloc"))]
    let allocator = tidegate::SystemAllocator;
    let mut server = Server::bind_with(settings, Box::new(allocator))?;
    let _pid_file = PidFile::write(pidfile.as_deref());
    if port_is_free && let Some(address) = server.local_addrs().first() {
        // For the program that started us, even if the log is elsewhere or off. The pipe may be closed.
        let _ = writeln!(io::stdout(), "port {}", address.port());
    }
    stop_on_signals(server.handle())?;
    let plain = server.local_addrs().iter().map(ToString::to_string);
    let encrypted = server.tls_addrs().iter().map(|address| format!("{address} with TLS"));
    let http = server.http_addrs().iter().map(|address| format!("{address} for HTTP"));
    let http_encrypted = server.http_tls_addrs().iter();
    let http_encrypted = http_encrypted.map(|address| format!("{address} for HTTP with TLS"));
    let tcp = plain.chain(encrypted).chain(http).chain(http_encrypted);
    let addresses: Vec<String> = tcp.chain(socket.map(|path| path.display().to_string())).collect();
    let pid = std::process::id();
    info!("{}", server.settings().summary());
    info!("tidegate {} listens on {}, pid {pid}", version(), addresses.join(", "));
    background.is_ready()?;
    server.follow(supervisor.beat(), move |event| supervisor.report(event));
    server.run()?;
    info!("stopped");
    Ok(())
}

/// The first SIGINT or SIGTERM stops the server, the second the process. SIGHUP, which is also sent when a
/// terminal closes, has it read its TLS certificates again.
fn stop_on_signals(handle: StopHandle) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        let mut is_stopping = false;
        for signal in signals.forever() {
            if signal == SIGHUP {
                handle.reload_certificates();
                continue;
            }
            if is_stopping {
                std::process::exit(128 + signal);
            }
            is_stopping = true;
            info!("signal {signal}: stopping");
            handle.stop();
        }
    })?;
    Ok(())
}

/// Log lines go to stderr, or to the file that `logfile` names.
fn start_log(settings: &Settings) -> io::Result<()> {
    let mut builder = env_logger::Builder::new();
    // `loglevel` filters later, and can be changed with CONFIG SET. Libraries log warnings only.
    builder.filter_level(log::LevelFilter::Warn);
    builder.filter_module("tidegate", log::LevelFilter::Trace);
    if !settings.logfile.is_empty() {
        let file = LogFile { path: PathBuf::from(&settings.logfile) };
        file.open()?;
        builder.target(env_logger::Target::Pipe(Box::new(file)));
    }
    builder.format(|out, record| {
        // In UTC, marked by the final `Z`.
        let time = out.timestamp_millis().to_string().replace('T', " ");
        writeln!(out, "{time} {} {}", record.level(), record.args())
    });
    builder.init();
    log::set_max_level(log_filter(settings.loglevel));
    Ok(())
}

/// A log file, opened for each line, so that it can be moved away at any time.
struct LogFile {
    path: PathBuf,
}

impl LogFile {
    fn open(&self) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).open(&self.path)
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.open()?.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints a text. A closed pipe is not an error.
fn print(text: &str) -> ExitCode {
    match writeln!(io::stdout(), "{}", text.trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
