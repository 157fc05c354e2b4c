//! The effect of a rewrite of the append files on clients: the times of PING meanwhile, and the memory.

use crate::generator::Generator;
use crate::median;
use crate::pings::{Pings, Waits};
use crate::repeating::Repeating;
use crate::scratch::{self, Scratch};
use crate::servers::{Kind, Server, ask, info};
use crate::table::print_row;
use crate::workload::{Pipeline, encode};
use std::time::{Duration, Instant};

pub const NAME: &str = "durability: rewrite of 5 M, worst PING";

const SHAPES: [(&str, Shape); 2] = [
    ("1 x 5 M", Shape { queues: 1, messages: 5_000_000 }),
    ("10k x 500", Shape { queues: 10_000, messages: 500 }),
];

/// Clients that push and pop meanwhile, each a request and then a pause.
const LOAD_CONNECTIONS: usize = 20;
const LOAD_REST: Duration = Duration::from_millis(1);

/// Interval for checking the server's progress and memory.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// For work after the end, such as deleting the old files.
const AFTERMATH: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(120);

/// The number of queues, and of messages in each.
#[derive(Clone, Copy)]
struct Shape {
    queues: usize,
    messages: usize,
}

/// The printed rows.
const ROWS: [&str; 6] = [
    "worst PING, ms",
    "worst PING without a rewrite, ms",
    "p99.9 of PING, ms",
    "p99.9 of PING without a rewrite, ms",
    "most memory besides, %",
    "the rewrite takes, s",
];

pub fn run(kinds: &[Kind], rounds: u64) {
    println!("{NAME}");
    for (name, shape) in SHAPES {
        let mut figures: Vec<Vec<[f64; ROWS.len()]>> = vec![Vec::new(); kinds.len()];
        for _ in 0..rounds {
            for (kind, figures) in kinds.iter().zip(&mut figures) {
                figures.push(measure(*kind, shape));
            }
        }
        for (at, row) in ROWS.iter().enumerate() {
            let of_row =
                |figures: &Vec<[f64; ROWS.len()]>| median(figures.iter().map(|f| f[at]).collect());
            let medians: Vec<f64> = figures.iter().map(of_row).collect();
            print_row(&format!("  {name}: {row}"), kinds, &medians, 2);
        }
    }
}

/// The figures of `ROWS`.
fn measure(kind: Kind, shape: Shape) -> [f64; ROWS.len()] {
    let directory = Scratch::new();
    let mut server = Server::start(kind, &directory.args("everysec"));
    server.fill(shape.queues, shape.messages);
    scratch::sync();
    let generator = Generator::connect(server.address(), LOAD_CONNECTIONS, load(shape));
    let load = Repeating::start(generator, |generator| {
        generator.send(LOAD_CONNECTIONS);
        std::thread::sleep(LOAD_REST);
    });
    std::thread::sleep(AFTERMATH);

    let pings = Pings::start(server.connect());
    let rewrite = rewrite(&server);
    std::thread::sleep(AFTERMATH);
    let during = pings.stop();

    scratch::sync();
    let pings = Pings::start(server.connect());
    std::thread::sleep(rewrite.took + AFTERMATH);
    let without = pings.stop();

    // Each push is followed by a pop.
    let unpopped = load.stop().finish() % 2;
    let queues = (0..shape.queues).map(|queue| format!("queue:{queue}"));
    assert_eq!(server.count_messages(queues), shape.queues * shape.messages + unpopped);
    let Waits { worst_ms, p999_ms } = during;
    let seconds = rewrite.took.as_secs_f64();
    [worst_ms, without.worst_ms, p999_ms, without.p999_ms, rewrite.extra_percent, seconds]
}

/// Pushes and pops at all queues in turn, so that the saved data changes meanwhile.
fn load(shape: Shape) -> Vec<Pipeline> {
    let pair = |queue: usize| {
        let queue = format!("queue:{queue}");
        let push = encode(&[b"RPUSH", queue.as_bytes(), &[b'm'; 64]]);
        let pop = encode(&[b"LPOP", queue.as_bytes()]);
        [(push, 1), (pop, 2)].map(|(bytes, lines)| Pipeline { bytes, requests: 1, lines })
    };
    (0..shape.queues).flat_map(pair).collect()
}

struct Rewrite {
    took: Duration,
    /// The maximum memory during the rewrite, in percent above that before.
    extra_percent: f64,
}

fn rewrite(server: &Server) -> Rewrite {
    let connection = server.connect();
    let before = server.process().resident_bytes();
    let mut peak = before;
    let rewrites = info(&connection, "persistence", "aof_rewrites");
    let begun = Instant::now();
    let reply = ask(&connection, &[b"BGREWRITEAOF"]);
    assert_eq!(reply, "+Background append only file rewriting started");
    loop {
        peak = peak.max(server.process().resident_bytes());
        let under_way = ["aof_rewrite_in_progress", "aof_rewrite_scheduled"];
        if under_way.iter().all(|name| info(&connection, "persistence", name) == "0") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the rewrite does not end");
        std::thread::sleep(LOOK_INTERVAL);
    }
    let took = begun.elapsed();
    assert_eq!(info(&connection, "persistence", "aof_last_bgrewrite_status"), "ok");
    assert_ne!(info(&connection, "persistence", "aof_rewrites"), rewrites);
    // The memory of a forked child that is not shared; it reports that at its end, when it has the most.
    let copied: f64 =
        info(&connection, "persistence", "aof_last_cow_size").parse().expect("a number");
    Rewrite { took, extra_percent: (peak - before + copied) / before * 100.0 }
}
