//! What a broker is to the rows, and what is asked of all of them.

use super::client::Client;
use crate::process::{PATIENCE, Process};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How a consumer of Tidegate acknowledges. The other brokers have one way only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Acknowledge {
    NextPop,
    Explicit,
}

/// What one row has brokers do.
#[derive(Clone, Copy)]
pub struct Work {
    pub acknowledge: Acknowledge,
    /// Whether the broker writes files. It syncs them once a second if it can do that.
    pub with_files: bool,
    /// The most messages that a producer has under way, and that a consumer takes together.
    pub batch: usize,
}

pub trait Peer {
    fn process(&self) -> &Process;

    /// Makes an empty queue.
    fn prepare(&mut self);

    fn producer(&self) -> (TcpStream, Box<dyn Client>);

    /// Each has a number.
    fn consumer(&self, number: usize) -> (TcpStream, Box<dyn Client>);

    /// Messages that the broker still has, ready or in flight. It may count too many, but not too few.
    fn count_left(&mut self) -> usize;
}

/// Makes sure that nothing is left. The last acknowledgements may still be on their way.
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
