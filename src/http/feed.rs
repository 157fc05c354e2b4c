//! The events for the page: what it shows, and once a second what has changed.
//!
//! Each round asks for a page of QUEUE STATS at a time, one in a turn, so that many queues delay nobody, and
//! then for INFO. A round begins a second after the last one has ended, so that a peer that reads slowly, or
//! a broker with much to do, has fewer of them.

use super::events::{begin, sign_of_life, write_event};
use super::json;
use super::queue_page;
use super::response::Envelope;
use super::step::Step;
use crate::broker::Broker;
use crate::client_id::ClientId;
use crate::resp::{Output, Reply, write_command};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Time from the end of a round to the next one.
const PAUSE_US: u64 = 1_000_000;

/// The commands with which the page does more than look.
const OFFERED: &[&str] = &[
    "queue|info",
    "queue|peek",
    "queue|pause",
    "queue|resume",
    "queue|purge",
    "queue|move",
    "queue|policy",
    "client|list",
    "pubsub|channels",
    "pubsub|numsub",
    "pubsub|shardchannels",
    "pubsub|shardnumsub",
    "config|get",
    "latency|histogram",
    "latency|latest",
];

/// Fields that change by themselves as time goes by: a row is not sent again for them.
const CLOCKS: &[&[u8]] = &[b"oldest-age-ms", b"paused-for-ms"];

/// The stream of one page.
#[derive(Debug)]
pub(super) struct Feed {
    stage: Stage,
    /// The rows that the page has, by the names of the queues.
    rows: HashMap<Vec<u8>, Row>,
    rows_max: usize,
    round: u32,
    /// Queues found in this round, also those beyond `rows_max`.
    found: u64,
    /// Whether the page has rows of an earlier round.
    has_rows: bool,
    /// Which columns are clocks.
    clocks: Vec<usize>,
    /// The head of the response, and the beginning of the first event, until they are sent.
    beginning: Option<(Envelope, Vec<u8>)>,
}

#[derive(Debug)]
struct Row {
    /// What the page was sent, without the clocks.
    fingerprint: u64,
    /// The last round in which the queue was found.
    round: u32,
}

#[derive(Debug)]
enum Stage {
    /// To be asked: the next page of queues.
    Queues { cursor: Vec<u8> },
    /// To be asked: INFO.
    Info,
    /// Asked.
    Waiting { is_info: bool },
    /// Nothing until the pause is over.
    Pause,
}

impl Feed {
    /// For the user of this client.
    pub(super) fn new(broker: &Broker, client: ClientId, envelope: &Envelope) -> Feed {
        let mut hello = b"{\"user\":".to_vec();
        json::write_bytes(&mut hello, broker.user_name(client));
        hello.extend_from_slice(b",\"version\":");
        json::write_text(&mut hello, env!("CARGO_PKG_VERSION"));
        hello.extend_from_slice(b",\"may\":");
        let allowed = OFFERED.iter().filter(|name| broker.may_run(client, name));
        json::write_list(&mut hello, allowed, |out, name| json::write_text(out, name));
        Feed {
            stage: Stage::Queues { cursor: b"0".to_vec() },
            rows: HashMap::new(),
            rows_max: broker.settings().http.page_queues_max as usize,
            round: 0,
            found: 0,
            has_rows: false,
            clocks: Vec::new(),
            beginning: Some((envelope.clone(), hello)),
        }
    }

    /// Whether there is something to ask for.
    pub(super) fn has_question(&self) -> bool {
        matches!(self.stage, Stage::Queues { .. } | Stage::Info)
    }

    /// Adds the next command.
    pub(super) fn ask(&mut self, commands: &mut Vec<u8>) {
        let is_info = match &self.stage {
            Stage::Queues { cursor } => {
                queue_page::ask(commands, cursor);
                false
            }
            Stage::Info => {
                write_command(commands, [&b"INFO"[..]]);
                true
            }
            Stage::Waiting { .. } | Stage::Pause => return,
        };
        self.stage = Stage::Waiting { is_info };
    }

    /// When the next round begins, given when something was last sent.
    pub(super) fn due_us(&self, active_us: u64) -> Option<u64> {
        matches!(self.stage, Stage::Pause).then_some(active_us + PAUSE_US)
    }

    /// The pause is over.
    pub(super) fn wake(&mut self) {
        self.round = self.round.wrapping_add(1);
        self.found = 0;
        self.stage = Stage::Queues { cursor: b"0".to_vec() };
    }

