//! Long scripts: what other clients are told meanwhile, how a script is killed, and what waits for its end.
//!
//! The clock advances with each look at it, so that every script is a long one.

#![cfg(feature = "lua")]

mod broker_support;

use broker_support::Bench;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tidegate::resp::write_command;
use tidegate::settings::Settings;
use tidegate::{
    Broker, BusyServer, ClientId, CloseReason, Host, NoHost, Now, Peer, ShutdownRequest,
};

const BUSY: &str =
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n";
const BUSY_FUNCTION: &str =
    "-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.\r\n";
const LOOP: &str = "while true do end";
/// Changes data, and runs for a while.
const WRITES: &str = "redis.call('rpush', 'q', 'a') redis.call('set', 'k', 'v') \
                      for i = 1, 2e6 do end redis.call('incr', 'n') return 'done'";
const LIBRARY: &str =
    "#!lua name=lib\nredis.register_function('f', function() while true do end end)";

/// A host whose clock goes on with each look at it.
struct Hurried(AtomicU64);

impl Host for Hurried {
    fn monotonic_us(&self) -> u64 {
        self.0.fetch_add(100_000, Relaxed)
    }
    fn resident_bytes(&self) -> u64 {
        NoHost.resident_bytes()
    }
    fn cpu_us(&self) -> (u64, u64) {
        NoHost.cpu_us()
    }
    fn rewrite_config(&mut self, settings: &Settings) -> Result<(), String> {
        NoHost.rewrite_config(settings)
    }
    fn read_file(&mut self, path: &std::path::Path) -> Result<Vec<u8>, String> {
        NoHost.read_file(path)
    }
    fn replace_file(&mut self, path: &std::path::Path, content: &[u8]) -> Result<(), String> {
        NoHost.replace_file(path, content)
    }
    fn settings_changed(&mut self, settings: &Settings) {
        NoHost.settings_changed(settings);
    }
    fn claim_append_files(&mut self, settings: &Settings) -> Result<(), String> {
        NoHost.claim_append_files(settings)
    }
    fn sleep(&mut self, duration: std::time::Duration) {
        NoHost.sleep(duration);
    }
}

/// Something that is done while a script runs.
type Step<'a> = Box<dyn FnMut(&mut Broker) + 'a>;

/// What goes on while a script runs, one step each time; SCRIPT KILL when no step is left.
struct Meanwhile<'a> {
    now: Now,
    /// The client that kills it in the end.
    killer: Option<ClientId>,
    steps: Vec<Step<'a>>,
}

impl BusyServer for Meanwhile<'_> {
    fn serve(&mut self, broker: &mut Broker) {
        assert!(broker.is_busy());
        if !self.steps.is_empty() {
            self.steps.remove(0)(broker);
        } else if let Some(killer) = self.killer {
            assert_eq!(ask(broker, killer, self.now, "SCRIPT KILL"), "+OK\r\n");
        }
    }
}

/// Sends a line to the broker; returns all output of the client.
fn ask(broker: &mut Broker, id: ClientId, now: Now, line: &str) -> String {
    broker.receive(id, format!("{line}\r\n").as_bytes(), now);
    owed(broker, id, now)
}

fn owed(broker: &mut Broker, id: ClientId, now: Now) -> String {
    let owed = broker.outbox(id).map(|output| output.take_all()).unwrap_or_default();
    broker.flushed(id, owed.len(), now);
    String::from_utf8_lossy(&owed).into_owned()
}

fn command(words: &[&str]) -> Vec<u8> {
    let mut request = Vec::new();
    write_command(&mut request, words.iter().map(|word| word.as_bytes()));
    request
}

struct Side {
    bench: Bench,
    runner: ClientId,
    other: ClientId,
}

impl Side {
    fn new() -> Side {
        Side::with("")
    }

    fn with(lines: &str) -> Side {
        let lines = format!("busy-reply-threshold 1\nscript-time-limit-ms 0\n{lines}");
        let settings = Settings::from_text(&lines, "the test's settings").expect("valid");
        let mut bench = Bench::new();
        bench.broker = Broker::new(settings, 42, Box::new(Hurried(0.into())), bench.now);
        let (runner, other) = (bench.client(), bench.client());
        Side { bench, runner, other }
    }

