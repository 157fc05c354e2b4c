//! The cost of queue policies: a Tidegate without any is compared with one whose policy matches no key,
//! which should be as fast, and with others whose policies apply to the queue.
//!
//! The difference is smaller than the machine's variation from second to second, and than the luck of a
//! process with its memory. So measurements are short and many, each has its own server, neighbours in
//! time are compared, in turns from the first to the last and back, and a second server without any
//! policy shows what a difference means.

use crate::servers::{Kind, Server};
use crate::workload::{Workload, pop, push};
use crate::{from_environment, measure_once, median, memory_of_host, table};
use std::time::Duration;

/// The word that chooses these rows.
const NAME: &str = "policies";

const ROWS: [Workload; 4] = [
    push("policies: RPUSH, pipeline 1", 64, 1),
    pop("policies: LPOP, pipeline 1", 1, 1_000_000),
    push("policies: RPUSH, pipeline 100", 64, 100),
    pop("policies: LPOP, pipeline 100", 100, 20_000_000),
];

/// Servers by their policy; the first has none.
const SERVERS: [(&str, Option<&str>); 6] = [
    ("no policy", None),
    ("none again", None),
    ("of others", Some("p other:* max-length 10 delivery at-least-once acknowledge next-pop")),
    ("a limit", Some("p queue max-length 1000000000")),
    ("a TTL", Some("p queue message-ttl-ms 3600000")),
    ("acknowledged", Some("p queue delivery at-least-once acknowledge next-pop")),
];

/// Of one measurement.
const DURATION: Duration = Duration::from_millis(200);
const ROUNDS: u64 = 20;

pub fn run(is_wanted: impl Fn(&str) -> bool) {
    let rows: Vec<&Workload> = ROWS.iter().filter(|row| is_wanted(row.name)).collect();
    if rows.is_empty() {
        return;
    }
    println!("\n{NAME}: thousands of operations a second; in brackets the ratio to no policy");
    print!("{:<width$}", "work", width = table::NAME_WIDTH);
    SERVERS.iter().for_each(|(name, _)| print!("{name:>18}"));
    println!();
    for row in rows {
        print!("{:<width$}", row.name, width = table::NAME_WIDTH);
        for (rate, ratio) in compare(row) {
            print!("{:>18}", format!("{rate:.0} ({ratio:.3})"));
        }
        println!();
    }
}

/// The median rate of each server in thousands per second, and the median of its ratios to the first
/// server in the same round.
fn compare(row: &Workload) -> [(f64, f64); SERVERS.len()] {
    let rounds: Vec<[f64; SERVERS.len()]> = (0..from_environment("ROUNDS", ROUNDS))
        .map(|round| {
            let mut rates = [0.0; SERVERS.len()];
            let mut measure = |at: usize| {
                memory_of_host::ask_for_it();
                let args = SERVERS[at].1.map(|policy| ["--queue-policy".into(), policy.into()]);
                let mut server = Server::start(Kind::Tidegate, args.as_ref().map_or(&[], |a| a));
                rates[at] = measure_once(row, &mut server, DURATION, || ()).thousands;
            };
            match round % 2 {
                0 => (0..SERVERS.len()).for_each(&mut measure),
                _ => (0..SERVERS.len()).rev().for_each(&mut measure),
            }
            rates
        })
        .collect();
    std::array::from_fn(|at| {
        let rate = median(rounds.iter().map(|rates| rates[at]).collect());
        let ratio = median(rounds.iter().map(|rates| rates[at] / rates[0]).collect());
        (rate, ratio)
    })
}
