//! Random runs: what was acknowledged under `write-ack-replicas 1` outlives its primary, if the most advanced replica
//! is promoted.
//!
//! Clients see only what may be sent to them. A primary is cut off at any moment, and goes on for a while with its
//! clients, who do not know; a replica is promoted; the former primary comes back as a replica. One loss at a time is
//! survived: the next primary is cut off only once a replica has all that it began with.

use crate::net::Net;
use crate::random::play;
use crate::rng::Rng;
use std::collections::{BTreeSet, VecDeque};
use tidegate::ClientId;

/// Runs of the test.
const SEEDS: u64 = 40;
/// Runs that once failed.
const REGRESSIONS: [u64; 1] = [1715];
const STEPS: usize = 500;
const NODES: usize = 3;

const DIRECTIVES: &str = "write-ack-replicas 1\n\
    write-ack-timeout-ms 600\n\
    repl-backlog-size 64kb";

/// Ordinary lists.
const LISTS: [&str; 3] = ["a", "b", "c"];
/// A list at which consumers wait.
const HANDED_OVER: &str = "handed-over";

/// A request whose reply is awaited.
enum Sent {
    /// Messages, pushed together.
    Pushed(Vec<String>),
    Removed(String),
    /// A pop that waits for a message.
    Popped,
}

/// A client that knows what it has sent.
struct Client {
    id: ClientId,
    sent: VecDeque<Sent>,
    /// Lines of a reply that is not complete.
    text: String,
}

/// What clients were told.
#[derive(Default)]
struct Told {
    /// Pushed; nobody has tried to remove them.
    there: BTreeSet<String>,
    /// Removed, or delivered to a consumer.
    gone: BTreeSet<String>,
    /// Pushed together with another one.
    pairs: Vec<[String; 2]>,
    errors: usize,
}

