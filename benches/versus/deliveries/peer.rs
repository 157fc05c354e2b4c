//! The interface of a broker for the rows.

use super::client::Client;
use crate::process::{PATIENCE, Process};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How a consumer of Tidegate acknowledges. Other brokers have only one way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Acknowledge {
    NextPop,
    Explicit,
}

/// The work of one row.
#[derive(Clone, Copy)]
pub struct Work {
    pub acknowledge: Acknowledge,
    /// Whether the broker writes files. It syncs them once a second if it can do that.
    pub with_files: bool,
    /// Maximum number of unconfirmed messages of a producer, and of messages that a consumer takes
    /// together.
    pub batch: usize,
}

pub trait Peer {
    fn process(&self) -> &Process;

    /// Creates an empty queue.
    fn prepare(&mut self);

    fn producer(&self) -> (TcpStream, Box<dyn Client>);

    /// Connects a consumer; each has a number.
    fn consumer(&self, number: usize) -> (TcpStream, Box<dyn Client>);

    /// Messages that the broker still has, ready or in flight. The count may be too high, but not too
    /// low.
    fn count_left(&mut self) -> usize;
}

/// Makes sure that nothing is left. The last acknowledgements may not have arrived yet.
pub fn check_nothing_left(peer: &mut dyn Peer) {
    let begun = Instant::now();
    loop {
        let left = peer.count_left();
        if left == 0 {
            return;
        }
        assert!(begun.elapsed() < PATIENCE / 10, "{left} messages are left");
        std::thread::sleep(Duration::from_millis(1));
    }
}
