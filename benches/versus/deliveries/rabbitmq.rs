//! RabbitMQ: a classic queue, publisher confirms, a prefetch, basic.ack. With files the queue is durable
//! and the messages are persistent. Its confirmation may then wait for a sync, which cannot be
//! configured; the others sync once a second and do not wait.

use super::amqp::{self, Dialogue, Frame};
use super::client::{Client, Producer, Push};
use super::peer::{Peer, Work};
use super::tally::{Message, Tally};
use crate::process::{self, Process};
use crate::scratch::Scratch;
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

/// The script in the PATH would switch to RabbitMQ's own user and directories.
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// The name server of Erlang nodes. Without one, RabbitMQ would start one that outlives it.
const NAMES: &str = "epmd";
const LOCALHOST: &str = "127.0.0.1";

pub struct RabbitMq {
    process: Process,
    /// Dropped last: the node is registered with it.
    _names: Process,
    address: SocketAddr,
    work: Work,
    /// Each measurement has its own queue.
    queues: usize,
}

pub fn is_installed() -> bool {
    Path::new(PROGRAM).exists()
}

pub fn start(work: Work, scratch: &Scratch) -> Box<dyn Peer> {
    let [address, node, names] = process::free_addresses();
    let mut command = Process::command(NAMES);
    command.args(["-address", LOCALHOST, "-port", &names.port().to_string()]);
    let mut names_process = Process::start(&mut command);
    names_process.wait_until_it_accepts(names);
    let mut command = Process::command(PROGRAM);
    command.env("ERL_EPMD_ADDRESS", LOCALHOST).env("ERL_EPMD_PORT", names.port().to_string());
    command.env("RABBITMQ_NODE_IP_ADDRESS", LOCALHOST);
    command.env("RABBITMQ_NODE_PORT", address.port().to_string());
    command.env("RABBITMQ_DIST_PORT", node.port().to_string());
    keep_to(scratch.path(), &mut command);
    let mut process = Process::start(&mut command);
    process.wait_until_it_accepts(address);
    Box::new(RabbitMq { process, _names: names_process, address, work, queues: 0 })
}

/// Keeps the node's files in the directory, and its second port closed to other machines.
fn keep_to(directory: &Path, command: &mut Command) {
    command.env("RABBITMQ_NODENAME", "versus@localhost");
    command
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}");
    let places = [
        // The directory of the node's cookie.
        ("HOME", ""),
        ("RABBITMQ_MNESIA_BASE", "data"),
        ("RABBITMQ_LOG_BASE", "log"),
        ("RABBITMQ_GENERATED_CONFIG_DIR", "config"),
        // Files that do not exist: the defaults apply, whatever the machine's own node is configured to.
        ("RABBITMQ_CONFIG_FILE", "rabbitmq"),
        ("RABBITMQ_ADVANCED_CONFIG_FILE", "advanced.config"),
        ("RABBITMQ_CONF_ENV_FILE", "rabbitmq-env.conf"),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", "enabled_plugins"),
    ];
    for (name, place) in places {
        command.env(name, directory.join(place));
    }
    // With this the script becomes the server, instead of a parent process that would be killed instead.
    command.env("RUNNING_UNDER_SYSTEMD", "true").env_remove("NOTIFY_SOCKET");
}

impl RabbitMq {
    fn queue(&self) -> String {
        format!("queue:{}", self.queues)
    }

    fn dialogue(&self) -> Dialogue {
        Dialogue::open(process::connect(self.address))
    }
}

impl Peer for RabbitMq {
    fn process(&self) -> &Process {
        &self.process
    }

    fn prepare(&mut self) {
        self.queues += 1;
        self.dialogue().declare(&self.queue(), self.work.with_files);
    }

    fn producer(&self) -> (TcpStream, Box<dyn Client>) {
        let publish = Publish {
            queue: self.queue(),
            is_persistent: self.work.with_files,
            confirmations: Confirmations::default(),
        };
        (self.dialogue().confirm(), Box::new(Producer::new(publish, self.work.batch)))
    }

    fn consumer(&self, _: usize) -> (TcpStream, Box<dyn Client>) {
        let prefetch = self.work.batch.try_into().expect("a prefetch of two bytes");
        (self.dialogue().consume(&self.queue(), prefetch), Box::new(Consumer))
    }

    fn count_left(&mut self) -> usize {
        // Unacknowledged messages return when their consumer is gone.
        let (messages, consumers) = self.dialogue().declare(&self.queue(), self.work.with_files);
        (messages + consumers) as usize
    }
}

struct Publish {
    queue: String,
    is_persistent: bool,
    confirmations: Confirmations,
}

impl Push for Publish {
    fn push(&mut self, message: &Message, out: &mut Vec<u8>) {
        amqp::publish(&self.queue, self.is_persistent, message, out);
    }

    fn confirmation(&mut self, incoming: &[u8]) -> Option<(usize, usize)> {
        let (frame, bytes) = Frame::first(incoming)?;
        let mut arguments = frame.arguments(amqp::BASIC_ACK);
        let (number, and_before) = (arguments.u64(), arguments.u8() == 1);
        Some((bytes, self.confirmations.take(number, and_before)))
    }
}

/// The confirmed messages of a producer. They are numbered from 1. A message may be confirmed before
/// earlier ones, and again together with them.
#[derive(Default)]
struct Confirmations {
    /// This one and all before it.
    up_to: u64,
    /// Single ones after it.
    ahead: BTreeSet<u64>,
}

impl Confirmations {
    /// Takes the confirmation of a message, or of all before it as well; returns how many are newly
    /// confirmed.
    fn take(&mut self, number: u64, and_before: bool) -> usize {
        let before = self.count();
        if and_before {
            self.up_to = self.up_to.max(number);
            self.ahead = self.ahead.split_off(&(self.up_to + 1));
        } else if number > self.up_to {
            self.ahead.insert(number);
        }
        while self.ahead.remove(&(self.up_to + 1)) {
            self.up_to += 1;
        }
        self.count() - before
    }

    fn count(&self) -> usize {
        self.up_to as usize + self.ahead.len()
    }
}

struct Consumer;

impl Client for Consumer {
    fn begin(&mut self, _: &mut Tally, _: &mut Vec<u8>) {
        // The dialogue has already asked for messages.
    }

    fn take(&mut self, incoming: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> Option<usize> {
        let (deliver, at_header) = Frame::first(incoming)?;
        let (header, bytes) = Frame::first(&incoming[at_header..])?;
        let at_body = at_header + bytes;
        let (body, bytes) = Frame::first(&incoming[at_body..])?;
        let mut arguments = deliver.arguments(amqp::BASIC_DELIVER);
        arguments.short_text();
        let delivery = arguments.u64();
        header.content(amqp::HEADER);
        tally.deliver(body.content(amqp::BODY));
        tally.acknowledge(1);
        // A pending acknowledgement is of an earlier delivery. This one includes it.
        let and_before = !out.is_empty();
        out.clear();
        amqp::acknowledge(delivery, and_before, out);
        Some(at_body + bytes)
    }
}
