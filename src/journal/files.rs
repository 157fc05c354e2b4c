//! The directory of the append files, as two small traits and their real implementation.
//!
//! The traits define what is durable when, since that is the journal's subject: bytes are durable once
//! their file has been synced, and names (created, renamed or removed) once the directory has been.
//! Neither implies the other. [`super::memory`] takes this literally.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// The lock file. Its lock shows that a process uses the directory. It is empty, is never removed, and
/// is not in [`Directory::list`].
pub const LOCK_NAME: &str = "tidegate.lock";

/// A directory of append files. Names are plain file names, see [`is_file_name`]; others are refused as
/// `InvalidInput`.
pub trait Directory: Send + Sync {
    /// Creates an empty file and opens it for writing. It must not exist (`AlreadyExists`): opening
    /// never empties a file that may hold data.
    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>>;

    /// Opens an existing file for writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn AppendFile>>;

    /// Opens an existing file for reading from offset `from`; after its end there is nothing.
    fn read(&self, name: &str, from: u64) -> io::Result<Box<dyn Read + Send>>;

    /// Size of an existing file in bytes.
    fn length(&self, name: &str) -> io::Result<u64>;

    /// Renames a file in one step, replacing a file of the new name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a name. An open file can still be used.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of all files, in order. Everything else (directories, names that are not UTF-8) is
    /// omitted.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes all changes of names durable. After an error it is unknown which of them are.
    fn sync(&self) -> io::Result<()>;
}

/// A file open for writing. One thread may sync it while another writes.
pub trait AppendFile: Send + Sync {
    /// Writes from offset `at`, which must not be after the end of the file, and returns the number of
    /// bytes written, which may be less than given. After an error an unknown part of them may have been
    /// written.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize>;

    /// Reserves `bytes` of disk space from offset `at` on, without changing the length, for later
    /// writes. `truncate` releases reserved space after the new end.
    ///
    /// # Errors
    /// `StorageFull` or `QuotaExceeded` if there is none; another error where space cannot be reserved.
    fn keep_space(&self, at: u64, bytes: u64) -> io::Result<()>;

    /// Cuts the file to `length` bytes; a length above the current one is an error (`InvalidInput`).
    /// Also releases reserved space after the new end.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Bytes in the file.
    fn length(&self) -> io::Result<u64>;

    /// Whether the file has a name, in this directory or, by a hard link, elsewhere.
    fn is_named(&self) -> io::Result<bool>;

    /// Makes everything durable that was written, or cut off, before the call began.
    ///
    /// After an error these changes may be lost, and later syncs of this file do not say so: the system
    /// may have dropped the bytes and forgotten it.
    fn sync(&self) -> io::Result<()>;
}