struct Run {
    net: Net,
    dice: Rng,
    seed: u64,
    clients: Vec<Vec<Client>>,
    told: Told,
    primary: usize,
    /// The place of the stream where the primary began.
    began_at: u64,
    /// Whether a replica has acknowledged anything of this primary.
    has_followed: [bool; NODES],
    /// A former primary that is cut off.
    cut_off: Option<usize>,
    numbers: usize,
    promotions: usize,
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut net = Net::new(NODES, DIRECTIVES);
        let mut client =
            |node| Client { id: net.client(node), sent: VecDeque::new(), text: String::new() };
        let clients = (0..NODES).map(|node| (0..4).map(|_| client(node)).collect()).collect();
        Run {
            net,
            dice: Rng::new(seed),
            seed,
            clients,
            told: Told::default(),
            primary: 0,
            began_at: 0,
            has_followed: [false; NODES],
            cut_off: None,
            numbers: 0,
            promotions: 0,
        }
    }

    fn admin(&mut self, node: usize, line: &str) {
        let client = self.net.client(node);
        let reply = self.net.call(node, client, line);
        assert_eq!(reply, "+OK\r\n", "{line}");
        self.net.nodes[node].broker.disconnect(client, tidegate::CloseReason::Quit, self.net.now);
    }

    fn offset(&mut self, node: usize) -> u64 {
        let offset = self.net.info(node, "master_repl_offset");
        offset.and_then(|text| text.parse().ok()).expect("an offset")
    }

    fn step(&mut self) {
        let replica = (self.primary + 1 + self.dice.below(2)) % NODES;
        match self.dice.below(60) {
            0 => self.net.cut(replica),
            1..4 => {
                let is_stalled = self.dice.below(3) == 0;
                self.net.stall(replica, is_stalled);
            }
            4 => self.net.window = [usize::MAX, usize::MAX, 20, 3000][self.dice.below(4)],
            5 if self.dice.below(2) == 0 => self.lose_primary(),
            6..9 => self.come_back(),
            _ => self.request(),
        }
        if self.dice.below(2) == 0 {
            let ms = self.dice.below(120) as u64;
            self.net.round(ms);
            self.look_at_replicas();
        }
        self.listen();
    }

    /// A client sends a request: to the primary, or to a former one that is cut off.
    fn request(&mut self) {
        let node = self.cut_off.filter(|_| self.dice.below(3) == 0).unwrap_or(self.primary);
        let at = self.dice.below(3);
        let (line, sent) = match self.dice.below(12) {
            0 => match self.told.there.pop_first() {
                Some(message) => (self.removal(&message), Sent::Removed(message)),
                None => return,
            },
            1 => {
                let messages = [self.message(LISTS[0]), self.message(LISTS[1])];
                let pushes = messages.each_ref().map(|message| push(message));
                self.told.pairs.push(messages.clone());
                let line = format!("MULTI\r\n{}\r\n{}\r\nEXEC", pushes[0], pushes[1]);
                (line, Sent::Pushed(messages.into()))
            }
            2..4 => {
                let message = self.message(HANDED_OVER);
                // Whether it is there afterwards depends on the consumers.
                (push(&message), Sent::Pushed(Vec::new()))
            }
            4 => {
                let message = self.message(LISTS[2]) + &"m".repeat(self.dice.below(9_000));
                (push(&message), Sent::Pushed(vec![message]))
            }
            _ => {
                let list = LISTS[self.dice.below(3)];
                let message = self.message(list);
                (push(&message), Sent::Pushed(vec![message]))
            }
        };
        self.send(node, at, &line, sent);
        // The last client of each broker is a consumer.
        if self.clients[self.primary][3].sent.is_empty() {
            let line = format!("BLPOP {HANDED_OVER} 0");
            self.send(self.primary, 3, &line, Sent::Popped);
        }
    }

    /// A new message, which begins with the name of its list.
    fn message(&mut self, list: &str) -> String {
        self.numbers += 1;
        format!("{list}:{}:", self.numbers)
    }

    fn removal(&self, message: &str) -> String {
        format!("LREM {} 1 {message}", list_of(message))
    }

    fn send(&mut self, node: usize, at: usize, line: &str, sent: Sent) {
        let client = &mut self.clients[node][at];
        client.sent.push_back(sent);
        let bytes = format!("{line}\r\n");
        self.net.nodes[node].broker.receive(client.id, bytes.as_bytes(), self.net.now);
        self.net.turn(node);
    }

    /// Clients take what they are sent.
    fn listen(&mut self) {
        for (node, clients) in self.clients.iter_mut().enumerate() {
            for client in clients {
                client.text += &self.net.sent(node, client.id);
                while let Some((reply, rest)) = take_reply(&client.text) {
                    client.text = rest;
                    if matches!(&*reply[0], "+OK" | "+QUEUED") {
                        continue;
                    }
                    let sent = client.sent.pop_front().expect("a request for each reply");
                    self.told.take(sent, &reply);
                }
            }
        }
    }

    fn look_at_replicas(&mut self) {
        let mut number = 0;
        while let Some(line) = self.net.info(self.primary, &format!("slave{number}")) {
            let field = |name: &str| {
                let mut fields = line.split(',').filter_map(|field| field.split_once('='));
                fields
                    .find(|(own, _)| *own == name)
                    .and_then(|(_, value)| value.parse::<u64>().ok())
            };
            let (port, offset) = (field("port").unwrap_or(0), field("offset").unwrap_or(0));
            if let Some(node) = (port as usize).checked_sub(1)
                && line.contains("state=online")
                && offset >= self.began_at
                && offset > 0
            {
                self.has_followed[node] = true;
            }
            number += 1;
        }
    }

    /// The primary is cut off, and the most advanced replica promoted, if one has all that the primary began with.
    fn lose_primary(&mut self) {
        let candidates = (0..NODES).filter(|node| self.has_followed[*node]).collect::<Vec<_>>();
        let candidates = candidates.into_iter().map(|node| (self.offset(node), node));
        let Some((offset, next)) = candidates.max() else { return };
        if self.cut_off.is_some() {
            return;
        }
        let lost = self.primary;
        self.net.isolate(lost);
        self.admin(next, "REPLICAOF NO ONE");
        for node in (0..NODES).filter(|node| *node != next && *node != lost) {
            self.admin(node, &format!("REPLICAOF node {}", next + 1));
        }
        (self.primary, self.began_at, self.cut_off) = (next, offset, Some(lost));
        self.has_followed = [false; NODES];
        self.promotions += 1;
        self.check();
    }

    /// The former primary becomes a replica.
    fn come_back(&mut self) {
        let Some(node) = self.cut_off.take() else { return };
        self.net.rejoin(node);
        self.admin(node, &format!("REPLICAOF node {}", self.primary + 1));
    }

    /// What clients were told is so on the primary.
    fn check(&mut self) {
        self.listen();
        let client = self.net.client(self.primary);
        let mut present = BTreeSet::new();
        for list in LISTS.iter().chain(&[HANDED_OVER]) {
            let reply = self.net.call(self.primary, client, &format!("LRANGE {list} 0 -1"));
            let messages = reply.lines().filter(|line| line.contains(':'));
            present.extend(messages.map(str::to_owned));
        }
        self.net.nodes[self.primary].broker.check_invariants();
        let seed = self.seed;
        for message in &self.told.there {
            assert!(present.contains(message), "seed {seed}: {message} was confirmed and is lost");
        }
        for message in &self.told.gone {
            assert!(!present.contains(message), "seed {seed}: {message} was taken and is back");
        }
        for [one, other] in &self.told.pairs {
            // Unless one of them was removed later.
            let is_whole = present.contains(one) == present.contains(other);
            let may_be_gone = |message: &String| !self.told.there.contains(message);
            assert!(
                is_whole || may_be_gone(one) || may_be_gone(other),
                "seed {seed}: half of a transaction, {one} or {other}"
            );
        }
    }

    fn play(mut self) -> usize {
        for node in 1..NODES {
            self.admin(node, "REPLICAOF node 1");
        }
        for _ in 0..STEPS {
            self.step();
        }
        self.net.window = usize::MAX;
        (0..NODES).for_each(|node| self.net.stall(node, false));
        self.come_back();
        self.net.settle();
        self.check();
        for node in (0..NODES).filter(|node| *node != self.primary) {
            self.net.assert_equal(self.primary, node, &format!("seed {} at the end", self.seed));
        }
        self.promotions
    }
}

