//! The allocator of the binary.
//!
//! mimalloc returns freed pages to the operating system when it is called again after a while, and a
//! sleeping broker does not call it. So a thread waits here until it is told that memory was freed, and
//! makes mimalloc return it. The loop does not wait for the thread: a megabyte takes a quarter of a
//! millisecond.

use std::ffi::c_int;
use std::hint::black_box;
use std::io;
use std::thread::{self, Thread};
use tidegate::Allocator;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// SAFETY: the signatures are those of mimalloc.h, and the crate `mimalloc` links the functions.
// Both may be called at any time from any thread, and neither touches memory that is in use.
unsafe extern "C" {
    safe fn mi_collect(force: bool);
    safe fn mi_version() -> c_int;
}

/// mimalloc, and the thread that makes it return memory.
pub struct Mimalloc {
    name: String,
    thread: Thread,
}

impl Mimalloc {
    /// Starts the thread, which ends with the process.
    pub fn start() -> io::Result<Mimalloc> {
        let version = mi_version();
        let name =
            format!("mimalloc-{}.{}.{}", version / 10_000, version / 100 % 100, version % 100);
        let thread = thread::Builder::new().name("memory".into()).spawn(|| {
            // mimalloc does nothing for a thread that never allocated.
            drop(black_box(Box::new(0)));
            loop {
                thread::park();
                mi_collect(true);
            }
        })?;
        Ok(Mimalloc { name, thread: thread.thread().clone() })
    }
}

impl Allocator for Mimalloc {
    fn name(&self) -> &str {
        &self.name
    }

    fn release_memory(&mut self) {
        self.thread.unpark();
    }
}
