//! Clients on sockets: of a client library, greedy, half-closed, vanished.

mod server_support;

use redis::{Commands, Connection, RedisResult};
#[cfg(target_os = "linux")]
use server_support::Process;
use server_support::{Client, PATIENCE, serve};
use std::io::Read;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use tidegate::RunningServer;

fn library_client(server: &RunningServer) -> Connection {
    let url = format!("redis://{}/", server.local_addrs()[0]);
    let client = redis::Client::open(url).expect("a URL");
    let connection = client.get_connection().expect("the server accepts");
    connection.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    connection
}

#[test]
fn a_client_library_pushes_and_pops() -> RedisResult<()> {
    let server = serve("");
    let mut client = library_client(&server);
    assert_eq!(client.rpush::<_, _, usize>("q", &["a", "b"])?, 2);
    assert_eq!(client.lpop::<_, String>("q", None)?, "a");
    assert_eq!(client.llen::<_, usize>("q")?, 1);
    let nothing: Option<(String, String)> = client.blpop("none", 0.01)?;
    assert_eq!(nothing, None);
    Ok(())
}

#[test]
fn a_client_library_waits_for_what_another_pushes() -> RedisResult<()> {
    let server = serve("");
    let mut consumer = library_client(&server);
    let mut producer = library_client(&server);
    thread::scope(|scope| {
        let consumer = scope.spawn(move || consumer.blpop::<_, (String, String)>("q", 0.0));
        let _: usize = producer.rpush("q", "message")?;
        let got = consumer.join().expect("no panic")?;
        assert_eq!(got, ("q".into(), "message".into()));
        Ok(())
    })
}

#[test]
fn a_client_library_subscribes() -> RedisResult<()> {
    let server = serve("");
    let mut subscriber = library_client(&server);
    let mut publisher = library_client(&server);
    let mut channel = subscriber.as_pubsub();
    channel.subscribe("news")?;
    channel.psubscribe("n*")?;
    assert_eq!(publisher.publish::<_, _, usize>("news", "tide")?, 2);
    for pattern in [None, Some("n*")] {
        let message = channel.get_message()?;
        assert_eq!(message.get_channel_name(), "news");
        assert_eq!(message.get_payload::<String>()?, "tide");
        assert_eq!(message.get_pattern::<Option<String>>()?.as_deref(), pattern);
    }
    Ok(())
}

#[test]
fn a_client_library_pipelines_and_transacts() -> RedisResult<()> {
    let server = serve("");
    let mut client = library_client(&server);
    let mut pipeline = redis::pipe();
    for number in 0..1000 {
        pipeline.rpush("q", number).ignore();
    }
    let (first, length): (usize, usize) = pipeline.lpop("q", None).llen("q").query(&mut client)?;
    assert_eq!((first, length), (0, 999));
    let mut transaction = redis::pipe();
    transaction.atomic().lpop("q", None).rpush("done", "x").llen("q");
    let replies: (usize, usize, usize) = transaction.query(&mut client)?;
    assert_eq!(replies, (1, 1, 998));
    Ok(())
}

/// One client pipelines endlessly; another one still gets its replies.
#[test]
fn a_firehose_starves_nobody() {
    let server = serve("");
    let address = server.local_addrs()[0];
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let firehose = Client::connect(address);
    let (mut input, mut output) = (
        firehose.stream.get_ref().try_clone().expect("a second handle"),
        firehose.stream.get_ref().try_clone().expect("a third handle"),
    );
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let pipeline = b"RPUSH q x\r\nLPOP q\r\n".repeat(5_000);
            while !is_over.load(Ordering::Relaxed) {
                std::io::Write::write_all(&mut input, &pipeline).expect("the server reads");
            }
            input.shutdown(Shutdown::Write).expect("half a close");
        });
        let reader = scope.spawn(|| {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(length) = output.read(&mut buffer) {
                if length == 0 {
                    return;
                }
                answered.fetch_add(length, Ordering::Relaxed);
            }
            panic!("the firehose is read to its end");
        });
        let mut client = Client::connect(address);
        // Twenty requests, and more until the firehose has certainly been served meanwhile.
        let mut asked = 0;
        let mut before = 0;
        while asked < 20 || answered.load(Ordering::Relaxed) - before < 1 << 18 {
            assert_eq!(client.ask("PING"), "+PONG");
            asked += 1;
            if asked == 1 {
                before = answered.load(Ordering::Relaxed);
            }
        }
        is_over.store(true, Ordering::Relaxed);
        writer.join().expect("a writer");
        reader.join().expect("a reader");
    });
    drop(firehose);
    server.stop().expect("a stop");
}

