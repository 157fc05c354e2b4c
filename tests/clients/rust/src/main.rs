//! The redis crate's blocking interface, with the protocol that is asked for.

mod support;

use std::sync::mpsc;
use std::thread;

use redis::{
    Client, Commands, Connection, ConnectionLike, Direction, ErrorKind, PushKind, RedisResult,
    Value,
};

use support::{PATIENCE, checks, client_list, run, shows_blocked, version, wait_until};

/// Two connections to the server, and the means to open more.
struct Session {
    client: Client,
    first: Connection,
    other: Connection,
    protocol: String,
}

impl Session {
    fn open() -> Session {
        let protocol = std::env::args().nth(1).expect("a protocol version");
        let port = std::env::var("SERVER_PORT").expect("SERVER_PORT");
        let url = format!("redis://127.0.0.1:{port}/?protocol={protocol}");
        let client = Client::open(url).expect("a valid address");
        Session { first: connect(&client), other: connect(&client), client, protocol }
    }

    fn connect(&self) -> Connection {
        connect(&self.client)
    }

    /// Starts a blocking call on a connection of its own, does the rest once it waits, and returns
    /// the call's reply.
    fn while_blocked<T: Send + 'static>(
        &mut self,
        call: impl FnOnce(&mut Connection) -> RedisResult<T> + Send + 'static,
        then: impl FnOnce(&mut Connection),
    ) -> T {
        let mut connection = self.connect();
        let waiting = thread::spawn(move || call(&mut connection));
        wait_until("a blocked client", || shows_blocked(&client_list(&mut self.other)));
        then(&mut self.other);
        waiting.join().expect("no panic").expect("a reply")
    }
}

fn connect(client: &Client) -> Connection {
    let connection = client.get_connection().expect("a connection");
    connection.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    connection
}

fn client_id(connection: &mut Connection) -> u64 {
    redis::cmd("CLIENT").arg("ID").query(connection).expect("CLIENT ID")
}

fn binary() -> Vec<u8> {
    (0..=255).chain(*b"\r\n$5\r\n\0").collect()
}

fn large() -> Vec<u8> {
    binary().into_iter().cycle().take(10_000_000).collect()
}

fn speaks_the_protocol(session: &mut Session) -> RedisResult<()> {
    let identity = format!("id={}", client_id(&mut session.first));
    let clients = client_list(&mut session.other);
    let entry = clients.lines().find(|line| line.split(' ').next() == Some(&identity));
    let protocol = format!("resp={}", session.protocol);
    assert!(entry.expect("an entry").split(' ').any(|field| field == protocol), "{clients}");
    Ok(())
}

fn push_and_pop(session: &mut Session) -> RedisResult<()> {
    let client = &mut session.first;
    assert_eq!(client.rpush::<_, _, usize>("q", &["a", "b", "c"])?, 3);
    assert_eq!(client.lpush::<_, _, usize>("q", "z")?, 4);
    assert_eq!(client.lrange::<_, Vec<String>>("q", 0, -1)?, ["z", "a", "b", "c"]);
    assert_eq!(client.lpop::<_, String>("q", None)?, "z");
    assert_eq!(client.rpop::<_, Vec<String>>("q", 2.try_into().ok())?, ["c", "b"]);
    let moved: String = client.lmove("q", "r", Direction::Left, Direction::Right)?;
    assert_eq!(moved, "a");
    assert_eq!(client.lpop::<_, Option<String>>("q", None)?, None);
    Ok(())
}

fn pop_with_timeout(session: &mut Session) -> RedisResult<()> {
    let client = &mut session.first;
    assert_eq!(client.blpop::<_, Option<(String, String)>>("q", 0.05)?, None);
    assert_eq!(client.brpop::<_, Value>(&["q", "r"], 0.05)?, Value::Nil);
    client.rpush::<_, _, usize>("r", &["there", "already"])?;
    let popped: (String, String) = client.blpop(&["q", "r"], 1.0)?;
    assert_eq!(popped, ("r".into(), "there".into()));
    Ok(())
}

