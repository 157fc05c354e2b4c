//! A broker inside a program: its own threads use it, and so could any Redis client meanwhile.
//!
//!     cargo run --example embedded

use redis::Commands;
use std::error::Error;
use std::thread;
use tidegate::{Server, settings::Settings};

const PRODUCERS: usize = 3;
const MESSAGES_EACH: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_text("port 0\nbind 127.0.0.1", "embedded")?;
    let server = Server::bind(settings)?.spawn()?;
    let address = server.local_addrs()[0];
    println!("a broker listens on {address} in this process");
    let client = redis::Client::open(format!("redis://{address}/"))?;

    let consumer = {
        let mut connection = client.get_connection()?;
        thread::spawn(move || -> redis::RedisResult<usize> {
            let mut sum = 0;
            for _ in 0..PRODUCERS * MESSAGES_EACH {
                let (_queue, number): (String, usize) = connection.blpop("numbers", 0.0)?;
                sum += number;
            }
            Ok(sum)
        })
    };
    let producers = (0..PRODUCERS).map(|_| {
        let mut connection = client.get_connection()?;
        Ok(thread::spawn(move || -> redis::RedisResult<()> {
            for number in 1..=MESSAGES_EACH {
                let _: usize = connection.rpush("numbers", number)?;
            }
            Ok(())
        }))
    });
    for producer in producers.collect::<redis::RedisResult<Vec<_>>>()? {
        producer.join().expect("a producer does not panic")?;
    }
    let sum = consumer.join().expect("the consumer does not panic")?;
    println!("{PRODUCERS} producers sent {MESSAGES_EACH} messages each; their sum is {sum}");
    assert_eq!(sum, PRODUCERS * MESSAGES_EACH * (MESSAGES_EACH + 1) / 2);

    server.stop()?;
    println!("stopped");
    Ok(())
}
