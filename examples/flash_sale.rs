//! A flash sale: 10,000 requests within two seconds, 500 items, and 50 workers who are twelve times
//! too slow.
//!
//!     cargo run --release --example flash_sale
//!     cargo run --release --example flash_sale FILE.csv    # also writes what it prints, for a picture
//!
//! Without a limit the queue would take all requests, and the last customer would learn after 22 seconds
//! that everything is sold out. So the queue has a policy. Each part of it answers a question:
//!
//! - *How many may wait?* `max-length 1000 overflow reject`: a push to a full queue gets `-QUEUEFULL` at
//!   once. The customer can try again later, and nothing is stored.
//! - *For how long?* `message-ttl-ms 2000 dead-letter too-late`: after two seconds the customer has gone
//!   away. The request reaches no worker any more, but is kept in the list `too-late` for an apology.
//! - *What if a worker dies?* `delivery at-least-once`: a request stays in flight until the worker's
//!   next pop acknowledges it. One worker here loses its connection while it holds a request. The
//!   request returns to the head of the queue, and another worker gets it.
//!
//! Producers and workers are plain Redis clients: they push and pop, and know of no policy. The stock is
//! a list as well: an item that is popped belongs to one worker.
//!
//! It runs for about four seconds and prints a line every 100 ms; then a chart of the queue's length,
//! and the totals. How many requests are served depends on the machine. But every request has exactly
//! one outcome. This is asserted from what producers and workers saw, and from the counters of `QUEUE
//! INFO`.

use redis::{Client, Commands, Connection, RedisError};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::fs;
use std::str::FromStr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};
use tidegate::{Server, Settings};

const PRODUCERS: usize = 10;
/// Pipelines of each producer, their interval, and the requests in each.
const WAVES: usize = 20;
const WAVE_INTERVAL: Duration = Duration::from_millis(100);
const WAVE_REQUESTS: usize = 50;
const REQUESTS: usize = PRODUCERS * WAVES * WAVE_REQUESTS;

/// Limit on waiting requests.
const WAITING_MAX: usize = 1_000;
/// The TTL of a request.
const LIFE: Duration = Duration::from_secs(2);

const WORKERS: usize = 50;
/// A payment, or a message of regret. In one TTL, 50 workers handle 50 × 2,000 / 120 ≈ 830 requests. So
/// some requests of a full queue are too late on any machine, since a sleep is never shorter than asked.
const WORK: Duration = Duration::from_millis(120);
const STOCK: usize = 500;

/// This worker dies while it holds its third request. The queue is full by then.
const DYING_WORKER: usize = 7;
const DYING_REQUEST: usize = 3;

const TICK: Duration = Duration::from_millis(100);
/// Longer than anything takes. When it is over, something is broken, and the program ends with an error
/// instead of hanging.
const PATIENCE: Duration = Duration::from_secs(20);

const QUEUE: &str = "requests";
const TOO_LATE: &str = "too-late";
const ITEMS: &str = "items";
const CLOSING: &str = "closing";

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let sale = hold_and_check()?;
    if let Some(path) = std::env::args_os().nth(1) {
        fs::write(path, to_csv(&sale.rows))?;
    }
    Ok(())
}

fn hold_and_check() -> Outcome<Sale> {
    let sale = hold_sale()?;
    print_picture(&sale.rows);
    print_sums(&sale);
    check_sums(&sale);
    check_ends(&sale);
    check_order(&sale);
    Ok(sale)
}

/// Everything known of a sale when it is over.
struct Sale {
    ledger: Ledger,
    rows: Vec<Row>,
    info: Info,
    too_late: Vec<Request>,
}

