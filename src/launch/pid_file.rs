//! `pidfile`: the process id, for scripts that stop the server.

use log::warn;
use std::fs;
use std::path::{Path, PathBuf};

/// The file. Dropping this value removes it.
#[derive(Debug)]
pub struct PidFile {
    /// `None` if nothing was written.
    path: Option<PathBuf>,
}

impl PidFile {
    /// Writes the file, if configured. As in Redis, the server continues without it if that fails.
    pub fn write(path: Option<&Path>) -> PidFile {
        let path = path.filter(|path| match fs::write(path, text()) {
            Ok(()) => true,
            Err(error) => {
                warn!("cannot write the pidfile {}: {error}", path.display());
                false
            }
        });
        PidFile { path: path.map(Path::to_path_buf) }
    }
}

fn text() -> String {
    format!("{}\n", std::process::id())
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another server may have replaced it meanwhile.
        if let Some(path) = &self.path
            && fs::read_to_string(path).is_ok_and(|written| written == text())
            && let Err(error) = fs::remove_file(path)
        {
            warn!("cannot remove the pidfile {}: {error}", path.display());
        }
    }
}
