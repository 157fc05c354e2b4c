//! A directory for the files of one server, removed with this value.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct Scratch {
    path: PathBuf,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Remains stay in the build's directory, which is removed as a whole.
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Scratch {
    /// It is in the build's directory: the system's temporary one may be in memory.
    pub fn new() -> Scratch {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("versus-{}-{number}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("a directory");
        Scratch { path }
    }

    /// Arguments that make a server write its append files here. No rewrite begins automatically.
    pub fn args(&self, appendfsync: &str) -> Vec<String> {
        let path = self.path.to_str().expect("a path that is text");
        let args = ["--dir", path, "--appendonly", "yes", "--appendfsync", appendfsync];
        let args = args.into_iter().chain(["--auto-aof-rewrite-percentage", "0"]);
        args.map(str::to_string).collect()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Waits until all writes are on the disk, so that no server pays for another's.
pub fn sync() {
    rustix::fs::sync();
}
