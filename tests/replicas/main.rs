//! Replication between brokers in this process, without sockets: a replica has what its primary has.

mod demotion;
mod full_sync;
mod net;
mod promises;
mod random;
#[path = "../simulation/rng.rs"]
#[allow(dead_code, reason = "the simulation uses more of it")]
mod rng;

use net::Net;

/// Two brokers, of which the second follows the first.
fn pair() -> Net {
    let mut net = Net::new(2, "");
    let client = net.client(1);
    assert_eq!(net.call(1, client, "REPLICAOF node 1"), "+OK\r\n");
    net.settle();
    net
}

#[test]
fn a_replica_follows_from_the_start() {
    let mut net = pair();
    let client = net.client(0);
    for line in [
        "RPUSH q a b c",
        "LPOP q",
        "SET s 1",
        "INCR s",
        "SELECT 3",
        "RPUSH other x",
        "LMOVE other moved LEFT RIGHT",
        "EXPIRE moved 100",
        "MULTI",
        "RPUSH q d",
        "SET t 1",
        "EXEC",
    ] {
        net.call(0, client, line);
    }
    net.settle();
    net.assert_equal(0, 1, "after commands");
    let offsets = [0, 1].map(|node| net.info(node, "master_repl_offset"));
    assert_eq!(offsets[0], offsets[1]);
    let reader = net.client(1);
    assert_eq!(net.call(1, reader, "LRANGE q 0 -1"), "*2\r\n$1\r\nb\r\n$1\r\nc\r\n");
    assert!(net.call(1, reader, "RPUSH q z").starts_with("-READONLY"));
}

#[test]
fn a_full_sync_brings_what_was_there() {
    let mut net = Net::new(2, "");
    let client = net.client(0);
    for number in 0..2000 {
        net.call(0, client, &format!("RPUSH q{} {}", number % 50, "x".repeat(number % 300)));
    }
    net.call(0, client, "PEXPIREAT q1 1700000100000");
    let replica = net.client(1);
    net.call(1, replica, "RPUSH own data");
    net.call(1, replica, "REPLICAOF node 1");
    net.window = 5000;
    for number in 0..200 {
        net.round(1);
        net.call(0, client, &format!("LPOP q{}", number % 50));
        net.call(0, client, &format!("RPUSH new{number} y"));
    }
    net.window = usize::MAX;
    net.settle();
    net.assert_equal(0, 1, "after a full sync");
    assert_eq!(net.info(0, "sync_full").as_deref(), Some("1"));
}

#[test]
fn a_large_hash_and_set_are_sent_in_pieces() {
    let mut net = Net::new(2, "");
    let client = net.client(0);
    for block in 0..40 {
        let numbers = || (500 * block..500 * block + 500).map(|number: u32| number.to_string());
        let pairs = numbers().map(|number| format!("f{number} {}", "v".repeat(60)));
        net.call(0, client, &format!("HSET h {}", pairs.collect::<Vec<_>>().join(" ")));
        let members = numbers().map(|number| format!("{number}{}", "m".repeat(60)));
        net.call(0, client, &format!("SADD s {}", members.collect::<Vec<_>>().join(" ")));
    }
    let replica = net.client(1);
    net.call(1, replica, "REPLICAOF node 1");
    let mut largest = 0;
    for number in 0..100 {
        let before = net.in_flight();
        net.round(10);
        largest = largest.max(net.in_flight().saturating_sub(before));
        net.call(0, client, &format!("HSET h f{number} changed"));
        net.call(0, client, "SPOP s 3");
    }
    net.settle();
    net.assert_equal(0, 1, "afterwards");
    assert!(largest < 1_000_000, "{largest} bytes in a turn");
}

#[test]
fn a_large_queue_is_sent_in_pieces() {
    let mut net = Net::new(2, "rdbcompression no");
    let client = net.client(0);
    let messages = |number: usize| format!(" {number}{}", "m".repeat(number % 200)).repeat(50);
    for number in 0..2000 {
        net.call(0, client, &format!("RPUSH q{}", messages(number)));
    }
    let replica = net.client(1);
    net.call(1, replica, "REPLICAOF node 1");
    let mut largest = 0;
    for number in 0..400 {
        net.round(1);
        largest = largest.max(net.in_flight());
        net.call(0, client, &format!("LPOP q {}", number % 3 + 1));
    }
    net.settle();
    net.assert_equal(0, 1, "after a full sync");
    assert!((100_000..1_000_000).contains(&largest), "{largest} bytes in a turn");
}

#[test]
fn a_cut_link_continues_where_it_was() {
    let mut net = pair();
    let client = net.client(0);
    for number in 0..300 {
        net.call(0, client, &format!("RPUSH q {number}"));
        net.window = 7 + number;
        net.round(1);
        if number % 50 == 49 {
            net.cut(1);
        }
    }
    net.window = usize::MAX;
    net.settle();
    net.assert_equal(0, 1, "after cuts");
    assert_eq!(net.info(0, "sync_full").as_deref(), Some("1"));
    assert_ne!(net.info(0, "sync_partial_ok").as_deref(), Some("0"));
}

