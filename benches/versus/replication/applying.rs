//! What applying the stream costs a replica: the time of the processor for a command, with a stream as
//! `redis-benchmark -P 100` makes it. Replicas follow a redis-server, and then a primary of their own kind.

use super::{Replica, of_primary, wait_until_caught_up};
use crate::generator::Generator;
use crate::process::SERVER_CORE;
use crate::servers::{Kind, Server, ask};
use crate::table::{print_head, print_row};
use crate::workload::{CONNECTIONS, Workload, push};
use crate::{GENERATOR_CORE, from_environment, median, memory_of_host};

const REDIS: &str = "replication: applied RPUSH of redis-server";
const OWN_KIND: &str = "replication: applied RPUSH of its own kind";

const LOAD: Workload = push("queue", 64, 100);
const PIPELINES: u64 = 20_000;

pub fn run(kinds: &[Kind], is_wanted: impl Fn(&str) -> bool) {
    let rows: Vec<_> = [(REDIS, Some(Kind::Redis)), (OWN_KIND, None)]
        .into_iter()
        .filter(|(name, _)| is_wanted(name))
        .collect();
    if rows.is_empty() || !kinds.contains(&Kind::Redis) {
        return;
    }
    print_head("a replica's microseconds for a command (less is better)", kinds);
    for (name, primary) in rows {
        let of = |kind: &Kind| primary.unwrap_or(*kind);
        let mut costs = vec![Vec::new(); kinds.len()];
        for _ in 0..from_environment("ROUNDS", 5) {
            for (kind, costs) in kinds.iter().zip(&mut costs) {
                memory_of_host::ask_for_it();
                costs.push(measure(*kind, of(kind)));
            }
        }
        let costs: Vec<f64> = costs.into_iter().map(median).collect();
        print_row(name, kinds, &costs, 3);
    }
}

/// The replica's microseconds of the processor for a command of the stream.
fn measure(replica: Kind, primary: Kind) -> f64 {
    let primary = Server::start_on(GENERATOR_CORE, primary, &of_primary(&[]));
    let replica = Replica::of(&primary, replica, SERVER_CORE);
    let replica = &replica.server;
    wait_until_caught_up(&primary, replica);
    let pipelines = vec![LOAD.pipeline(LOAD.lines_per_reply)];
    let mut generator = Generator::connect(primary.address(), CONNECTIONS, pipelines);
    let before = replica.process().cpu_time();
    generator.send(from_environment("PIPELINES", PIPELINES) as usize);
    let answered = generator.finish();
    wait_until_caught_up(&primary, replica);
    let cpu = replica.process().cpu_time().saturating_sub(before);
    assert_eq!(ask(&replica.connect(), &[b"LLEN", b"queue"]), format!(":{answered}"));
    cpu.as_secs_f64() * 1e6 / answered as f64
}
