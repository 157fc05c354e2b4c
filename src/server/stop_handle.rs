//! Stopping a server from elsewhere.

use mio::Waker;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stops a [`Server`](super::Server) from any thread, or has it read its certificates again.
#[derive(Clone, Debug)]
pub struct StopHandle {
    is_stopped: Arc<AtomicBool>,
    is_to_reload: Arc<AtomicBool>,
    pub(super) waker: Arc<Waker>,
}

impl StopHandle {
    pub(super) fn new(waker: Arc<Waker>) -> StopHandle {
        StopHandle { is_stopped: Arc::default(), is_to_reload: Arc::default(), waker }
    }

    /// Tells the server to stop, without waiting.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
        self.wake();
    }

    /// Tells the server to read the files of its TLS certificates and keys again, without waiting. Open
    /// connections stay; new ones have the new certificates. The log says how it went.
    pub fn reload_certificates(&self) {
        self.is_to_reload.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            log::error!("cannot wake the server: {error}");
        }
    }

    /// Whether certificates are to be read again; each call for it is answered once.
    #[inline]
    pub(super) fn take_reload(&self) -> bool {
        self.is_to_reload.load(Ordering::Relaxed) && self.is_to_reload.swap(false, Ordering::AcqRel)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }
}
