//! beanstalkd: put, reserve, delete.

use super::client::{Client, Producer, Push};
use super::peer::{Peer, Work};
use super::tally::{Message, Tally};
use crate::process::{self, Process};
use crate::scratch::Scratch;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

const PROGRAM: &str = "beanstalkd";
/// Time between two syncs of its files, as with `everysec`.
const SYNC_MS: &str = "1000";

pub struct Beanstalkd {
    process: Process,
    address: SocketAddr,
    batch: usize,
}

pub fn is_installed() -> bool {
    Command::new(PROGRAM).arg("-v").stdout(Stdio::null()).status().is_ok()
}

pub fn start(work: Work, scratch: &Scratch) -> Box<dyn Peer> {
    let [address] = process::free_addresses();
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let mut command = Process::command(PROGRAM);
    command.args(["-l", &ip, "-p", &port]);
    if work.with_files {
        command.arg("-b").arg(scratch.path()).args(["-f", SYNC_MS]);
    }
    let mut process = Process::start(&mut command);
    process.wait_until_it_accepts(address);
    Box::new(Beanstalkd { process, address, batch: work.batch })
}

impl Peer for Beanstalkd {
    fn process(&self) -> &Process {
        &self.process
    }

    fn prepare(&mut self) {
        // The previous measurement has left it empty.
    }

    fn producer(&self) -> (TcpStream, Box<dyn Client>) {
        (process::connect(self.address), Box::new(Producer::new(Put, self.batch)))
    }

    fn consumer(&self, _: usize) -> (TcpStream, Box<dyn Client>) {
        // Only the first one waits. The others take what else is there.
        let more = b"reserve-with-timeout 0\r\n".repeat(self.batch - 1);
        let reserve = [&b"reserve\r\n"[..], &more].concat();
        let consumer = Consumer { reserve, batch: self.batch, answered: 0, delete: Vec::new() };
        (process::connect(self.address), Box::new(consumer))
    }

    fn count_left(&mut self) -> usize {
        let mut connection = process::connect(self.address);
        connection.write_all(b"stats-tube default\r\n").expect("the server reads");
        let mut reader = BufReader::new(connection);
        let mut line = String::new();
        reader.read_line(&mut line).expect("the server answers");
        let length = line.trim_end().strip_prefix("OK ").expect("statistics").parse();
        let mut text = vec![0; length.expect("a length")];
        reader.read_exact(&mut text).expect("the whole reply");
        let text = String::from_utf8(text).expect("a text");
        let jobs = text.lines().filter_map(|line| line.strip_prefix("current-jobs-"));
        let counts = jobs.map(|line| line.split_once(": ").expect("a value").1.parse::<usize>());
        counts.sum::<Result<_, _>>().expect("numbers")
    }
}

struct Put;

impl Push for Put {
    fn push(&mut self, message: &Message, out: &mut Vec<u8>) {
        // Priority 0, no delay, and two minutes until redelivery to another consumer.
        out.extend_from_slice(b"put 0 0 120 64\r\n");
        out.extend_from_slice(message);
        out.extend_from_slice(b"\r\n");
    }

    fn confirmation(&mut self, incoming: &[u8]) -> Option<(usize, usize)> {
        let line = line(incoming)?;
        assert!(line.starts_with("INSERTED "), "{line}");
        Some((line.len(), 1))
    }
}

/// Reserves a batch of messages, deletes them, and reserves again.
struct Consumer {
    /// The requests that reserve a batch.
    reserve: Vec<u8>,
    batch: usize,
    /// How many of the reserves have a reply.
    answered: usize,
    /// The requests that delete the messages of these replies.
    delete: Vec<u8>,
}

impl Client for Consumer {
    fn begin(&mut self, _: &mut Tally, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.reserve);
    }

    fn take(&mut self, incoming: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> Option<usize> {
        let line = line(incoming)?;
        if line == "DELETED\r\n" {
            tally.acknowledge(1);
            return Some(line.len());
        }
        let mut taken = line.len();
        if let Some(reserved) = line.strip_prefix("RESERVED ") {
            let (id, length) = reserved.trim_end().split_once(' ').expect("an id and a length");
            let length: usize = length.parse().expect("a length");
            let message = incoming.get(taken..taken + length)?;
            taken += length + 2;
            incoming.get(..taken)?;
            tally.deliver(message);
            for part in ["delete ", id, "\r\n"] {
                self.delete.extend_from_slice(part.as_bytes());
            }
        } else {
            assert_eq!(line, "TIMED_OUT\r\n");
        }
        self.answered += 1;
        if self.answered == self.batch {
            self.answered = 0;
            out.append(&mut self.delete);
            self.begin(tally, out);
        }
        Some(taken)
    }
}

/// The first line with its end, once it is complete.
fn line(incoming: &[u8]) -> Option<&str> {
    let end = memchr::memchr(b'\n', incoming)?;
    Some(std::str::from_utf8(&incoming[..=end]).expect("a line of text"))
}
