//! How long a server takes to load its append file.

use crate::generator::Generator;
use crate::median;
use crate::scratch::{self, Scratch};
use crate::servers::{Kind, Server};
use crate::table::print_row;
use crate::workload::{CONNECTIONS, Workload, push};
use std::time::Instant;

pub const NAME: &str = "durability: load of 5 M";

/// How the file is written: each message with its own request.
const WRITING: Workload = push("", 64, 100);
const PIPELINES: usize = 50_000;
const MESSAGES: usize = PIPELINES * WRITING.pipeline;

/// Each loads the file that it wrote itself. The files are in the system's cache.
pub fn run(kinds: &[Kind], rounds: u64) {
    let directories: Vec<Scratch> = kinds.iter().map(|kind| written(*kind)).collect();
    let mut seconds: Vec<Vec<f64>> = vec![Vec::new(); kinds.len()];
    for _ in 0..rounds {
        for (at, kind) in kinds.iter().enumerate() {
            let begun = Instant::now();
            let server = Server::start(*kind, &directories[at].args("everysec"));
            seconds[at].push(begun.elapsed().as_secs_f64());
            assert_eq!(server.count_messages(["queue"]), MESSAGES);
        }
    }
    let medians: Vec<f64> = seconds.into_iter().map(median).collect();
    print_row(&format!("{NAME}, s"), kinds, &medians, 2);
}

fn written(kind: Kind) -> Scratch {
    let directory = Scratch::new();
    let server = Server::start(kind, &directory.args("everysec"));
    let pipelines = vec![WRITING.pipeline(1)];
    Generator::connect(server.address(), CONNECTIONS, pipelines).send(PIPELINES);
    assert_eq!(server.count_messages(["queue"]), MESSAGES);
    server.shut_down();
    scratch::sync();
    directory
}