/// Runs a broker, the producers and the workers until nothing waits or is in flight.
fn hold_sale() -> Outcome<Sale> {
    let policy = format!(
        "queue-policy sale {QUEUE} max-length {WAITING_MAX} overflow reject \
         message-ttl-ms {} dead-letter {TOO_LATE} delivery at-least-once acknowledge next-pop",
        LIFE.as_millis()
    );
    let settings = Settings::from_text(&format!("port 0\nbind 127.0.0.1\n{policy}"), "flash_sale")?;
    let server = Server::bind(settings)?.spawn()?;
    let client = Client::open(format!("redis://{}/", server.local_addrs()[0]))?;
    let mut connection = client.get_connection()?;
    let _: usize = connection.rpush(ITEMS, (1..=STOCK).collect::<Vec<_>>())?;

    let connect = |_| client.get_connection();
    let worker_connections = (0..WORKERS).map(connect).collect::<Result<Vec<_>, RedisError>>()?;
    let producer_connections =
        (0..PRODUCERS).map(connect).collect::<Result<Vec<_>, RedisError>>()?;

    let (events, heard) = mpsc::channel();
    let events = &events;
    let begin = Instant::now();
    let (ledger, rows) = thread::scope(|scope| {
        let start_worker = |(worker, connection)| {
            scope.spawn(move || work(worker, connection, begin, events.clone()))
        };
        let start_producer = |(producer, connection)| {
            scope.spawn(move || produce(producer, connection, begin, events.clone()))
        };
        let workers: Vec<_> =
            worker_connections.into_iter().enumerate().map(start_worker).collect();
        let producers: Vec<_> =
            producer_connections.into_iter().enumerate().map(start_producer).collect();

        let all_is_sent = || producers.iter().all(|producer| producer.is_finished());
        let watched = watch(&mut connection, &heard, begin, all_is_sent);
        // Each worker gets one message that tells it to stop, after an error too.
        let _: usize = connection.rpush(CLOSING, &["go home"; WORKERS])?;
        for thread in workers.into_iter().chain(producers) {
            thread.join().map_err(|_| "a worker or a producer panicked")??;
        }
        watched
    })?;

    let info = Info::of_queue(&mut connection)?;
    let dead_letters: Vec<String> = connection.lrange(TOO_LATE, 0, -1)?;
    let too_late = dead_letters.iter().map(|message| message.parse()).collect::<Outcome<_>>()?;
    server.stop()?;
    Ok(Sale { ledger, rows, info, too_late })
}

/// One customer's request, with the time since the start of the sale when it was sent.
#[derive(Clone, Copy, Debug)]
struct Request {
    producer: usize,
    number: usize,
    sent: Duration,
}

/// Identifies a request. Later requests of a producer have greater ids.
type RequestId = (usize, usize);

impl Request {
    fn id(&self) -> RequestId {
        (self.producer, self.number)
    }

    fn to_message(self) -> String {
        format!("{} {} {}", self.producer, self.number, self.sent.as_micros())
    }
}

impl FromStr for Request {
    type Err = Box<dyn Error + Send + Sync>;

    fn from_str(message: &str) -> Outcome<Request> {
        let mut words = message.split(' ');
        let mut next = || words.next().ok_or_else(|| format!("'{message}' is no request"));
        let (producer, number) = (next()?.parse()?, next()?.parse()?);
        Ok(Request { producer, number, sent: Duration::from_micros(next()?.parse()?) })
    }
}

/// Reports from producers and workers.
#[derive(Debug)]
enum Event {
    Accepted(Request),
    Refused,
    Served(Service),
    Died { worker: usize, request: Request, at: Duration },
}

/// A request that a worker handled.
#[derive(Debug)]
struct Service {
    request: Request,
    worker: usize,
    taken: Duration,
    /// The item sold; none if the stock was empty.
    item: Option<usize>,
}

/// Sends requests in waves, whatever the replies: customers do not coordinate.
fn produce(
    producer: usize,
    mut connection: Connection,
    begin: Instant,
    events: Sender<Event>,
) -> Outcome<()> {
    for wave in 0..WAVES {
        sleep_until(begin + WAVE_INTERVAL * u32::try_from(wave)?);
        let sent = begin.elapsed();
        let numbers = wave * WAVE_REQUESTS..(wave + 1) * WAVE_REQUESTS;
        let requests: Vec<_> = numbers.map(|number| Request { producer, number, sent }).collect();

        let mut pipeline = redis::pipe();
        // An error belongs to one request; the requests after it have replies of their own.
        pipeline.ignore_errors();
        for request in &requests {
            pipeline.rpush(QUEUE, request.to_message());
        }
        let replies: Vec<Result<usize, RedisError>> = pipeline.query(&mut connection)?;
        assert_eq!(replies.len(), requests.len());
        for (request, reply) in requests.into_iter().zip(replies) {
            events.send(match reply {
                Ok(waiting) => {
                    assert!(waiting <= WAITING_MAX, "{waiting} wait");
                    Event::Accepted(request)
                }
                Err(error) if error.code() == Some("QUEUEFULL") => Event::Refused,
                Err(error) => return Err(error.into()),
            })?;
        }
    }
    Ok(())
}

