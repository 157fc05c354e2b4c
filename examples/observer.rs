//! Observers receive all messages of publishers, by channel or by pattern.
//!
//!     cargo run --example observer

use redis::{Commands, RedisResult};
use std::error::Error;
use std::thread;
use tidegate::{Server, Settings};

const PRICES: [(&str, &str); 4] =
    [("prices.tea", "4.20"), ("prices.salt", "0.90"), ("weather", "rain"), ("prices.tea", "4.10")];

fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_text("port 0\nbind 127.0.0.1", "observer")?;
    let server = Server::bind(settings)?.spawn()?;
    let client = redis::Client::open(format!("redis://{}/", server.local_addrs()[0]))?;

    // `observe` returns after the subscription is confirmed, so no message is missed.
    let observers = [
        ("tea", observe(&client, "prices.tea", 2)?),
        ("all prices", observe(&client, "prices.*", 3)?),
        ("weather", observe(&client, "weather", 1)?),
    ];
    let mut publisher = client.get_connection()?;
    let mut delivered = 0;
    for (channel, text) in PRICES {
        delivered += publisher.publish::<_, _, usize>(channel, text)?;
    }
    assert_eq!(delivered, 6);

    for (name, observer) in observers {
        let heard = observer.join().expect("an observer does not panic")?;
        println!("{name}: {}", heard.join(", "));
        let expected = match name {
            "tea" => vec!["prices.tea 4.20", "prices.tea 4.10"],
            "weather" => vec!["weather rain"],
            _ => vec!["prices.tea 4.20", "prices.salt 0.90", "prices.tea 4.10"],
        };
        assert_eq!(heard, expected);
    }
    server.stop()?;
    Ok(())
}

type Observer = thread::JoinHandle<RedisResult<Vec<String>>>;

/// Subscribes, and receives `count` messages on a thread of its own.
fn observe(client: &redis::Client, pattern: &'static str, count: usize) -> RedisResult<Observer> {
    let mut connection = client.get_connection()?;
    let (ready, is_ready) = std::sync::mpsc::channel();
    let observer = thread::spawn(move || {
        let mut subscription = connection.as_pubsub();
        subscription.psubscribe(pattern)?;
        // The receiver is gone if the program gave up meanwhile.
        let _ = ready.send(());
        (0..count)
            .map(|_| {
                let message = subscription.get_message()?;
                Ok(format!("{} {}", message.get_channel_name(), message.get_payload::<String>()?))
            })
            .collect()
    });
    // A failed subscription is reported when the observer is joined.
    let _ = is_ready.recv();
    Ok(observer)
}
