//! Finds the address of the primary by its name, without blocking the loop.

use crate::replication::PrimaryAddress;
use mio::Waker;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

/// The look-up of a primary's name, which may take long: a thread does it.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    result: Option<Receiver<io::Result<SocketAddr>>>,
}

impl Resolver {
    /// Begins a look-up; an address needs none.
    pub(super) fn begin(&mut self, primary: &PrimaryAddress, waker: &Arc<Waker>) -> io::Result<()> {
        let (send, result) = mpsc::channel();
        self.result = Some(result);
        let PrimaryAddress { host, port } = primary.clone();
        if let Ok(ip) = host.parse::<IpAddr>() {
            // The receiver is there.
            let _ = send.send(Ok(SocketAddr::new(ip, port)));
            return Ok(());
        }
        let waker = Arc::clone(waker);
        thread::Builder::new().name("resolver".into()).spawn(move || {
            let found = (host.as_str(), port).to_socket_addrs();
            let first =
                found.and_then(|mut all| all.next().ok_or_else(|| ErrorKind::NotFound.into()));
            // Nobody may want it any more.
            let _ = send.send(first);
            let _ = waker.wake();
        })?;
        Ok(())
    }

    /// The result, once.
    pub(super) fn take(&mut self) -> Option<io::Result<SocketAddr>> {
        let result = match self.result.as_ref()?.try_recv() {
            Ok(result) => result,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(io::Error::other("the look-up has failed")),
        };
        self.result = None;
        Some(result)
    }
}
