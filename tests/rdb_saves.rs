//! The RDB file on a directory in memory. Whatever happens meanwhile, it is the one from before, or has all data
//! as of the beginning of the save.

// They share the world of the crash tests.
#[allow(dead_code, reason = "it is a part of what they need")]
mod crashes {
    pub mod watchful;
    pub mod world;
}
mod rdb_support;

use crashes::world::START;
use std::io::Read;
use tidegate::broker::{Contents, SnapshotUse};
use tidegate::journal::files::Directory;
use tidegate::journal::memory::{Fault, MemoryDirectory};
use tidegate::journal::{LoneRewrite, Save};
use tidegate::settings::Settings;
use tidegate::{Broker, ClientId, NoHost, Peer};

const NAME: &str = "dump.rdb";

struct Bench {
    broker: Broker,
    client: ClientId,
}

impl Bench {
    fn new() -> Bench {
        let settings = Settings::from_text("databases 2", "the test's settings").expect("settings");
        let mut broker = Broker::new(settings, 9, Box::new(NoHost), START);
        let client = broker.connect(0, Peer::in_process(), START);
        Bench { broker, client }
    }

    fn send(&mut self, request: &str) {
        self.broker.receive(self.client, format!("{request}\r\n").as_bytes(), START);
        self.broker.settle(START);
    }

    /// Keys of several pieces.
    fn filled() -> Bench {
        let mut bench = Bench::new();
        for number in 0..24 {
            bench.send(&format!("RPUSH long{} {}", number % 4, "m".repeat(30_000)));
        }
        bench.send("RPUSH a one two");
        bench.send("SELECT 1");
        bench.send("RPUSH c four");
        bench.send("PEXPIRE c 90000");
        bench
    }

    fn begin(&mut self) -> Save {
        assert!(self.broker.persistence_mut().snapshot.claim(SnapshotUse::Save));
        Save::begin(NAME, &mut self.broker, START)
    }

    /// Writes the file; returns whether that succeeded. Changes meanwhile are not included.
    fn save(&mut self, directory: &MemoryDirectory) -> bool {
        let completed = self.broker.persistence().saves.completed;
        let mut save = self.begin();
        for number in 0.. {
            let Some(job) = save.next_job(&mut self.broker) else {
                assert!(save.wants_turn() || save.is_over());
                if save.is_over() {
                    break;
                }
                continue;
            };
            save.finish(job.run(directory), &mut self.broker, START);
            for request in ["LPOP a", "DEL long3", "RPUSH c five", "RPUSH a new"] {
                self.send(request);
            }
            assert!(number < 100, "it does not end");
        }
        self.broker.check_invariants();
        assert!(!self.broker.has_snapshot());
        let persistence = self.broker.persistence();
        assert_eq!(persistence.snapshot.current(), None);
        assert!(persistence.saves.began().is_none());
        assert_eq!(persistence.saves.completed > completed, !persistence.saves.has_failed);
        !persistence.saves.has_failed
    }
}

/// The data of the file; `None` if there is none.
fn contents(directory: &MemoryDirectory) -> Option<Contents> {
    let mut file = Vec::new();
    directory.read(NAME, 0).ok()?.read_to_end(&mut file).expect("a readable file");
    let mut broker = Bench::new().broker;
    broker.replay(&mut 0, &rdb_support::as_commands(&file)).expect("it loads");
    Some(broker.contents())
}

#[test]
fn the_file_has_all_data_as_of_the_beginning() {
    let (mut bench, directory) = (Bench::filled(), MemoryDirectory::new());
    let expected = bench.broker.contents();
    assert!(bench.save(&directory));
    assert_eq!(contents(&directory), Some(expected));
    let expected = bench.broker.contents();
    assert!(bench.save(&directory));
    assert_eq!(contents(&directory), Some(expected));
    assert_eq!(directory.list().expect("names"), [NAME]);
    let changes = bench.broker.persistence().saves.unsaved_changes(u64::MAX);
    assert!(changes > 0, "changes meanwhile are not saved");
}

