//! Replies that wait for replicas (`write-ack-replicas`), WAIT, WAITAOF, `min-replicas-to-write`. The test plays
//! the replicas, and the disk.

mod broker_support;

use broker_support::Bench;
use std::time::Duration;
use tidegate::clock::Now;
use tidegate::settings::Settings;
use tidegate::{ClientId, CloseReason};

/// A broker with two replicas that have not acknowledged anything.
struct Primary {
    bench: Bench,
    replicas: [ClientId; 2],
}

/// What replicas are asked, behind the changes of a turn.
const ASKS: &str = "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";

/// A sign of life in the stream.
const PING: &str = "*1\r\n$4\r\nPING\r\n";

const TIMEOUT_MS: u64 = 500;

impl Primary {
    fn new(settings: &str) -> Primary {
        let text = format!("write-ack-timeout-ms {TIMEOUT_MS}\n{settings}");
        let settings = Settings::from_text(&text, "the test's settings").expect("valid settings");
        let mut bench = Bench::with(settings);
        let replicas = [bench.client(), bench.client()];
        let mut primary = Primary { bench, replicas };
        let client = primary.client();
        let info = primary.call(client, "INFO replication");
        let id = info.lines().find_map(|line| line.strip_prefix("master_replid:")).expect("an id");
        // They have all of the stream, which has not begun.
        for replica in replicas {
            let answer = primary.call(replica, &format!("PSYNC {id} 1"));
            assert!(answer.starts_with("+CONTINUE\r\n"), "{answer}");
        }
        primary.acknowledge(0);
        primary.acknowledge(1);
        primary
    }

    /// How often a replica was asked for an acknowledgement since the last call.
    fn asked(&mut self, replica: usize) -> usize {
        let id = self.replicas[replica];
        self.sent(id).matches(ASKS).count()
    }

    fn client(&mut self) -> ClientId {
        self.bench.client()
    }

    /// Passes lines to the broker in one piece.
    fn receive(&mut self, id: ClientId, lines: &[&str]) {
        let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        self.bench.broker.receive(id, text.as_bytes(), self.bench.now);
    }

    fn settle(&mut self) {
        // What is left for the replicas is done at the end of the turn.
        for _ in 0..100 {
            self.bench.broker.settle(self.bench.now);
        }
    }

    /// The end of a turn, without append files.
    fn turn(&mut self) {
        self.settle();
        self.bench.broker.end_turn(self.bench.now);
        self.bench.broker.release_changed();
        self.bench.broker.check_invariants();
    }

    /// The same with `appendfsync always`.
    fn hold(&mut self) {
        self.settle();
        self.bench.broker.end_turn(self.bench.now);
        self.bench.broker.hold_changed();
        self.bench.broker.check_invariants();
    }

    fn offset(&self) -> u64 {
        self.bench.broker.stream_offset()
    }

    /// The end of the stream without what follows the last change. It reads what the first replica got.
    fn end_of_changes(&mut self) -> u64 {
        let sent = self.sent(self.replicas[0]);
        let (mut rest, mut end) = (&sent[..], self.offset());
        while let Some(before) = rest.strip_suffix(ASKS).or(rest.strip_suffix(PING)) {
            end -= (rest.len() - before.len()) as u64;
            rest = before;
        }
        end
    }

    /// A replica has everything.
    fn acknowledge(&mut self, replica: usize) {
        self.acknowledge_at(replica, self.offset(), None);
    }

    fn acknowledge_at(&mut self, replica: usize, offset: u64, synced: Option<u64>) {
        let (id, now) = (self.replicas[replica], self.bench.now);
        self.bench.broker.acknowledge(id, offset, synced, now);
        self.turn();
    }

    fn wait_ms(&mut self, ms: u64) {
        self.bench.now = self.bench.now.plus_us(ms * 1000);
        self.turn();
    }

