//! The rows about append files: the cost of writing them, the effect of a rewrite on clients, the time
//! of loading.

use crate::scratch::Scratch;
use crate::servers::{Kind, Server};
use crate::table::{print_head, print_row};
use crate::workload::{Workload, push};
use crate::{from_environment, loading, measure, rewriting, scratch};

/// A row: the policy, whether we are also measured without append files, and the load.
const RATES: [(&str, bool, Workload); 3] = [
    ("everysec", true, push("durability: RPUSH everysec, pipeline 16", 64, 16)),
    ("always", false, push("durability: RPUSH always, pipeline 1", 64, 1)),
    ("always", false, push("durability: RPUSH always, pipeline 16", 64, 16)),
];

pub fn run(kinds: &[Kind], is_wanted: impl Fn(&str) -> bool) {
    let kinds: Vec<Kind> = kinds.iter().copied().filter(|kind| *kind != Kind::BareLoop).collect();
    let rates = RATES.iter().filter(|(_, _, workload)| is_wanted(workload.name));
    let rates: Vec<_> = rates.collect();
    if !rates.is_empty() {
        print_head("with append files: thousands of operations a second", &kinds);
    }
    for (policy, is_beside_own, workload) in rates {
        print_rates(policy, *is_beside_own, workload, &kinds);
    }
    // Each of these rounds takes long.
    let rounds = from_environment("ROUNDS", 3);
    type Row = fn(&[Kind], u64);
    let others: [(&str, Row); 2] =
        [(rewriting::NAME, rewriting::run), (loading::NAME, loading::run)];
    let others: Vec<_> = others.into_iter().filter(|(name, _)| is_wanted(name)).collect();
    if !others.is_empty() {
        print_head("with append files", &kinds);
    }
    for (_, run) in others {
        run(&kinds, rounds);
    }
}

fn print_rates(policy: &str, is_beside_own: bool, workload: &Workload, kinds: &[Kind]) {
    let directories: Vec<Scratch> = kinds.iter().map(|_| Scratch::new()).collect();
    let with_files = kinds.iter().zip(&directories);
    let mut servers: Vec<Server> =
        with_files.map(|(kind, directory)| Server::start(*kind, &directory.args(policy))).collect();
    if is_beside_own {
        servers.push(Server::start(Kind::Tidegate, &[]));
    }
    // Not marked if the server has time to spare: it waits for the disk.
    let rates: Vec<f64> =
        measure(workload, &mut servers, scratch::sync).iter().map(|rate| rate.thousands).collect();
    print_row(workload.name, kinds, &rates[..kinds.len()], 0);
    let ours = kinds.iter().position(|kind| *kind == Kind::Tidegate).map(|at| rates[at]);
    if let (Some(ours), [own]) = (ours, &rates[kinds.len()..]) {
        let name = Kind::Tidegate.name();
        println!("  {name} without append files: {own:.0}; with them {:.2} of that", ours / own);
    }
}