/// A fault at each operation: a short write, no space, errors, and the end of the power.
#[test]
fn whatever_happens_the_file_is_an_old_or_a_new_one() {
    let faults =
        [Fault::ShortWrite, Fault::NoSpace, Fault::WriteError, Fault::SyncError, Fault::PowerOff];
    let mut outcomes = [0; 2];
    for fault in faults {
        for at in 0.. {
            let (mut bench, directory) = (Bench::filled(), MemoryDirectory::new());
            let old = bench.broker.contents();
            assert!(bench.save(&directory));
            let begin = directory.operations();
            let new = bench.broker.contents();
            let end = if fault == Fault::PowerOff { u64::MAX } else { begin + at + 1 };
            directory.inject(begin + at..end, fault);
            let is_complete = bench.save(&directory);
            let is_over = directory.operations() < begin + at;
            for disk in [directory.crash(at), directory.crash(at + 1), directory.survivor()] {
                let found = contents(&disk).expect("the file does not go");
                assert!(found == old || found == new, "{fault:?} at {at}");
                assert!(!is_complete || found == new, "{fault:?} at {at}: it was complete");
                outcomes[usize::from(found == new)] += 1;
            }
            // The next one succeeds, whatever was left behind.
            let disk = directory.survivor();
            assert!(bench.save(&disk));
            assert_eq!(disk.list().expect("names"), [NAME]);
            if is_over {
                break;
            }
        }
    }
    assert!(outcomes.iter().all(|count| *count > 10), "{outcomes:?}");
}

/// Append files without another way to keep a promise take the snapshot.
#[test]
fn a_save_without_its_snapshot_fails() {
    let (mut bench, directory) = (Bench::filled(), MemoryDirectory::new());
    let mut save = bench.begin();
    assert!(!bench.broker.persistence_mut().snapshot.claim(SnapshotUse::Sync));
    for _ in 0..2 {
        let job = save.next_job(&mut bench.broker).expect("a job");
        save.finish(job.run(&directory), &mut bench.broker, START);
    }
    let rewrite = LoneRewrite::begin("a", &mut bench.broker, START);
    let job = save.next_job(&mut bench.broker).expect("the file is removed");
    save.finish(job.run(&directory), &mut bench.broker, START);
    assert!(save.is_over() && bench.broker.persistence().saves.has_failed);
    assert!(bench.broker.has_snapshot(), "it is the rewrite's now");
    assert!(directory.list().expect("names").is_empty());
    rewrite.give_up(&mut bench.broker, &directory);
    assert!(!bench.broker.has_snapshot());
    assert!(bench.save(&directory));
}

/// And the other way round, at the end of a server.
#[test]
fn a_rewrite_without_its_snapshot_fails() {
    let (mut bench, directory) = (Bench::filled(), MemoryDirectory::new());
    let mut rewrite = LoneRewrite::begin("a", &mut bench.broker, START);
    for _ in 0..3 {
        let job = rewrite.next_job(&mut bench.broker).expect("a job");
        rewrite.finish(job.run(&directory), &mut bench.broker, START);
    }
    bench.broker.persistence_mut().snapshot.seize(SnapshotUse::Save);
    let saves = MemoryDirectory::new();
    let expected = bench.broker.contents();
    Save::at_once(NAME, &mut bench.broker, &saves, START).expect("it is written");
    assert_eq!(contents(&saves), Some(expected));
    let job = rewrite.next_job(&mut bench.broker).expect("the file is removed");
    rewrite.finish(job.run(&directory), &mut bench.broker, START);
    assert!(rewrite.is_over() && bench.broker.persistence().failed_rewrites == 1);
}

#[test]
fn what_is_given_up_leaves_nothing() {
    for jobs in 0..4 {
        let (mut bench, directory) = (Bench::filled(), MemoryDirectory::new());
        let mut save = bench.begin();
        for _ in 0..jobs {
            let job = save.next_job(&mut bench.broker).expect("a job");
            save.finish(job.run(&directory), &mut bench.broker, START);
        }
        save.give_up(&mut bench.broker, &directory, START);
        assert!(directory.list().expect("names").is_empty(), "after {jobs} jobs");
        assert!(!bench.broker.has_snapshot());
        assert_eq!(bench.broker.persistence().snapshot.current(), None);
    }
}
