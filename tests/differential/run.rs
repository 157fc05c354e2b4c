//! Plays steps on both servers and compares the results.

use std::collections::BTreeSet;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::answer::show;
use super::compare::{Sides, Tolerance, belongs_to, client_states, flags_of, is_part, same};
use super::generator::CLIENTS;
use super::server::{Server, unix_time};
use super::step::{Command, Step};
use super::vocabulary::KEY_NAMES;
use crate::originals::{Original, Version};

/// Round trips, and the minimum time, granted to a server that seems to miss something: on a busy
/// machine the end of a connection may arrive later than requests of another one.
const ROUNDS_MIN: usize = 50;
const ROUNDS: Duration = Duration::from_millis(500);

/// Longer than the timeouts of a step in which time passes.
const ELAPSED: Duration = Duration::from_millis(12);

const DATABASES: usize = 4;

pub struct Pair {
    original: Original,
    theirs: Server,
    ours: Server,
    sides: Sides,
    clients: Vec<Client>,
    log: Option<Vec<String>>,
}

/// The known state of a client.
#[derive(Clone, Default)]
struct Client {
    is_blocked: bool,
    is_in_transaction: bool,
    pending: Pending,
    /// By CLIENT REPLY.
    is_muted: bool,
    tolerance: Tolerance,
    /// Keys that it may be waiting for.
    awaited: BTreeSet<Vec<u8>>,
}

/// Commands after which a key may hold a value that is not a list.
const MAKES_STRINGS: &[&[u8]] = &[
    b"SET",
    b"ZADD",
    b"ZINCRBY",
    b"ZUNIONSTORE",
    b"ZINTERSTORE",
    b"ZDIFFSTORE",
    b"ZRANGESTORE",
    b"GETSET",
    b"SETNX",
    b"SETEX",
    b"PSETEX",
    b"MSET",
    b"MSETNX",
    b"APPEND",
    b"SETRANGE",
    b"INCR",
    b"DECR",
    b"INCRBY",
    b"DECRBY",
    b"INCRBYFLOAT",
    b"RENAME",
    b"RENAMENX",
    b"COPY",
    b"MOVE",
];

/// What a blocked client has sent after the command in which it waits.
///
/// The original has read all of it, and runs it client by client in the order in which they are served.
/// Tidegate reads no more from a waiting client: it runs what it has read in this order, and then the
/// rest. There is no required order between clients, so only one kind may wait. Redis 8 alternates
/// between them: there only one client has something pending.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Pending {
    #[default]
    Nothing,
    Read,
    Unread,
    /// Both kinds, or it will wait again.
    Mixed,
}

impl Pair {
    pub fn start(original: &Original) -> io::Result<Pair> {
        Ok(Pair {
            original: original.clone(),
            theirs: Server::redis(&original.program)?,
            ours: Server::tidegate()?,
            sides: Sides::new(original.version),
            clients: Vec::new(),
            log: None,
        })
    }

    /// Starts new servers, if the old ones do not reply any more.
    pub fn restart(&mut self) -> io::Result<()> {
        *self = Pair::start(&self.original)?;
        Ok(())
    }

    /// Plays a whole run from an empty state. The error says where the servers differ.
    pub fn play(&mut self, steps: &[Step]) -> Result<(), String> {
        self.begin().map_err(|error| format!("a run does not begin: {error}"))?;
        for (index, step) in steps.iter().enumerate() {
            let outcome = self.play_one(step);
            let outcome = outcome.unwrap_or_else(|error| Err(format!("a server is gone: {error}")));
            outcome.map_err(|difference| format!("step {index}: {step}\n{difference}"))?;
        }
        let outcome = self.compare_data();
        outcome.unwrap_or_else(|error| Err(format!("a server is gone: {error}")))
    }

    /// As `play`, but returns a line for each step and each answer as well.
    pub fn play_with_log(&mut self, steps: &[Step]) -> (Vec<String>, Result<(), String>) {
        self.log = Some(Vec::new());
        let outcome = self.play(steps);
        (self.log.take().unwrap_or_default(), outcome)
    }