    /// Runs a request; the steps are taken while a script runs. Returns the reply.
    fn run(&mut self, request: &[u8], killer: Option<ClientId>, steps: Vec<Step<'_>>) -> String {
        let now = self.bench.now;
        let mut meanwhile = Meanwhile { now, killer, steps };
        self.bench.broker.receive_while(self.runner, request, now, &mut meanwhile);
        self.bench.broker.settle_while(now, &mut meanwhile);
        assert!(meanwhile.steps.is_empty(), "the script was too short");
        assert!(!self.bench.broker.is_busy());
        self.bench.broker.check_invariants();
        owed(&mut self.bench.broker, self.runner, now)
    }

    fn eval(&mut self, script: &str, killer: Option<ClientId>, steps: Vec<Step<'_>>) -> String {
        self.run(&command(&["EVAL", script, "0"]), killer, steps)
    }
}

/// A step in which a client sends lines, and gets these replies.
fn says<'a>(id: ClientId, now: Now, lines: &'a [(&'a str, &'a str)]) -> Step<'a> {
    Box::new(move |broker| {
        for (line, expected) in lines {
            assert_eq!(ask(broker, id, now, line), *expected, "{line}");
        }
    })
}

#[test]
fn a_script_is_killed_whatever_it_catches() {
    for script in [
        LOOP,
        "while true do pcall(function() while true do end end) end",
        "local ok, e = pcall(function() while true do end end) return e",
        "while true do redis.pcall('get', 'k') end",
        "local f = function() while true do end end while true do coroutine.resume(coroutine.create(f)) end",
    ] {
        let mut side = Side::new();
        let (other, now) = (side.other, side.bench.now);
        let reply = side.eval(script, Some(other), vec![says(other, now, &[("PING", BUSY)])]);
        assert!(
            reply.starts_with("-ERR Script killed by user with SCRIPT KILL... script: "),
            "{reply}"
        );
        assert_eq!(ask(&mut side.bench.broker, other, now, "PING"), "+PONG\r\n");
        let idle = "-NOTBUSY No scripts in execution right now.\r\n";
        for line in ["SCRIPT KILL", "FUNCTION KILL"] {
            assert_eq!(ask(&mut side.bench.broker, other, now, line), idle);
        }
        assert_eq!(side.eval("return 1", None, vec![]), ":1\r\n");
    }
}

