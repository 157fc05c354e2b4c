//! Tidegate beside redis-server (and valkey-server, if it is there) and a bare loop that only
//! counts requests, under one load generator, in one run:
//!
//! ```sh
//! cargo bench --bench versus                  # everything, about seven minutes
//! cargo bench --bench versus -- LPOP          # the rows whose names contain a word
//! cargo bench --bench versus -- durability    # those with append files
//! ```
//!
//! Servers take turns (A B A B …) over several rounds, since the machine is never quiet; a row is
//! the median of each, and the ratio of the medians. The server has one core, the generator
//! another. `ROUNDS` and `SECONDS` (of one measurement of a rate) in the environment change how long
//! it takes.

mod bare_loop;
mod durability;
mod generator;
mod loading;
mod pings;
mod repeating;
mod rewriting;
mod scratch;
mod servers;
mod workload;

use generator::Generator;
use servers::{Kind, Server};
use std::time::Duration;
use workload::{CONNECTIONS, WORKLOADS, Workload};

/// The core of the generator; servers have core 0.
const GENERATOR_CORE: &str = "1";
/// Columns of the rows' names.
const NAME_WIDTH: usize = 48;

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
    let is_wanted = |name: &str| args.is_empty() || args.iter().any(|word| name.contains(word));
    let rows: Vec<&Workload> = WORKLOADS.iter().filter(|row| is_wanted(row.name)).collect();
    if !rows.is_empty() {
        print_head("thousands of operations a second", &kinds);
    }
    for workload in rows {
        let mut servers: Vec<Server> = kinds.iter().map(|kind| Server::start(*kind, &[])).collect();
        print_row(workload.name, &kinds, &measure(workload, &mut servers, || ()), 0);
    }
    print_memory(&kinds, is_wanted);
    durability::run(&kinds, is_wanted);
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The median rate of each server; `rest` is called before each has its turn.
fn measure(workload: &Workload, servers: &mut [Server], rest: impl Fn()) -> Vec<f64> {
    let rounds = from_environment("ROUNDS", 5);
    let seconds = from_environment("SECONDS", 1);
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); servers.len()];
    for _ in 0..rounds {
        for (server, rates) in servers.iter_mut().zip(&mut rates) {
            server.prepare(workload);
            rest();
            let pipelines = vec![workload.pipeline(server.lines_per_reply(workload))];
            let mut generator = Generator::connect(server.address(), CONNECTIONS, pipelines);
            rates.push(generator.run(Duration::from_secs(seconds)));
            server.check(workload, generator.finish());
        }
    }
    rates.into_iter().map(median).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn print_head(title: &str, kinds: &[Kind]) {
    println!("\n{title}; in brackets the ratio to redis-server");
    print!("{:<NAME_WIDTH$}", "work");
    kinds.iter().for_each(|kind| print!("{:>22}", kind.name()));
    println!();
}

fn print_row(name: &str, kinds: &[Kind], values: &[f64], decimals: usize) {
    let redis = kinds.iter().position(|kind| *kind == Kind::Redis).map(|at| values[at]);
    print!("{name:<NAME_WIDTH$}");
    for value in values {
        let ratio = redis.map(|redis| format!(" ({:.2})", value / redis)).unwrap_or_default();
        print!("{:>22}", format!("{value:.decimals$}{ratio}"));
    }
    println!();
}

/// Resident bytes: messages in one list and in many, idle connections.
fn print_memory(kinds: &[Kind], is_wanted: impl Fn(&str) -> bool) {
    let kinds: Vec<Kind> = kinds.iter().copied().filter(|kind| *kind != Kind::BareLoop).collect();
    type Measure = fn(&mut Server) -> f64;
    let rows: [(&str, Measure); 3] = [
        ("message of 64 B, 1 x 5 M", |server| server.bytes_per_message(1, 5_000_000)),
        ("message of 64 B, 10k x 500", |server| server.bytes_per_message(10_000, 500)),
        ("idle connection of 5,000", |server| server.bytes_per_connection(5_000)),
    ];
    let rows: Vec<_> = rows.into_iter().filter(|(name, _)| is_wanted(name)).collect();
    if !rows.is_empty() {
        print_head("resident bytes", &kinds);
    }
    for (name, measure) in rows {
        let measure = |kind: &Kind| measure(&mut Server::start(*kind, &[]));
        let values: Vec<f64> = kinds.iter().map(measure).collect();
        print_row(name, &kinds, &values, 0);
    }
}
