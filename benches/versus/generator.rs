//! A closed loop of connections: each sends its pipeline, waits for all its replies, sends again.
//! Requests are made beforehand and replies are only counted by their line ends, so that the
//! server and not the generator is what is measured.

use crate::workload::{CONNECTIONS, Workload};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

struct Connection {
    stream: TcpStream,
    /// Bytes of the pipeline that are sent.
    sent: usize,
    /// Line ends still to come.
    lines_left: usize,
}

pub struct Generator {
    poll: Poll,
    connections: Vec<Connection>,
    pipeline: Vec<u8>,
    requests_per_pipeline: usize,
    lines_per_pipeline: usize,
}

impl Generator {
    pub fn connect(address: SocketAddr, workload: &Workload, lines_per_reply: usize) -> Generator {
        let poll = Poll::new().expect("a poll");
        let connections = (0..CONNECTIONS).map(|number| {
            let stream = std::net::TcpStream::connect(address).expect("the server accepts");
            stream.set_nodelay(true).expect("TCP_NODELAY");
            stream.set_nonblocking(true).expect("a non-blocking socket");
            let mut stream = TcpStream::from_std(stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(number), interest).expect("registered");
            Connection { stream, sent: 0, lines_left: 0 }
        });
        let connections = connections.collect();
        Generator {
            connections,
            poll,
            pipeline: workload.pipeline_bytes(),
            requests_per_pipeline: workload.pipeline,
            lines_per_pipeline: workload.pipeline * lines_per_reply,
        }
    }

    /// Loads the server for so long; thousands of answered requests a second.
    pub fn run(&mut self, duration: Duration) -> f64 {
        let mut events = Events::with_capacity(2 * CONNECTIONS);
        let mut buffer = vec![0; 1 << 18];
        let begun = Instant::now();
        let mut answered = 0;
        for connection in &mut self.connections {
            connection.lines_left = self.lines_per_pipeline;
            connection.send(&self.pipeline);
        }
        while begun.elapsed() < duration {
            self.poll.poll(&mut events, Some(Duration::from_secs(5))).expect("the poll works");
            assert!(!events.is_empty(), "the server does not answer");
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                if connection.sent < self.pipeline.len() {
                    connection.send(&self.pipeline);
                }
                connection.receive(&mut buffer);
                if connection.lines_left == 0 {
                    answered += self.requests_per_pipeline;
                    connection.lines_left = self.lines_per_pipeline;
                    connection.sent = 0;
                    connection.send(&self.pipeline);
                }
            }
        }
        answered as f64 / begun.elapsed().as_secs_f64() / 1000.0
    }
}

impl Connection {
    fn send(&mut self, pipeline: &[u8]) {
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
                    if got < buffer.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("cannot receive: {error}"),
            }
        }
    }
}
