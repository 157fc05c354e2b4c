//! The minimum work of a server: a loop over the same sockets that counts requests and answers `:1` to
//! each, without parsing or storing. It shows the limit that sockets set.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};

/// The argument that makes this program the bare loop.
pub const COMMAND: &str = "bare-loop";

const LISTENER: Token = Token(usize::MAX);

pub fn run(port: u16) {
    let mut poll = Poll::new().expect("a poll");
    let address = ([127, 0, 0, 1], port).into();
    let mut listener = TcpListener::bind(address).expect("the port is free");
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).expect("registered");
    let mut streams: Vec<Option<TcpStream>> = Vec::new();
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 1 << 18];
    loop {
        if poll.poll(&mut events, None).is_err() {
            continue;
        }
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut streams);
            } else if let Some(stream) = &mut streams[event.token().0]
                && !answer(stream, &mut buffer)
            {
                streams[event.token().0] = None;
            }
        }
    }
}

fn accept(listener: &TcpListener, poll: &Poll, streams: &mut Vec<Option<TcpStream>>) {
    while let Ok((mut stream, _)) = listener.accept() {
        stream.set_nodelay(true).expect("TCP_NODELAY");
        let token = Token(streams.len());
        poll.registry().register(&mut stream, token, Interest::READABLE).expect("registered");
        streams.push(Some(stream));
    }
}

/// Answers everything received; false at the end of the connection. A request begins with `*`, which no
/// generated message contains.
fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> bool {
    loop {
        match stream.read(buffer) {
            Ok(0) => return false,
            Ok(got) => {
                let requests = memchr::memchr_iter(b'*', &buffer[..got]).count();
                // Replies of a pipeline fit a socket's buffer, so no write blocks.
                if stream.write_all(&b":1\r\n".repeat(requests)).is_err() {
                    return false;
                }
                if got < buffer.len() {
                    return true;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(_) => return false,
        }
    }
}
