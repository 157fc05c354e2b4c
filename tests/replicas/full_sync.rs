//! A full sync does a bounded part of its work in each turn, whatever the data is. Counted, not timed.

use crate::net::Net;

/// Steps of work in a turn of a primary that only sends: one for each kilobyte.
const STEPS_MAX: u64 = 700;

/// One round; returns the steps of work of the first broker.
fn round(net: &mut Net) -> u64 {
    let before = net.nodes[0].broker.work();
    net.round(1);
    let steps = net.nodes[0].broker.work() - before;
    assert!(steps < STEPS_MAX, "{steps} steps in a turn");
    steps
}

fn is_up(net: &mut Net) -> bool {
    net.info(1, "master_link_status").as_deref() == Some("up")
}

/// The second broker becomes a replica of the first. Neither too little nor too much is done in a turn.
fn sync(net: &mut Net) {
    let replica = net.client(1);
    net.call(1, replica, "REPLICAOF node 1");
    let mut most = 0;
    while !is_up(net) {
        most = most.max(round(net));
    }
    assert!(most > 50, "{most} steps in a turn");
    net.settle();
    net.assert_equal(0, 1, "after a full sync");
}

/// A full sync is under way afterwards.
fn begin(net: &mut Net) {
    let replica = net.client(1);
    net.call(1, replica, "REPLICAOF node 1");
    while net.in_flight() < 100_000 {
        net.round(1);
    }
}

#[test]
fn queues_under_policies_are_sent_in_pieces() {
    let policy = "queue-policy p p* delivery at-least-once acknowledge explicit";
    let mut net = Net::new(2, policy);
    let client = net.client(0);
    for number in 0..3_000 {
        // Each has a stamp of its own, since time passes.
        net.call(
            0,
            client,
            &format!("RPUSH p{} {number}{}", number % 2, " more message".repeat(10)),
        );
        net.round(1);
    }
    assert!(net.call(0, client, "LPOP p0 20000").starts_with("*20000\r\n"));
    assert_eq!(net.call(0, client, "QUEUE NACK p0 COUNT 9000 DELAY 900000"), ":9000\r\n");
    sync(&mut net);
    let reader = net.client(1);
    for line in ["QUEUE PEEK p0 DELAYED COUNT 2000", "QUEUE PEEK p1 COUNT 3000"] {
        let (ours, theirs) = (net.call(0, client, line), net.call(1, reader, line));
        assert!(ours.len() > 50_000 && ours == theirs, "{line}: {ours} {theirs}");
    }
}

#[test]
fn a_long_string_is_sent_in_pieces() {
    let mut net = Net::new(2, "");
    let client = net.client(0);
    net.call(0, client, &format!("SET s {}", "s".repeat(60_000)));
    for _ in 0..100 {
        net.call(0, client, &format!("APPEND s {}", "t".repeat(60_000)));
    }
    net.call(0, client, "SET short 17 PX 900000");
    sync(&mut net);
}

#[test]
fn the_groups_of_a_stream_are_sent_in_pieces() {
    let mut net = Net::new(2, "");
    let client = net.client(0);
    for group in ["a", "b", "empty"] {
        net.call(0, client, &format!("XGROUP CREATE s {group} 0 MKSTREAM"));
    }
    for _ in 0..30_000 {
        net.call(0, client, "XADD s * field value");
    }
    net.call(0, client, "XREADGROUP GROUP a one COUNT 30000 STREAMS s >");
    for consumer in 0..3_000 {
        net.call(0, client, &format!("XREADGROUP GROUP b c{consumer} COUNT 5 STREAMS s >"));
    }
    sync(&mut net);
    let reader = net.client(1);
    for line in ["XPENDING s a", "XPENDING s b", "XINFO GROUPS s"] {
        let (ours, theirs) = (net.call(0, client, line), net.call(1, reader, line));
        assert!(ours.len() > 30 && ours == theirs, "{line}: {ours} {theirs}");
    }
}

/// Messages that are alike take few bytes, and as many turns.
#[test]
fn compressed_queues_are_sent_in_pieces() {
    let mut net = Net::new(2, "");
    let client = net.client(0);
    for number in 0..1_000 {
        let messages = format!(" {}", "m".repeat(100 + number % 50)).repeat(30);
        net.call(0, client, &format!("RPUSH large{messages}"));
        net.call(0, client, &format!("RPUSH q{number}{messages}"));
    }
    let replica = net.client(1);
    net.call(1, replica, "REPLICAOF node 1");
    let mut turns = 0;
    while !is_up(&mut net) {
        round(&mut net);
        assert!(net.in_flight() < 60_000, "{} bytes", net.in_flight());
        turns += 1;
    }
    assert!(turns > 25, "{turns}");
    net.settle();
    net.assert_equal(0, 1, "after a full sync");
}

/// While a receiver reads nothing, what changes is saved before, and all of that is there when it goes on.
#[test]
fn what_was_saved_meanwhile_is_sent_in_pieces() {
    let mut net = Net::new(2, "rdbcompression no");
    let client = net.client(0);
    for number in 0..2_000 {
        net.call(0, client, &format!("RPUSH q{number} {}", "m".repeat(20_000)));
    }
    begin(&mut net);
    net.stall(1, true);
    for number in 0..2_000 {
        net.call(0, client, &format!("RPUSH q{number} x"));
    }
    net.stall(1, false);
    let mut turns = 0;
    while !is_up(&mut net) {
        round(&mut net);
        turns += 1;
    }
    assert!(turns > 50, "{turns}");
    net.settle();
    net.assert_equal(0, 1, "after a full sync");
}

/// A replica that goes away in the middle leaves nothing behind, and another one gets everything.
#[test]
fn a_snapshot_that_nobody_needs_is_freed_in_parts() {
    let mut net = Net::new(2, "repl-backlog-size 64kb\nrdbcompression no");
    let client = net.client(0);
    for number in 0..3_000 {
        net.call(0, client, &format!("RPUSH q{number} {}", "m".repeat(2_000)));
    }
    for _ in 0..400 {
        net.call(0, client, &format!("RPUSH large{}", format!(" {}", "l".repeat(60)).repeat(800)));
    }
    begin(&mut net);
    net.stall(1, true);
    for number in 0..3_000 {
        net.call(0, client, &format!("RPUSH q{number} {}", "n".repeat(9_000)));
    }
    net.call(0, client, "DEL large");
    net.nodes[1].is_reachable = false;
    net.cut(1);
    let mut turns = 0;
    net.round(1);
    while net.nodes[0].broker.has_backlog() {
        net.round(1);
        turns += 1;
    }
    assert!((2..200).contains(&turns), "{turns} turns");
    net.nodes[1].is_reachable = true;
    net.settle();
    net.assert_equal(0, 1, "after another full sync");
}
