//! A broker inside a program. Threads of the program use it without TCP, and any Redis client can use it
//! as well.
//!
//!     cargo run --example embedded

use std::error::Error;
use std::thread;
use tidegate::{Calls, Client, ClientError, Server, Settings};

const PRODUCERS: usize = 3;
const MESSAGES_EACH: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    // `Server::in_process` would have no listening socket.
    let settings = Settings::default().with("port", "0")?.with("bind", "127.0.0.1")?;
    let server = Server::bind(settings)?.spawn()?;
    println!("a broker listens on {} in this process", server.local_addrs()[0]);

    let mut consumer = server.connect()?;
    let consumer = thread::spawn(move || sum_of(&mut consumer, PRODUCERS * MESSAGES_EACH));
    let mut observer = server.connect()?.subscribe(&["progress"])?;
    let producers = (1..=PRODUCERS).map(|name| {
        let mut client = server.connect()?;
        Ok(thread::spawn(move || produce(&mut client, name)))
    });
    for producer in producers.collect::<Result<Vec<_>, ClientError>>()? {
        producer.join().expect("a producer does not panic")?;
    }
    for _ in 0..PRODUCERS {
        let message = observer.next_message(None)?.expect("each producer has published one");
        println!("{}", String::from_utf8(message.payload)?);
    }
    let sum = consumer.join().expect("the consumer does not panic")?;
    println!("the sum of all messages is {sum}");
    assert_eq!(sum, PRODUCERS * MESSAGES_EACH * (MESSAGES_EACH + 1) / 2);

    server.stop()?;
    println!("stopped");
    Ok(())
}

/// Pushes the numbers, and then publishes that they are there.
fn produce(client: &mut Client, name: usize) -> Result<(), ClientError> {
    for number in 1..=MESSAGES_EACH {
        client.push("numbers", number.to_string())?;
    }
    client.publish("progress", format!("producer {name} has sent {MESSAGES_EACH} messages"))?;
    Ok(())
}

/// Pops `count` messages and waits for each.
fn sum_of(client: &mut Client, count: usize) -> Result<usize, ClientError> {
    let mut sum = 0;
    for _ in 0..count {
        let number = client.pop_wait("numbers", None)?.expect("it waits for one");
        let number = String::from_utf8_lossy(&number).parse::<usize>();
        sum += number.expect("producers send numbers");
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("no error");
    }
}
