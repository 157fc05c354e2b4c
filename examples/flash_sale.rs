//! A burst of requests is cut to what the workers can bear: everybody's request goes into a queue
//! at once, the workers take them at their own pace, and each customer waits for their own answer.
//! What cannot be sold is answered so.
//!
//!     cargo run --example flash_sale

use redis::{Client, Commands, RedisResult};
use std::error::Error;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};
use tidegate::{Server, settings::Settings};

const CUSTOMERS: usize = 200;
const ITEMS: usize = 50;
const WORKERS: usize = 2;
/// What one sale takes in the shop's slow back office.
const WORK: Duration = Duration::from_millis(2);
const CLOSING_TIME: &str = "closing time";
const SOLD_OUT: &str = "sold out";

fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_text("port 0\nbind 127.0.0.1", "flash_sale")?;
    let server = Server::bind(settings)?.spawn()?;
    let client = &Client::open(format!("redis://{}/", server.local_addrs()[0]))?;

    // The stock is a list too: who takes an item from it has it, and nobody else.
    let mut connection = client.get_connection()?;
    for item in 1..=ITEMS {
        let _: usize = connection.rpush("stock", item)?;
    }

    let begin = Instant::now();
    let longest_line = Mutex::new(0);
    let answers = thread::scope(|scope| {
        let customers: Vec<_> =
            (0..CUSTOMERS).map(|number| scope.spawn(move || order(client, number))).collect();
        let workers: Vec<_> =
            (0..WORKERS).map(|_| scope.spawn(|| sell(client, &longest_line))).collect();
        let answers: RedisResult<Vec<String>> =
            customers.into_iter().map(|customer| customer.join().expect("no panic")).collect();
        // A request of its own tells each worker to go home.
        let _: usize = connection.rpush("orders", &[CLOSING_TIME; WORKERS])?;
        for worker in workers {
            worker.join().expect("no panic")?;
        }
        answers
    })?;

    let sold = answers.iter().filter(|answer| answer.starts_with("sold: ")).count();
    let refused = answers.iter().filter(|answer| *answer == SOLD_OUT).count();
    println!(
        "{CUSTOMERS} customers at once, {WORKERS} workers: the line was up to {} long; \
         {sold} got an item, {refused} were told that none is left, after {} ms",
        longest_line.into_inner()?,
        begin.elapsed().as_millis(),
    );
    assert_eq!((sold, refused), (ITEMS, CUSTOMERS - ITEMS));
    let mut items: Vec<&String> = answers.iter().filter(|answer| *answer != SOLD_OUT).collect();
    items.sort();
    items.dedup();
    assert_eq!(items.len(), ITEMS, "no item was sold twice");
    server.stop()?;
    Ok(())
}

/// Asks for an item and waits for the answer.
fn order(client: &Client, number: usize) -> RedisResult<String> {
    let mut connection = client.get_connection()?;
    let own_queue = format!("answer:{number}");
    let _: usize = connection.rpush("orders", &own_queue)?;
    let (_queue, answer): (String, String) = connection.blpop(&own_queue, 0.0)?;
    Ok(answer)
}

/// Takes orders one at a time, whoever waits longest first.
fn sell(client: &Client, longest_line: &Mutex<usize>) -> RedisResult<()> {
    let mut connection = client.get_connection()?;
    loop {
        let (_queue, customer): (String, String) = connection.blpop("orders", 0.0)?;
        if customer == CLOSING_TIME {
            return Ok(());
        }
        let waiting: usize = connection.llen("orders")?;
        if let Ok(mut longest) = longest_line.lock() {
            *longest = waiting.max(*longest);
        }
        thread::sleep(WORK);
        let item: Option<usize> = connection.lpop("stock", None)?;
        let answer = item.map_or(SOLD_OUT.to_owned(), |item| format!("sold: item {item}"));
        let _: usize = connection.rpush(&customer, answer)?;
    }
}
