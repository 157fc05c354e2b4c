//! What only the surrounding program can know or do. The broker has no clock, file or thread of its own;
//! a command that needs one asks the host.

use crate::settings::Settings;
use std::path::Path;
use std::time::Duration;

/// The program around a broker.
pub trait Host: Send {
    /// Microseconds of the monotonic clock, to time a command. `Now` is that of the turn.
    fn monotonic_us(&self) -> u64;

    /// Physical memory of the process in bytes; 0 if unknown.
    fn resident_bytes(&self) -> u64;

    /// Processor time of the process in microseconds: in the kernel, in the program.
    fn cpu_us(&self) -> (u64, u64);

    /// Processor time of the server's thread, likewise.
    fn thread_cpu_us(&self) -> (u64, u64) {
        (0, 0)
    }

    /// Physical memory of the machine in bytes; 0 if unknown.
    fn machine_bytes(&self) -> u64 {
        0
    }

    /// Path of the program; empty if unknown.
    fn program(&self) -> String {
        String::new()
    }

    /// Writes the settings back to the file they came from (CONFIG REWRITE).
    fn rewrite_config(&mut self, settings: &Settings) -> Result<(), String>;

    /// Reads a file that the settings name (ACL LOAD).
    ///
    /// # Errors
    /// The reason, as the operating system says it.
    fn read_file(&mut self, path: &Path) -> Result<Vec<u8>, String>;

    /// Replaces a file that the settings name, or creates it for this user alone: after a crash it has
    /// the old content or the new one (ACL SAVE).
    ///
    /// # Errors
    /// The reason, as the operating system says it.
    fn replace_file(&mut self, path: &Path, content: &[u8]) -> Result<(), String>;

    /// Fills `bytes` with random ones that nobody can guess (ACL GENPASS).
    ///
    /// # Errors
    /// There is no source of them.
    fn fill_random(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        fill_random(bytes)
    }

    /// Applies settings of the host, such as the log level, after CONFIG SET.
    fn settings_changed(&mut self, settings: &Settings);

    /// Checks that append files can be written with these settings (CONFIG SET appendonly,
    /// BGREWRITEAOF). If so, the files in the directory belong to this process from now on.
    ///
    /// # Errors
    /// A clause with the reason.
    fn claim_append_files(&mut self, settings: &Settings) -> Result<(), String>;

    /// Checks that an RDB file can be written with these settings (SAVE, BGSAVE, SHUTDOWN).
    ///
    /// # Errors
    /// A clause with the reason.
    fn check_rdb_file(&mut self, _settings: &Settings) -> Result<(), String> {
        Err("this broker has no server to write files".into())
    }

    /// Reads the files of TLS that these settings name (CONFIG SET). Returns what puts them to use for new
    /// connections, once all else is accepted too.
    ///
    /// # Errors
    /// A clause with the directive, the file and the reason.
    fn read_certificates(&mut self, _settings: &Settings) -> Result<Box<dyn FnOnce()>, String> {
        Ok(Box::new(|| {}))
    }

    /// Makes `settings.dir` the directory in which append files will be, as an absolute path (CONFIG SET
    /// dir). A relative one is within `former`.
    ///
    /// # Errors
    /// It is not a directory, in the operating system's words.
    fn change_dir(&mut self, settings: &mut Settings, former: &Path) -> Result<(), String> {
        let _ = (settings, former);
        Err("this broker has no server to write files".into())
    }

    /// Blocks everything for a while (DEBUG SLEEP).
    fn sleep(&mut self, duration: Duration);

    /// Name and version of the allocator, for `mem_allocator` of INFO.
    fn allocator_name(&self) -> &str {
        SystemAllocator.name()
    }

    /// Asks the allocator to return free memory to the operating system.
    fn release_memory(&mut self) {}
}

/// Fills `bytes` from the operating system's generator.
fn fill_random(bytes: &mut [u8]) -> Result<(), String> {
    let mut left = bytes;
    while !left.is_empty() {
        let filled = rustix::rand::getrandom(&mut *left, rustix::rand::GetRandomFlags::empty());
        match filled {
            Ok(count) => left = &mut left[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

/// What a broker asks of the program's allocator. The library uses whatever allocator the program has.
pub trait Allocator: Send {
    /// Its name and version, as `mem_allocator` of INFO shows it.
    fn name(&self) -> &str;

    /// Returns free memory to the operating system, or has another thread do so. The server calls it a
    /// second after it was busy, and MEMORY PURGE at once. It is called on the thread that serves all
    /// clients, so it must return within about a millisecond.
    fn release_memory(&mut self);
}

/// The C library's allocator, or an unknown one: it returns memory by its own rules.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemAllocator;

impl Allocator for SystemAllocator {
    fn name(&self) -> &'static str {
        "libc"
    }

    fn release_memory(&mut self) {}
}

/// A host that knows and does nothing: for tests, and for a broker without a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost;

impl Host for NoHost {
    fn monotonic_us(&self) -> u64 {
        0
    }

    fn resident_bytes(&self) -> u64 {
        0
    }

    fn cpu_us(&self) -> (u64, u64) {
        (0, 0)
    }

    fn rewrite_config(&mut self, _settings: &Settings) -> Result<(), String> {
        Err("The server is running without a config file".into())
    }

    fn read_file(&mut self, _path: &Path) -> Result<Vec<u8>, String> {
        Err("this broker has no server to read files".into())
    }

    fn replace_file(&mut self, _path: &Path, _content: &[u8]) -> Result<(), String> {
        Err("this broker has no server to write files".into())
    }

    fn settings_changed(&mut self, _settings: &Settings) {}

    fn claim_append_files(&mut self, _settings: &Settings) -> Result<(), String> {
        Err("this broker has no server to write the append files".into())
    }

    fn sleep(&mut self, _duration: Duration) {}
}