    fn begin(&mut self) -> io::Result<()> {
        self.theirs.begin(CLIENTS)?;
        self.ours.begin(CLIENTS)?;
        self.clients = vec![Client::default(); CLIENTS];
        self.note_ids();
        Ok(())
    }

    fn note_ids(&mut self) {
        let numbered =
            |server: &Server| server.clients.iter().enumerate().map(|(i, c)| (c.id, i)).collect();
        self.sides.theirs = numbered(&self.theirs);
        self.sides.ours = numbered(&self.ours);
    }

    fn play_one(&mut self, step: &Step) -> io::Result<Result<(), String>> {
        if !self.is_certain(step) {
            return Ok(Ok(()));
        }
        if let Some(log) = &mut self.log {
            log.push(step.to_string());
        }
        match step {
            Step::Send { client, commands, cut } => {
                let per_mille = cut.unwrap_or(1000);
                if let Err(difference) = self.send_in_two(*client, commands, per_mille)? {
                    return Ok(Err(difference));
                }
            }
            Step::Swap { client, commands } => self.send(*client, commands)?,
            Step::Bytes { client, bytes } => {
                self.theirs.clients[*client].send(bytes)?;
                self.ours.clients[*client].send(bytes)?;
            }
            Step::Elapse { sends } => {
                for (client, command) in sends {
                    self.send(*client, std::slice::from_ref(command))?;
                }
                thread::sleep(ELAPSED);
                self.notice_expired_keys()?;
            }
            Step::Scan { db, options } => return self.compare_scans(*db, options),
            Step::Disconnect { client } => self.reconnect(*client)?,
        }
        self.compare()
    }

    /// Whether the original has only one possible result for a step. The servers are at rest, so
    /// otherwise both omit the step.
    fn is_certain(&self, step: &Step) -> bool {
        let is_redis_8 = self.original.version == Version::V8_2;
        if is_redis_8 && is_misunderstood_by_redis_8(step) {
            return false;
        }
        let is_free = |client: &usize| {
            !self.clients[*client].is_blocked && !self.clients[*client].is_in_transaction
        };
        match step {
            Step::Swap { client, .. } => {
                let blocked = self.clients.iter().filter(|client| client.is_blocked);
                let awaited: BTreeSet<&Vec<u8>> = blocked.flat_map(|c| &c.awaited).collect();
                is_free(client) && awaited.len() <= 1
            }
            Step::Elapse { sends } => sends.iter().map(|(client, _)| client).all(is_free),
            Step::Send { client, commands, cut } => {
                let pending = self.pending_with(*client, commands, cut.is_some());
                let others = (0..CLIENTS).filter(|other| other != client);
                let mut others = others.map(|other| self.clients[other].pending);
                // The original sends parts of a muted EXEC.
                let mutes = commands.iter().any(|c| c.word(1) == b"REPLY");
                let is_in_exec = commands.iter().any(|c| c.word(0) == b"MULTI");
                let is_muted = self.clients[*client].is_muted;
                // Whether a quitting client is still there when a served one looks.
                let quits = commands.iter().any(|c| c.word(0) == b"QUIT");
                if quits && others.clone().any(|other| other != Pending::Nothing) {
                    return false;
                }
                // Since 7.2 the first key of the waiting command serves, here the one that was filled
                // first.
                let executes = commands.iter().any(|c| c.word(0) == b"EXEC");
                // Then a string at another key than the filled one is an error.
                let may_make_strings =
                    commands.iter().any(|c| MAKES_STRINGS.contains(&c.word(0).as_slice()));
                let mut blocked = self.clients.iter().filter(|client| client.is_blocked);
                let changes = executes || may_make_strings;
                if is_redis_8 && changes && blocked.any(|client| client.awaited.len() > 1) {
                    return false;
                }
                (pending == Pending::Nothing
                    || others.all(|other| {
                        let is_same_kind = other == pending && pending != Pending::Mixed;
                        other == Pending::Nothing || is_same_kind && !is_redis_8
                    }))
                    && !(mutes && (!is_free(client) || is_in_exec) || is_muted && is_in_exec)
            }
            // In Redis 8 CLIENT REPLY SKIP does not count an empty request.
            Step::Bytes { client, .. } => {
                is_free(client) && !(is_redis_8 && self.clients[*client].is_muted)
            }
            _ => true,
        }
    }