/// Handles one request after another, until it is told to stop.
fn work(
    worker: usize,
    mut connection: Connection,
    begin: Instant,
    events: Sender<Event>,
) -> Outcome<()> {
    let mut count = 0;
    loop {
        // This pop also acknowledges the previous request.
        let popped: Option<(String, String)> =
            connection.blpop(&[QUEUE, CLOSING], PATIENCE.as_secs_f64())?;
        let Some((queue, message)) = popped else {
            return Err(format!("worker {worker} waited in vain for {PATIENCE:?}").into());
        };
        if queue == CLOSING {
            return Ok(());
        }
        let request: Request = message.parse()?;
        let taken = begin.elapsed();
        count += 1;
        if worker == DYING_WORKER && count == DYING_REQUEST {
            thread::sleep(WORK / 2);
            events.send(Event::Died { worker, request, at: begin.elapsed() })?;
            // The connection closes here, as the system does for a dead process.
            return Ok(());
        }
        thread::sleep(WORK);
        // Only now, so that a dying worker has taken no item.
        let item: Option<usize> = connection.lpop(ITEMS, None)?;
        events.send(Event::Served(Service { request, worker, taken, item }))?;
    }
}

fn sleep_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}

/// All reports so far.
#[derive(Default)]
struct Ledger {
    accepted: Vec<Request>,
    refused: usize,
    served: Vec<Service>,
    died: Option<(usize, Request, Duration)>,
}

impl Ledger {
    fn enter(&mut self, event: Event) {
        match event {
            Event::Accepted(request) => self.accepted.push(request),
            Event::Refused => self.refused += 1,
            Event::Served(service) => self.served.push(service),
            Event::Died { worker, request, at } => self.died = Some((worker, request, at)),
        }
    }

    fn items(&self) -> impl Iterator<Item = usize> {
        self.served.iter().filter_map(|service| service.item)
    }

    /// The second delivery of the request that the dying worker held, if there was one.
    fn second_service(&self) -> Option<&Service> {
        let (_, lost, _) = self.died.as_ref()?;
        self.served.iter().find(|service| service.request.id() == lost.id())
    }
}

/// The reply of QUEUE INFO.
struct Info(HashMap<String, Option<String>>);

impl Info {
    fn of_queue(connection: &mut Connection) -> Outcome<Info> {
        Ok(Info(redis::cmd("QUEUE").arg("INFO").arg(QUEUE).query(connection)?))
    }

    fn count(&self, field: &str) -> usize {
        let text = self.0.get(field).and_then(Option::as_deref);
        // A missing field fails every assertion about it.
        text.and_then(|text| text.parse().ok()).unwrap_or(usize::MAX)
    }

    fn is_at_rest(&self) -> bool {
        self.count("length") == 0 && self.count("in-flight") == 0
    }
}

/// The sale at one moment; waiting times are those since the row before.
struct Row {
    at: Duration,
    waiting: usize,
    in_flight: usize,
    accepted: usize,
    refused: usize,
    sold: usize,
    told_sold_out: usize,
    too_late: usize,
    median_and_worst: Option<(Duration, Duration)>,
}

/// Collects reports and prints a row at each tick, until the queue is at rest.
fn watch(
    connection: &mut Connection,
    heard: &Receiver<Event>,
    begin: Instant,
    all_is_sent: impl Fn() -> bool,
) -> Outcome<(Ledger, Vec<Row>)> {
    println!(
        "    ms  waiting  in flight  refused  sold  sold out  too late  waited ms: median  worst"
    );
    let (mut ledger, mut rows) = (Ledger::default(), Vec::new());
    loop {
        // Halfway between two waves.
        sleep_until(begin + TICK * u32::try_from(rows.len())? + TICK / 2);
        // The order matters: the queue is at rest only after the last request, and a worker has reported
        // everything that it acknowledged.
        let is_last = all_is_sent();
        let info = Info::of_queue(connection)?;
        let known = ledger.served.len();
        heard.try_iter().for_each(|event| ledger.enter(event));
        let sold = ledger.items().count();
        let row = Row {
            at: begin.elapsed(),
            waiting: info.count("length"),
            in_flight: info.count("in-flight"),
            accepted: ledger.accepted.len(),
            refused: ledger.refused,
            sold,
            told_sold_out: ledger.served.len() - sold,
            too_late: info.count("dead-lettered"),
            median_and_worst: median_and_worst(&ledger.served[known..]),
        };
        print_row(&row);
        rows.push(row);
        if is_last && info.is_at_rest() {
            return Ok((ledger, rows));
        }
        if begin.elapsed() > PATIENCE {
            return Err(format!("requests wait or are in flight after {PATIENCE:?}").into());
        }
    }
}