/// A read-only script ends in the same way, and one within EXEC does not end the transaction.
#[test]
fn every_command_that_runs_scripts_can_be_killed() {
    let mut side = Side::new();
    let other = side.other;
    let killed = "-ERR Script killed by user with SCRIPT KILL...";
    let reply = side.run(&command(&["EVAL_RO", LOOP, "0"]), Some(other), vec![]);
    assert!(reply.starts_with(killed), "{reply}");
    let pipeline = [
        command(&["MULTI"]),
        command(&["SET", "k", "1"]),
        command(&["EVAL", LOOP, "0"]),
        command(&["INCR", "k"]),
        command(&["EXEC"]),
        command(&["GET", "k"]),
    ];
    let reply = side.run(&pipeline.concat(), Some(other), vec![]);
    let (queued, rest) = reply.split_once("*3\r\n+OK\r\n").expect("the transaction has run");
    assert_eq!(queued, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    assert!(rest.starts_with(killed) && rest.ends_with(".\r\n:2\r\n$1\r\n2\r\n"), "{rest}");
}

#[test]
fn a_script_that_has_written_runs_to_its_end() {
    let mut side = Side::new();
    let (other, now) = (side.other, side.bench.now);
    let unkillable = "-UNKILLABLE Sorry the script already executed write commands against the dataset. You can \
                      either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE \
                      command.\r\n";
    let lines = [("SCRIPT KILL", unkillable), ("FUNCTION KILL", unkillable), ("SHUTDOWN", BUSY)];
    let reply = side.eval(WRITES, None, vec![says(other, now, &lines)]);
    assert_eq!(reply, "$4\r\ndone\r\n");
    assert_eq!(side.bench.broker.shutdown_requested(), None);
}

#[test]
fn functions_have_a_command_of_their_own() {
    let mut side = Side::new();
    let (other, now) = (side.other, side.bench.now);
    assert_eq!(side.run(&command(&["FUNCTION", "LOAD", LIBRARY]), None, vec![]), "$3\r\nlib\r\n");
    let steps: Vec<Step<'_>> = vec![
        says(other, now, &[("PING", BUSY_FUNCTION), ("SCRIPT KILL", BUSY_FUNCTION)]),
        Box::new(move |broker| {
            let shown = ask(broker, other, now, "FUNCTION STATS");
            let running = "*4\r\n$14\r\nrunning_script\r\n*6\r\n$4\r\nname\r\n$1\r\nf\r\n$7\r\ncommand\r\n*4\r\n\
                           $5\r\nFCALL\r\n$1\r\nf\r\n$1\r\n1\r\n$3\r\nkey\r\n$11\r\nduration_ms\r\n:";
            assert!(shown.starts_with(running), "{shown}");
        }),
        says(other, now, &[("FUNCTION KILL", "+OK\r\n")]),
    ];
    let reply = side.run(&command(&["FCALL", "f", "1", "key"]), None, steps);
    assert!(reply.starts_with(
        "-ERR Script killed by user with SCRIPT KILL... script: f, on @user_function:2."
    ));
    let steps: Vec<Step<'_>> = vec![says(
        other,
        now,
        &[("FUNCTION STATS", BUSY), ("FUNCTION KILL", BUSY), ("SCRIPT KILL", "+OK\r\n")],
    )];
    side.eval(LOOP, None, steps);
}

/// The code of a library has its own limit, and nobody is served meanwhile.
#[test]
fn the_code_of_a_library_is_stopped_soon() {
    let mut side = Side::new();
    let code = "#!lua name=lib\nwhile true do end";
    let refuses: Vec<Step<'_>> = vec![];
    let reply = side.run(&command(&["FUNCTION", "LOAD", code]), None, refuses);
    assert_eq!(reply, "-ERR Error registering functions: ERR FUNCTION LOAD timeout\r\n");
}

/// A transaction can be begun, and is refused when it is to run.
#[test]
fn a_transaction_is_not_run_in_between() {
    let mut side = Side::new();
    let (other, now) = (side.other, side.bench.now);
    let aborted = format!("-EXECABORT Transaction discarded because of: {}", &BUSY[1..]);
    let lines = [
        ("MULTI", "+OK\r\n"),
        ("SET k v", BUSY),
        ("EXEC", aborted.as_str()),
        ("WATCH k", "+OK\r\n"),
        ("MULTI", "+OK\r\n"),
        ("SCRIPT KILL", "+QUEUED\r\n"),
        ("DISCARD", "+OK\r\n"),
        ("EVAL 'return 1' 0", BUSY),
        ("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"),
        ("GET", "-ERR wrong number of arguments for 'get' command\r\n"),
        ("RESET", "+RESET\r\n"),
    ];
    side.eval(LOOP, Some(other), vec![says(other, now, &lines)]);
}

/// Without a threshold nobody is served; nor is anybody by a broker without a server.
#[test]
fn a_threshold_of_zero_is_never_reached() {
    let mut side = Side::with("busy-reply-threshold 0\nscript-time-limit-ms 5000");
    let other = side.other;
    // `run` asserts that no step is left, so there is none; and the killer is never asked.
    let reply = side.eval(LOOP, Some(other), vec![]);
    assert!(reply.contains("script-time-limit-ms"), "{reply}");
    let mut side = Side::with("script-time-limit-ms 5000");
    side.bench.broker.receive(side.runner, &command(&["EVAL", LOOP, "0"]), side.bench.now);
    let reply = owed(&mut side.bench.broker, side.runner, side.bench.now);
    assert!(reply.contains("script-time-limit-ms"), "{reply}");
    assert!(!side.bench.broker.is_busy());
}

