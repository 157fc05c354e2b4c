//! Tidegate compared with redis-server (also a later one, if `TIDEGATE_REDIS_8` names it, and
//! valkey-server, if installed) and with a bare loop that only counts requests, under one load
//! generator, in one run:
//!
//! ```sh
//! cargo bench --bench versus                  # everything, about fifteen minutes
//! cargo bench --bench versus -- LPOP          # the rows whose names contain a word
//! cargo bench --bench versus -- fan-out       # one publisher, many subscribers
//! cargo bench --bench versus -- hand-off      # from a push to the waiting client's reply
//! cargo bench --bench versus -- mixed         # the latency under mixed requests
//! cargo bench --bench versus -- growth        # how the rate changes with size, three minutes
//! cargo bench --bench versus -- durability    # those with append files
//! cargo bench --bench versus -- TLS           # encrypted connections: rates, and the memory of idle ones
//! cargo bench --bench versus -- HTTP          # POST and GET, beside RPUSH and LPOP, and beside nginx
//! cargo bench --bench versus -- values        # hashes, sets, sorted sets, streams, a script: rates and memory
//! cargo bench --bench versus -- replication   # primaries with replicas, full syncs, what a replica applies
//! cargo bench --bench versus -- policies      # what queue policies cost, and deliveries: nine minutes
//! cargo bench --bench versus -- deliveries    # at least once, compared with beanstalkd, RabbitMQ, streams
//! cargo bench --bench versus -- --write docs/pictures    # everything, also into the data files there
//! ```
//!
//! Servers take turns (A B A B …) over several rounds, since the machine is never quiet; a row shows the
//! medians and their ratio. The server has one core, the generator another. A rate marked with `*` is
//! one during which the server had time to spare: it could have done more. `ROUNDS` and `SECONDS` (of
//! one measurement of a rate) in the environment change the duration.

mod bare_loop;
mod data_files;
mod deliveries;
mod durability;
mod fan_out;
mod generator;
mod growth;
mod hand_off;
mod http;
mod latencies;
mod line;
mod loading;
#[path = "../../tests/measurements/mod.rs"]
mod measurements;
mod memory_of_host;
mod mixed;
mod pings;
mod policies;
mod process;
mod rate;
mod repeating;
mod replication;
mod rewriting;
mod scratch;
mod servers;
mod sockets;
mod table;
mod tls;
#[path = "../../tests/tls_support/mod.rs"]
mod tls_support;
mod values;
mod workload;

use data_files::DataFiles;
use generator::Generator;
use rate::Rate;
use servers::{Kind, Server};
use std::time::Duration;
use table::{print_head, print_rates, print_row};
use workload::{CONNECTIONS, WORKLOADS, Workload};

/// The core of the generator; servers have core 0.
const GENERATOR_CORE: &str = "1";

fn main() {
    let args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let (data_files, args) = DataFiles::split_from(args.collect());
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
        let rates = measure(workload, &mut servers, || ());
        print_rates(workload.name, &kinds, &rates, 0);
        let figures: Vec<f64> = rates.iter().map(|rate| rate.thousands).collect();
        data_files.add(&data_files::THROUGHPUT, &workload.names(), &kinds, &figures);
    }
    fan_out::run(&kinds, is_wanted);
    hand_off::run(&kinds, is_wanted);
    mixed::run(&kinds, is_wanted);
    growth::run(&kinds, is_wanted);
    print_memory(&kinds, is_wanted, &data_files);
    durability::run(&kinds, is_wanted);
    tls::run(&kinds, is_wanted);
    http::run(is_wanted);
    values::run(&kinds, is_wanted);
    replication::run(&kinds, is_wanted);
    policies::run(is_wanted);
    deliveries::run(is_wanted);
    table::print_footnote();
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Duration of one measurement of a rate.
fn seconds() -> Duration {
    Duration::from_secs(from_environment("SECONDS", 1))
}

/// The median rate of each server; `rest` is called before each turn.
fn measure(workload: &Workload, servers: &mut [Server], rest: impl Fn()) -> Vec<Rate> {
    rate::in_turns(from_environment("ROUNDS", 5), servers, |server| {
        measure_once(workload, server, seconds(), &rest)
    })
}

/// The rate of one server over this time; `rest` is called when the row's data is ready.
fn measure_once(
    workload: &Workload,
    server: &mut Server,
    duration: Duration,
    rest: impl Fn(),
) -> Rate {
    server.prepare(workload, duration);
    rest();
    let pipelines = vec![workload.pipeline(server.lines_per_reply(workload))];
    let mut generator = Generator::connect(server.address(), CONNECTIONS, pipelines);
    let rate = Rate::of(server.process(), || generator.run(duration));
    server.check(workload, generator.finish());
    rate
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The median of each figure over several rounds.
fn medians<const N: usize>(rounds: &[[f64; N]]) -> [f64; N] {
    std::array::from_fn(|at| median(rounds.iter().map(|figures| figures[at]).collect()))
}

/// Queues and messages in each.
const SHAPES: [(&str, usize, usize); 5] = [
    ("message of 64 B, 1 x 5 M", 1, 5_000_000),
    ("message of 64 B, 10k x 500", 10_000, 500),
    ("message of 64 B, 20k x 50", 20_000, 50),
    ("message of 64 B, 100k x 5", 100_000, 5),
    ("message of 64 B, 100k x 1", 100_000, 1),
];
const IDLE: &str = "idle connection of 5,000";
const IDLE_CONNECTIONS: usize = 5_000;

/// Resident bytes: messages in one list and in many, idle connections.
fn print_memory(kinds: &[Kind], is_wanted: impl Fn(&str) -> bool, data_files: &DataFiles) {
    let kinds: Vec<Kind> = kinds.iter().copied().filter(|kind| *kind != Kind::BareLoop).collect();
    let shapes: Vec<_> = SHAPES.into_iter().filter(|(name, ..)| is_wanted(name)).collect();
    if !shapes.is_empty() || is_wanted(IDLE) {
        print_head("resident bytes", &kinds);
    }
    let each = |measure: &dyn Fn(&mut Server) -> f64| -> Vec<f64> {
        kinds.iter().map(|kind| measure(&mut Server::start(*kind, &[]))).collect()
    };
    for (name, queues, messages) in shapes {
        let values = each(&|server| server.bytes_per_message(queues, messages));
        print_row(name, &kinds, &values, 0);
        let names = [queues.to_string(), messages.to_string()];
        data_files.add(&data_files::MEMORY, &names, &kinds, &values);
    }
    if is_wanted(IDLE) {
        let values = each(&|server| server.bytes_per_connection(IDLE_CONNECTIONS));
        print_row(IDLE, &kinds, &values, 0);
    }
}
