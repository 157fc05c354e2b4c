//! A stream of redis-server with one consumer group: XADD, XREADGROUP, XACK.
//!
//! Acknowledged entries stay in the stream: deleting them would need another command for each.

use super::client::{Client, Producer};
use super::peer::{Peer, Work};
use super::resp::{Replies, RespPush, words};
use super::tally::Tally;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::servers::{Kind, Server, ask};
use crate::workload::{add_request, encode};
use std::net::TcpStream;

const STREAM: &[u8] = b"queue";
const GROUP: &[u8] = b"group";

pub struct Streams {
    server: Server,
    batch: usize,
}

pub fn is_installed() -> bool {
    Kind::Redis.is_installed()
}

pub fn start(work: Work, scratch: &Scratch) -> Box<dyn Peer> {
    let args = if work.with_files { scratch.args("everysec") } else { Vec::new() };
    Box::new(Streams { server: Server::start(Kind::Redis, &args), batch: work.batch })
}

impl Peer for Streams {
    fn process(&self) -> &Process {
        self.server.process()
    }

    fn prepare(&mut self) {
        self.server.empty();
        let connection = self.server.connect();
        let reply = ask(&connection, &words("XGROUP CREATE queue group $ MKSTREAM"));
        assert_eq!(reply, "+OK");
    }

    fn producer(&self) -> (TcpStream, Box<dyn Client>) {
        (self.server.connect(), Box::new(Producer::new(XADD, self.batch)))
    }

    fn consumer(&self, number: usize) -> (TcpStream, Box<dyn Client>) {
        let count = self.batch;
        let read = format!(
            "XREADGROUP GROUP group consumer:{number} COUNT {count} BLOCK 0 STREAMS queue >"
        );
        let read = encode(&words(&read));
        (self.server.connect(), Box::new(Consumer { read }))
    }

    fn count_left(&mut self) -> usize {
        let connection = self.server.connect();
        // Nothing is pending for any consumer, and everything was read.
        let pending = ask(&connection, &words("XPENDING queue group - + 1"));
        let read = "XREADGROUP GROUP group check COUNT 1 STREAMS queue >";
        usize::from(pending != "*0") + usize::from(ask(&connection, &words(read)) != "*-1")
    }
}

const XADD: RespPush = RespPush {
    head: b"*5\r\n$4\r\nXADD\r\n$5\r\nqueue\r\n$1\r\n*\r\n$1\r\nm\r\n$64\r\n",
    confirmation: |replies| replies.bulk().map(drop),
};

struct Consumer {
    read: Vec<u8>,
}

impl Client for Consumer {
    fn begin(&mut self, _: &mut Tally, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.read);
    }

    fn take(&mut self, incoming: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> Option<usize> {
        let mut replies = Replies::of(incoming);
        if incoming[0] == b':' {
            let acknowledged = replies.integer()?;
            tally.acknowledge(acknowledged);
            return Some(replies.read());
        }
        replies.array_of(1)?;
        replies.array_of(2)?;
        let stream = replies.bulk()?;
        assert_eq!(stream, STREAM);
        let count = replies.array()?;
        let entries = (0..count).map(|_| entry(&mut replies)).collect::<Option<Vec<_>>>()?;
        let mut acknowledge: Vec<&[u8]> = vec![b"XACK", STREAM, GROUP];
        for (id, message) in &entries {
            tally.deliver(message);
            acknowledge.push(id);
        }
        add_request(&acknowledge, out);
        out.extend_from_slice(&self.read);
        Some(replies.read())
    }
}

/// An entry's identifier, and its message.
fn entry<'a>(replies: &mut Replies<'a>) -> Option<(&'a [u8], &'a [u8])> {
    replies.array_of(2)?;
    let id = replies.bulk()?;
    replies.array_of(2)?;
    replies.bulk()?;
    Some((id, replies.bulk()?))
}
