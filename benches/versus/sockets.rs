//! Non-blocking connections in one loop, for loads in which connections depend on each other. The user
//! knows and checks each byte to come.

use crate::servers::Server;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

pub struct Sockets {
    poll: Poll,
    events: Events,
    streams: Vec<TcpStream>,
    /// The most recent input.
    buffer: Vec<u8>,
}

impl Sockets {
    /// Their numbers start at 0.
    pub fn connect(server: &Server, count: usize) -> Sockets {
        Sockets::of(server.connect_many(count))
    }

    /// For idle connections; they keep their order.
    pub fn of(connections: Vec<std::net::TcpStream>) -> Sockets {
        let poll = Poll::new().expect("a poll");
        let register = |(number, stream): (usize, std::net::TcpStream)| {
            stream.set_nonblocking(true).expect("a non-blocking socket");
            let mut stream = TcpStream::from_std(stream);
            let token = Token(number);
            poll.registry().register(&mut stream, token, Interest::READABLE).expect("registered");
            stream
        };
        let streams = connections.into_iter().enumerate().map(register).collect();
        Sockets { poll, events: Events::with_capacity(1024), streams, buffer: vec![0; 1 << 16] }
    }

    /// Sends requests that always fit the socket's buffer: all earlier replies are received.
    pub fn send(&mut self, number: usize, requests: &[u8]) {
        self.streams[number].write_all(requests).expect("it fits the socket's buffer");
    }

    /// Waits for input; returns the numbers of connections that have it, in the order of arrival. All of
    /// it must be received before the next wait.
    pub fn wait(&mut self, ready: &mut Vec<usize>) {
        self.poll(Duration::from_secs(5), ready);
        assert!(!ready.is_empty(), "the server does not answer");
    }

    fn poll(&mut self, timeout: Duration, ready: &mut Vec<usize>) {
        self.poll.poll(&mut self.events, Some(timeout)).expect("the poll works");
        ready.clear();
        ready.extend(self.events.iter().map(|event| event.token().0));
    }

    /// All available input; it may be empty.
    pub fn receive(&mut self, number: usize) -> &[u8] {
        let mut filled = 0;
        loop {
            match self.streams[number].read(&mut self.buffer[filled..]) {
                Ok(0) => panic!("the server closed the connection"),
                Ok(got) => filled += got,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("cannot receive: {error}"),
            }
            // A buffer that is not full shows that there is no more.
            if filled < self.buffer.len() {
                break;
            }
            self.buffer.resize(2 * filled, 0);
        }
        &self.buffer[..filled]
    }

    /// Waits until each has received exactly the bytes expected for its number.
    pub fn receive_exactly<'a>(&mut self, expected: impl Fn(usize) -> &'a [u8]) {
        let mut incoming = vec![Incoming::default(); self.streams.len()];
        let is_open = |number: &usize| !expected(*number).is_empty();
        let mut open = (0..self.streams.len()).filter(is_open).count();
        let mut ready = Vec::new();
        while open > 0 {
            self.wait(&mut ready);
            for number in ready.drain(..) {
                let is_whole = incoming[number].take(expected(number), self.receive(number));
                open -= usize::from(is_whole);
            }
        }
    }

    /// Makes sure that there is no more input.
    pub fn assert_quiet(&mut self) {
        let mut ready = Vec::new();
        self.poll(Duration::ZERO, &mut ready);
        for number in ready {
            let more = String::from_utf8_lossy(self.receive(number)).into_owned();
            assert_eq!(more, "", "more than was expected");
        }
    }
}

/// The progress of expected input.
#[derive(Clone, Copy, Default)]
pub struct Incoming {
    got: usize,
}

impl Incoming {
    /// Checks input; true at the end of what is expected.
    pub fn take(&mut self, expected: &[u8], bytes: &[u8]) -> bool {
        let end = self.got + bytes.len();
        let is_right = expected.get(self.got..end) == Some(bytes);
        assert!(is_right, "not what was expected: {}", String::from_utf8_lossy(bytes));
        self.got = end;
        end == expected.len() && !bytes.is_empty()
    }
}