    /// What a client will have sent in advance if these commands block it.
    fn pending_with(&self, client: usize, commands: &[Command], is_cut: bool) -> Pending {
        let client = &self.clients[client];
        let waits = commands.iter().filter(|c| c.awaited().next().is_some()).count();
        let last_waits = commands.last().is_some_and(|c| c.awaited().next().is_some());
        match (client.is_blocked, client.pending) {
            (true, Pending::Nothing | Pending::Unread) if waits == 0 && !is_cut => Pending::Unread,
            (true, _) => Pending::Mixed,
            (false, _) if waits == 0 || waits == 1 && last_waits => Pending::Nothing,
            (false, _) if waits == 1 && !is_cut => Pending::Read,
            (false, _) => Pending::Mixed,
        }
    }

    fn send_in_two(
        &mut self,
        client: usize,
        commands: &[Command],
        per_mille: usize,
    ) -> io::Result<Result<(), String>> {
        if per_mille == 1000 {
            return self.send(client, commands).map(Ok);
        }
        self.expect(client, commands, true);
        let now = unix_time();
        let mut rests = Vec::new();
        for server in [&mut self.theirs, &mut self.ours] {
            let bytes = encode(server, commands, now);
            let (first, rest) = bytes.split_at(bytes.len() * per_mille / 1000);
            server.clients[client].send(first)?;
            rests.push(rest.to_vec());
        }
        // The tolerance for the rest is still needed afterwards.
        let before = self.clients[client].clone();
        let id = self.ours.clients[client].id;
        if let Err(difference) = self.compare()? {
            return Ok(Err(difference));
        }
        if self.ours.clients[client].id != id {
            // It was closed, and a new one has replaced it.
            return Ok(Ok(()));
        }
        self.clients[client].pending = before.pending;
        self.clients[client].tolerance = before.tolerance;
        self.clients[client].awaited.extend(before.awaited);
        for (server, rest) in [&mut self.theirs, &mut self.ours].into_iter().zip(rests) {
            server.clients[client].send(&rest)?;
        }
        Ok(Ok(()))
    }

    fn send(&mut self, client: usize, commands: &[Command]) -> io::Result<()> {
        self.expect(client, commands, false);
        let now = unix_time();
        for server in [&mut self.theirs, &mut self.ours] {
            let bytes = encode(server, commands, now);
            server.clients[client].send(&bytes)?;
        }
        Ok(())
    }

    fn expect(&mut self, client: usize, commands: &[Command], is_cut: bool) {
        self.clients[client].pending = self.pending_with(client, commands, is_cut);
        let client = &mut self.clients[client];
        for command in commands {
            if command.word(1) == b"REPLY" {
                client.is_muted = command.word(2) != b"ON";
            }
            client.tolerance.allow(command);
            client.awaited.extend(command.awaited().map(<[u8]>::to_vec));
        }
    }

    fn reconnect(&mut self, client: usize) -> io::Result<()> {
        self.theirs.reconnect(client)?;
        self.ours.reconnect(client)?;
        self.clients[client] = Client::default();
        self.note_ids();
        Ok(())
    }

    /// An expired key may exist until its next access; afterwards it is gone on both.
    fn notice_expired_keys(&mut self) -> io::Result<()> {
        for server in [&mut self.theirs, &mut self.ours] {
            for db in 0..DATABASES {
                server.ask(&[b"SELECT", db.to_string().as_bytes()])?;
                server.ask(&[&[b"EXISTS".as_slice()], KEY_NAMES].concat())?;
            }
        }
        Ok(())
    }

