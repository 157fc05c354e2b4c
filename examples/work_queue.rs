//! Several workers share jobs, and no job is lost when a worker dies. A worker moves each job to a list
//! of its own while it works on it, and removes it there when it is done.
//!
//!     cargo run --example work_queue

use redis::{Commands, Connection, Direction, RedisResult};
use std::collections::HashMap;
use std::error::Error;
use std::thread;
use tidegate::{Server, Settings};

const JOBS: usize = 300;
const WORKERS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_text("port 0\nbind 127.0.0.1", "work_queue")?;
    let server = Server::bind(settings)?.spawn()?;
    let client = redis::Client::open(format!("redis://{}/", server.local_addrs()[0]))?;
    let mut connection = client.get_connection()?;

    for number in 0..JOBS {
        let _: usize = connection.rpush("jobs", format!("job {number}"))?;
    }
    // One worker takes a job and dies with it.
    let lost = take(&mut client.get_connection()?, "working:0")?;
    println!("a worker died with {lost:?} in its hands");

    // A supervisor would put the dead worker's job back.
    let found: Option<String> =
        connection.lmove("working:0", "jobs", Direction::Left, Direction::Right)?;
    assert_eq!(found, lost);

    let workers = (1..=WORKERS).map(|number| {
        let connection = client.get_connection()?;
        Ok(thread::spawn(move || work(connection, &format!("working:{number}"))))
    });
    let mut done: HashMap<String, usize> = HashMap::new();
    for (number, worker) in workers.collect::<RedisResult<Vec<_>>>()?.into_iter().enumerate() {
        let jobs = worker.join().expect("a worker does not panic")?;
        println!("worker {} did {} jobs", number + 1, jobs.len());
        for job in jobs {
            *done.entry(job).or_default() += 1;
        }
    }
    assert_eq!(done.len(), JOBS, "every job was done");
    assert!(done.values().all(|&times| times == 1), "no job was done twice");
    let left: usize = connection.exists(&["jobs", "working:0", "working:1", "working:2"])?;
    assert_eq!(left, 0);
    server.stop()?;
    Ok(())
}

/// Works until no job has come for a while; returns the jobs it did.
fn work(mut connection: Connection, own: &str) -> RedisResult<Vec<String>> {
    let mut done = Vec::new();
    while let Some(job) = take(&mut connection, own)? {
        let removed: usize = connection.lrem(own, 1, &job)?;
        assert_eq!(removed, 1);
        done.push(job);
    }
    Ok(done)
}

/// Waits for a job, and moves it to the worker's own list in the same step.
fn take(connection: &mut Connection, own: &str) -> RedisResult<Option<String>> {
    connection.blmove("jobs", own, Direction::Left, Direction::Right, 0.2)
}
