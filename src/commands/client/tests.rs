use crate::clock::Now;
use crate::settings::Settings;
use crate::{Broker, ClientId, CloseReason, NoHost, Peer};

struct Bench {
    broker: Broker,
    now: Now,
}

impl Bench {
    fn new() -> Bench {
        let now = Now { unix_us: 1_000_000, monotonic_us: 1_000_000 };
        Bench { broker: Broker::new(Settings::default(), 1, Box::new(NoHost), now), now }
    }

    fn connect(&mut self, slot: usize) -> ClientId {
        self.broker.connect(slot, Peer::in_process(), self.now)
    }

    /// Runs a command, and returns the client's pending output after it.
    fn run(&mut self, id: ClientId, line: &str) -> String {
        self.broker.receive(id, format!("{line}\r\n").as_bytes(), self.now);
        self.owed(id)
    }

    fn owed(&mut self, id: ClientId) -> String {
        self.broker.settle(self.now);
        let bytes = self.broker.outbox(id).map(|output| output.take_all()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn pass_ms(&mut self, ms: u64) {
        self.now = self.now.plus_us(ms * 1000);
    }
}

#[test]
fn a_killed_waiter_takes_no_message_within_the_same_turn() {
    let mut bench = Bench::new();
    let (killed, other) = (bench.connect(0), bench.connect(1));
    assert_eq!(bench.run(killed, "BLPOP q 0"), "");
    let number = killed.number();
    assert_eq!(bench.run(other, &format!("CLIENT KILL ID {number}")), ":1\r\n");
    assert_eq!(bench.run(other, "RPUSH q x"), ":1\r\n");
    assert_eq!(bench.run(other, "LLEN q"), ":1\r\n");
    assert_eq!(bench.run(other, &format!("CLIENT KILL ID {number}")), ":0\r\n");
    assert_eq!(bench.run(other, &format!("CLIENT LIST ID {number}")), "$0\r\n\r\n");
    assert_eq!(bench.broker.next_closing(), Some((killed, CloseReason::Killed)));
    assert_eq!(bench.broker.next_closing(), None);
    bench.broker.check_invariants();
}

#[test]
fn a_killed_subscriber_receives_nothing_within_the_same_turn() {
    let mut bench = Bench::new();
    let (killed, other) = (bench.connect(0), bench.connect(1));
    bench.run(killed, "SUBSCRIBE c");
    assert_eq!(bench.run(other, "CLIENT KILL TYPE pubsub"), ":1\r\n");
    assert_eq!(bench.run(other, "PUBLISH c x"), ":0\r\n");
    bench.broker.check_invariants();
}

#[test]
fn a_client_that_kills_itself_gets_its_reply_first() {
    let mut bench = Bench::new();
    let client = bench.connect(0);
    let number = client.number();
    let reply = bench.run(client, &format!("CLIENT KILL ID {number} SKIPME no\r\nPING"));
    assert_eq!(reply, ":1\r\n");
    let Some((closing, reason)) = bench.broker.next_closing() else { panic!("not closed") };
    assert!(closing == client && reason.flushes_first());
}

#[test]
fn a_client_that_quits_without_reading_can_be_killed() {
    let mut bench = Bench::new();
    let (leaving, other) = (bench.connect(0), bench.connect(1));
    bench.broker.receive(leaving, b"QUIT\r\n", bench.now);
    assert_eq!(bench.broker.next_closing(), Some((leaving, CloseReason::Quit)));
    assert!(bench.run(other, "CLIENT LIST").contains(" flags=c "));
    assert_eq!(bench.run(other, "CLIENT KILL TYPE normal"), ":1\r\n");
    assert_eq!(bench.broker.next_closing(), Some((leaving, CloseReason::Killed)));
}

#[test]
fn a_pause_grows_and_never_shrinks() {
    let mut bench = Bench::new();
    let (pauser, other) = (bench.connect(0), bench.connect(1));
    bench.run(pauser, "CLIENT PAUSE 1000 WRITE");
    bench.run(pauser, "CLIENT PAUSE 1 ALL");
    assert_eq!(bench.run(other, "PING"), "", "stronger, and as long as before");
    bench.pass_ms(999);
    assert_eq!(bench.owed(other), "");
    bench.pass_ms(1);
    assert_eq!(bench.owed(other), "+PONG\r\n");
    bench.run(pauser, "CLIENT PAUSE 1000 ALL");
    bench.pass_ms(1000);
    bench.owed(pauser);
    bench.run(pauser, "CLIENT PAUSE 1000 WRITE");
    assert_eq!(bench.run(other, "PING"), "+PONG\r\n", "a pause that is over adds nothing");
    bench.broker.check_invariants();
}

#[test]
fn a_paused_client_is_not_unblocked() {
    let mut bench = Bench::new();
    let (pauser, held) = (bench.connect(0), bench.connect(1));
    bench.run(pauser, "CLIENT PAUSE 1000 WRITE");
    assert_eq!(bench.run(held, "RPUSH q x"), "");
    let number = held.number();
    assert_eq!(bench.run(pauser, &format!("CLIENT UNBLOCK {number}")), ":0\r\n");
    assert!(bench.run(pauser, &format!("CLIENT LIST ID {number}")).contains(" flags=b "));
    assert_eq!(bench.run(pauser, "CLIENT UNPAUSE"), "+OK\r\n");
    assert_eq!(bench.owed(held), ":1\r\n");
}

#[test]
fn unpause_in_a_transaction_runs_what_was_held_back_after_it() {
    let mut bench = Bench::new();
    let (pauser, held) = (bench.connect(0), bench.connect(1));
    bench.run(pauser, "MULTI\r\nCLIENT UNPAUSE\r\nLLEN q");
    let other = bench.connect(2);
    bench.run(other, "CLIENT PAUSE 1000 WRITE");
    assert_eq!(bench.run(held, "RPUSH q x"), "");
    assert_eq!(bench.run(pauser, "EXEC"), "*2\r\n+OK\r\n:0\r\n");
    assert_eq!(bench.owed(held), ":1\r\n");
    bench.broker.check_invariants();
}

#[test]
fn a_refused_exec_ends_the_transaction() {
    let mut bench = Bench::new();
    let client = bench.connect(0);
    bench.run(client, "MULTI");
    let reply = bench.run(client, "EXEC x");
    assert!(reply.starts_with("-EXECABORT Transaction discarded because of: wrong number"));
    assert_eq!(bench.run(client, "EXEC"), "-ERR EXEC without MULTI\r\n");
}

#[test]
fn skip_applies_to_the_reply_after_a_wait() {
    let mut bench = Bench::new();
    let (waiter, other) = (bench.connect(0), bench.connect(1));
    bench.run(waiter, "CLIENT REPLY SKIP\r\nBLPOP q 0\r\nPING");
    assert_eq!(bench.run(other, "RPUSH q x"), ":1\r\n");
    assert_eq!(bench.owed(waiter), "+PONG\r\n");
}

#[test]
fn a_subscription_is_confirmed_though_replies_are_off() {
    let mut bench = Bench::new();
    let client = bench.connect(0);
    assert_eq!(bench.run(client, "CLIENT REPLY OFF\r\nPING"), "");
    assert_eq!(bench.run(client, "SUBSCRIBE c"), "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    assert_eq!(bench.run(client, "RESET"), "+RESET\r\n");
}