/// Both limits apply: others are served from the one on, and the script ends at the other.
#[test]
fn a_script_may_be_busy_before_it_is_stopped() {
    let mut side = Side::with("busy-reply-threshold 1000\nscript-time-limit-ms 3000");
    let (other, now) = (side.other, side.bench.now);
    let reply = side.eval(LOOP, None, vec![says(other, now, &[("PING", BUSY)])]);
    assert!(reply.contains("script-time-limit-ms"), "{reply}");
}

/// No client that waits is served, nothing expires, and what the script does stays in one piece.
#[test]
fn nothing_changes_meanwhile() {
    let mut side = Side::new();
    let (other, now) = (side.other, side.bench.now);
    let waiting = side.bench.client();
    side.bench.send(waiting, "BLPOP q 0");
    side.bench.send(other, "SET brief v PX 10");
    side.bench.owed(other);
    let reader = side.bench.broker.read_effects();
    let later = now.plus_us(1_000_000);
    let steps: Vec<Step<'_>> = vec![
        Box::new(move |broker| {
            for line in
                ["MULTI", "DISCARD", "WATCH k", "UNWATCH", "HELLO 3", "RESET", "FUNCTION STATS"]
            {
                ask(broker, other, later, line);
            }
            assert_eq!(owed(broker, waiting, later), "");
            assert!(broker.is_blocked(waiting));
        }),
        Box::new(move |broker| {
            let newcomer = broker.connect(7, Peer::in_process(), later);
            assert_eq!(ask(broker, newcomer, later, "PING"), BUSY);
            assert!(broker.may_disconnect(newcomer) && !broker.may_disconnect(waiting));
            broker.disconnect(newcomer, CloseReason::PeerClosed, later);
        }),
    ];
    let reply = side.eval(WRITES, None, steps);
    assert_eq!(reply, "$4\r\ndone\r\n");
    assert_eq!(side.bench.owed(waiting), "*2\r\n$1\r\nq\r\n$1\r\na\r\n");
    let mut effects = Vec::new();
    side.bench.broker.take_effects(&reader, &mut effects);
    let effects = String::from_utf8_lossy(&effects).into_owned();
    let words: Vec<&str> =
        effects.split("\r\n").filter(|word| !word.starts_with(['*', '$'])).collect();
    let words = words.join(" ");
    assert_eq!(words, "MULTI select 0 RPUSH q a SET k v incr n EXEC LPOP q ");
}

/// A client that left while the script ran gets nothing of it.
#[test]
fn a_waiting_client_may_leave_meanwhile() {
    let mut side = Side::new();
    let waiting = side.bench.client();
    side.bench.send(waiting, "BLPOP q 0");
    let steps: Vec<Step<'_>> = vec![Box::new(move |broker| {
        assert!(!broker.may_disconnect(waiting));
        broker.close(waiting, CloseReason::PeerClosed);
    })];
    side.eval(WRITES, None, steps);
    assert_eq!(side.bench.owed(waiting), "");
    let (other, now) = (side.other, side.bench.now);
    assert_eq!(ask(&mut side.bench.broker, other, now, "LLEN q"), ":1\r\n");
}