    /// Takes the reply to a command. One that the user may not have is left out.
    pub(super) fn take(&mut self, reply: &Reply, output: &mut Output) -> Step {
        let Stage::Waiting { is_info } = self.stage else { return Step::End };
        if let Some((envelope, hello)) = self.beginning.take() {
            begin(output, &Envelope { is_keep_alive: false, ..envelope });
            self.greet(hello, reply, output);
        }
        self.stage = match is_info {
            false => self.take_queues(reply, output),
            true => {
                match reply.bytes() {
                    Some(text) => write_event(output, Some("info"), &info(text)),
                    None => sign_of_life(output),
                }
                Stage::Pause
            }
        };
        Step::More
    }

    /// Says who is there, and what the columns of the rows are.
    fn greet(&mut self, mut hello: Vec<u8>, reply: &Reply, output: &mut Output) {
        let fields = match reply.items() {
            Some([_, Reply::Array(fields), _]) => &fields[..],
            _ => &[],
        };
        let is_clock = |field: &Reply| CLOCKS.contains(&field.bytes().unwrap_or_default());
        self.clocks = (0..fields.len()).filter(|at| is_clock(&fields[*at])).collect();
        hello.extend_from_slice(b",\"fields\":");
        json::write_list(&mut hello, fields.iter(), json::write);
        hello.push(b'}');
        write_event(output, Some("hello"), &hello);
    }

    /// Takes a page of the queues.
    fn take_queues(&mut self, reply: &Reply, output: &mut Output) -> Stage {
        let Some([cursor, _, Reply::Array(rows)]) = reply.items() else { return Stage::Info };
        let Some(cursor) = cursor.bytes() else { return Stage::Info };
        let is_first = self.found == 0;
        self.found += rows.len() as u64;
        let mut changed = Vec::new();
        let mut is_any_changed = false;
        for row in rows.iter().filter_map(Reply::items) {
            if self.is_changed(row) {
                if std::mem::replace(&mut is_any_changed, true) {
                    changed.push(b',');
                }
                json::write_list(&mut changed, row.iter(), json::write);
            }
        }
        let is_end = cursor == b"0";
        let gone = if is_end { self.take_gone() } else { Vec::new() };
        let is_all = is_first && !self.has_rows;
        if is_all || is_any_changed || !gone.is_empty() || is_end {
            let mut data = format!("{{\"all\":{is_all},\"rows\":[").into_bytes();
            data.extend_from_slice(&changed);
            data.extend_from_slice(b"],\"gone\":");
            json::write_list(&mut data, gone.iter(), |out, name| json::write_bytes(out, name));
            if is_end {
                data.extend_from_slice(format!(",\"total\":{}", self.found).as_bytes());
            }
            data.push(b'}');
            write_event(output, Some("queues"), &data);
            self.has_rows = true;
        }
        if is_end { Stage::Info } else { Stage::Queues { cursor: cursor.to_vec() } }
    }

    /// Whether the page has something else for a row, which it is sent now.
    fn is_changed(&mut self, row: &[Reply]) -> bool {
        let Some(name) = row.first().and_then(Reply::bytes) else { return false };
        let mut hasher = DefaultHasher::new();
        for (at, value) in row.iter().enumerate().skip(1) {
            if !self.clocks.contains(&at) {
                value.bytes().hash(&mut hasher);
                value.integer().hash(&mut hasher);
            }
        }
        let new = Row { fingerprint: hasher.finish(), round: self.round };
        if let Some(row) = self.rows.get_mut(name) {
            let is_changed = row.fingerprint != new.fingerprint;
            *row = new;
            return is_changed;
        }
        let has_place = self.rows.len() < self.rows_max;
        if has_place {
            self.rows.insert(name.to_vec(), new);
        }
        has_place
    }

    /// Removes the rows of queues that were not found in this round.
    fn take_gone(&mut self) -> Vec<Vec<u8>> {
        let round = self.round;
        let gone = self.rows.extract_if(|_, row| row.round != round);
        gone.map(|(name, _)| name).collect()
    }
}

/// The lines of INFO as an object.
fn info(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let mut data = b"{".to_vec();
    for (at, (name, value)) in lines.enumerate() {
        if at > 0 {
            data.push(b',');
        }
        json::write_text(&mut data, name);
        data.push(b':');
        json::write_text(&mut data, value);
    }
    data.push(b'}');
    data
}