/// How long requests waited until a worker took them.
fn median_and_worst(served: &[Service]) -> Option<(Duration, Duration)> {
    let waited = |service: &Service| service.taken.saturating_sub(service.request.sent);
    let mut waits: Vec<Duration> = served.iter().map(waited).collect();
    waits.sort();
    Some((*waits.get(waits.len() / 2)?, *waits.last()?))
}

fn print_row(row: &Row) {
    let Row { waiting, in_flight, refused, sold, told_sold_out, too_late, .. } = row;
    print!("{:6}  {waiting:7}  {in_flight:9}", row.at.as_millis());
    print!("  {refused:7}  {sold:4}  {told_sold_out:8}  {too_late:8}");
    match row.median_and_worst {
        Some((median, worst)) => println!("{:19}{:7}", median.as_millis(), worst.as_millis()),
        None => println!("{:>19}{:>7}", "-", "-"),
    }
}

const PICTURE_LINES: usize = 10;
const PICTURE_TICKS_PER_SECOND: usize = 10;

/// The number of waiting requests: a column for each tick, a line for each tenth of the limit.
fn print_picture(rows: &[Row]) {
    println!("\nwaiting");
    let step = WAITING_MAX / PICTURE_LINES;
    for line in (1..=PICTURE_LINES).rev() {
        // A column is rounded to the nearest line.
        let mark = |row: &Row| if row.waiting + step / 2 >= line * step { '#' } else { ' ' };
        let columns: String = rows.iter().map(mark).collect();
        println!("{:5} |{}", line * step, columns.trim_end());
    }
    println!("{:5} +{}", 0, "-".repeat(rows.len()));
    let seconds = 0..rows.len().div_ceil(PICTURE_TICKS_PER_SECOND);
    let scale: String =
        seconds.map(|second| format!("{second:<PICTURE_TICKS_PER_SECOND$}")).collect();
    println!("       {} s\n", scale.trim_end());
}

/// The rows as data for a picture. Counts are since the start; `waiting` and `in flight` are of that
/// moment.
fn to_csv(rows: &[Row]) -> String {
    let mut text = format!(
        "# {REQUESTS} requests within two seconds, {STOCK} items, {WORKERS} workers: {} ms for a request\n\
         # Policy: max-length {WAITING_MAX}, message-ttl-ms {}, delivery at-least-once\n\
         # Written by `cargo run --release --example flash_sale docs/pictures/flash_sale.csv`\n\
         ms,accepted,refused,waiting,waiting at most,in flight,sold,told sold out,too late\n",
        WORK.as_millis(),
        LIFE.as_millis(),
    );
    for row in rows {
        let Row {
            at, accepted, refused, waiting, in_flight, sold, told_sold_out, too_late, ..
        } = row;
        let [ms, limit] = [at.as_millis().to_string(), WAITING_MAX.to_string()];
        let counts = [accepted, refused, waiting].map(usize::to_string);
        let ends = [in_flight, sold, told_sold_out, too_late].map(usize::to_string);
        text += &[&[ms], &counts[..], &[limit], &ends[..]].concat().join(",");
        text.push('\n');
    }
    text
}

fn print_sums(sale: &Sale) {
    let Ledger { refused, served, died, .. } = &sale.ledger;
    let sold = sale.ledger.items().count();
    println!("{REQUESTS:6} requests were sent, of which");
    println!("{refused:6} were refused: sold out, try later");
    println!("{sold:6} got an item");
    println!("{:6} were served and told that nothing is left", served.len() - sold);
    println!("{:6} had waited for {LIFE:?}, and are in the list '{TOO_LATE}'", sale.too_late.len());
    if let (Some((worker, lost, at)), Some(service)) = (died, sale.ledger.second_service()) {
        println!(
            "worker {worker} died with request {} of producer {}; worker {} took it {} ms later",
            lost.number,
            lost.producer,
            service.worker,
            service.taken.saturating_sub(*at).as_millis()
        );
    }
    let fields =
        ["pushed", "delivered", "redelivered", "acknowledged", "rejected", "dead-lettered"];
    let counts = fields.map(|field| format!("{field} {}", sale.info.count(field)));
    println!("QUEUE INFO: {}", counts.join(", "));
}

