//! The redis crate through a failover: see ../../../clients.py. Each loop has a connection of its own, and asks
//! the Sentinels again after an error.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use redis::sentinel::{SentinelClient, SentinelServerType};
use redis::{Connection, RedisResult};

static NEXT: AtomicU64 = AtomicU64::new(0);

fn connect() -> RedisResult<Connection> {
    let addresses = std::env::args().skip(1).map(|port| format!("redis://127.0.0.1:{port}")).collect();
    let mut client =
        SentinelClient::build(addresses, "queues".to_owned(), None, SentinelServerType::Master)?;
    let connection = client.get_connection()?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(connection)
}

fn forever(step: impl Fn(&mut Connection) -> RedisResult<()> + Send + 'static) {
    thread::spawn(move || {
        loop {
            let ended = connect().and_then(|mut connection| {
                loop {
                    step(&mut connection)?;
                }
            });
            let Err(error): RedisResult<()> = ended else { continue };
            println!("error {error}");
            thread::sleep(Duration::from_millis(50));
        }
    });
}

fn produce(connection: &mut Connection) -> RedisResult<()> {
    let message = NEXT.fetch_add(1, Ordering::Relaxed);
    println!("sent {message}");
    redis::cmd("RPUSH").arg("work").arg(message).query::<u64>(connection)?;
    println!("pushed {message}");
    thread::sleep(Duration::from_millis(2));
    Ok(())
}

fn consume(queue: &'static str, word: &'static str) {
    forever(move |connection| {
        let popped: Option<(String, String)> =
            redis::cmd("BLPOP").arg(queue).arg(2).query(connection)?;
        if let Some((_, message)) = popped {
            println!("{word} {message}");
        }
        Ok(())
    });
}

fn main() {
    forever(produce);
    consume("work", "popped");
    consume("quiet", "woken");
    let mut input = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut input);
}
