//! The rows about replication: what replicas cost a primary, replies that wait for a replica, full syncs,
//! and what applying a stream costs a replica.
//!
//! A measured server has the servers' core. Those at the other end of its links run on the generator's core,
//! since they must not take time from it: rates with replicas are therefore often marked, and the time of the
//! processor for a command says more.

mod acknowledged;
mod applying;
mod full_sync;
mod rates;

use crate::GENERATOR_CORE;
use crate::process::PATIENCE;
use crate::scratch::Scratch;
use crate::servers::{Kind, Server, ask, info};
use std::time::{Duration, Instant};

/// Interval for looking at how far a replica is.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// For primaries: a snapshot begins at once, and a replica that falls behind is not given up.
const OF_PRIMARY: [&str; 6] =
    ["--repl-diskless-sync-delay", "0", "--client-output-buffer-limit", "replica", "0", "0"];

pub fn run(kinds: &[Kind], is_wanted: impl Fn(&str) -> bool) {
    let kinds: Vec<Kind> = kinds.iter().copied().filter(|kind| *kind != Kind::BareLoop).collect();
    rates::run(&kinds, &is_wanted);
    acknowledged::run(&kinds, &is_wanted);
    applying::run(&kinds, &is_wanted);
    full_sync::run(&kinds, &is_wanted);
}

/// Arguments of a primary.
fn of_primary(more: &[&str]) -> Vec<String> {
    // The limit of the last argument: seconds above the soft limit.
    OF_PRIMARY.iter().chain(&["0"]).chain(more).map(|word| (*word).to_owned()).collect()
}

/// Whether a replica of this kind loads the snapshots of such a primary. An older Redis does not load a newer one's.
fn understands(replica: Kind, primary: Kind) -> bool {
    match replica {
        Kind::Redis => [Kind::Redis, Kind::Tidegate].contains(&primary),
        Kind::Redis8 => primary != Kind::Valkey,
        Kind::Valkey => primary != Kind::Redis8,
        Kind::Tidegate => true,
        Kind::BareLoop => false,
    }
}

/// A replica, and the directory where some servers put the snapshots that they receive.
struct Replica {
    server: Server,
    _directory: Scratch,
}

impl Replica {
    /// Starts one on this core. The stream may not have begun yet.
    fn of(primary: &Server, kind: Kind, core: &str) -> Replica {
        let directory = Scratch::new();
        let path = directory.path().display().to_string();
        let server = Server::start_on(core, kind, &["--dir".to_owned(), path]);
        let port = primary.address().port().to_string();
        let reply = ask(&server.connect(), &[b"REPLICAOF", b"127.0.0.1", port.as_bytes()]);
        assert_eq!(reply, "+OK");
        Replica { server, _directory: directory }
    }

    /// Starts one on the generator's core, and waits until it has all data.
    fn beside(primary: &Server, kind: Kind) -> Replica {
        let replica = Replica::of(primary, kind, GENERATOR_CORE);
        wait_until_caught_up(primary, &replica.server);
        replica
    }
}

/// Waits until the replica has applied all that the primary has done.
fn wait_until_caught_up(primary: &Server, replica: &Server) {
    let (of_primary, of_replica) = (primary.connect(), replica.connect());
    let begun = Instant::now();
    let is_caught_up = || {
        let place = |connection| info(connection, "replication", "master_repl_offset");
        info(&of_replica, "replication", "master_link_status") == "up"
            && place(&of_primary) == place(&of_replica)
    };
    while !is_caught_up() {
        assert!(begun.elapsed() < PATIENCE, "the replica does not catch up");
        std::thread::sleep(LOOK_INTERVAL);
    }
}
