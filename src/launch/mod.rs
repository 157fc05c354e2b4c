//! How the program is started: in the background, under a service manager, with passwords on the command
//! line that `ps` must not show. None of it concerns the broker.

mod background;
mod pid_file;
mod secret_words;
mod supervisor;

pub use background::{Background, Role, enter};
pub use pid_file::PidFile;
pub use secret_words::{hide, restored};
pub use supervisor::Supervisor;

use std::io;
use std::path::PathBuf;
use std::process::Command;
use tidegate::Settings;

/// Changes to the directory of the settings, where relative paths begin.
pub fn enter_directory(settings: &mut Settings) -> Result<(), String> {
    std::env::set_current_dir(&settings.dir).map_err(|error| {
        format!("cannot change to the directory {}: {error}", settings.dir.display())
    })?;
    // As an absolute path, to be shown, and for relative paths to start from.
    if let Ok(dir) = std::env::current_dir() {
        settings.dir = dir;
    }
    Ok(())
}

/// A command for this program, with other arguments.
fn ourselves() -> io::Result<Command> {
    let path: PathBuf = std::env::current_exe()?;
    let mut command = Command::new(path);
    if let Some(name) = std::env::args_os().next() {
        std::os::unix::process::CommandExt::arg0(&mut command, name);
    }
    Ok(command)
}