impl Told {
    fn take(&mut self, sent: Sent, reply: &[String]) {
        if reply[0].starts_with('-') {
            self.errors += 1;
            return;
        }
        match sent {
            Sent::Pushed(messages) => self.there.extend(messages),
            // A former primary may not have had it.
            Sent::Removed(_) if reply[0] == ":0" => {}
            Sent::Removed(message) => drop(self.gone.insert(message)),
            Sent::Popped => drop(self.gone.insert(reply[4].clone())),
        }
    }
}

fn list_of(message: &str) -> &str {
    message.split(':').next().unwrap_or_default()
}

fn push(message: &str) -> String {
    format!("RPUSH {} {message}", list_of(message))
}

/// The lines of the first reply, if it is complete, and what follows.
fn take_reply(text: &str) -> Option<(Vec<String>, String)> {
    fn lines_of<'a>(
        lines: &mut impl Iterator<Item = &'a str>,
        reply: &mut Vec<String>,
    ) -> Option<()> {
        let line = lines.next()?;
        reply.push(line.to_owned());
        match line.split_at_checked(1)? {
            ("*", count) => {
                (0..count.parse::<i64>().ok()?).try_for_each(|_| lines_of(lines, reply))
            }
            ("$", "-1") => Some(()),
            ("$", _) => {
                reply.push(lines.next()?.to_owned());
                Some(())
            }
            _ => Some(()),
        }
    }
    let whole = &text[..text.rfind("\r\n")? + 2];
    let mut reply = Vec::new();
    lines_of(&mut whole.split_inclusive("\r\n").map(str::trim_end), &mut reply)?;
    let taken: usize = reply.iter().map(|line| line.len() + 2).sum();
    Some((reply, text[taken..].to_owned()))
}

#[test]
fn what_was_confirmed_outlives_its_primary() {
    for seed in REGRESSIONS {
        Run::new(seed).play();
    }
    let (runs, promotions) = play(SEEDS, |seed| Run::new(seed).play());
    assert!(promotions as u64 > runs, "only {promotions} promotions");
}