fn blocked_pop_is_served(session: &mut Session) -> RedisResult<()> {
    let pop = |client: &mut Connection| client.blpop::<_, (String, String)>(&["q", "r"], 0.0);
    let popped = session.while_blocked(pop, |other| {
        assert_eq!(other.rpush::<_, _, usize>("r", &["x", "y"]).expect("a reply"), 2);
    });
    assert_eq!(popped, ("r".into(), "x".into()));

    let take = |client: &mut Connection| {
        client.blmove::<_, _, String>("q", "r", Direction::Left, Direction::Right, 0.0)
    };
    let moved = session.while_blocked(take, |other| {
        other.rpush::<_, _, usize>("q", "z").expect("a reply");
    });
    assert_eq!(moved, "z");
    assert_eq!(session.other.lrange::<_, Vec<String>>("r", 0, -1)?, ["y", "z"]);
    Ok(())
}

fn pipeline(session: &mut Session) -> RedisResult<()> {
    let mut batch = redis::pipe();
    for number in 1..=1000 {
        batch.rpush("q", number);
    }
    batch.lrange("q", 0, -1);
    let mut replies: Vec<Value> = batch.query(&mut session.first)?;
    let elements: Vec<u32> = redis::from_redis_value(replies.pop().expect("a last reply"))?;
    assert!(elements.into_iter().eq(1..=1000));
    assert!(replies.into_iter().eq((1..=1000).map(Value::Int)));

    let unknown: RedisResult<()> = redis::cmd("NOSUCHCOMMAND").query(&mut session.first);
    let error = unknown.expect_err("an error reply");
    assert!(error.to_string().contains("unknown command"), "{error}");
    Ok(())
}

fn transaction(session: &mut Session) -> RedisResult<()> {
    let mut batch = redis::pipe();
    batch.atomic().rpush("q", "a").rpush("q", "b").lpop("q", None);
    let done: (usize, usize, String) = batch.query(&mut session.first)?;
    assert_eq!(done, (1, 2, "a".into()));
    Ok(())
}

fn watched_transaction_with_conflict(session: &mut Session) -> RedisResult<()> {
    let Session { first, other, .. } = session;
    let mut attempts = 0;
    let done: (usize,) = redis::transaction(first, &["q"], |client, batch| {
        attempts += 1;
        if attempts == 1 {
            other.rpush::<_, _, usize>("q", "first")?;
        }
        batch.rpush("q", "second").query(client)
    })?;
    assert_eq!((attempts, done), (2, (2,)));
    assert_eq!(first.lrange::<_, Vec<String>>("q", 0, -1)?, ["first", "second"]);
    Ok(())
}

fn publish_and_subscribe(session: &mut Session) -> RedisResult<()> {
    let mut connection = session.connect();
    let other = &mut session.other;
    let mut subscriber = connection.as_pubsub();
    subscriber.subscribe("news")?;
    subscriber.psubscribe("n?ws*")?;
    assert_eq!(other.publish::<_, _, usize>("news", binary())?, 2);
    let message = subscriber.get_message()?;
    assert!(!message.from_pattern());
    assert_eq!((message.get_channel_name(), message.get_payload_bytes()), ("news", &*binary()));
    let message = subscriber.get_message()?;
    assert_eq!(message.get_pattern::<String>()?, "n?ws*");
    assert_eq!((message.get_channel_name(), message.get_payload_bytes()), ("news", &*binary()));

    subscriber.unsubscribe("news")?;
    assert_eq!(other.publish::<_, _, usize>("news.sport", "goal")?, 1);
    let message = subscriber.get_message()?;
    assert_eq!(message.get_channel_name(), "news.sport");
    assert_eq!(message.get_payload::<String>()?, "goal");
    subscriber.punsubscribe("n?ws*")?;
    drop(subscriber);
    assert_eq!(other.publish::<_, _, usize>("news", "nobody")?, 0);
    assert_eq!(connection.rpush::<_, _, usize>("q", "commands again")?, 1);
    Ok(())
}

