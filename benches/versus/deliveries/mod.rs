//! At-least-once delivery compared with other brokers: a queue under a policy, beanstalkd, RabbitMQ, and
//! a stream of redis-server.
//!
//! 50 producers and 50 consumers work at once. A producer waits for the confirmation of its message
//! before it sends the next. A consumer has one message at a time; its acknowledgement and its request
//! for the next message are sent together. In the rows "by 16" a producer sends 16 messages together and
//! waits for all confirmations, and a consumer takes up to 16 messages and acknowledges them together.
//! These rows have no `next-pop`, which is for consumers that take one message at a time.
//!
//! A measurement ends when all messages are acknowledged. It fails if a message was delivered twice or
//! never, or if the broker has any left. Each broker has one core, as in all rows; RabbitMQ could use
//! more.

mod amqp;
mod beanstalkd;
mod client;
mod load;
mod peer;
mod rabbitmq;
mod resp;
mod streams;
mod tally;
mod tidegate;

use crate::rate::{self, Rate};
use crate::scratch::{self, Scratch};
use crate::{from_environment, seconds, table};
use load::Load;
use peer::{Acknowledge, Peer, Work};

struct Row {
    name: &'static str,
    work: Work,
}

const fn row(name: &'static str, acknowledge: Acknowledge, batch: usize, with_files: bool) -> Row {
    Row { name, work: Work { acknowledge, batch, with_files } }
}

const ROWS: [Row; 6] = [
    row("policies: deliveries, next-pop", Acknowledge::NextPop, 1, false),
    row("policies: deliveries, explicit", Acknowledge::Explicit, 1, false),
    row("policies: deliveries by 16, explicit", Acknowledge::Explicit, 16, false),
    row("policies: deliveries, next-pop, everysec", Acknowledge::NextPop, 1, true),
    row("policies: deliveries, explicit, everysec", Acknowledge::Explicit, 1, true),
    row("policies: deliveries by 16, explicit, everysec", Acknowledge::Explicit, 16, true),
];

/// A broker, as a column of the table.
struct Column {
    name: &'static str,
    is_installed: fn() -> bool,
    start: fn(Work, &Scratch) -> Box<dyn Peer>,
}

/// The others are compared with the first.
const COLUMNS: [Column; 4] = [
    Column { name: "tidegate", is_installed: || true, start: tidegate::start },
    Column { name: "beanstalkd", is_installed: beanstalkd::is_installed, start: beanstalkd::start },
    Column { name: "RabbitMQ", is_installed: rabbitmq::is_installed, start: rabbitmq::start },
    Column { name: "redis stream", is_installed: streams::is_installed, start: streams::start },
];

pub fn run(is_wanted: impl Fn(&str) -> bool) {
    let rows: Vec<&Row> = ROWS.iter().filter(|row| is_wanted(row.name)).collect();
    if rows.is_empty() {
        return;
    }
    println!(
        "\nthousands of messages a second, pushed, delivered, acknowledged; in brackets the ratio \
         of tidegate to it"
    );
    let (columns, missing): (Vec<&Column>, Vec<&Column>) =
        COLUMNS.iter().partition(|column| (column.is_installed)());
    missing.iter().for_each(|column| println!("{} is not installed, and left out", column.name));
    print!("{:<width$}", "work", width = table::NAME_WIDTH);
    columns.iter().for_each(|column| print!("{:>22}", column.name));
    println!();
    for row in rows {
        let mut brokers: Vec<Broker> =
            columns.iter().map(|column| Broker::start(column, row.work)).collect();
        let rates = rate::in_turns(from_environment("ROUNDS", 5), &mut brokers, Broker::measure);
        print_row(row, &rates);
    }
}

fn print_row(row: &Row, rates: &[Rate]) {
    print!("{:<width$}", row.name, width = table::NAME_WIDTH);
    for (at, rate) in rates.iter().enumerate() {
        // With files, a broker may be waiting for the disk.
        let mark = if row.work.with_files { "" } else { table::mark(rate) };
        let ratio = match at {
            0 => String::new(),
            _ => format!(" ({:.2})", rates[0].thousands / rate.thousands),
        };
        print!("{:>22}", format!("{:.1}{mark}{ratio}", rate.thousands));
    }
    println!();
}

/// A running broker and its directory, which outlives it.
struct Broker {
    peer: Box<dyn Peer>,
    _scratch: Scratch,
}

impl Broker {
    fn start(column: &Column, work: Work) -> Broker {
        let scratch = Scratch::new();
        Broker { peer: (column.start)(work, &scratch), _scratch: scratch }
    }

    fn measure(&mut self) -> Rate {
        self.peer.prepare();
        scratch::sync();
        let mut load = Load::connect(&*self.peer);
        let rate = Rate::of(self.peer.process(), || load.run(seconds()));
        load.finish();
        peer::check_nothing_left(&mut *self.peer);
        rate
    }
}
