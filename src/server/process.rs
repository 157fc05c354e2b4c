//! What the broker asks of the surrounding process.

use super::clock::SystemClock;
use super::tls::Configuration;
use super::{descriptors, durability, saving};
use crate::host::{Allocator, Host};
use crate::journal::single_file;
use crate::settings::{LogLevel, Settings};
use log::LevelFilter;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Microseconds per clock tick of /proc: Linux shows 100 ticks a second on every machine.
const TICK_US: u64 = 10_000;

/// The process as the host of the broker.
pub(super) struct Process {
    clock: SystemClock,
    allocator: Box<dyn Allocator>,
    tls: Configuration,
    config_file: Option<PathBuf>,
    loglevel: LogLevel,
    maxclients: u32,
    /// Whether this process has had append files: then the existing ones are its own.
    has_appended: bool,
}

/// The `log` levels that a `loglevel` includes.
pub fn log_filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::Trace,
        LogLevel::Verbose => LevelFilter::Debug,
        LogLevel::Notice => LevelFilter::Info,
        LogLevel::Warning => LevelFilter::Warn,
    }
}

impl Process {
    pub(super) fn new(
        clock: SystemClock,
        allocator: Box<dyn Allocator>,
        tls: Configuration,
        settings: &Settings,
    ) -> Process {
        Process {
            clock,
            allocator,
            tls,
            config_file: settings.config_file.clone(),
            loglevel: settings.loglevel,
            maxclients: settings.maxclients,
            has_appended: settings.appendonly,
        }
    }
}

impl Host for Process {
    fn monotonic_us(&self) -> u64 {
        self.clock.monotonic_us()
    }

    fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        kibibytes(&status, "VmRSS:").unwrap_or(0)
    }

    fn cpu_us(&self) -> (u64, u64) {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        cpu_us(&stat).unwrap_or((0, 0))
    }

    fn thread_cpu_us(&self) -> (u64, u64) {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
        cpu_us(&stat).unwrap_or((0, 0))
    }

    fn machine_bytes(&self) -> u64 {
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        kibibytes(&meminfo, "MemTotal:").unwrap_or(0)
    }

    fn program(&self) -> String {
        let path = std::env::current_exe().unwrap_or_default();
        path.display().to_string()
    }

    fn rewrite_config(&mut self, settings: &Settings) -> Result<(), String> {
        let Some(path) = &self.config_file else {
            return Err("The server is running without a config file".into());
        };
        let rewritten = |old: &[u8]| match str::from_utf8(old) {
            Ok(old) => Ok(settings.rewritten(old).into_bytes()),
            Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text")),
        };
        fs::read(path)
            .and_then(|old| rewritten(&old))
            .and_then(|new| replace_file(path, &new))
            .map_err(|error| {
                log::warn!("cannot rewrite {}: {error}", path.display());
                error.to_string()
            })
    }

    fn read_file(&mut self, path: &Path) -> Result<Vec<u8>, String> {
        fs::read(path).map_err(|error| error.to_string())
    }

    fn replace_file(&mut self, path: &Path, content: &[u8]) -> Result<(), String> {
        replace_file(path, content).map_err(|error| error.to_string())
    }

    fn settings_changed(&mut self, settings: &Settings) {
        // A program that embeds the broker keeps its own log level until a client changes ours.
        if settings.loglevel != self.loglevel {
            self.loglevel = settings.loglevel;
            log::set_max_level(log_filter(settings.loglevel));
        }
        if settings.maxclients > self.maxclients
            && let Err(error) = descriptors::raise_limit(settings.maxclients)
        {
            log::warn!("{error}");
        }
        self.maxclients = settings.maxclients;
    }

    fn claim_append_files(&mut self, settings: &Settings) -> Result<(), String> {
        let Settings { dir, appenddirname, appendfilename, .. } = settings;
        if !self.has_appended && single_file::unused(dir, appenddirname, appendfilename).is_some() {
            return Err(format!(
                "there are append files in {} that were not loaded; move them away, or start with \
                 appendonly yes",
                dir.display()
            ));
        }
        durability::open_directory(settings).map_err(|error| error.to_string())?;
        self.has_appended = true;
        Ok(())
    }

    fn check_rdb_file(&mut self, settings: &Settings) -> Result<(), String> {
        saving::open_directory(settings).map(drop)
    }

    fn read_certificates(&mut self, settings: &Settings) -> Result<Box<dyn FnOnce()>, String> {
        let tls = self.tls.clone();
        let read = tls.read(settings).map_err(|errors| errors.join("; "))?;
        Ok(Box::new(move || tls.set(read)))
    }

    /// The working directory stays: it may belong to a program around us.
    fn change_dir(&mut self, settings: &mut Settings, former: &Path) -> Result<(), String> {
        let found = match settings.dir.as_os_str().is_empty() {
            true => Err(io::ErrorKind::NotFound.into()),
            false => former.join(&settings.dir).canonicalize(),
        };
        let found = found.and_then(|dir| match dir.is_dir() {
            true => Ok(dir),
            false => Err(io::ErrorKind::NotADirectory.into()),
        });
        let dir = found.map_err(|error| in_redis_words(&error))?;
        // Files that are there already are not ours.
        self.has_appended &= dir == former;
        settings.dir = dir;
        Ok(())
    }

    fn sleep(&mut self, duration: Duration) {
        std::thread::sleep(duration);
    }

    fn allocator_name(&self) -> &str {
        self.allocator.name()
    }

    fn release_memory(&mut self) {
        self.allocator.release_memory();
    }
}

