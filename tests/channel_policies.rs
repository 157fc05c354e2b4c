//! Channel policies: what becomes of messages for subscribers that do not read. Nobody reads here
//! unless the test says so.

mod broker_support;

use broker_support::Bench;
use tidegate::settings::Settings;
use tidegate::{ClientId, CloseReason};

fn bench(lines: &str) -> Bench {
    Bench::with(Settings::from_text(lines, "test").expect("settings"))
}

/// A client that has done what `lines` say, and read what came of it.
fn client(bench: &mut Bench, lines: &[&str]) -> ClientId {
    let id = bench.client();
    for line in lines {
        bench.call(id, line);
    }
    id
}

fn array(words: &[&str]) -> String {
    let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), words.collect::<String>())
}

fn message(channel: &str, text: &str) -> String {
    array(&["message", channel, text])
}

fn messages(channel: &str, texts: &[&str]) -> String {
    texts.iter().map(|text| message(channel, text)).collect()
}

/// The same in RESP3.
fn pushed(message: &str) -> String {
    message.replacen('*', ">", 1)
}

/// Publishes each text; what the publisher is answered.
fn publish(bench: &mut Bench, publisher: ClientId, channel: &str, texts: &[&str]) -> String {
    let call = |text: &&str| bench.call(publisher, &format!("PUBLISH {channel} {text}"));
    texts.iter().map(call).collect()
}

/// A socket takes so many bytes.
fn send_bytes(bench: &mut Bench, id: ClientId, bytes: usize) {
    bench.broker.outbox(id).expect("the client").advance(bytes);
    bench.broker.flushed(id, bytes, bench.now);
    bench.broker.check_invariants();
}

fn owed_bytes(bench: &mut Bench, id: ClientId) -> usize {
    bench.broker.outbox(id).expect("the client").len()
}

/// The fields of the section of INFO.
fn counters(bench: &mut Bench) -> String {
    let asker = bench.client();
    let text = bench.call(asker, "INFO channels");
    let (_, fields) = text.split_once("# Channels\r\n").expect("the section");
    fields.trim_end().replace("\r\n", " ")
}

#[test]
fn the_newest_are_dropped_without_another_word() {
    let mut bench = bench("channel-policy p c* high-water-mark 2");
    let (slow, quick) =
        (client(&mut bench, &["SUBSCRIBE c"]), client(&mut bench, &["SUBSCRIBE c"]));
    let publisher = bench.client();
    let mut read = String::new();
    for (text, receivers) in [("1", 2), ("2", 2), ("3", 1), ("4", 1)] {
        let answer = publish(&mut bench, publisher, "c", &[text]);
        assert_eq!(answer, format!(":{receivers}\r\n"), "{text}");
        read += &bench.owed(quick);
    }
    assert_eq!(read, messages("c", &["1", "2", "3", "4"]));
    assert_eq!(
        counters(&mut bench),
        "channel_policies:1 channel_messages_dropped_oldest:0 channel_messages_dropped_newest:2 \
         channel_subscribers_disconnected:0 \
         channel_policy_p:dropped_oldest=0,dropped_newest=2,disconnected=0"
    );
    // One that is partly sent still waits; one that is sent leaves its place to another.
    let one = message("c", "1").len();
    send_bytes(&mut bench, slow, one - 1);
    assert_eq!(publish(&mut bench, publisher, "c", &["5"]), ":1\r\n");
    bench.owed(quick);
    send_bytes(&mut bench, slow, 1);
    assert_eq!(publish(&mut bench, publisher, "c", &["6", "7"]), ":2\r\n:1\r\n");
    assert_eq!(bench.owed(slow), messages("c", &["2", "6"]));
    bench.owed(quick);
    assert_eq!(publish(&mut bench, publisher, "c", &["8"]), ":2\r\n");
}

