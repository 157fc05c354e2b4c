//! A durable queue without a server: no socket, no thread. The program calls the broker, and each
//! call has written its change to append files when it returns. A redis-server could load them.
//!
//!     cargo run --example embedded_journal

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tidegate::{Calls, DiskDirectory, LocalBroker, Settings, SystemClock};

/// A job whose worker ends before it is done goes to the next worker.
const POLICY: &str = "safe jobs delivery at-least-once acknowledge next-pop";
const JOBS: u64 = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("tidegate-journal-{}", std::process::id()));
    let result = run_twice(&path);
    fs::remove_dir_all(&path)?;
    result
}

fn run_twice(path: &Path) -> Result<(), Box<dyn Error>> {
    let clock = SystemClock::start();
    let mut local = open(path, clock)?;
    let producer = local.connect(clock.now())?;
    for number in 1..=JOBS {
        let count = local.client(producer, clock.now()).push("jobs", format!("job {number}"))?;
        assert_eq!(count, number);
    }
    let worker = local.connect(clock.now())?;
    // The second pop acknowledges the first job.
    for _ in 0..2 {
        let job = local.client(worker, clock.now()).pop("jobs")?.expect("there are ten");
        println!("working on {}", String::from_utf8(job)?);
    }
    // As if the process had been killed: nothing is said to the broker.
    drop(local);

    let mut local = open(path, clock)?;
    let worker = local.connect(clock.now())?;
    let mut done = Vec::new();
    while let Some(job) = local.client(worker, clock.now()).pop("jobs")? {
        done.push(String::from_utf8(job)?);
    }
    println!("after a restart: {}", done.join(", "));
    let expected: Vec<String> = (2..=JOBS).map(|number| format!("job {number}")).collect();
    assert_eq!(done, expected);
    // A program with a loop would call `turn` by then, to expire messages and continue rewrites.
    println!("the next turn is due in {:?}", local.next_deadline(clock.now()));
    local.turn(clock.now())?;
    local.close()?;
    Ok(())
}

fn open(path: &Path, clock: SystemClock) -> Result<LocalBroker, Box<dyn Error>> {
    let settings = Settings::default()
        .with("appendonly", "yes")?
        .with("appendfsync", "always")?
        .with("queue-policy", POLICY)?;
    let directory = Arc::new(DiskDirectory::open_or_create(path)?);
    // Only this program names queues, so nobody can choose colliding names.
    let seed = 1;
    Ok(LocalBroker::open(settings, seed, directory, clock.now())?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("no error");
    }
}