    /// What a client is sent now.
    fn sent(&mut self, id: ClientId) -> String {
        let sendable = self.bench.broker.sendable(id);
        let Some(output) = self.bench.broker.outbox(id) else { return String::new() };
        let mut bytes = Vec::new();
        output.owed().copy_to(&mut bytes, sendable);
        output.advance(sendable);
        self.bench.broker.flushed(id, sendable, self.bench.now);
        self.bench.broker.check_invariants();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// One command in a turn of its own.
    fn call(&mut self, id: ClientId, line: &str) -> String {
        self.receive(id, &[line]);
        self.turn();
        self.sent(id)
    }
}

fn late(replicas: usize) -> String {
    let who = if replicas == 1 { "1 replica".into() } else { format!("{replicas} replicas") };
    format!(
        "-NOREPLICAS The change was made here, but {who} did not acknowledge it within {TIMEOUT_MS} ms: \
         it may be lost\r\n"
    )
}

#[test]
fn a_change_is_reported_when_enough_replicas_have_it() {
    let mut primary = Primary::new("write-ack-replicas 2");
    let (producer, reader) = (primary.client(), primary.client());
    assert_eq!(primary.call(producer, "RPUSH q a"), "");
    assert!(primary.bench.broker.has_held());
    assert_eq!(primary.call(reader, "LRANGE q 0 -1"), "*1\r\n$1\r\na\r\n", "reads go on");
    primary.acknowledge(0);
    assert_eq!(primary.sent(producer), "");
    let offset = primary.end_of_changes();
    primary.acknowledge_at(1, offset - 1, None);
    assert_eq!(primary.sent(producer), "");
    primary.acknowledge_at(1, offset, None);
    assert_eq!(primary.sent(producer), ":1\r\n");
    assert!(!primary.bench.broker.has_held());
    // What changes nothing does not wait.
    assert_eq!(primary.call(producer, "DEL nothing"), ":0\r\n");
    assert_eq!(
        primary.call(producer, "RPUSH q"),
        "-ERR wrong number of arguments for 'rpush' command\r\n"
    );
}

#[test]
fn replicas_are_asked_once_a_turn() {
    let mut primary = Primary::new("write-ack-replicas 1");
    let (one, other) = (primary.client(), primary.client());
    primary.receive(one, &["RPUSH q a", "RPUSH q b", "LLEN q"]);
    primary.receive(other, &["RPUSH q c"]);
    primary.turn();
    assert_eq!((primary.asked(0), primary.asked(1)), (1, 1));
    primary.receive(other, &["LLEN q"]);
    primary.turn();
    assert_eq!(primary.asked(0), 0);
    let third = primary.client();
    primary.receive(third, &["WAIT 3 0"]);
    primary.turn();
    assert_eq!(primary.asked(0), 1);
}

#[test]
fn in_a_pipeline_only_replies_to_changes_become_errors() {
    let mut primary = Primary::new("write-ack-replicas 1");
    let client = primary.client();
    primary.receive(
        client,
        &["PING", "RPUSH q a", "LLEN q", "SET s x", "GET s", "LREM q 0 none", "NONSENSE"],
    );
    primary.turn();
    // A later turn has a commit of its own.
    primary.wait_ms(100);
    primary.receive(client, &["LLEN q", "RPUSH q b", "LLEN q"]);
    primary.turn();
    primary.wait_ms(TIMEOUT_MS - 101);
    assert_eq!(primary.sent(client), "");
    assert_eq!(
        primary.bench.broker.next_deadline(primary.bench.now),
        Some(Duration::from_millis(1))
    );
    primary.wait_ms(1);
    let first = format!("+PONG\r\n{0}:1\r\n{0}$1\r\nx\r\n:0\r\n", late(1));
    let sent = primary.sent(client);
    assert!(sent.starts_with(&first), "{sent}");
    assert_eq!(sent[first.len()..].lines().count(), 1, "the unknown command: {sent}");
    primary.acknowledge(0);
    assert_eq!(primary.sent(client), ":1\r\n:2\r\n:2\r\n");
    // The connection goes on.
    assert_eq!(primary.call(client, "LLEN q"), ":2\r\n");
    primary.receive(client, &["INFO stats"]);
    primary.turn();
    let stats = primary.sent(client);
    for line in
        ["write_ack_pending_turns:0", "write_ack_held_replies:3", "write_ack_timed_out_replies:2"]
    {
        assert!(stats.contains(line), "{line}: {stats}");
    }
}

#[test]
fn a_transaction_has_one_reply() {
    let mut primary = Primary::new("write-ack-replicas 1");
    let client = primary.client();
    let lines = ["MULTI", "RPUSH q a", "LLEN q", "RPUSH q b", "EXEC", "LLEN q"];
    primary.receive(client, &lines);
    primary.turn();
    primary.acknowledge(0);
    let queued = "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n";
    assert_eq!(primary.sent(client), format!("{queued}*3\r\n:1\r\n:1\r\n:2\r\n:2\r\n"));
    primary.receive(client, &lines);
    primary.turn();
    primary.wait_ms(TIMEOUT_MS);
    assert_eq!(primary.sent(client), format!("{queued}{}:4\r\n", late(1)));
    // One that only reads does not wait.
    primary.receive(client, &["MULTI", "LLEN q", "EXEC"]);
    primary.turn();
    assert_eq!(primary.sent(client), "+OK\r\n+QUEUED\r\n*1\r\n:4\r\n");
}

#[test]
fn a_woken_consumer_waits_too() {
    let mut primary = Primary::new("write-ack-replicas 1");
    let (consumer, producer) = (primary.client(), primary.client());
    primary.receive(consumer, &["BLPOP q 0"]);
    primary.turn();
    primary.receive(producer, &["RPUSH q a"]);
    primary.turn();
    assert_eq!((primary.sent(consumer), primary.sent(producer)), (String::new(), String::new()));
    primary.acknowledge(0);
    assert_eq!(primary.sent(consumer), "*2\r\n$1\r\nq\r\n$1\r\na\r\n");
    assert_eq!(primary.sent(producer), ":1\r\n");
    primary.receive(consumer, &["BLPOP q 0"]);
    primary.turn();
    primary.receive(producer, &["RPUSH q a"]);
    primary.turn();
    primary.wait_ms(TIMEOUT_MS);
    assert_eq!((primary.sent(consumer), primary.sent(producer)), (late(1), late(1)));
    // A wait that ends without a message changes nothing.
    primary.receive(consumer, &["BLPOP q 1"]);
    primary.turn();
    primary.wait_ms(1000);
    assert_eq!(primary.sent(consumer), "*-1\r\n");
}

/// A message that was not delivered, since its reply became an error, is not acknowledged by the next pop.
#[test]
fn undelivered_messages_return_to_their_queue() {
    for acknowledge in ["next-pop", "explicit"] {
        let policy = format!("queue-policy p q delivery at-least-once acknowledge {acknowledge}");
        let mut primary = Primary::new(&format!("write-ack-replicas 1\n{policy}"));
        let (consumer, producer) = (primary.client(), primary.client());
        primary.receive(producer, &["RPUSH q a b c"]);
        primary.turn();
        primary.acknowledge(0);
        assert_eq!(primary.sent(producer), ":3\r\n");
        primary.receive(consumer, &["LPOP q"]);
        primary.turn();
        primary.acknowledge(0);
        assert_eq!(primary.sent(consumer), "$1\r\na\r\n");
        primary.receive(consumer, &["LPOP q", "LPOP q", "LLEN q"]);
        primary.turn();
        primary.wait_ms(TIMEOUT_MS);
        assert_eq!(primary.sent(consumer), format!("{0}{0}:0\r\n", late(1)));
        assert_eq!(primary.call(producer, "LRANGE q 0 -1"), "*2\r\n$1\r\nb\r\n$1\r\nc\r\n");
    }
}

#[test]
fn a_client_may_leave_while_it_is_held() {
    let mut primary = Primary::new("write-ack-replicas 1");
    let (client, other) = (primary.client(), primary.client());
    primary.receive(client, &["RPUSH q a"]);
    primary.turn();
    primary
        .receive(other, &["RPUSH q b", &format!("CLIENT KILL ID {} SKIPME no", client.number())]);
    primary.turn();
    while let Some((id, reason)) = primary.bench.broker.next_closing() {
        primary.bench.broker.disconnect(id, reason, primary.bench.now);
    }
    // Its command runs while its output is held, and it kills itself.
    primary.receive(other, &["RPUSH q c", &format!("CLIENT KILL ID {} SKIPME no", other.number())]);
    primary.turn();
    primary.wait_ms(TIMEOUT_MS);
    primary.bench.broker.disconnect(other, CloseReason::PeerClosed, primary.bench.now);
    primary.turn();
    assert!(!primary.bench.broker.has_held());
    let last = primary.client();
    assert_eq!(primary.call(last, "LLEN q"), ":3\r\n");
}

#[test]
fn with_always_the_disk_and_replicas_are_waited_for() {
    let mut primary = Primary::new("write-ack-replicas 1");
    let client = primary.client();
    let push = |primary: &mut Primary| {
        primary.receive(client, &["RPUSH q a"]);
        primary.hold();
    };
    push(&mut primary);
    primary.bench.broker.begin_sync(1);
    primary.bench.broker.finish_sync(1);
    assert_eq!(primary.sent(client), "", "no replica has it");
    primary.acknowledge(0);
    assert_eq!(primary.sent(client), ":1\r\n");

    push(&mut primary);
    primary.bench.broker.begin_sync(2);
    primary.acknowledge(0);
    assert_eq!(primary.sent(client), "", "it is not on the disk");
    primary.bench.broker.finish_sync(2);
    assert_eq!(primary.sent(client), ":2\r\n");

    // A sync that fails confirms nothing, and the next one does.
    push(&mut primary);
    primary.bench.broker.begin_sync(3);
    primary.acknowledge(0);
    primary.bench.broker.fail_syncs();
    primary.bench.broker.finish_sync(3);
    assert_eq!(primary.sent(client), "");
    primary.bench.broker.begin_sync(4);
    primary.bench.broker.finish_sync(4);
    assert_eq!(primary.sent(client), ":3\r\n");
}

/// Replicas in time, and a slow disk: that is no error.
#[test]
fn an_acknowledged_change_may_wait_longer_for_the_disk() {
    let mut primary = Primary::new("write-ack-replicas 1");
    let client = primary.client();
    primary.receive(client, &["RPUSH q a"]);
    primary.hold();
    primary.acknowledge(0);
    let replica = primary.replicas[0];
    primary.bench.broker.disconnect(replica, CloseReason::PeerClosed, primary.bench.now);
    primary.wait_ms(2 * TIMEOUT_MS);
    primary.bench.broker.begin_sync(1);
    primary.bench.broker.finish_sync(1);
    assert_eq!(primary.sent(client), ":1\r\n");
}

/// Other replies in the same part promise that their changes are on the disk.
#[test]
fn a_late_change_still_waits_for_the_disk() {
    let mut primary = Primary::new("queue-policy p q write-ack-replicas 1");
    let (client, other) = (primary.client(), primary.client());
    primary.receive(client, &["RPUSH plain a", "RPUSH q b"]);
    primary.receive(other, &["RPUSH plain c"]);
    primary.hold();
    primary.wait_ms(TIMEOUT_MS);
    assert_eq!((primary.sent(client), primary.sent(other)), (String::new(), String::new()));
    primary.bench.broker.begin_sync(1);
    primary.bench.broker.finish_sync(1);
    assert_eq!(primary.sent(client), format!(":1\r\n{}", late(1)));
    assert_eq!(primary.sent(other), ":2\r\n");
    assert!(!primary.bench.broker.has_held());
}

#[test]
fn a_policy_needs_replicas_for_its_queues_only() {
    let mut primary = Primary::new(
        "queue-policy one a* write-ack-replicas 1\nqueue-policy two b* write-ack-replicas 2",
    );
    let client = primary.client();
    assert_eq!(primary.call(client, "RPUSH x 1"), ":1\r\n");
    // A later part that needs less is not sent before an earlier one.
    assert_eq!(primary.call(client, "RPUSH b 1"), "");
    assert_eq!(primary.call(client, "RPUSH a 1"), "");
    assert_eq!(primary.call(client, "RPUSH x 2"), "");
    primary.acknowledge(0);
    assert_eq!(primary.sent(client), "");
    primary.acknowledge(1);
    assert_eq!(primary.sent(client), ":1\r\n:1\r\n:2\r\n");
    // In one turn the highest number counts, but the change of a plain key stays confirmed.
    primary.receive(client, &["RPUSH x 3", "RPUSH a 2", "RPUSH b 2"]);
    primary.turn();
    primary.acknowledge(0);
    assert_eq!(primary.sent(client), "");
    primary.wait_ms(TIMEOUT_MS);
    assert_eq!(primary.sent(client), format!(":3\r\n{0}{0}", late(2)));
    // Several keys, a transaction, all keys, a key that is gone.
    for (lines, needed) in [
        (&["LMOVE x b LEFT LEFT"][..], 2),
        (&["MULTI", "RPUSH x 4", "RPUSH a 3", "EXEC"], 1),
        (&["DEL a"], 1),
        (&["FLUSHALL"], 2),
    ] {
        primary.receive(client, lines);
        primary.turn();
        primary.wait_ms(TIMEOUT_MS);
        assert!(primary.sent(client).ends_with(&late(needed)), "{lines:?}");
    }
    assert_eq!(primary.call(client, "QUEUE POLICY DEL two"), "");
    primary.wait_ms(TIMEOUT_MS);
    assert_eq!(primary.sent(client), late(1));
    assert_eq!(primary.call(client, "RPUSH b 1"), ":1\r\n");
}

#[test]
fn without_replicas_every_change_times_out() {
    let mut bench = Bench::new();
    let client = bench.client();
    let turn = |bench: &mut Bench| {
        bench.broker.settle(bench.now);
        bench.broker.end_turn(bench.now);
        bench.broker.release_changed();
    };
    assert_eq!(
        bench.call(client, "CONFIG SET write-ack-replicas 1 write-ack-timeout-ms 500"),
        "+OK\r\n"
    );
    bench.broker.receive(client, b"RPUSH q a\r\n", bench.now);
    turn(&mut bench);
    assert_eq!(bench.broker.sendable(client), 0);
    // The timeout that is set now applies.
    let other = bench.client();
    assert_eq!(bench.call(other, "CONFIG SET write-ack-timeout-ms 200"), "+OK\r\n");
    bench.now = bench.now.plus_us(200_000);
    turn(&mut bench);
    assert_eq!(bench.owed(client), late(1).replace("500", "200"));
    assert_eq!(bench.call(client, "CONFIG SET write-ack-replicas 0"), "+OK\r\n");
    assert_eq!(bench.call(client, "RPUSH q b"), ":2\r\n");
}

#[test]
fn messages_between_replies_stay() {
    let mut primary = Primary::new(
        "write-ack-replicas 1\nchannel-policy p c high-water-mark 1 slow-subscriber drop-oldest",
    );
    let (client, publisher) = (primary.client(), primary.client());
    primary.receive(client, &["HELLO 3", "SUBSCRIBE c d"]);
    primary.turn();
    primary.sent(client);
    primary.receive(client, &["RPUSH q a"]);
    primary.turn();
    primary.receive(publisher, &["PUBLISH d first", "PUBLISH c gone", "PUBLISH c second"]);
    primary.turn();
    primary.receive(
        client,
        &["PUBLISH d own", "RPUSH q b", "CLIENT REPLY SKIP", "RPUSH q c", "LLEN q"],
    );
    primary.turn();
    primary.wait_ms(TIMEOUT_MS);
    let pushed = |channel, text: &str| {
        format!(">3\r\n$7\r\nmessage\r\n$1\r\n{channel}\r\n${}\r\n{text}\r\n", text.len())
    };
    let expected = [
        late(1),
        pushed("d", "first"),
        pushed("c", "second"),
        ":1\r\n".into(),
        pushed("d", "own"),
        late(1),
        ":3\r\n".into(),
    ];
    assert_eq!(primary.sent(client), expected.concat());
}

#[test]
fn a_large_reply_is_replaced_as_a_whole() {
    let mut primary = Primary::new("write-ack-replicas 1");
    let client = primary.client();
    // More than a buffer.
    let message = "x".repeat(30_000);
    primary.receive(client, &["PING", &format!("RPUSH q {message} {message}"), "LRANGE q 0 0"]);
    primary.turn();
    primary.acknowledge(0);
    primary.sent(client);
    primary.receive(client, &["PING", "LPOP q 2", "PING"]);
    primary.turn();
    primary.wait_ms(TIMEOUT_MS);
    assert_eq!(primary.sent(client), format!("+PONG\r\n{}+PONG\r\n", late(1)));
}

#[test]
fn wait_counts_the_replicas_that_have_the_latest_change() {
    let mut primary = Primary::new("");
    let (client, other) = (primary.client(), primary.client());
    assert_eq!(primary.call(client, "WAIT 2 0"), ":2\r\n", "it has changed nothing");
    assert_eq!(primary.call(other, "RPUSH q x"), ":1\r\n");
    assert_eq!(primary.call(client, "WAIT 2 0"), ":2\r\n", "others do not matter");
    // A change and the wait for it in one turn.
    primary.receive(client, &["RPUSH q a", "WAIT 1 0", "PING"]);
    primary.turn();
    assert_eq!(primary.sent(client), ":2\r\n");
    primary.acknowledge(1);
    assert_eq!(primary.sent(client), ":1\r\n+PONG\r\n");
    assert_eq!(primary.call(client, "WAIT 1 0"), ":1\r\n");
    primary.receive(client, &["WAIT 2 100", "WAIT 9 0"]);
    primary.turn();
    primary.wait_ms(100);
    assert_eq!(primary.sent(client), ":1\r\n");
    primary.acknowledge(0);
    assert_eq!(primary.sent(client), "", "there are not so many");
    // In a transaction it does not wait.
    assert_eq!(primary.call(other, &format!("CLIENT UNBLOCK {}", client.number())), ":1\r\n");
    assert_eq!(primary.sent(client), ":2\r\n");
    primary
        .receive(client, &["MULTI", "WAIT 5 0", "RPUSH q c", "WAIT 5 0", "WAITAOF 0 1 0", "EXEC"]);
    primary.turn();
    let sent = primary.sent(client);
    assert!(sent.ends_with("*4\r\n:2\r\n:3\r\n:0\r\n*2\r\n:0\r\n:0\r\n"), "{sent}");
    // A client that leaves waits no more.
    primary.receive(client, &["WAIT 5 0"]);
    primary.turn();
    primary.bench.broker.disconnect(client, CloseReason::PeerClosed, primary.bench.now);
    primary.turn();
}

#[test]
fn waitaof_counts_disks() {
    let mut primary = Primary::new("");
    let client = primary.client();
    let refused =
        "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n";
    assert_eq!(primary.call(client, "WAITAOF 1 0 0"), refused);
    assert_eq!(primary.call(client, "WAITAOF 0 0 0"), "*2\r\n:0\r\n:0\r\n");
    primary.bench.broker.persistence_mut().is_on = true;
    primary.receive(client, &["RPUSH q a", "WAITAOF 1 1 0", "PING"]);
    primary.turn();
    assert_eq!(primary.sent(client), ":1\r\n");
    primary.bench.broker.begin_sync(1);
    primary.bench.broker.finish_sync(1);
    assert_eq!(primary.sent(client), "");
    let offset = primary.end_of_changes();
    primary.acknowledge_at(0, offset, Some(offset - 1));
    assert_eq!(primary.sent(client), "");
    primary.acknowledge_at(0, offset, Some(offset));
    assert_eq!(primary.sent(client), "*2\r\n:1\r\n:1\r\n+PONG\r\n");
    // The other order, with a timeout, and in RESP3.
    primary.receive(client, &["HELLO 3", "RPUSH q b"]);
    primary.turn();
    primary.sent(client);
    primary.receive(client, &["WAITAOF 1 1 100"]);
    primary.acknowledge_at(0, offset + 1000, Some(offset + 1000));
    assert_eq!(primary.sent(client), "");
    primary.wait_ms(100);
    assert_eq!(primary.sent(client), "*2\r\n:0\r\n:1\r\n");
    primary.receive(client, &["WAITAOF 1 1 100"]);
    primary.turn();
    primary.bench.broker.begin_sync(2);
    primary.bench.broker.finish_sync(2);
    assert_eq!(primary.sent(client), "*2\r\n:1\r\n:1\r\n");
}

#[test]
fn changes_are_refused_while_too_few_replicas_are_heard() {
    let mut primary = Primary::new("min-replicas-to-write 2\nmin-replicas-max-lag 3");
    let client = primary.client();
    let refused = "-NOREPLICAS Not enough good replicas to write.\r\n";
    assert_eq!(primary.call(client, "RPUSH q a"), ":1\r\n");
    primary.wait_ms(2000);
    primary.acknowledge(0);
    primary.wait_ms(2000);
    for line in ["RPUSH q b", "BLPOP q 1", "QUEUE PURGE q", "SET s x"] {
        assert_eq!(primary.call(client, line), refused, "{line}");
    }
    assert_eq!(primary.call(client, "LLEN q"), ":1\r\n");
    primary.receive(client, &["MULTI", "LLEN q", "RPUSH q b", "EXEC"]);
    primary.turn();
    let aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
    assert_eq!(primary.sent(client), format!("+OK\r\n+QUEUED\r\n{refused}{aborted}"));
    primary.acknowledge(1);
    primary.receive(client, &["MULTI", "RPUSH q b"]);
    primary.turn();
    let id = primary.replicas[1];
    primary.bench.broker.disconnect(id, CloseReason::PeerClosed, primary.bench.now);
    primary.receive(client, &["EXEC"]);
    primary.turn();
    let error = "-EXECABORT Transaction discarded because of: NOREPLICAS Not enough good replicas to write.\r\n";
    assert_eq!(primary.sent(client), format!("+OK\r\n+QUEUED\r\n{error}"));
    // With a lag of zero the limit is off, as in Redis.
    assert_eq!(primary.call(client, "CONFIG SET min-replicas-max-lag 0"), "+OK\r\n");
    assert_eq!(primary.call(client, "RPUSH q c"), ":2\r\n");
}

/// A small generator: splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// What the reply to a command promises.
#[derive(Clone, Copy)]
struct Promise {
    needed: usize,
    offset: u64,
    turn: u64,
    at: Now,
}

/// Whatever happens in whatever order: no reply confirms a change that its replicas or the disk do not have, no
/// error comes too early, no reply is lost.
#[test]
fn nothing_is_confirmed_that_is_not_so() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let mut primary = Primary::new(
            "queue-policy one a write-ack-replicas 1\nqueue-policy two b write-ack-replicas 2",
        );
        let clients: Vec<ClientId> = (0..3).map(|_| primary.client()).collect();
        let mut promises: Vec<Vec<Promise>> = vec![Vec::new(); 3];
        let mut acknowledged = [primary.offset(); 2];
        // The last turn on the disk, and the last one that each sync covers.
        let (mut turn, mut durable, mut last_sync) = (0_u64, 0_u64, 0_u64);
        let mut syncs: Vec<(u64, u64)> = Vec::new();
        for step in 0..200 {
            let mut asked = Vec::new();
            for (at, id) in clients.iter().enumerate() {
                for _ in 0..random.below(3) {
                    let (line, needed) = [
                        ("LLEN a", None),
                        ("RPUSH x 1", Some(0)),
                        ("RPUSH a 1", Some(1)),
                        ("RPUSH b 1", Some(2)),
                    ][random.below(4) as usize];
                    primary.receive(*id, &[line]);
                    asked.push((at, needed));
                }
            }
            primary.hold();
            turn += 1;
            let (offset, at) = (primary.end_of_changes(), primary.bench.now);
            for (client, needed) in asked {
                let turn = if needed.is_some() { turn } else { 0 };
                let needed = needed.unwrap_or(0);
                promises[client].push(Promise { needed, offset, turn, at });
            }
            match random.below(6) {
                0 => {
                    last_sync += 1;
                    primary.bench.broker.begin_sync(last_sync);
                    syncs.push((last_sync, turn));
                }
                1 if !syncs.is_empty() => {
                    let (sync, covered) = syncs[random.below(syncs.len() as u64) as usize];
                    primary.bench.broker.finish_sync(sync);
                    durable = durable.max(covered);
                    syncs.retain(|other| other.0 > sync);
                }
                2 if random.below(10) == 0 => {
                    primary.bench.broker.fail_syncs();
                    syncs.clear();
                }
                3 => {
                    let replica = random.below(2) as usize;
                    let gap = primary.offset() - acknowledged[replica];
                    acknowledged[replica] += random.below(gap + 1);
                    primary.acknowledge_at(replica, acknowledged[replica], None);
                }
                4 => primary.wait_ms(random.below(300)),
                _ => {}
            }
            for (id, promises) in clients.iter().zip(&mut promises) {
                let sent = primary.sent(*id);
                for (line, promise) in sent.lines().zip(promises.iter()) {
                    let count = acknowledged.iter().filter(|at| **at >= promise.offset).count();
                    let waited_us = primary.bench.now.monotonic_us - promise.at.monotonic_us;
                    assert!(
                        durable >= promise.turn,
                        "seed {seed}, step {step}: not on the disk: {line}"
                    );
                    match line.starts_with('-') {
                        true => assert!(
                            promise.needed > 0 && waited_us >= TIMEOUT_MS * 1000,
                            "seed {seed}"
                        ),
                        false => {
                            assert!(count >= promise.needed, "seed {seed}, step {step}: {line}")
                        }
                    }
                }
                promises.drain(..sent.lines().count());
            }
        }
        primary.bench.broker.begin_sync(last_sync + 1);
        primary.bench.broker.finish_sync(last_sync + 1);
        primary.acknowledge(0);
        primary.acknowledge(1);
        for (id, promises) in clients.iter().zip(&promises) {
            assert_eq!(primary.sent(*id).lines().count(), promises.len(), "seed {seed}");
        }
        assert!(!primary.bench.broker.has_held(), "seed {seed}");
    }
}
