//! A step repeated on its own thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

pub struct Repeating<T> {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Repeating<T> {
    /// Repeats the step, at least once, until `stop`.
    pub fn start(mut state: T, step: fn(&mut T)) -> Repeating<T> {
        let is_over = Arc::new(AtomicBool::new(false));
        let is_over_there = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            step(&mut state);
            while !is_over_there.load(Ordering::Relaxed) {
                step(&mut state);
            }
            state
        });
        Repeating { is_over, thread }
    }

    /// Waits for the current step; returns the state.
    pub fn stop(self) -> T {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("no step failed")
    }
}