#[test]
fn the_oldest_are_dropped() {
    let mut bench = bench("channel-policy p c high-water-mark 2 slow-subscriber drop-oldest");
    let slow = client(&mut bench, &["SUBSCRIBE c"]);
    let publisher = bench.client();
    let texts: Vec<String> = (1..=100).map(|number| number.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(publish(&mut bench, publisher, "c", &texts), ":1\r\n".repeat(100));
    assert_eq!(bench.owed(slow), messages("c", &["99", "100"]));
    assert_eq!(
        counters(&mut bench),
        "channel_policies:1 channel_messages_dropped_oldest:98 channel_messages_dropped_newest:0 \
         channel_subscribers_disconnected:0 \
         channel_policy_p:dropped_oldest=98,dropped_newest=0,disconnected=0"
    );
    bench.call(publisher, "CONFIG RESETSTAT");
    assert!(counters(&mut bench).ends_with("dropped_oldest=0,dropped_newest=0,disconnected=0"));
}

#[test]
fn a_partly_sent_message_is_never_dropped() {
    for high_water_mark in [1, 3] {
        let mut bench = bench(&format!(
            "channel-policy p c high-water-mark {high_water_mark} slow-subscriber drop-oldest"
        ));
        let slow = client(&mut bench, &["SUBSCRIBE c"]);
        let publisher = bench.client();
        publish(&mut bench, publisher, "c", &["first"]);
        let all = message("c", "first");
        send_bytes(&mut bench, slow, 9);
        let answers = publish(&mut bench, publisher, "c", &["2", "3", "4", "5"]);
        assert_eq!(answers, ":1\r\n".repeat(4));
        // With a mark of one, the newest is kept, behind the rest of the partly sent one.
        let kept: &[&str] = if high_water_mark == 1 { &["5"] } else { &["4", "5"] };
        assert_eq!(bench.owed(slow), all[9..].to_string() + &messages("c", kept));
    }
}

#[test]
fn a_slow_subscriber_is_disconnected_and_gets_nothing_more() {
    let mut bench = bench("channel-policy p c high-water-mark 2 slow-subscriber disconnect");
    let slow = client(&mut bench, &["SUBSCRIBE c", "PSUBSCRIBE x*"]);
    let publisher = bench.client();
    assert_eq!(publish(&mut bench, publisher, "c", &["1", "2"]), ":1\r\n:1\r\n");
    assert_eq!(bench.broker.next_closing(), None);
    assert_eq!(publish(&mut bench, publisher, "c", &["3", "4"]), ":0\r\n:0\r\n");
    assert_eq!(bench.broker.next_closing(), Some((slow, CloseReason::SlowSubscriber)));
    assert_eq!(bench.broker.next_closing(), None);
    assert!(!CloseReason::SlowSubscriber.flushes_first());
    assert!(CloseReason::SlowSubscriber.is_for_the_log());
    assert_eq!(owed_bytes(&mut bench, slow), messages("c", &["1", "2"]).len());
    bench.broker.disconnect(slow, CloseReason::SlowSubscriber, bench.now);
    assert_eq!(publish(&mut bench, publisher, "c", &["5"]), ":0\r\n");
    assert!(counters(&mut bench).ends_with("dropped_oldest=0,dropped_newest=0,disconnected=1"));
}

/// Replies, confirmations and messages of other channels are not touched.
#[test]
fn nothing_else_is_dropped_or_moved() {
    let mut bench = bench("channel-policy p hot high-water-mark 1 slow-subscriber drop-oldest");
    let slow = client(&mut bench, &["HELLO 3", "SUBSCRIBE hot", "SUBSCRIBE cold"]);
    let publisher = bench.client();
    let large = "x".repeat(2000);
    let mut expected = String::new();
    for round in 0..40 {
        publish(&mut bench, publisher, "hot", &[&format!("{round}")]);
        bench.send(slow, &format!("ECHO e{round}"));
        publish(&mut bench, publisher, "cold", &[&format!("c{round}"), &large]);
        bench.send(slow, "SUBSCRIBE more");
        expected += &format!("${}\r\ne{round}\r\n", format!("e{round}").len());
        expected += &pushed(&message("cold", &format!("c{round}")));
        expected += &pushed(&message("cold", &large));
        expected += ">3\r\n$9\r\nsubscribe\r\n$4\r\nmore\r\n:3\r\n";
    }
    publish(&mut bench, publisher, "hot", &["last"]);
    expected += &pushed(&message("hot", "last"));
    assert!(bench.owed(slow) == expected);
}

/// A monitor that subscribes sees commands between its messages.
#[test]
fn output_of_monitor_is_no_message() {
    let mut bench = bench("channel-policy p c high-water-mark 1 slow-subscriber drop-oldest");
    let monitor = client(&mut bench, &["HELLO 3", "SUBSCRIBE c", "MONITOR"]);
    let publisher = bench.client();
    publish(&mut bench, publisher, "c", &["1", "2", "3"]);
    let owed = bench.owed(monitor);
    assert_eq!(owed.matches("\"PUBLISH\"").count(), 3, "{owed}");
    assert_eq!(owed.matches(">3\r\n").count(), 1, "{owed}");
    assert!(owed.contains(&pushed(&message("c", "3"))), "{owed}");
}

#[test]
fn the_channel_that_was_published_to_decides() {
    let mut bench = bench(
        "channel-policy low c* high-water-mark 3 slow-subscriber disconnect\n\
         channel-policy high c1 high-water-mark 1 priority 1\n\
         channel-policy pattern n* high-water-mark 1",
    );
    // A pattern is not a channel: a policy that matches its text does not apply.
    let slow = client(&mut bench, &["PSUBSCRIBE *", "SSUBSCRIBE c1", "SUBSCRIBE c1"]);
    let publisher = bench.client();
    // By channel and by pattern: two messages, of which one may wait.
    assert_eq!(bench.call(publisher, "PUBLISH c1 a"), ":1\r\n");
    assert_eq!(bench.call(publisher, "SPUBLISH c1 b"), ":0\r\n");
    assert_eq!(publish(&mut bench, publisher, "c2", &["d", "e"]), ":1\r\n:1\r\n");
    assert_eq!(publish(&mut bench, publisher, "other", &["f", "g"]), ":1\r\n:1\r\n");
    let pattern = |channel: &str, text: &str| array(&["pmessage", "*", channel, text]);
    let expected = [
        message("c1", "a"),
        pattern("c2", "d"),
        pattern("c2", "e"),
        pattern("other", "f"),
        pattern("other", "g"),
    ];
    assert_eq!(bench.owed(slow), expected.concat());
    assert_eq!(bench.call(publisher, "SPUBLISH c1 h"), ":1\r\n");
    assert_eq!(bench.owed(slow), array(&["smessage", "c1", "h"]));
    assert!(counters(&mut bench).contains(
        "channel_policy_high:dropped_oldest=0,dropped_newest=2,disconnected=0 \
         channel_policy_low:dropped_oldest=0,dropped_newest=0,disconnected=0"
    ));
}

#[test]
fn subscribers_of_both_protocols_share_one_policy() {
    let mut bench = bench("channel-policy p c high-water-mark 2 slow-subscriber drop-oldest");
    let (old, new) = (client(&mut bench, &["SUBSCRIBE c"]), client(&mut bench, &["HELLO 3"]));
    bench.call(new, "SUBSCRIBE c");
    let publisher = bench.client();
    let large = "x".repeat(60_000);
    publish(&mut bench, publisher, "c", &["1", "2"]);
    // Waiting messages keep the protocol of their time, and count.
    bench.send(new, "HELLO 2");
    assert_eq!(publish(&mut bench, publisher, "c", &[&large]), ":2\r\n");
    assert!(bench.owed(old) == message("c", "2") + &message("c", &large));
    let owed = bench.owed(new);
    assert!(
        owed.starts_with(&pushed(&message("c", "2"))) && owed.contains("$5\r\nproto\r\n:2\r\n")
    );
    assert!(owed.ends_with(&message("c", &large)) && owed.matches("message").count() == 2);
}

/// Waiting messages are delivered after UNSUBSCRIBE, and count when the client subscribes again.
#[test]
fn messages_of_a_subscription_that_ended_still_wait() {
    let mut bench = bench("channel-policy p c high-water-mark 1");
    let slow = client(&mut bench, &["SUBSCRIBE c"]);
    let publisher = bench.client();
    publish(&mut bench, publisher, "c", &["1"]);
    bench.send(slow, "UNSUBSCRIBE c");
    bench.send(slow, "SUBSCRIBE c");
    assert_eq!(publish(&mut bench, publisher, "c", &["2"]), ":0\r\n");
    let confirmed =
        |word: &str, count| format!("*3\r\n${}\r\n{word}\r\n$1\r\nc\r\n:{count}\r\n", word.len());
    let expected = message("c", "1") + &confirmed("unsubscribe", 0) + &confirmed("subscribe", 1);
    assert_eq!(bench.owed(slow), expected);
}

/// The output of a client whose command runs is lent; messages to itself count too.
#[test]
fn a_client_may_publish_to_itself() {
    for (behaviour, kept, answers) in
        [("drop-newest", ["1", "2"], [1, 1, 0, 0]), ("drop-oldest", ["3", "4"], [1, 1, 1, 1])]
    {
        let mut bench =
            bench(&format!("channel-policy p c high-water-mark 2 slow-subscriber {behaviour}"));
        let own = client(&mut bench, &["HELLO 3", "SUBSCRIBE c"]);
        let pipeline: String = (1..=4).map(|text| format!("PUBLISH c {text}\r\n")).collect();
        bench.broker.receive(own, pipeline.as_bytes(), bench.now);
        bench.settle();
        let owed: String = ["1", "2", "3", "4"]
            .iter()
            .zip(answers)
            .map(|(text, answer)| {
                let is_kept = kept.contains(text);
                let message = if is_kept { pushed(&message("c", text)) } else { String::new() };
                format!(":{answer}\r\n{message}")
            })
            .collect();
        assert_eq!(bench.owed(own), owed, "{behaviour}");

        // Within a transaction, and without replies.
        let transaction = "CLIENT REPLY OFF\r\nMULTI\r\nPUBLISH c 1\r\nPUBLISH c 2\r\n\
                           PUBLISH c 3\r\nPUBLISH c 4\r\nEXEC\r\nPING\r\nCLIENT REPLY ON\r\n";
        bench.broker.receive(own, transaction.as_bytes(), bench.now);
        bench.settle();
        let expected = kept.map(|text| pushed(&message("c", text))).concat() + "+OK\r\n";
        assert_eq!(bench.owed(own), expected, "{behaviour}");
    }
    let mut bench = bench("channel-policy p c high-water-mark 1 slow-subscriber disconnect");
    let own = client(&mut bench, &["HELLO 3", "SUBSCRIBE c"]);
    bench.broker.receive(own, b"PUBLISH c 1\r\nPUBLISH c 2\r\nRPUSH q x\r\n", bench.now);
    assert_eq!(bench.broker.next_closing(), Some((own, CloseReason::SlowSubscriber)));
    let other = bench.client();
    assert_eq!(bench.call(other, "LLEN q"), ":0\r\n", "it closed before");
}

/// A client's pending output may shrink while its own commands run.
#[test]
fn a_client_s_own_messages_replace_each_other() {
    let mut bench = bench("channel-policy p c high-water-mark 1 slow-subscriber drop-oldest");
    let own = client(&mut bench, &["HELLO 3", "SUBSCRIBE c"]);
    bench.send(own, &format!("PUBLISH c {}", "x".repeat(5000)));
    let pipeline: String = (1..=100).map(|text| format!("PUBLISH c {text}\r\n")).collect();
    bench.broker.receive(own, pipeline.as_bytes(), bench.now);
    bench.settle();
    assert_eq!(bench.owed(own), ":1\r\n".repeat(101) + &pushed(&message("c", "100")));
}

/// A dropped message leaves nothing in any sync's part.
#[test]
fn held_output_stays_whole() {
    let mut bench = bench("channel-policy p c high-water-mark 2 slow-subscriber drop-oldest");
    let _reader = bench.broker.read_effects();
    let slow = client(&mut bench, &["HELLO 3", "SUBSCRIBE c"]);
    bench.broker.release_changed();
    let publisher = bench.client();
    let waiting = |text: &str| pushed(&message("c", text)).len();

    // In the part of one sync, in that of the next, and behind both.
    publish(&mut bench, publisher, "c", &["in-first"]);
    bench.send(slow, "RPUSH q x");
    bench.broker.hold_changed();
    bench.broker.begin_sync(1);
    publish(&mut bench, publisher, "c", &["in-second"]);
    bench.send(slow, "RPUSH q y");
    bench.broker.hold_changed();
    bench.broker.begin_sync(2);
    bench.broker.check_invariants();
    assert_eq!(bench.broker.sendable(slow), 0);
    publish(&mut bench, publisher, "c", &["behind"]);
    bench.broker.check_invariants();
    bench.broker.finish_sync(1);
    assert_eq!(bench.broker.sendable(slow), ":1\r\n".len());
    publish(&mut bench, publisher, "c", &["last"]);
    bench.broker.check_invariants();
    // Also if the client's own command drops it, while its output is lent.
    bench.send(slow, "PUBLISH c own");
    bench.broker.check_invariants();
    assert_eq!(bench.broker.sendable(slow), ":1\r\n".len());
    send_bytes(&mut bench, slow, 4);
    bench.broker.finish_sync(2);
    let rest = ":2\r\n".len() + waiting("last") + ":1\r\n".len() + waiting("own");
    assert_eq!(bench.broker.sendable(slow), rest);
    let expected =
        [":2\r\n", &pushed(&message("c", "last")), ":1\r\n", &pushed(&message("c", "own"))];
    assert_eq!(bench.owed(slow), expected.concat());
}

/// The sendable part shrinks by the dropped messages.
#[test]
fn sendable_output_shrinks_with_dropped_messages() {
    let mut bench = bench("channel-policy p c high-water-mark 1 slow-subscriber drop-oldest");
    let _reader = bench.broker.read_effects();
    let own = client(&mut bench, &["HELLO 3", "SUBSCRIBE c"]);
    bench.broker.release_changed();
    bench.broker.receive(own, b"PUBLISH c 1\r\nRPUSH q x\r\n", bench.now);
    bench.settle();
    bench.broker.hold_changed();
    bench.broker.begin_sync(1);
    bench.broker.receive(own, b"RPUSH q y\r\n", bench.now);
    bench.settle();
    bench.broker.hold_changed();
    bench.broker.finish_sync(1);
    let first = ":1\r\n".to_string() + &pushed(&message("c", "1")) + ":1\r\n";
    assert_eq!(bench.broker.sendable(own), first.len());
    bench.broker.receive(own, b"PUBLISH c 2\r\n", bench.now);
    bench.settle();
    assert_eq!(bench.broker.sendable(own), ":1\r\n:1\r\n".len());
}

/// Messages added and dropped while the output was lent are in no held part.
#[test]
fn a_transaction_replaces_its_own_messages_behind_held_output() {
    let mut bench = bench("channel-policy p c high-water-mark 1 slow-subscriber drop-oldest");
    let _reader = bench.broker.read_effects();
    let own = client(&mut bench, &["HELLO 3", "SUBSCRIBE c"]);
    bench.broker.release_changed();
    bench.send(own, "RPUSH q x");
    bench.broker.hold_changed();
    bench.broker.begin_sync(1);
    bench.send(own, "MULTI");
    bench.send(own, "PUBLISH c 1");
    bench.send(own, "PUBLISH c 2");
    bench.send(own, "EXEC");
    bench.broker.finish_sync(1);
    let replies = ":1\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:1\r\n";
    let owed = replies.to_string() + &pushed(&message("c", "2"));
    assert_eq!(bench.broker.sendable(own), owed.len());
    assert_eq!(bench.owed(own), owed);
}

#[test]
fn a_policy_changes_at_once() {
    let mut bench = bench("channel-policy p c high-water-mark 5");
    let slow = client(&mut bench, &["SUBSCRIBE c"]);
    let publisher = bench.client();
    publish(&mut bench, publisher, "c", &["1", "2", "3", "4", "5", "6"]);
    let set = "CONFIG SET channel-policy \"p c high-water-mark 2 slow-subscriber drop-oldest\"";
    assert_eq!(bench.call(publisher, set), "+OK\r\n");
    assert_eq!(publish(&mut bench, publisher, "c", &["7"]), ":1\r\n");
    assert!(counters(&mut bench).ends_with("dropped_oldest=4,dropped_newest=1,disconnected=0"));
    // Without a policy nothing is dropped, not even earlier messages under one.
    assert_eq!(bench.call(publisher, "CONFIG SET channel-policy \"\""), "+OK\r\n");
    publish(&mut bench, publisher, "c", &["8", "9"]);
    assert_eq!(bench.call(publisher, &set.replace(" 2 ", " 1 ")), "+OK\r\n");
    publish(&mut bench, publisher, "c", &["10", "11"]);
    assert_eq!(bench.owed(slow), messages("c", &["5", "7", "8", "9", "11"]));
    assert_eq!(
        counters(&mut bench),
        "channel_policies:1 channel_messages_dropped_oldest:5 channel_messages_dropped_newest:1 \
         channel_subscribers_disconnected:0 \
         channel_policy_p:dropped_oldest=1,dropped_newest=0,disconnected=0"
    );
}

#[test]
fn the_output_limit_applies_as_well() {
    let mut bench = bench(
        "channel-policy p c high-water-mark 3 slow-subscriber drop-oldest\n\
         client-output-buffer-limit pubsub 5000 0 0",
    );
    let slow = client(&mut bench, &["SUBSCRIBE c"]);
    let publisher = bench.client();
    let text = "x".repeat(1500);
    // Dropped messages do not count as output.
    publish(&mut bench, publisher, "c", &[&text, &text, &text, &text, &text]);
    while bench.broker.next_dirty(bench.now).is_some() {}
    assert_eq!(bench.broker.next_closing(), None);
    publish(&mut bench, publisher, "c", &[&"x".repeat(3000)]);
    while bench.broker.next_dirty(bench.now).is_some() {}
    assert_eq!(bench.broker.next_closing(), Some((slow, CloseReason::OutputLimit)));
}
