//! Random runs: a replica has what its primary has whenever it has as much of the stream, whatever happens to
//! links and roles.

use crate::net::Net;
use crate::rng::Rng;
use tidegate::ClientId;

/// Runs of a test; `TIDEGATE_REPLICA_SEEDS` plays more.
const SEEDS: u64 = 60;

const DIRECTIVES: &str = "databases 4\n\
    repl-backlog-size 64kb\n\
    queue-policy safe safe:* delivery at-least-once acknowledge next-pop\n\
    queue-policy short short:* message-ttl-ms 400 dead-letter dead\n\
    queue-policy bounded bounded:* max-length 5 overflow drop-head\n\
    queue-policy late late:* delay-ms 300";

fn command(dice: &mut Rng) -> String {
    let keys = ["a", "b", "c", "safe:1", "safe:2", "short:1", "bounded:1", "late:1", "dead"];
    let (key, other) = (dice.pick(&keys), dice.pick(&keys));
    let value = "v".repeat(dice.below(40) + 1) + &dice.below(1000).to_string();
    match dice.below(30) {
        0..6 => format!("RPUSH {key} {value} x{value}"),
        6 => format!("LPUSH {key} {value}"),
        7..9 => format!("LPOP {key}"),
        9 => format!("RPOP {key} 2"),
        10 => format!("LMOVE {key} {other} LEFT RIGHT"),
        11 => format!("LREM {key} 1 {value}"),
        12 => format!("LTRIM {key} 0 20"),
        13 => format!("SET s{} {value} PX {}", dice.below(5), dice.below(900) + 1),
        14 => format!("INCR n{}", dice.below(3)),
        15 => format!("PEXPIRE {key} {}", dice.below(900) + 1),
        16 => format!("DEL {key}"),
        17 => format!("BLPOP {key} 0.2"),
        18 => format!("RPUSH big{} {}", dice.below(3), "b".repeat(dice.below(20_000))),
        19 => format!("SELECT {}", dice.below(4)),
        20 => format!("MULTI\r\nRPUSH {key} m\r\nINCR n0\r\nLPOP {other}\r\nEXEC"),
        21 => format!("QUEUE ACK {key} ALL"),
        22 if dice.below(12) == 0 => dice.pick(&["SWAPDB 0 1", "FLUSHDB", "FLUSHALL"]).to_string(),
        22 => format!("PUBLISH news {value}"),
        23 => format!("HSET h{} f{} {value} n {}", dice.below(3), dice.below(300), dice.below(9)),
        24 => format!(
            "HINCRBYFLOAT h{} n 0.{}\r\nHDEL h0 f{}",
            dice.below(3),
            dice.below(99),
            dice.below(300)
        ),
        25 => format!("SADD t{} {} {} {value}", dice.below(3), dice.below(300), dice.below(300)),
        26 => format!("SPOP t{} {}", dice.below(3), [1, 2, 70, 999][dice.below(4)]),
        27 => format!(
            "{} t{} t0 t1",
            dice.pick(&["SUNIONSTORE", "SDIFFSTORE", "SINTERSTORE"]),
            dice.below(3)
        ),
        28 => format!("SMOVE t0 t1 {}\r\nSPOP t0", dice.below(300)),
        _ => format!("QUEUE PAUSE {key}\r\nQUEUE RESUME {key}"),
    }
}

/// Whether two brokers are at the same place of the same stream.
fn are_together(net: &mut Net, one: usize, other: usize) -> bool {
    let mut place = |node| (net.info(node, "master_replid"), net.info(node, "master_repl_offset"));
    place(one) == place(other)
}

struct Run {
    net: Net,
    dice: Rng,
    clients: Vec<Vec<ClientId>>,
    primary: usize,
    seed: u64,
    compared: usize,
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut net = Net::new(3, DIRECTIVES);
        let clients = (0..3).map(|node| (0..3).map(|_| net.client(node)).collect()).collect();
        Run { net, dice: Rng::new(seed), clients, primary: 0, seed, compared: 0 }
    }

    fn admin(&mut self, node: usize, line: &str) -> String {
        let client = self.net.client(node);
        self.net.call(node, client, line)
    }

    fn compare(&mut self) {
        for node in (0..3).filter(|node| *node != self.primary) {
            let up = self.net.info(node, "master_link_status").as_deref() == Some("up");
            if up && are_together(&mut self.net, self.primary, node) {
                self.net.assert_equal(self.primary, node, &format!("seed {}", self.seed));
                self.compared += 1;
            }
        }
    }

    fn step(&mut self) {
        let replica = (self.primary + 1 + self.dice.below(2)) % 3;
        match self.dice.below(40) {
            0 => self.net.cut(replica),
            1 => {
                let is_stalled = self.dice.below(2) == 0;
                self.net.stall(replica, is_stalled);
            }
            2 => self.net.window = [usize::MAX, 1, 50, 3000][self.dice.below(4)],
            3 if self.dice.below(6) == 0 => self.promote(replica),
            4 if self.dice.below(4) == 0 => {
                let answer = self.admin(replica, "REPLICAOF NO ONE");
                assert_eq!(answer, "+OK\r\n");
                let line = format!("REPLICAOF node {}", self.primary + 1);
                self.admin(replica, &line);
            }
            _ => {
                let line = command(&mut self.dice);
                let client = self.clients[self.primary][self.dice.below(3)];
                self.net.call(self.primary, client, &line);
            }
        }
        if self.dice.below(3) == 0 {
            let ms = self.dice.below(120) as u64;
            self.net.round(ms);
            self.compare();
        }
    }

    /// Makes a replica the primary, and the others its replicas.
    fn promote(&mut self, next: usize) {
        self.admin(next, "REPLICAOF NO ONE");
        for node in (0..3).filter(|node| *node != next) {
            self.admin(node, &format!("REPLICAOF node {}", next + 1));
        }
        self.primary = next;
    }

    fn play(mut self) -> usize {
        let chained = self.dice.below(2) == 0;
        self.admin(1, "REPLICAOF node 1");
        self.admin(2, if chained { "REPLICAOF node 2" } else { "REPLICAOF node 1" });
        for _ in 0..400 {
            self.step();
        }
        self.net.window = usize::MAX;
        (0..3).for_each(|node| self.net.stall(node, false));
        self.net.settle();
        for node in (0..3).filter(|node| *node != self.primary) {
            self.net.assert_equal(self.primary, node, &format!("seed {} at the end", self.seed));
        }
        self.compared
    }
}

/// Plays runs with the seeds that the environment asks for, or so many. Returns how many there were, and the sum of
/// their results.
pub fn play(default: u64, run: fn(u64) -> usize) -> (u64, usize) {
    let from_environment = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match from_environment("TIDEGATE_REPLICA_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..from_environment("TIDEGATE_REPLICA_SEEDS").unwrap_or(default),
    };
    let mut sum = 0;
    for seed in seeds.clone() {
        sum += std::panic::catch_unwind(|| run(seed)).unwrap_or_else(|panic| {
            eprintln!("TIDEGATE_REPLICA_SEED={seed} cargo test --test replicas");
            std::panic::resume_unwind(panic)
        });
    }
    (seeds.end - seeds.start, sum)
}

#[test]
fn replicas_have_what_their_primary_has() {
    let (runs, compared) = play(SEEDS, |seed| Run::new(seed).play());
    assert!(compared as u64 > 10 * runs, "only {compared} comparisons");
}