#[test]
fn a_half_closed_client_gets_its_replies() {
    let server = serve("");
    let mut client = Client::connect(server.local_addrs()[0]);
    client.send("RPUSH q x\r\n".repeat(20_000));
    client.stream.get_ref().shutdown(Shutdown::Write).expect("half a close");
    let lines = client.lines(20_000);
    assert_eq!(lines.last().map(String::as_str), Some(":20000"));
    assert_eq!(client.line(), None);
}

/// The request and the end arrive together: no later event mentions the end again.
#[cfg(target_os = "linux")]
#[test]
fn the_end_that_comes_with_the_last_request_is_seen() {
    let process = Process::start(&[]);
    let (mut asks, mut waits) = (process.client(), process.client());
    assert_eq!(asks.ask("PING"), "+PONG");
    assert_eq!(waits.ask("PING"), "+PONG");
    process.pause();
    asks.send("RPUSH q x\r\n");
    waits.send("BLPOP none 0\r\n");
    for client in [&asks, &waits] {
        client.stream.get_ref().shutdown(Shutdown::Write).expect("half a close");
    }
    process.signal("CONT");
    assert_eq!(asks.rest(), b":1\r\n");
    assert_eq!(waits.rest(), b"");
}

#[test]
fn a_client_that_quits_gets_its_last_reply_whatever_it_sent_behind() {
    let server = serve("");
    for last in ["QUIT\r\n", "*x\r\n"] {
        let mut client = Client::connect(server.local_addrs()[0]);
        client.send(format!("PING\r\n{last}{}", "PING\r\n".repeat(1000)));
        assert_eq!(client.line().as_deref(), Some("+PONG"));
        let reply = client.line().expect("a last reply");
        assert!(reply == "+OK" || reply.starts_with("-ERR Protocol error"), "{reply}");
        assert!(client.rest().is_empty());
    }
}

/// A client waits, and vanishes while the server is stopped, just after a push. The server learns of
/// both at once, and the message stays for other clients.
#[cfg(target_os = "linux")]
#[test]
fn a_vanished_client_takes_nothing() {
    let process = Process::start(&[]);
    let mut producer = process.client();
    let mut waiting = process.client();
    assert_eq!(producer.ask("PING"), "+PONG");
    // Both run at once, so the first reply shows that the second command waits.
    waiting.send("PING\r\nBLPOP q 0\r\n");
    assert_eq!(waiting.line().as_deref(), Some("+PONG"));
    process.pause();
    producer.send("RPUSH q message\r\n");
    drop(waiting);
    process.signal("CONT");
    assert_eq!(producer.line().as_deref(), Some(":1"));
    assert_eq!(producer.ask("LLEN q"), ":1");
}

#[test]
fn a_client_that_closes_while_it_waits_is_forgotten() {
    let server = serve("");
    let address = server.local_addrs()[0];
    let mut producer = Client::connect(address);
    for _ in 0..50 {
        let mut waiting = Client::connect(address);
        waiting.send("PING\r\nBLPOP q 0\r\n");
        assert_eq!(waiting.line().as_deref(), Some("+PONG"));
        drop(waiting);
        assert_eq!(producer.ask("RPUSH q message"), ":1");
        assert_eq!(producer.ask("LPOP q"), "$7");
        assert_eq!(producer.line().as_deref(), Some("message"));
    }
}

/// Bytes after a waiting command stay in the socket and run when it has ended, although no event
/// mentions them again.
#[test]
fn what_a_waiting_client_sent_is_run_afterwards() {
    let server = serve("");
    let address = server.local_addrs()[0];
    let (mut waiting, mut producer) = (Client::connect(address), Client::connect(address));
    waiting.send("PING\r\nBLPOP q 0\r\nPING\r\n");
    assert_eq!(waiting.line().as_deref(), Some("+PONG"));
    // So little that all of it is in the server's socket buffer before the push.
    waiting.send("PING\r\n".repeat(1_000));
    assert_eq!(producer.ask("RPUSH q message"), ":1");
    assert_eq!(waiting.lines(5), ["*2", "$1", "q", "$7", "message"]);
    assert!(waiting.lines(1_001).iter().all(|line| line == "+PONG"));
}
