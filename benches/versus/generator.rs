//! A closed loop of connections: each sends its pipeline, waits for all its replies, and repeats.
//! Requests are prepared in advance and replies are only counted by their line ends, so that the server
//! is measured and not the generator.

use crate::line::Line;
use crate::workload::Pipeline;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub struct Generator {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    connections: Vec<Connection>,
    work: Work,
    answered: usize,
}

impl Generator {
    /// Its connections send the pipelines in turn, again and again.
    pub fn connect(address: SocketAddr, connections: usize, pipelines: Vec<Pipeline>) -> Generator {
        Generator::connect_with(address, connections, pipelines, None)
    }

    /// The same, perhaps with TLS.
    pub fn connect_with(
        address: SocketAddr,
        connections: usize,
        pipelines: Vec<Pipeline>,
        tls: Option<&Arc<rustls::ClientConfig>>,
    ) -> Generator {
        let poll = Poll::new().expect("a poll");
        let connect = |number| {
            let mut stream = Line::connect(address, tls);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(stream.source(), Token(number), interest).expect("registered");
            Connection { stream, pipeline: 0, sent: 0, lines_left: 0 }
        };
        Generator {
            connections: (0..connections).map(connect).collect(),
            poll,
            events: Events::with_capacity(2 * connections),
            buffer: vec![0; 1 << 18],
            work: Work { pipelines, next: 0, left: 0, of_each: false },
            answered: 0,
        }
    }

    /// Each connection sends the pipelines in turn, one after the other is answered.
    pub fn in_turn_on_each(mut self) -> Generator {
        self.work.of_each = true;
        self
    }

    /// Loads the server for this time; returns thousands of answered requests per second.
    pub fn run(&mut self, duration: Duration) -> f64 {
        let before = self.answered;
        let begun = Instant::now();
        self.begin(usize::MAX);
        while begun.elapsed() < duration {
            self.turn();
        }
        (self.answered - before) as f64 / begun.elapsed().as_secs_f64() / 1000.0
    }

    /// From now on it sends other pipelines. Nothing may be under way.
    pub fn replace(&mut self, pipelines: Vec<Pipeline>) {
        self.work = Work { pipelines, next: 0, left: 0, of_each: false };
    }

    /// Sends this many pipelines and waits for all their replies.
    pub fn send(&mut self, pipelines: usize) {
        self.begin(pipelines);
        self.wait();
    }

    /// Sends nothing more, and waits for the outstanding replies; returns the total number of answered
    /// requests.
    pub fn finish(&mut self) -> usize {
        self.work.left = 0;
        self.wait();
        self.answered
    }

    fn wait(&mut self) {
        while self.connections.iter().any(|connection| connection.lines_left > 0) {
            self.turn();
        }
    }

    fn begin(&mut self, pipelines: usize) {
        self.work.left = pipelines;
        for connection in &mut self.connections {
            connection.begin(&mut self.work);
        }
    }

    fn turn(&mut self) {
        self.poll.poll(&mut self.events, Some(Duration::from_secs(5))).expect("the poll works");
        assert!(!self.events.is_empty(), "the server does not answer");
        for event in &self.events {
            let connection = &mut self.connections[event.token().0];
            if connection.lines_left == 0 {
                continue;
            }
            let pipeline = &self.work.pipelines[connection.pipeline];
            connection.send(&pipeline.bytes);
            connection.receive(&mut self.buffer);
            if connection.lines_left == 0 {
                self.answered += pipeline.requests;
                connection.begin(&mut self.work);
            }
        }
    }
}

/// The work of the generator.
struct Work {
    pipelines: Vec<Pipeline>,
    /// The next pipeline.
    next: usize,
    /// How many are still to be sent.
    left: usize,
    /// Whether each connection has a next one of its own.
    of_each: bool,
}

struct Connection {
    stream: Line,
    /// The pipeline that it sends.
    pipeline: usize,
    /// Sent bytes of the pipeline.
    sent: usize,
    /// Missing line ends; `None` if it is idle.
    lines_left: usize,
}

impl Connection {
    /// Begins to send the next pipeline, if there is one.
    fn begin(&mut self, work: &mut Work) {
        if work.left == 0 {
            return;
        }
        work.left -= 1;
        let count = work.pipelines.len();
        if work.of_each {
            self.pipeline = (self.pipeline + 1) % count;
        } else {
            self.pipeline = work.next;
            work.next = (work.next + 1) % count;
        }
        let pipeline = &work.pipelines[self.pipeline];
        self.lines_left = pipeline.lines;
        self.sent = 0;
        self.send(&pipeline.bytes);
    }

    /// Sends what the socket accepts of the rest.
    fn send(&mut self, pipeline: &[u8]) {
        match self.stream.flush() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            result => result.expect("it can be sent"),
        }
        while self.sent < pipeline.len() {
            match self.stream.write(&pipeline[self.sent..]) {
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("cannot send: {error}"),
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => panic!("the server closed the connection"),
                Ok(got) => {
                    assert_ne!(buffer[0], b'-', "{}", String::from_utf8_lossy(&buffer[..got]));
                    let lines = memchr::memchr_iter(b'\n', &buffer[..got]).count();
                    self.lines_left = self.lines_left.checked_sub(lines).expect("no more replies");
                    if got < buffer.len() && self.stream.has_short_reads() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("cannot receive: {error}"),
            }
        }
    }
}
