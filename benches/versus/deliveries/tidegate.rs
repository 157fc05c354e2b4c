//! A queue under a policy: RPUSH and BLPOP. Either the next pop acknowledges, or QUEUE ACK does, by the
//! message's value.

use super::client::{Client, Producer};
use super::peer::{Acknowledge, Peer, Work};
use super::resp::{Replies, RespPush, words};
use super::tally::Tally;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::servers::{Kind, Server, ask};
use crate::workload::{add_request, encode};
use std::net::TcpStream;

const QUEUE: &[u8] = b"queue";

pub struct Tidegate {
    server: Server,
    work: Work,
}

pub fn start(work: Work, scratch: &Scratch) -> Box<dyn Peer> {
    let acknowledge = match work.acknowledge {
        Acknowledge::NextPop => "next-pop",
        Acknowledge::Explicit => "explicit",
    };
    let policy = format!("p queue delivery at-least-once acknowledge {acknowledge}");
    let mut args = vec!["--queue-policy".to_string(), policy];
    if work.with_files {
        args.extend(scratch.args("everysec"));
    }
    Box::new(Tidegate { server: Server::start(Kind::Tidegate, &args), work })
}

impl Peer for Tidegate {
    fn process(&self) -> &Process {
        self.server.process()
    }

    fn prepare(&mut self) {
        self.server.empty();
    }

    fn producer(&self) -> (TcpStream, Box<dyn Client>) {
        (self.server.connect(), Box::new(Producer::new(RPUSH, self.work.batch)))
    }

    fn consumer(&self, _: usize) -> (TcpStream, Box<dyn Client>) {
        let Work { acknowledge, batch, .. } = self.work;
        // A pop acknowledges everything that its connection has seen.
        assert!(acknowledge == Acknowledge::Explicit || batch == 1, "next-pop takes one message");
        let pop = match batch {
            1 => encode(&words("BLPOP queue 0")),
            _ => encode(&words(&format!("BLMPOP 0 1 queue LEFT COUNT {batch}"))),
        };
        (self.server.connect(), Box::new(Consumer { acknowledge, pop, pops_many: batch > 1 }))
    }

    fn count_left(&mut self) -> usize {
        let connection = self.server.connect();
        match ask(&connection, &words("QUEUE INFLIGHT queue")).as_str() {
            "*0" => self.server.count_messages([QUEUE]),
            _ => 1,
        }
    }
}

const RPUSH: RespPush = RespPush {
    head: b"*3\r\n$5\r\nRPUSH\r\n$5\r\nqueue\r\n$64\r\n",
    confirmation: |replies| replies.integer().map(drop),
};

struct Consumer {
    acknowledge: Acknowledge,
    pop: Vec<u8>,
    pops_many: bool,
}

impl Client for Consumer {
    fn begin(&mut self, _: &mut Tally, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.pop);
    }

    fn take(&mut self, incoming: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> Option<usize> {
        let mut replies = Replies::of(incoming);
        if incoming[0] == b':' {
            let acknowledged = replies.integer()?;
            tally.acknowledge(acknowledged);
            return Some(replies.read());
        }
        replies.array_of(2)?;
        let queue = replies.bulk()?;
        assert_eq!(queue, QUEUE);
        let count = if self.pops_many { replies.array()? } else { 1 };
        let messages = (0..count).map(|_| replies.bulk()).collect::<Option<Vec<_>>>()?;
        messages.iter().for_each(|message| tally.deliver(message));
        match self.acknowledge {
            // The following pop has no reply that says so. The check at the end does.
            Acknowledge::NextPop => tally.acknowledge(1),
            Acknowledge::Explicit => {
                let mut args: Vec<&[u8]> = vec![b"QUEUE", b"ACK", QUEUE, b"VALUE"];
                args.extend(&messages);
                add_request(&args, out);
            }
        }
        out.extend_from_slice(&self.pop);
        Some(replies.read())
    }
}
