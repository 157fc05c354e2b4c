//! Tidegate beside redis-server (and valkey-server, if it is there) and a bare loop that only
//! counts requests, under one load generator, in one run:
//!
//! ```sh
//! cargo bench --bench versus            # everything, about three minutes
//! cargo bench --bench versus -- LPOP    # the rows whose names contain a word
//! ```
//!
//! Servers take turns (A B A B …) over several rounds, since the machine is never quiet; a row is
//! the median of each, and the ratio of the medians. The server has one core, the generator
//! another. `ROUNDS` and `SECONDS` in the environment change how long it takes.

mod bare_loop;
mod generator;
mod servers;
mod workload;

use generator::Generator;
use servers::{Kind, Server};
use std::time::Duration;
use workload::{WORKLOADS, Workload};

/// The core of the generator; servers have core 0.
const GENERATOR_CORE: &str = "1";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [command, port] = &args[..]
        && command == bare_loop::COMMAND
    {
        return bare_loop::run(port.parse().expect("a port"));
    }
    if !servers::pin_this_process(GENERATOR_CORE) {
        println!("the generator is not pinned to a core: taskset is missing");
    }
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(Kind::is_installed).collect();
    println!("thousands of operations a second; in brackets the ratio to redis-server");
    print!("{:<28}", "work");
    kinds.iter().for_each(|kind| print!("{:>22}", kind.name()));
    println!();
    let is_wanted = |workload: &&Workload| {
        args.is_empty() || args.iter().any(|word| workload.name.contains(word.as_str()))
    };
    for workload in WORKLOADS.iter().filter(is_wanted) {
        print_row(workload.name, &kinds, &measure(workload, &kinds));
    }
    print_memory(&kinds);
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The median rate of each server, in the order of `kinds`.
fn measure(workload: &Workload, kinds: &[Kind]) -> Vec<f64> {
    let rounds = from_environment("ROUNDS", 5);
    let seconds = from_environment("SECONDS", 1);
    let mut servers: Vec<Server> = kinds.iter().map(|kind| Server::start(*kind)).collect();
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); kinds.len()];
    for _ in 0..rounds {
        for (server, rates) in servers.iter_mut().zip(&mut rates) {
            server.prepare(workload);
            let lines = server.lines_per_reply(workload);
            let mut generator = Generator::connect(server.address(), workload, lines);
            rates.push(generator.run(Duration::from_secs(seconds)));
            server.check(workload);
        }
    }
    rates.into_iter().map(median).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn print_row(name: &str, kinds: &[Kind], values: &[f64]) {
    let redis = kinds.iter().position(|kind| *kind == Kind::Redis).map(|at| values[at]);
    print!("{name:<28}");
    for value in values {
        let ratio = redis.map(|redis| format!(" ({:.2})", value / redis)).unwrap_or_default();
        print!("{:>22}", format!("{value:.0}{ratio}"));
    }
    println!();
}

/// Resident bytes: messages in one list and in many, idle connections.
fn print_memory(kinds: &[Kind]) {
    println!("\nresident bytes; in brackets the ratio to redis-server");
    let kinds: Vec<Kind> = kinds.iter().copied().filter(|kind| *kind != Kind::BareLoop).collect();
    type Measure = fn(&mut Server) -> f64;
    let rows: [(&str, Measure); 3] = [
        ("message of 64 B, 1 x 5 M", |server| server.bytes_per_message(1, 5_000_000)),
        ("message of 64 B, 10k x 500", |server| server.bytes_per_message(10_000, 500)),
        ("idle connection of 5,000", |server| server.bytes_per_connection(5_000)),
    ];
    for (name, measure) in rows {
        let values: Vec<f64> =
            kinds.iter().map(|kind| measure(&mut Server::start(*kind))).collect();
        print_row(name, &kinds, &values);
    }
}
