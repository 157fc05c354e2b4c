//! The rate of pushes with replicas attached, and the primary's time for one. All replicas are Debian's
//! redis-server, whatever the primary is.

use super::{Replica, of_primary, wait_until_caught_up};
use crate::generator::Generator;
use crate::rate::Rate;
use crate::servers::{Kind, Server};
use crate::table::{print_head, print_rates, print_row};
use crate::workload::{CONNECTIONS, Workload, push};
use crate::{from_environment, median, memory_of_host, seconds};

/// Rows by the number of replicas.
const ROWS: [(usize, Workload); 3] = [
    (0, push("replication: RPUSH, pipeline 16, no replica", 64, 16)),
    (1, push("replication: RPUSH, pipeline 16, 1 replica", 64, 16)),
    (2, push("replication: RPUSH, pipeline 16, 2 replicas", 64, 16)),
];

/// A primary with its replicas.
struct Set {
    primary: Server,
    replicas: Vec<Replica>,
}

impl Set {
    fn start(kind: Kind, replicas: usize) -> Set {
        let primary = Server::start(kind, &of_primary(&[]));
        let replicas = (0..replicas).map(|_| Replica::beside(&primary, Kind::Redis)).collect();
        Set { primary, replicas }
    }

    fn wait_until_caught_up(&self) {
        self.replicas
            .iter()
            .for_each(|replica| wait_until_caught_up(&self.primary, &replica.server));
    }

    /// The rate, and the primary's microseconds of the processor for a command.
    fn measure(&mut self, workload: &Workload) -> (Rate, f64) {
        self.primary.prepare(workload, seconds());
        self.wait_until_caught_up();
        let pipelines = vec![workload.pipeline(workload.lines_per_reply)];
        let mut generator = Generator::connect(self.primary.address(), CONNECTIONS, pipelines);
        let cpu_before = self.primary.process().cpu_time();
        let rate = Rate::of(self.primary.process(), || generator.run(seconds()));
        let answered = generator.finish();
        self.wait_until_caught_up();
        let cpu = self.primary.process().cpu_time().saturating_sub(cpu_before);
        let replicas = self.replicas.iter().map(|replica| &replica.server);
        for server in std::iter::once(&self.primary).chain(replicas) {
            assert_eq!(server.count_messages(["queue"]), answered);
        }
        (rate, cpu.as_secs_f64() * 1e6 / answered as f64)
    }
}

pub fn run(kinds: &[Kind], is_wanted: impl Fn(&str) -> bool) {
    // A redis-server cannot be the replica of a later one.
    let kinds: Vec<Kind> =
        kinds.iter().copied().filter(|kind| super::understands(Kind::Redis, *kind)).collect();
    let rows: Vec<_> = ROWS.iter().filter(|(_, row)| is_wanted(row.name)).collect();
    if rows.is_empty() || !kinds.contains(&Kind::Redis) {
        return;
    }
    print_head("with replicas (redis-server): thousands of operations a second", &kinds);
    for (replicas, workload) in rows {
        let mut sets: Vec<Set> = kinds.iter().map(|kind| Set::start(*kind, *replicas)).collect();
        let (mut rates, mut costs) = (vec![Vec::new(); sets.len()], vec![Vec::new(); sets.len()]);
        for _ in 0..from_environment("ROUNDS", 5) {
            for (at, set) in sets.iter_mut().enumerate() {
                memory_of_host::ask_for_it();
                let (rate, cost) = set.measure(workload);
                rates[at].push(rate);
                costs[at].push(cost);
            }
        }
        let rates: Vec<Rate> = rates.iter().map(|rates| Rate::median(rates)).collect();
        let costs: Vec<f64> = costs.into_iter().map(median).collect();
        print_rates(workload.name, &kinds, &rates, 0);
        print_row("  the primary's microseconds for a command", &kinds, &costs, 3);
    }
}
