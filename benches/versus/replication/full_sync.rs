//! The effect of a full sync on the primary's other clients: the times of PING meanwhile, and the memory; and
//! how long it takes.

use super::{Replica, of_primary, understands};
use crate::pings::Pings;
use crate::process::PATIENCE;
use crate::servers::{Kind, Server, info};
use crate::table::{print_head, print_row};
use crate::{GENERATOR_CORE, from_environment, medians};
use std::time::{Duration, Instant};

/// One row group for each kind of replica: its name chooses it.
const NAME: &str = "replication: full sync";
const REPLICAS: [Kind; 3] = [Kind::Redis, Kind::Redis8, Kind::Tidegate];

const MESSAGES: u64 = 5_000_000;
/// Queues of the two shapes of the data.
const SHAPES: [u64; 2] = [1, 10_000];

/// Interval for looking at the memory.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// For work after the end, such as freeing the snapshot.
const AFTERMATH: Duration = Duration::from_secs(1);

/// The printed rows.
const ROWS: [&str; 5] = [
    "worst PING, ms",
    "worst PING without a sync, ms",
    "p99.9 of PING, ms",
    "most memory besides, %",
    "the sync takes, s",
];

pub fn run(kinds: &[Kind], is_wanted: impl Fn(&str) -> bool) {
    let replicas = REPLICAS.into_iter().filter(|kind| kinds.contains(kind));
    for replica in replicas.filter(|kind| is_wanted(&format!("{NAME}, {}", kind.name()))) {
        let fits = |kind: &&Kind| understands(replica, **kind);
        let kinds: Vec<Kind> = kinds.iter().filter(fits).copied().collect();
        let messages = from_environment("MESSAGES", MESSAGES);
        print_head(
            &format!("{NAME} of {messages} messages, {} as replica", replica.name()),
            &kinds,
        );
        for queues in SHAPES {
            let mut figures: Vec<Vec<[f64; ROWS.len()]>> = vec![Vec::new(); kinds.len()];
            for _ in 0..from_environment("ROUNDS", 3) {
                for (kind, figures) in kinds.iter().zip(&mut figures) {
                    let each = (messages / queues).max(1);
                    figures.push(measure(*kind, replica, queues as usize, each as usize));
                }
            }
            let figures: Vec<_> = figures.iter().map(|rounds| medians(rounds)).collect();
            for (at, row) in ROWS.iter().enumerate() {
                let values: Vec<f64> = figures.iter().map(|figures| figures[at]).collect();
                print_row(&format!("  {queues} queues: {row}"), &kinds, &values, 2);
            }
        }
    }
}

/// The figures of `ROWS`.
fn measure(kind: Kind, replica: Kind, queues: usize, messages: usize) -> [f64; ROWS.len()] {
    let mut primary = Server::start(kind, &of_primary(&[]));
    primary.fill_with_jobs(queues, messages);
    std::thread::sleep(AFTERMATH);
    let pings = Pings::start(primary.connect());
    std::thread::sleep(AFTERMATH);
    let without = pings.stop();

    let before = primary.process().resident_bytes();
    let mut peak = before;
    let pings = Pings::start(primary.connect());
    let begun = Instant::now();
    let replica = Replica::of(&primary, replica, GENERATOR_CORE);
    let replica = &replica.server;
    // It must not take the core from the client with the PINGs.
    replica.process().give_way();
    let connection = replica.connect();
    while info(&connection, "replication", "master_link_status") != "up" {
        peak = peak.max(primary.process().resident_bytes());
        assert!(begun.elapsed() < PATIENCE, "the sync does not end");
        std::thread::sleep(LOOK_INTERVAL);
    }
    let took = begun.elapsed();
    std::thread::sleep(AFTERMATH);
    let during = pings.stop();

    let names: Vec<String> = (0..queues).map(|queue| format!("queue:{queue}")).collect();
    assert_eq!(replica.count_messages(&names), queues * messages);
    let copied = match kind {
        Kind::Tidegate => 0.0,
        // The memory of a forked child that is not shared.
        _ => {
            info(&primary.connect(), "persistence", "rdb_last_cow_size").parse().expect("a number")
        }
    };
    let besides = (peak - before + copied) / before * 100.0;
    [during.worst_ms, without.worst_ms, during.p999_ms, besides, took.as_secs_f64()]
}
