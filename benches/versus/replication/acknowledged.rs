//! Pushes whose replies wait for a replica: `write-ack-replicas 1` beside a redis-server whose clients send
//! `WAIT 1 0` after each push. Both have a replica of their own kind, and then both a redis-server.

use super::{Replica, of_primary, wait_until_caught_up};
use crate::generator::Generator;
use crate::rate::{self, Rate};
use crate::servers::{Kind, Server};
use crate::table::{print_head, print_rates};
use crate::workload::{CONNECTIONS, Pipeline, encode};
use crate::{from_environment, seconds};

const OWN_KIND: &str = "replication: acknowledged RPUSH, own kind";
const REDIS: &str = "replication: acknowledged RPUSH, redis-server";

/// A primary with its replica.
struct Pair {
    primary: Server,
    replica: Replica,
}

pub fn run(kinds: &[Kind], is_wanted: impl Fn(&str) -> bool) {
    let rows: Vec<_> = [(OWN_KIND, None), (REDIS, Some(Kind::Redis))]
        .into_iter()
        .filter(|(name, _)| is_wanted(name))
        .collect();
    if rows.is_empty() || !kinds.contains(&Kind::Redis) {
        return;
    }
    let title = "50 clients, pipeline 1, until a replica has it: thousands of operations a second";
    for (name, replica) in rows {
        let of = |kind: &Kind| replica.unwrap_or(*kind);
        let fits = |kind: &&Kind| super::understands(of(kind), **kind);
        let kinds: Vec<Kind> = kinds.iter().filter(fits).copied().collect();
        print_head(title, &kinds);
        let mut pairs: Vec<Pair> = kinds.iter().map(|kind| start(*kind, of(kind))).collect();
        let rates = rate::in_turns(from_environment("ROUNDS", 5), &mut pairs, measure);
        print_rates(name, &kinds, &rates, 0);
    }
}

fn start(kind: Kind, replica: Kind) -> Pair {
    let more: &[&str] = match kind {
        Kind::Tidegate => &["--write-ack-replicas", "1", "--write-ack-timeout-ms", "60000"],
        _ => &[],
    };
    let primary = Server::start(kind, &of_primary(more));
    let replica = Replica::beside(&primary, replica);
    Pair { primary, replica }
}

fn measure(pair: &mut Pair) -> Rate {
    let Pair { primary, replica } = pair;
    let key = format!("queue of {}", primary.address().port());
    let mut bytes = encode(&[b"RPUSH", key.as_bytes(), &[b'm'; 64]]);
    let is_own = primary.kind() == Kind::Tidegate;
    if !is_own {
        bytes.extend(encode(&[b"WAIT", b"1", b"0"]));
    }
    let pipelines = vec![Pipeline { bytes, requests: 1, lines: if is_own { 1 } else { 2 } }];
    primary.empty();
    wait_until_caught_up(primary, &replica.server);
    let mut generator = Generator::connect(primary.address(), CONNECTIONS, pipelines);
    let rate = Rate::of(primary.process(), || generator.run(seconds()));
    let answered = generator.finish();
    // Each was acknowledged: the replica has them without a wait.
    assert_eq!(replica.server.count_messages([&key]), answered);
    rate
}