/// With a journal, replies from before the script are not sent before their changes are committed. Those to what is
/// asked meanwhile are.
#[test]
fn uncommitted_replies_wait() {
    for is_recorded in [true, false] {
        let mut side = Side::new();
        let now = side.bench.now;
        let (reader, writer) = (side.bench.client(), side.bench.client());
        let _effects = is_recorded.then(|| side.bench.broker.read_effects());
        side.bench.broker.receive(writer, b"SET k v\r\n", now);
        side.bench.broker.receive(reader, b"GET k\r\n", now);
        let (runner, other) = (side.runner, side.other);
        let steps: Vec<Step<'_>> = vec![Box::new(move |broker| {
            for id in [reader, writer, other] {
                broker.receive(id, b"PING\r\n", now);
            }
            assert!(broker.may_write(other) && !broker.may_write(runner));
            assert_eq!(broker.may_write(reader), !is_recorded);
            assert_eq!(broker.may_write(writer), !is_recorded);
            assert!(!broker.may_serve(runner) && broker.may_serve(writer));
            let mut dirty: Vec<ClientId> = std::iter::from_fn(|| broker.next_dirty(now)).collect();
            dirty.retain(|id| *id != other);
            assert_eq!(dirty.is_empty(), is_recorded);
        })];
        side.eval(WRITES, None, steps);
        side.bench.broker.end_turn(now);
        side.bench.broker.release_changed();
        assert_eq!(owed(&mut side.bench.broker, reader, now), format!("$1\r\nv\r\n{BUSY}"));
        assert_eq!(owed(&mut side.bench.broker, writer, now), format!("+OK\r\n{BUSY}"));
        assert_eq!(owed(&mut side.bench.broker, other, now), BUSY);
    }
}

/// The reply of the script waits for replicas, and no other one.
#[test]
fn acknowledgements_are_those_of_the_script() {
    let mut side = Side::with("write-ack-replicas 1");
    let (runner, other, now) = (side.runner, side.other, side.bench.now);
    let _effects = side.bench.broker.read_effects();
    let steps: Vec<Step<'_>> = vec![says(other, now, &[("MULTI", "+OK\r\n")])];
    let mut meanwhile = Meanwhile { now, killer: None, steps };
    let request = command(&["EVAL", WRITES, "0"]);
    side.bench.broker.receive_while(runner, &request, now, &mut meanwhile);
    side.bench.broker.settle(now);
    side.bench.broker.end_turn(now);
    side.bench.broker.release_changed();
    side.bench.broker.check_invariants();
    assert_eq!(side.bench.broker.sendable(runner), 0);
    let info = ask(&mut side.bench.broker, other, now, "RESET\r\nINFO everything");
    assert!(info.contains("write_ack_held_replies:1\r\n"), "{info}");
}

#[test]
fn shutdown_nosave_ends_a_script_that_has_written() {
    let mut side = Side::new();
    let (other, now) = (side.other, side.bench.now);
    let script = format!("redis.call('set', 'k', 'v') {LOOP}");
    let lines = [("SHUTDOWN SAVE", BUSY), ("SHUTDOWN NOSAVE", ""), ("SHUTDOWN ABORT", "+OK\r\n")];
    let steps = vec![says(other, now, &lines), says(other, now, &[("SHUTDOWN NOSAVE", "")])];
    let reply = side.eval(&script, None, steps);
    assert!(reply.contains("the broker stops"), "{reply}");
    assert_eq!(side.bench.broker.shutdown_requested(), Some(ShutdownRequest::Abandon));
    assert!(side.bench.broker.is_abandoned());
}

/// The program is asked to stop: it does not wait for a script that has changed nothing.
#[test]
fn a_stopping_program_ends_scripts() {
    let mut side = Side::new();
    let reply = side.eval(LOOP, None, vec![Box::new(Broker::end_script)]);
    assert!(reply.contains("killed"), "{reply}");
    assert_eq!(side.eval(WRITES, None, vec![Box::new(Broker::end_script)]), "$4\r\ndone\r\n");
}

/// Scripts from input that was kept run in `settle`.
#[test]
fn kept_input_is_served_for_as_well() {
    let mut side = Side::new();
    let (other, now) = (side.other, side.bench.now);
    let pipeline = [command(&["BLPOP", "q", "0"]), command(&["EVAL", LOOP, "0"])].concat();
    side.bench.broker.receive(side.runner, &pipeline, now);
    side.bench.broker.receive(other, b"RPUSH q a\r\n", now);
    owed(&mut side.bench.broker, other, now);
    let reply = side.run(b"", Some(other), vec![says(other, now, &[("PING", BUSY)])]);
    assert!(reply.starts_with("*2\r\n$1\r\nq\r\n$1\r\na\r\n-ERR Script killed"), "{reply}");
}