    /// Brings both servers to rest and compares their clients' output and states.
    ///
    /// Input sent before a round trip of another connection is handled in that round trip's turn or
    /// before, and the replies of a turn, including those to waiting clients, are sent before the next
    /// turn reads. So two round trips show everything; more are granted before a difference counts.
    fn compare(&mut self) -> io::Result<Result<(), String>> {
        let begun = Instant::now();
        for round in 0.. {
            self.theirs.ask(&[b"PING"])?;
            self.ours.ask(&[b"PING"])?;
            let lists = (self.theirs.client_list()?, self.ours.client_list()?);
            self.theirs.drain()?;
            self.ours.drain()?;
            let difference = self.difference(&lists.0, &lists.1);
            if difference.is_none() {
                self.take_note(&lists.1)?;
                break;
            }
            let is_final = round >= ROUNDS_MIN && begun.elapsed() >= ROUNDS;
            if let Some(difference) = difference.filter(|_| is_final) {
                return Ok(Err(difference));
            }
        }
        Ok(Ok(()))
    }

    fn difference(&self, their_list: &str, our_list: &str) -> Option<String> {
        let mut theirs_left = client_states(their_list.as_bytes(), &self.sides.theirs);
        let ours_left = client_states(our_list.as_bytes(), &self.sides.ours);
        for (index, (theirs, ours)) in
            self.theirs.clients.iter().zip(&self.ours.clients).enumerate()
        {
            let state = theirs_left.iter().position(|state| belongs_to(state, index));
            let mut closings = (theirs.is_closed, ours.is_closed);
            if closings == (false, true)
                && let Some(state) = state
                && flags_of(&theirs_left[state]).contains('c')
            {
                // The original closes after a reply, and under CLIENT REPLY OFF there is none.
                theirs_left.remove(state);
                closings = (true, true);
            }
            let tolerance = self.clients[index].tolerance;
            let is_same = closings.0 == closings.1
                && (same(&theirs.unread, &ours.unread, &self.sides, tolerance)
                    // Unwritten output is lost when the original kills a client, and so is output to a
                    // client after it has killed itself.
                    || closings.0 && is_part(&theirs.unread, &ours.unread, &self.sides, tolerance));
            if !is_same {
                let closed = |is_closed| if is_closed { " (closed)" } else { "" };
                return Some(format!(
                    "client {index}\n  redis:    {}{}\n  tidegate: {}{}",
                    show(&theirs.unread),
                    closed(theirs.is_closed),
                    show(&ours.unread),
                    closed(ours.is_closed)
                ));
            }
        }
        (theirs_left != ours_left).then(|| {
            let only = |these: &[String], others: &[String]| {
                let lines = these.iter().filter(|line| !others.contains(line));
                lines.map(|line| format!("\n    {line}")).collect::<String>()
            };
            format!(
                "CLIENT LIST\n  redis:{}\n  tidegate:{}",
                only(&theirs_left, &ours_left),
                only(&ours_left, &theirs_left)
            )
        })
    }

    /// Drops what was compared, records the clients' states, and replaces closed clients.
    fn take_note(&mut self, list: &str) -> io::Result<()> {
        let states = client_states(list.as_bytes(), &self.sides.ours);
        for index in 0..CLIENTS {
            let unread = std::mem::take(&mut self.ours.clients[index].unread);
            self.theirs.clients[index].unread.clear();
            if let Some(log) = self.log.as_mut().filter(|_| !unread.is_empty()) {
                log.push(format!("    {index}< {}", show(&unread)));
            }
            if self.ours.clients[index].is_closed {
                self.reconnect(index)?;
                continue;
            }
            let client = &mut self.clients[index];
            let state = states.iter().find(|state| belongs_to(state, index));
            let flags = state.map(|state| flags_of(state)).unwrap_or_default();
            client.is_blocked = flags.contains('b');
            client.is_in_transaction = flags.contains('x');
            if !client.is_blocked {
                client.pending = Pending::Nothing;
            }
            if !client.is_blocked && !client.is_in_transaction {
                client.tolerance = Tolerance::default();
                client.awaited.clear();
            }
        }
        Ok(())
    }