/// The reports of producers and workers add up, and the broker has counted the same.
fn check_sums(sale: &Sale) {
    let Sale { ledger, rows, info, too_late } = sale;
    let (served, sold) = (ledger.served.len(), ledger.items().count());
    let told_sold_out = served - sold;
    assert_eq!(ledger.refused + sold + told_sold_out + too_late.len(), REQUESTS);
    assert_eq!(ledger.refused + ledger.accepted.len(), REQUESTS);

    let again = usize::from(ledger.second_service().is_some());
    for (field, expected) in [
        ("rejected", ledger.refused),
        ("pushed", sold + told_sold_out + too_late.len()),
        ("dead-lettered", too_late.len()),
        ("acknowledged", served),
        ("redelivered", again),
        // Each is delivered once, except the one that the dying worker held.
        ("delivered", served + usize::from(ledger.died.is_some())),
        // These count only messages that are not dead-lettered.
        ("expired", 0),
        ("dropped", 0),
        ("length", 0),
        ("in-flight", 0),
    ] {
        assert_eq!(info.count(field), expected, "{field}");
    }

    // A message returned by a dead worker is accepted even above the limit.
    let returned = usize::from(ledger.died.is_some());
    assert!(rows.iter().all(|row| row.waiting <= WAITING_MAX + returned));
    assert!(rows.iter().all(|row| row.in_flight <= WORKERS));
}

/// No request has two outcomes, and every accepted request has one. No item is sold twice, and no
/// customer misses an item that was left.
fn check_ends(sale: &Sale) {
    let Sale { ledger, too_late, .. } = sale;
    let served = ledger.served.iter().map(|service| service.request.id());
    let ends: Vec<RequestId> = served.chain(too_late.iter().map(Request::id)).collect();
    let distinct: BTreeSet<RequestId> = ends.iter().copied().collect();
    assert_eq!(distinct.len(), ends.len(), "a request had two ends");
    let accepted: BTreeSet<RequestId> = ledger.accepted.iter().map(Request::id).collect();
    assert_eq!(distinct, accepted);

    let items: BTreeSet<usize> = ledger.items().collect();
    assert_eq!(items.len(), ledger.items().count(), "an item was sold twice");
    let sold = STOCK.min(ledger.served.len());
    assert_eq!(items, (1..=sold).collect(), "the stock is sold from its head, as far as it goes");

    if let (Some((worker, ..)), Some(service)) = (ledger.died, ledger.second_service()) {
        assert_ne!(service.worker, worker, "a dead worker handles nothing");
    }
}

/// The queue has kept its order. Workers report at different times, but each worker, and the reader of
/// the dead letters, sees the requests of a producer in order.
fn check_order(sale: &Sale) {
    let Sale { ledger, too_late, .. } = sale;
    let lost = ledger.died.map(|(_, request, _)| request.id());
    let mut seen: BTreeMap<Option<usize>, Vec<RequestId>> = BTreeMap::new();
    for service in &ledger.served {
        seen.entry(Some(service.worker)).or_default().push(service.request.id());
    }
    seen.insert(None, too_late.iter().map(Request::id).collect());

    for requests in seen.into_values() {
        let mut last_of: HashMap<usize, usize> = HashMap::new();
        // The returned request comes after younger ones, because it was delivered before them.
        for (producer, number) in requests.into_iter().filter(|id| Some(*id) != lost) {
            let last = last_of.insert(producer, number);
            assert!(last < Some(number), "{number} of producer {producer} came after {last:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_one_end() -> Outcome<()> {
        let sale = hold_and_check()?;
        let csv = to_csv(&sale.rows);
        let counts: Vec<usize> = csv
            .lines()
            .last()
            .expect("a row")
            .split(',')
            .map(|cell| cell.parse().expect("a number"))
            .collect();
        let [_, accepted, refused, 0, WAITING_MAX, 0, sold, told_sold_out, too_late] = counts[..]
        else {
            panic!("{counts:?}");
        };
        assert_eq!(accepted + refused, REQUESTS);
        assert_eq!(sold + told_sold_out + too_late, accepted);
        Ok(())
    }

    #[test]
    fn requests_read_back() {
        let request = Request { producer: 3, number: 17, sent: Duration::from_micros(250_123) };
        let message = request.to_message();
        assert_eq!(message, "3 17 250123");
        let read: Request = message.parse().expect("what was written");
        assert_eq!((read.id(), read.sent), (request.id(), request.sent));
        for wrong in ["", "3 17", "3 17 soon", "-1 2 3"] {
            assert!(wrong.parse::<Request>().is_err(), "{wrong}");
        }
    }
}