#[test]
fn a_promoted_replica_goes_on_with_the_others() {
    let mut net = Net::new(3, "");
    let (one, two) = (net.client(1), net.client(2));
    net.call(1, one, "REPLICAOF node 1");
    net.settle();
    net.call(2, two, "REPLICAOF node 2");
    net.settle();
    let client = net.client(0);
    (0..100).for_each(|number| drop(net.call(0, client, &format!("RPUSH q {number}"))));
    net.settle();
    net.assert_equal(0, 2, "a chain");
    net.call(1, one, "REPLICAOF NO ONE");
    net.call(1, one, "RPUSH q promoted");
    net.settle();
    net.assert_equal(1, 2, "after the promotion");
    assert_eq!(net.info(1, "sync_full").as_deref(), Some("1"), "the last continues");
    // The former primary follows, too: it has nothing that the new one does not have.
    net.call(0, client, "REPLICAOF node 2");
    net.settle();
    net.assert_equal(0, 1, "the former primary");
}

/// The rest of a stream may come from another primary, without saying again which database it is about.
#[test]
fn a_stream_continues_in_its_database() {
    let mut net = Net::new(3, "");
    let (one, two) = (net.client(1), net.client(2));
    net.call(1, one, "REPLICAOF node 1");
    net.call(2, two, "REPLICAOF node 1");
    net.settle();
    let client = net.client(0);
    net.call(0, client, "SELECT 3");
    net.call(0, client, "RPUSH q 1");
    net.settle();
    net.stall(2, true);
    net.call(0, client, "RPUSH q 2");
    net.settle();
    net.call(1, one, "REPLICAOF NO ONE");
    net.call(2, two, "REPLICAOF node 2");
    net.settle();
    net.assert_equal(1, 2, "after the promotion");
    assert_eq!(net.info(1, "sync_full").as_deref(), Some("0"), "it continues");
    assert_eq!(net.data(2).0.len(), 1);
}

#[test]
fn a_transaction_has_a_limit() {
    let mut net = Net::new(2, "replica-transaction-limit 1mb");
    let (client, replica) = (net.client(0), net.client(1));
    net.call(1, replica, "REPLICAOF node 1");
    net.settle();
    let transaction = |net: &mut Net, pushes: usize| {
        net.call(0, client, "MULTI");
        (0..pushes)
            .for_each(|_| drop(net.call(0, client, &format!("RPUSH q {}", "x".repeat(60_000)))));
        assert!(net.call(0, client, "EXEC").starts_with(&format!("*{pushes}\r\n")));
        (0..20).for_each(|_| net.round(100));
    };
    transaction(&mut net, 10);
    net.assert_equal(0, 1, "a smaller one");
    transaction(&mut net, 20);
    let stopped = net.info(1, "master_link_stopped").unwrap_or_default();
    assert!(stopped.contains("replica-transaction-limit"), "{stopped}");
    assert_eq!(net.call(1, replica, "LLEN q"), ":10\r\n", "the data stays as it was");
    // With another limit it follows again.
    net.call(1, replica, "CONFIG SET replica-transaction-limit 2mb");
    net.call(1, replica, "REPLICAOF NO ONE");
    net.call(1, replica, "REPLICAOF node 1");
    net.settle();
    net.assert_equal(0, 1, "after a full sync");
}

#[test]
fn published_messages_reach_subscribers_of_replicas() {
    let mut net = pair();
    let subscriber = net.client(1);
    net.call(1, subscriber, "SUBSCRIBE news");
    let client = net.client(0);
    net.call(0, client, "PUBLISH news hello");
    net.settle();
    let got = net.replies(1, subscriber);
    assert!(got.contains("hello"), "{got}");
}

#[test]
fn expired_keys_are_removed_by_the_primary_only() {
    let mut net = pair();
    let client = net.client(0);
    net.call(0, client, "SET s 1 PX 500");
    net.settle();
    net.stall(1, true);
    net.round(1000);
    let reader = net.client(1);
    assert_eq!(net.call(1, reader, "GET s"), "$-1\r\n", "it is not shown");
    assert_eq!(net.data(1).0.len(), 1, "but it is there");
    net.stall(1, false);
    net.settle();
    assert_eq!(net.data(1).0.len(), 0);
}

#[test]
fn waiting_clients_are_told_of_the_change_of_role() {
    let mut net = Net::new(2, "");
    let waiting = net.client(1);
    assert_eq!(net.call(1, waiting, "BLPOP q 0"), "");
    let client = net.client(1);
    net.call(1, client, "REPLICAOF node 1");
    let got = net.replies(1, waiting);
    assert!(got.starts_with("-UNBLOCKED"), "{got}");
}