/// The C library's text of an error, which is Redis'.
fn in_redis_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "No such file or directory".into(),
        io::ErrorKind::NotADirectory => "Not a directory".into(),
        io::ErrorKind::PermissionDenied => "Permission denied".into(),
        _ => error.to_string(),
    }
}

/// The value of a line such as `VmRSS:      5120 kB` of /proc, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// Fields 15 (kernel) and 14 (program) of /proc/self/stat. The second field is the program's name in
/// parentheses. It may contain anything, so fields are counted after it.
fn cpu_us(stat: &str) -> Option<(u64, u64)> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(11);
    let program: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some((kernel * TICK_US, program * TICK_US))
}

/// Replaces the content of a file atomically: after a crash it is the old or the new one, not a part. A new
/// file is readable by its owner alone.
fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    // A symbolic link stays a link.
    let path = match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_path_buf(),
        result => result?,
    };
    let permissions = match fs::metadata(&path) {
        Ok(metadata) => metadata.permissions(),
        Err(_) => fs::Permissions::from_mode(0o600),
    };
    let mut temporary = path.clone().into_os_string();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written =
        write_file(&temporary, content, permissions).and_then(|()| fs::rename(&temporary, &path));
    if written.is_err() {
        // There may be none.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

/// Writes a new file. Its permissions are set before its content is there.
fn write_file(path: &Path, content: &[u8], permissions: fs::Permissions) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(permissions)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::SystemAllocator;

    #[test]
    fn numbers_of_the_process_are_read() {
        assert_eq!(kibibytes("Name:\tx\nVmRSS:\t    5120 kB\n", "VmRSS:"), Some(5120 * 1024));
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 12 34 0 0 20 0 1 0 5 6 7";
        assert_eq!(cpu_us(stat), Some((340_000, 120_000)));
        assert_eq!(kibibytes("", "VmRSS:"), None);
        assert_eq!(cpu_us(") S 1"), None);
        if cfg!(target_os = "linux") {
            let process = Process::new(
                SystemClock::start(),
                Box::new(SystemAllocator),
                Configuration::default(),
                &Settings::default(),
            );
            assert!(process.resident_bytes() > 100_000);
        }
    }

    #[test]
    fn a_rewritten_file_keeps_its_mode_and_its_link() {
        let directory = std::env::temp_dir().join(format!("tidegate-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let (file, link) = (directory.join("real.conf"), directory.join("link.conf"));
        fs::write(&file, "old").expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("a mode");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        replace_file(&link, b"old and new").expect("a rewrite");
        assert_eq!(fs::read_to_string(&file).expect("the file"), "old and new");
        let mode = fs::metadata(&file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
        assert_eq!(fs::read_dir(&directory).expect("the directory").count(), 2);
        fs::remove_dir_all(&directory).expect("an end");
    }
}