    fn compare_scans(&mut self, db: usize, options: &[Vec<u8>]) -> io::Result<Result<(), String>> {
        let theirs = scan(&mut self.theirs, db, options)?;
        let ours = scan(&mut self.ours, db, options)?;
        Ok(match theirs == ours {
            true => Ok(()),
            false => Err(format!("  redis:    {theirs:?}\n  tidegate: {ours:?}")),
        })
    }

    /// All keys with their values, and whether they expire.
    fn compare_data(&mut self) -> io::Result<Result<(), String>> {
        for db in 0..DATABASES {
            if let Err(difference) = self.compare_scans(db, &[])? {
                return Ok(Err(format!("at the end, database {db}\n{difference}")));
            }
            for key in KEY_NAMES {
                let range: [&[u8]; 4] = [b"LRANGE", key, b"0", b"-1"];
                let ttl: [&[u8]; 2] = [b"TTL", key];
                let members: [&[u8]; 5] = [b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"];
                let hash: [&[u8]; 2] = [b"HGETALL", key];
                let set: [&[u8]; 2] = [b"SMEMBERS", key];
                for request in [range.as_slice(), &ttl, &members, &hash, &set] {
                    let theirs = self.theirs.ask(request)?;
                    let ours = self.ours.ask(request)?;
                    let mut tolerance = Tolerance::default();
                    tolerance.allow(&Command::of(request));
                    if !same(&theirs, &ours, &self.sides, tolerance) {
                        let request = Command::of(request);
                        let (theirs, ours) = (show(&theirs), show(&ours));
                        return Ok(Err(format!(
                            "at the end, database {db}: {request}\n  redis:    {theirs}\n  tidegate: {ours}"
                        )));
                    }
                }
            }
        }
        Ok(Ok(()))
    }
}

/// Steps in which Redis 8.2 differs from earlier versions unintentionally. An LSET with an index of more
/// than 32 bits sets the element at its low bits. A refused AUTH has no reply unless it is the first
/// command of a read.
fn is_misunderstood_by_redis_8(step: &Step) -> bool {
    let (Step::Send { commands, .. } | Step::Swap { commands, .. }) = step else { return false };
    let sets_far_off = |command: &Command| {
        let index = String::from_utf8_lossy(&command.word(2)).parse::<i64>();
        command.word(0) == b"LSET" && index.is_ok_and(|index| i32::try_from(index).is_err())
    };
    commands.iter().any(sets_far_off)
        || commands.iter().skip(1).any(|command| command.word(0) == b"AUTH")
}

fn encode(server: &Server, commands: &[Command], now: Duration) -> Vec<u8> {
    commands.iter().flat_map(|command| server.encode(&command.0, now)).collect()
}

/// The keys found by a full iteration.
fn scan(server: &mut Server, db: usize, options: &[Vec<u8>]) -> io::Result<BTreeSet<Vec<u8>>> {
    server.ask(&[b"SELECT", db.to_string().as_bytes()])?;
    let mut found = BTreeSet::new();
    let mut cursor = b"0".to_vec();
    loop {
        let mut request: Vec<&[u8]> = vec![b"SCAN", &cursor];
        request.extend(options.iter().map(Vec::as_slice));
        let mut tokens = super::answer::tokens(&server.ask(&request)?).into_iter();
        // The head of the pair, the cursor, the head of the keys.
        cursor = match tokens.nth(1) {
            Some(cursor) => cursor.text,
            None => return Err(io::Error::other("SCAN fails")),
        };
        found.extend(tokens.skip(1).map(|token| token.text));
        if cursor == b"0" {
            return Ok(found);
        }
    }
}
