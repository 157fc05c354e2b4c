//! The single append file of Redis before version 7, in the parent directory: it becomes the base file
//! of a new manifest, as in Redis.

use super::error::LoadError;
use super::files::{Directory, DiskDirectory, open_regular};
use super::manifest::{Entry, Manifest};
use crate::rdb;
use log::{info, warn};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Moves the file `name` of `parent` into the directory of append files, if it exists and there is
/// nothing else to load. Only its beginning is checked first; the rest is checked when it is loaded.
/// After a crash in between, this continues.
///
/// # Errors
/// The file does not consist of commands, or an error of the system.
pub fn take_in(parent: &Path, directory: &DiskDirectory, name: &str) -> Result<(), LoadError> {
    let old = parent.join(name);
    let failed = |error| LoadError::io(&old.display().to_string(), error);
    let has_old = has_bytes(&old).map_err(failed)?;
    if Manifest::load(directory, name)?.is_some() {
        if has_old {
            warn!("{}: not loaded, since there is a manifest of newer files", old.display());
        }
        return Ok(());
    }
    let is_there = directory.length(name).is_ok();
    if has_old && is_there {
        let error = "and there is one of this name in the directory of append files: move one away";
        return Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, error)));
    }
    if has_old {
        check_beginning(&old)?;
        fs::rename(&old, directory.path().join(name)).map_err(failed)?;
        let synced = directory.sync().and_then(|()| File::open(parent)?.sync_all());
        synced.map_err(failed)?;
        info!("{}: moved to {}, to be loaded", old.display(), directory.path().display());
    }
    if has_old || is_there {
        let base = Entry { name: name.to_string(), seq: 1, is_checked: false };
        Manifest { base: Some(base), ..Manifest::default() }.save(directory, name)?;
    }
    Ok(())
}

/// A warning for a server without append files, if there are append files that it does not load.
pub fn unused(parent: &Path, directory_name: &str, name: &str) -> Option<String> {
    let manifest = parent.join(directory_name).join(format!("{name}.manifest"));
    let old = parent.join(name);
    let found = [manifest, old].into_iter().find(|path| has_bytes(path).unwrap_or(false))?;
    Some(format!(
        "{}: append files that are not loaded, since appendonly is off; what they hold is not here, \
         and what is here ends with the process",
        found.display()
    ))
}

/// Whether the file exists and is not empty.
fn has_bytes(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(found.len() > 0),
        Ok(_) => open_regular(path, OpenOptions::new().read(true)).map(|_| false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether it begins like commands, with a time stamp of Redis, or with data in the RDB format.
fn check_beginning(path: &Path) -> Result<(), LoadError> {
    let file = path.display().to_string();
    let failed = |error| LoadError::io(&file, error);
    let mut first = Vec::new();
    let opened = open_regular(path, OpenOptions::new().read(true)).map_err(failed)?;
    opened.take(16).read_to_end(&mut first).map_err(failed)?;
    match first.first() {
        _ if rdb::is_start(&first) => Ok(()),
        None | Some(b'*' | b'#') => Ok(()),
        Some(byte) => {
            let reason = format!("expected '*' and a command, got byte 0x{byte:02x}");
            Err(LoadError::Command { file, at: 0, reason })
        }
    }
}