/// Writes all of `bytes` from offset `at` on, in as many pieces as needed.
///
/// After an error an unknown part is written; to remove it, truncate to `at`.
pub fn write_all(file: &dyn AppendFile, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = &bytes[count..];
                at += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether an error means a full disk, and not a fault or something unknown.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether this is a plain file name on every system: not empty, not `.` or `..`, without `/`, `\` and
/// NUL.
pub fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0'])
}

/// The name, if it is a plain file name.
pub(super) fn checked(name: &str) -> io::Result<&str> {
    if is_file_name(name) {
        return Ok(name);
    }
    let text = format!("expected a file name without a path, got {name:?}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

/// Why a directory cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process holds the lock.
    #[error("{}: another process uses this directory", .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The system refused it.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The directory, or the file of its lock.
        path: PathBuf,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
}

/// Opens a regular file, or a link to one. Refuses other kinds: a FIFO would wait for its other end, and
/// a device has no end.
pub(super) fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // Checked before opening, which may have an effect on a device; and again, since it may have been
    // replaced.
    match fs::metadata(path) {
        Ok(found) => check_regular(&found)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, NONBLOCK);
    let file = options.open(path)?;
    check_regular(&file.metadata()?)?;
    Ok(file)
}

/// No effect on a file; avoids waiting for a FIFO.
#[cfg(unix)]
const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();

fn check_regular(found: &fs::Metadata) -> io::Result<()> {
    let kind = match found.file_type() {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a directory",
        _ => "a FIFO, a device or a socket",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("expected a file, got {kind}")))
}

/// A directory of the file system. Unless it was opened with `open_shared`, it is locked as long as this value
/// lives: no second process can open it.
#[derive(Debug)]
pub struct DiskDirectory {
    path: PathBuf,
    /// The directory itself, for its sync.
    handle: File,
    /// The lock is released when the process ends, even when it is killed. `None` if others may use the
    /// directory.
    lock: Option<File>,
}

impl DiskDirectory {
    /// The directory at `path`, which must exist.
    pub fn open(path: &Path) -> Result<DiskDirectory, OpenError> {
        let failed = |error| OpenError::Io { path: path.to_path_buf(), error };
        let handle = File::open(path).map_err(failed)?;
        let lock_path = path.join(LOCK_NAME);
        let lock = open_regular(&lock_path, OpenOptions::new().create(true).append(true));
        let lock = lock.map_err(|error| OpenError::Io { path: lock_path, error })?;
        match lock.try_lock() {
            Ok(()) => Ok(DiskDirectory { path: path.to_path_buf(), handle, lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_path_buf() }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// The directory at `path`, which must exist, without a lock: others may use it as well.
    pub fn open_shared(path: &Path) -> Result<DiskDirectory, OpenError> {
        let failed = |error| OpenError::Io { path: path.to_path_buf(), error };
        let handle = File::open(path).map_err(failed)?;
        if !handle.metadata().map_err(failed)?.is_dir() {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        Ok(DiskDirectory { path: path.to_path_buf(), handle, lock: None })
    }

    /// The directory at `path`, created if it is missing. Its parent must exist.
    pub fn open_or_create(path: &Path) -> Result<DiskDirectory, OpenError> {
        let failed = |error| OpenError::Io { path: path.to_path_buf(), error };
        match fs::create_dir(path) {
            Ok(()) => sync_parent(path).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        DiskDirectory::open(path)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn path_of(&self, name: &str) -> io::Result<PathBuf> {
        Ok(self.path.join(checked(name)?))
    }
}

/// Makes the name of a new directory durable.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        // The root has no parent, and was not created just now.
        None => return Ok(()),
    };
    File::open(parent)?.sync_all()
}

impl Drop for DiskDirectory {
    fn drop(&mut self) {
        // Closing the file does not release the lock while a child that is being started also has it.
        if let Some(lock) = &self.lock
            && let Err(error) = lock.unlock()
        {
            log::warn!("{}: cannot unlock it: {error}", self.path.display());
        }
    }
}

impl Directory for DiskDirectory {
    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        let file = OpenOptions::new().write(true).create_new(true).open(self.path_of(name)?)?;
        Ok(Arc::new(DiskFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        let file = open_regular(&self.path_of(name)?, OpenOptions::new().write(true))?;
        Ok(Arc::new(DiskFile(file)))
    }

    fn read(&self, name: &str, from: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = open_regular(&self.path_of(name)?, OpenOptions::new().read(true))?;
        file.seek(SeekFrom::Start(from))?;
        Ok(Box::new(file))
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        let found = fs::metadata(self.path_of(name)?)?;
        check_regular(&found)?;
        Ok(found.len())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path_of(from)?, self.path_of(to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path_of(name)?)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && name != LOCK_NAME
                && entry.file_type()?.is_file()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }
}

/// A file of the file system.
struct DiskFile(File);

impl AppendFile for DiskFile {
    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(&self.0, bytes, at)
    }

    #[cfg(windows)]
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(&self.0, bytes, at)
    }

    #[cfg(target_os = "linux")]
    fn keep_space(&self, at: u64, bytes: u64) -> io::Result<()> {
        let mode = rustix::fs::FallocateFlags::KEEP_SIZE;
        Ok(rustix::io::retry_on_intr(|| rustix::fs::fallocate(&self.0, mode, at, bytes))?)
    }

    #[cfg(not(target_os = "linux"))]
    fn keep_space(&self, _at: u64, _bytes: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        if length > self.length()? {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    #[cfg(unix)]
    fn is_named(&self) -> io::Result<bool> {
        Ok(std::os::unix::fs::MetadataExt::nlink(&self.0.metadata()?) > 0)
    }

    #[cfg(not(unix))]
    fn is_named(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn sync(&self) -> io::Result<()> {
        // Times need not be durable. The length is, as far as reading the bytes needs it.
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests;
