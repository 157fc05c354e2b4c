//! Redis servers load what is written as an RDB file, and then have the same data: what is in flight, delayed
//! or departing as plain lists.
//!
//! Runs are made from the seeds of `tests/snapshots.rs`. `TIDEGATE_CRASH_SEEDS=1000` plays so many,
//! `TIDEGATE_CRASH_SEED=n` one.

#[expect(dead_code, reason = "the crash tests use the rest")]
mod crashes {
    pub mod policies;
    pub mod script;
    pub mod story;
    pub mod watchful;
    pub mod world;
}
mod originals;
#[expect(dead_code, reason = "other tests read the files themselves")]
mod snapshot_support;

use crashes::policies::Drawn;
use crashes::script::seeds;
use crashes::world::START;
use libtest_mimic::Arguments;
use originals::{Original, Version};
use redis::Connection;
use snapshot_support::{Form, all, play};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tidegate::broker::Contents;

const SEEDS: u64 = 25;
const NEW_SEEDS: u64 = 5;

/// A server drops what has expired: the runs begin that much later than the others.
const LATER_US: u64 = 50 * 365 * 86_400 * 1_000_000;

/// Time for a server to start.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let judges = [
        ("redis", originals::redis_7(&[Version::V7_0, Version::V7_2])),
        ("redis_8", originals::redis_8()),
    ];
    let trials = judges.iter().map(|(name, judge)| {
        originals::trial(format!("{name}::loads_every_file"), judge, load_every_file)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// A server with its own directory, which is removed with it.
struct Loaded {
    process: Child,
    directory: PathBuf,
}

impl Drop for Loaded {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Loaded {
    /// Starts a server with this file; returns a connection to it.
    fn start(original: &Original, seed: u64, file: &[u8]) -> io::Result<(Loaded, Connection)> {
        let version = original.version.name();
        let name = format!("tidegate-rdb-{}-{version}-{seed}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("dump.rdb"), file)?;
        let socket = directory.join("socket");
        let mut command = Command::new(&original.program);
        command.args(["--port", "0", "--save", "", "--loglevel", "verbose", "--logfile", "log"]);
        command.arg("--dir").arg(&directory).arg("--unixsocket").arg(&socket);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut loaded = Loaded { process: command.spawn()?, directory };
        let url = format!("unix://{}", socket.display());
        let client = redis::Client::open(url).map_err(io::Error::other)?;
        let until = Instant::now() + PATIENCE;
        loop {
            if let Ok(mut connection) = client.get_connection()
                && redis::cmd("PING").exec(&mut connection).is_ok()
            {
                return Ok((loaded, connection));
            }
            if loaded.process.try_wait()?.is_some() || Instant::now() > until {
                let log = loaded.log();
                return Err(io::Error::other(format!("it does not start:\n{log}")));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

/// All data of a server.
fn contents(connection: &mut Connection) -> redis::RedisResult<Contents> {
    let mut contents = BTreeMap::new();
    for db in 0..2 {
        redis::cmd("SELECT").arg(db).exec(connection)?;
        let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(connection)?;
        for key in keys {
            let of_type: String = redis::cmd("TYPE").arg(&key).query(connection)?;
            let values = match of_type.as_str() {
                "list" => redis::cmd("LRANGE").arg(&key).arg(0).arg(-1).query(connection)?,
                _ => vec![redis::cmd("GET").arg(&key).query(connection)?],
            };
            let expiry: i64 = redis::cmd("PEXPIRETIME").arg(&key).query(connection)?;
            contents.insert((db, key), (values, Some(expiry).filter(|expiry| *expiry >= 0)));
        }
    }
    Ok(contents)
}

fn load_every_file(original: &Original) -> Result<(), String> {
    let mut drawn = Drawn::default();
    for seed in seeds(SEEDS, NEW_SEEDS) {
        let played = play(seed, Form::Rdb, START.plus_us(LATER_US), &mut drawn);
        let failed = |error: &dyn std::fmt::Display| format!("TIDEGATE_CRASH_SEED={seed}: {error}");
        let (server, mut connection) =
            Loaded::start(original, seed, &played.encoded).map_err(|error| failed(&error))?;
        let found = contents(&mut connection).map_err(|error| failed(&error))?;
        // A server that gets a change expires keys by its own clock, so nothing has expired there.
        let expected = all(&played.kept.broker);
        for (key, value) in &expected {
            if found.get(key) != Some(value) {
                return Err(failed(&format!("{} of {}", key.1.escape_ascii(), key.0)));
            }
        }
        if found.len() != expected.len() {
            return Err(failed(&"more than there was"));
        }
        // At its second highest level, it says nothing of the fields that it does not know.
        let log = server.log();
        if log.contains("tidegate'") || log.contains("AUX") || log.contains("# WARNING: rdb") {
            return Err(failed(&format!("it complains:\n{log}")));
        }
    }
    Ok(())
}