/// RESP3 alone: a subscriber may send any command, and messages come between the replies.
fn messages_between_replies(session: &mut Session) -> RedisResult<()> {
    let (sender, pushes) = mpsc::channel();
    let mut client = session.connect();
    client.set_push_sender(sender);
    client.subscribe_resp3("news")?;
    client.psubscribe_resp3("n?ws*")?;
    let all = |pushes: &mpsc::Receiver<redis::PushInfo>| {
        pushes.try_iter().map(|push| push.kind).collect::<Vec<_>>()
    };
    assert_eq!(client.rpush::<_, _, usize>("q", "a")?, 1);
    assert_eq!(all(&pushes), [PushKind::Subscribe, PushKind::PSubscribe]);
    assert_eq!(session.other.publish::<_, _, usize>("news", "hello")?, 2);
    assert_eq!(client.lpop::<_, String>("q", None)?, "a");
    assert_eq!(all(&pushes), [PushKind::Message, PushKind::PMessage]);
    Ok(())
}

fn binary_payloads(session: &mut Session) -> RedisResult<()> {
    let client = &mut session.first;
    assert_eq!(client.rpush::<_, _, usize>(binary(), &[binary(), Vec::new()])?, 2);
    assert_eq!(client.keys::<_, Vec<Vec<u8>>>("*")?, [binary()]);
    assert_eq!(client.lpop::<_, Vec<u8>>(binary(), None)?, binary());
    assert_eq!(client.lpop::<_, Vec<u8>>(binary(), None)?, b"");
    Ok(())
}

fn ten_megabytes(session: &mut Session) -> RedisResult<()> {
    let large = large();
    let client = &mut session.first;
    assert_eq!(client.rpush::<_, _, usize>("q", &[&large, &large])?, 2);
    assert!(client.lrange::<_, Vec<Vec<u8>>>("q", 0, -1)? == [&large[..], &large[..]]);
    assert!(client.lpop::<_, Vec<u8>>("q", None)? == large);

    let mut subscriber = session.other.as_pubsub();
    subscriber.subscribe("large")?;
    assert_eq!(client.publish::<_, _, usize>("large", &large)?, 1);
    assert!(subscriber.get_message()?.get_payload_bytes() == large);
    Ok(())
}

/// The blocking interface leaves it to its user to connect again, but tells that it is time to.
fn reconnect_after_kill(session: &mut Session) -> RedisResult<()> {
    let mut victim = session.connect();
    let identity = client_id(&mut victim);
    let kill = redis::cmd("CLIENT").arg("KILL").arg("ID").arg(identity).query(&mut session.other);
    assert_eq!(kill, Ok(1));
    let lost = redis::cmd("PING").query::<()>(&mut victim).expect_err("a lost connection");
    assert_eq!(lost.kind(), ErrorKind::Io);
    assert!(lost.is_connection_dropped() && !victim.is_open(), "{lost}");
    assert!(client_id(&mut session.connect()) > identity);
    Ok(())
}

fn main() {
    let mut session = Session::open();
    let mut checks = checks![
        speaks_the_protocol,
        push_and_pop,
        pop_with_timeout,
        blocked_pop_is_served,
        pipeline,
        transaction,
        watched_transaction_with_conflict,
        publish_and_subscribe,
        binary_payloads,
        ten_megabytes,
        reconnect_after_kill,
    ];
    if session.protocol == "3" {
        checks.extend(checks![messages_between_replies]);
    }
    let subject = format!("redis crate {}, protocol {}", version(), session.protocol);
    run(&subject, checks, &mut session, |session| redis::cmd("FLUSHALL").exec(&mut session.other));
}
