//! Tasks pass three stages, joined by streams: each stage is a group of workers that reads one stream and adds
//! to the next. A worker that dies leaves entries pending, which another one claims. Afterwards a new group
//! replays everything from the start.
//!
//!     cargo run --example stream_tasks

use redis::streams::{
    StreamAutoClaimOptions, StreamAutoClaimReply, StreamId, StreamReadOptions, StreamReadReply,
};
use redis::{Commands, Connection, RedisResult};
use std::error::Error;
use std::thread;
use tidegate::{Server, Settings};

const TASKS: u64 = 500;
const WORKERS: usize = 2;
/// How many entries a worker takes at a time.
const BATCH: usize = 20;

/// A stage: the stream that it reads, the one that it adds to, and what it does.
type Stage = (&'static str, &'static str, fn(u64) -> u64);

const STAGES: [Stage; 3] = [
    ("numbers", "squares", |number| number * number),
    ("squares", "halves", |number| number / 2),
    ("halves", "results", |number| number + 1),
];

fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_text("port 0\nbind 127.0.0.1", "stream_tasks")?;
    let server = Server::bind(settings)?.spawn()?;
    let client = redis::Client::open(format!("redis://{}/", server.local_addrs()[0]))?;
    let mut connection = client.get_connection()?;
    for (from, _, _) in STAGES {
        let _: () = connection.xgroup_create_mkstream(from, "workers", "0")?;
    }
    for number in 1..=TASKS {
        let _: String = connection.xadd("numbers", "*", &[("number", number)])?;
    }

    // A worker takes some tasks and dies with them.
    let lost = take(&mut client.get_connection()?, "numbers", "victim")?;
    println!("a worker died with {} tasks in its hands", lost.len());

    let workers = STAGES.iter().flat_map(|stage| (0..WORKERS).map(move |number| (stage, number)));
    let workers = workers.map(|(stage, number)| {
        let connection = client.get_connection()?;
        Ok(thread::spawn(move || work(connection, stage, &format!("worker {number}"))))
    });
    for (at, worker) in workers.collect::<RedisResult<Vec<_>>>()?.into_iter().enumerate() {
        let done = worker.join().expect("a worker does not panic")?;
        println!("stage {}, worker {}: {done} tasks", at / WORKERS + 1, at % WORKERS + 1);
    }

    let of = |number: u64| STAGES.iter().fold(number, |number, (_, _, does)| does(number));
    let expected: u64 = (1..=TASKS).map(of).sum();
    for (from, _, _) in STAGES {
        let pending: Vec<redis::Value> =
            redis::cmd("XPENDING").arg(from).arg("workers").query(&mut connection)?;
        assert_eq!(pending.first(), Some(&redis::Value::Int(0)), "nothing is pending in {from}");
    }
    // A new group gets all results from the start.
    let _: () = connection.xgroup_create("results", "auditors", "0")?;
    let options =
        StreamReadOptions::default().group("auditors", "auditor").count(TASKS as usize * 2);
    let replayed: StreamReadReply = connection.xread_options(&["results"], &[">"], &options)?;
    let numbers = replayed.keys.iter().flat_map(|stream| &stream.ids).map(number_in);
    let numbers: Vec<u64> = numbers.collect();
    let sum: u64 = numbers.iter().sum();
    println!("{} results, their sum is {sum}", numbers.len());
    assert_eq!((numbers.len() as u64, sum), (TASKS, expected), "each task was done once");
    server.stop()?;
    Ok(())
}

fn number_in(entry: &StreamId) -> u64 {
    entry.get("number").expect("each entry has a number")
}

/// Gets new tasks; waits a moment for them.
fn take(connection: &mut Connection, from: &str, name: &str) -> RedisResult<Vec<StreamId>> {
    let options = StreamReadOptions::default().group("workers", name).count(BATCH).block(300);
    let reply: Option<StreamReadReply> = connection.xread_options(&[from], &[">"], &options)?;
    let streams = reply.map(|reply| reply.keys).unwrap_or_default();
    Ok(streams.into_iter().flat_map(|stream| stream.ids).collect())
}

/// Gets tasks of workers that have had them for too long.
fn claim(connection: &mut Connection, from: &str, name: &str) -> RedisResult<Vec<StreamId>> {
    let options = StreamAutoClaimOptions::default().count(BATCH);
    let reply: StreamAutoClaimReply =
        connection.xautoclaim_options(from, "workers", name, 200, "0", options)?;
    Ok(reply.claimed)
}

/// Works until there has been nothing to do for a while; returns the number of tasks done.
fn work(mut connection: Connection, stage: &Stage, name: &str) -> RedisResult<usize> {
    let (from, to, does) = *stage;
    let mut done = 0;
    let mut is_idle = false;
    loop {
        let mut tasks = take(&mut connection, from, name)?;
        tasks.extend(claim(&mut connection, from, name)?);
        if tasks.is_empty() && is_idle {
            return Ok(done);
        }
        is_idle = tasks.is_empty();
        for task in tasks {
            // Both or nothing: a task is never done twice.
            let number = does(number_in(&task));
            let mut pipe = redis::pipe();
            pipe.atomic().xadd(to, "*", &[("number", number)]).ignore();
            pipe.xack(from, "workers", &[&task.id]).ignore();
            let _: () = pipe.query(&mut connection)?;
            done += 1;
        }
    }
}
