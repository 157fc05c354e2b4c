//! Pushes whose replies wait for a replica: `write-ack-replicas 1` beside a redis-server whose clients send
//! `WAIT 1 0` after each push: as a library does, once the push is answered, or together with it, in one write. Both
//! have a replica of their own kind, and then both a redis-server.

use super::{Replica, of_primary, wait_until_caught_up};
use crate::generator::Generator;
use crate::rate::{self, Rate};
use crate::servers::{Kind, Server};
use crate::table::{print_head, print_rates};
use crate::workload::{CONNECTIONS, Pipeline, encode};
use crate::{from_environment, seconds};

/// Rows by the kind of the replica, if that is not the primary's, and whether WAIT is sent together with the push.
const ROWS: [(&str, Option<Kind>, bool); 4] = [
    ("replication: RPUSH, then WAIT, own kind", None, false),
    ("replication: RPUSH, then WAIT, redis-server", Some(Kind::Redis), false),
    ("replication: RPUSH with WAIT, own kind", None, true),
    ("replication: RPUSH with WAIT, redis-server", Some(Kind::Redis), true),
];

/// A primary with its replica.
struct Pair {
    primary: Server,
    replica: Replica,
}

pub fn run(kinds: &[Kind], is_wanted: impl Fn(&str) -> bool) {
    let rows: Vec<_> = ROWS.into_iter().filter(|(name, ..)| is_wanted(name)).collect();
    if rows.is_empty() || !kinds.contains(&Kind::Redis) {
        return;
    }
    let title = "50 clients, pipeline 1, until a replica has it: thousands of operations a second";
    for (name, replica, is_together) in rows {
        let of = |kind: &Kind| replica.unwrap_or(*kind);
        let fits = |kind: &&Kind| super::understands(of(kind), **kind);
        let kinds: Vec<Kind> = kinds.iter().filter(fits).copied().collect();
        print_head(title, &kinds);
        let mut pairs: Vec<Pair> = kinds.iter().map(|kind| start(*kind, of(kind))).collect();
        let rates = rate::in_turns(from_environment("ROUNDS", 5), &mut pairs, |pair| {
            measure(pair, is_together)
        });
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

fn measure(pair: &mut Pair, is_together: bool) -> Rate {
    let Pair { primary, replica } = pair;
    let key = format!("queue of {}", primary.address().port());
    let push = encode(&[b"RPUSH", key.as_bytes(), &[b'm'; 64]]);
    let wait = encode(&[b"WAIT", b"1", b"0"]);
    let pipelines = match primary.kind() {
        Kind::Tidegate => vec![Pipeline { bytes: push, requests: 1, lines: 1 }],
        _ if is_together => vec![Pipeline { bytes: [push, wait].concat(), requests: 1, lines: 2 }],
        _ => vec![
            // The second one is the first that is sent.
            Pipeline { bytes: wait, requests: 1, lines: 1 },
            Pipeline { bytes: push, requests: 0, lines: 1 },
        ],
    };
    primary.empty();
    wait_until_caught_up(primary, &replica.server);
    let generator = Generator::connect(primary.address(), CONNECTIONS, pipelines);
    let mut generator = generator.in_turn_on_each();
    let rate = Rate::of(primary.process(), || generator.run(seconds()));
    let answered = generator.finish();
    // Each was acknowledged: the replica has them without a wait. Of each connection one more may be on its way.
    let there = replica.server.count_messages([&key]);
    assert!((answered..=answered + CONNECTIONS).contains(&there), "{there} of {answered}");
    rate
}
