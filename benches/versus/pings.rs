//! Measures how long a client waits for replies to consecutive PINGs.

use crate::repeating::Repeating;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Such a client, on its own thread.
pub struct Pings(Repeating<State>);

struct State {
    connection: TcpStream,
    waits: Vec<Duration>,
}

/// Reply times in milliseconds.
#[derive(Clone, Copy)]
pub struct Waits {
    pub worst_ms: f64,
    /// All but one in a thousand took less.
    pub p999_ms: f64,
}

impl Pings {
    pub fn start(connection: TcpStream) -> Pings {
        Pings(Repeating::start(State { connection, waits: Vec::new() }, ping))
    }

    pub fn stop(self) -> Waits {
        let mut waits = self.0.stop().waits;
        waits.sort();
        let ms = |at: usize| waits[at].as_secs_f64() * 1000.0;
        let worst = waits.len() - 1;
        Waits { worst_ms: ms(worst), p999_ms: ms(worst - waits.len() / 1000) }
    }
}

fn ping(state: &mut State) {
    let mut reply = [0; 7];
    let begun = Instant::now();
    state.connection.write_all(b"*1\r\n$4\r\nPING\r\n").expect("the server reads");
    state.connection.read_exact(&mut reply).expect("the server answers");
    state.waits.push(begun.elapsed());
    assert_eq!(&reply, b"+PONG\r\n");
}
