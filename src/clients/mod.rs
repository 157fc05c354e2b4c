//! All connected clients: their records, what they are doing, and their pending output.
//!
//! The outbox of a client is private. Every way to write to it puts the client on the list to be
//! flushed, so that no output is forgotten.

mod auth_failures;
mod client;
mod close_reason;
mod consuming;
mod durability;
mod holds;
mod inputs;
mod outbox;
mod output_limit;
mod replicas;
mod slow_subscriber;
mod strangers;
mod wait;

pub(crate) use auth_failures::AuthFailures;
pub(crate) use client::{Client, ClientRole, Identity, ReplyMode, Subscriptions, Transaction};
pub use client::{Peer, PeerCredentials};
pub use close_reason::{CloseReason, TlsFailure};
pub(crate) use consuming::Consumer;
pub use outbox::Outbox;
pub(crate) use wait::{Blocked, ReplicasWanted, Wait, Wants};

use crate::client_id::ClientId;
use crate::deadlines::Deadlines;
use crate::resp::{Output, Protocol};
use crate::settings::OutputLimit;
use crate::slack;
use holds::Holds;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Buffers kept for later output; each saves an allocation.
const SPARE_BUFFERS_MAX: usize = 64;
/// A larger buffer is freed, so that one large reply does not occupy memory.
const SPARE_BUFFER_BYTES_MAX: usize = 64 * 1024;

/// All connected clients.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    slots: Vec<Option<Client>>,
    by_number: BTreeMap<u64, ClientId>,
    last_number: u64,
    /// Clients with output not yet offered to their socket, each once.
    dirty: VecDeque<ClientId>,
    /// Clients to be closed, each once.
    closing: VecDeque<ClientId>,
    /// Clients with input that can be parsed, each once.
    backlog: VecDeque<ClientId>,
    /// Clients with input that waits until the end of the turn, each once.
    deferred: Vec<ClientId>,
    /// Clients that accept input again, each once.
    resumed: VecDeque<ClientId>,
    spare_buffers: Vec<Vec<u8>>,
    /// Memory of all records and buffers.
    memory_bytes: usize,
    output_limits: [OutputLimit; 3],
    /// When clients above their soft limit of output are closed.
    soft_limits: Deadlines<ClientId>,
    blocked_count: usize,
    /// Clients that CLIENT PAUSE holds back, by their place.
    paused: BTreeMap<u64, ClientId>,
    last_paused: u64,
    holds: Holds,
    /// Whether the reply that the running command writes reports a change that replicas must have.
    is_report_due: bool,
    /// Clients that wait for acknowledgements (WAIT).
    acknowledgement_waits: BTreeSet<ClientId>,
    /// Whether one has begun to, and replicas were not asked since.
    has_begun_to_wait: bool,
    /// Whether one has begun to before the end of the turn of its latest change.
    has_undecided_waits: bool,
    /// Clients that must authenticate, by the moment since when.
    strangers: Deadlines<ClientId>,
    /// When clients whose AUTH waits may run it.
    auth_delays: Deadlines<ClientId>,
}

impl Clients {
    /// Adds a client; `slot` must be free.
    pub(crate) fn connect(&mut self, slot: usize, peer: Peer, now_us: u64) -> ClientId {
        self.last_number += 1;
        let id = ClientId::new(self.last_number, slot);
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        self.slots[slot] = Some(Client::new(id, peer, now_us));
        self.recount(id, now_us);
        self.by_number.insert(id.number(), id);
        id
    }

    /// Removes a client. The caller has ended its waits, watches and subscriptions.
    pub(crate) fn remove(&mut self, id: ClientId) -> Option<Client> {
        self.get(id)?;
        let client = self.slots[id.slot()].take()?;
        self.by_number.remove(&id.number());
        self.memory_bytes -= client.counted_bytes;
        self.blocked_count -= usize::from(client.blocked.is_some());
        match client.blocked {
            Some(Blocked::Pause(place)) => drop(self.paused.remove(&place)),
            Some(Blocked::AuthDelay(until_us)) => self.auth_delays.remove(until_us, id),
            Some(Blocked::Call(_)) | None => {}
        }
        if let Some(stranger) = &client.stranger {
            self.strangers.remove(stranger.since_us, id);
        }
        if let Some(due_us) = client.soft_limit_due_us {
            self.soft_limits.remove(due_us, id);
        }
        Some(client)
    }

    /// Frees spare buffers, and unused capacity. The time depends on the peak number of clients, if most
    /// of them have gone.
    pub(crate) fn release_memory(&mut self) {
        // A buffer in use prevents the memory around it from being returned.
        self.spare_buffers = Vec::new();
        if let Some(capacity) = slack::smaller(self.by_number.len(), self.slots.capacity()) {
            while self.slots.last().is_some_and(Option::is_none) {
                self.slots.pop();
            }
            self.slots.shrink_to(capacity);
        }
        for list in [&mut self.dirty, &mut self.closing, &mut self.backlog, &mut self.resumed] {
            if let Some(capacity) = slack::smaller(list.len(), list.capacity()) {
                list.shrink_to(capacity);
            }
        }
    }

    /// A client, if it is still connected.
    #[inline]
    pub(crate) fn get(&self, id: ClientId) -> Option<&Client> {
        // No other client ever has this number.
        self.slots.get(id.slot())?.as_ref().filter(|client| client.id.number() == id.number())
    }

    /// A client, if it is still connected.
    #[inline]
    pub(crate) fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        find_mut(&mut self.slots, id)
    }

    /// The client with this number.
    pub(crate) fn find(&self, number: u64) -> Option<ClientId> {
        self.by_number.get(&number).copied()
    }

    /// All clients, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.by_number.values().filter_map(|&id| self.get(id))
    }

    /// The ids of all clients, oldest first.
    pub(crate) fn ids(&self) -> Vec<ClientId> {
        self.by_number.values().copied().collect()
    }

    /// The number of clients.
    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Memory of all records and buffers in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// The number of blocked clients.
    pub(crate) fn blocked_count(&self) -> usize {
        self.blocked_count
    }

    /// Sets the limits of output: normal, replica, pubsub. They apply at once, and the times of soft
    /// limits start again.
    pub(crate) fn set_output_limits(&mut self, limits: [OutputLimit; 3], now_us: u64) {
        if limits == self.output_limits {
            return;
        }
        self.output_limits = limits;
        for id in self.ids() {
            let due = self.get_mut(id).and_then(|client| client.soft_limit_due_us.take());
            due.inspect(|&due_us| self.soft_limits.remove(due_us, id));
            self.recount(id, now_us);
        }
    }

    /// Writes to a client other than the one whose command runs: a message, a wake-up.
    pub(crate) fn write(&mut self, id: ClientId, write: impl FnOnce(&mut Output)) {
        self.add(id, |outbox| outbox.write(write));
    }

    /// Adds to a client's output.
    #[inline]
    fn add(&mut self, id: ClientId, add: impl FnOnce(&mut Outbox)) {
        let Some(client) = find_mut(&mut self.slots, id) else { return };
        if client.closing.is_some() {
            return;
        }
        adopt_spare(&mut client.outbox, &mut self.spare_buffers);
        add(&mut client.outbox);
        if !client.is_dirty {
            client.is_dirty = true;
            self.dirty.push_back(id);
        }
    }

    /// Replies to a waiting client. CLIENT REPLY OFF and SKIP apply, as to any reply.
    pub(crate) fn answer(&mut self, id: ClientId, write: impl FnOnce(&mut Output)) {
        let is_report = std::mem::take(&mut self.is_report_due);
        let Some(client) = self.get_mut(id) else { return };
        match client.reply_mode {
            ReplyMode::Off => write(&mut Output::default()),
            ReplyMode::Skip => {
                client.reply_mode = ReplyMode::On;
                write(&mut Output::default());
            }
            ReplyMode::On | ReplyMode::SkipNext => {
                let start = client.outbox.len();
                self.write(id, write);
                let Some(client) = self.get_mut(id) else { return };
                client.outbox.end_answer();
                if is_report {
                    client.outbox.report_from(start);
                }
            }
        }
    }

    /// Lends the output of the client whose input is processed, for replies to be written into it. End
    /// it with `return_output`.
    pub(crate) fn lend_output(&mut self, id: ClientId) -> Output {
        let Some(client) = find_mut(&mut self.slots, id) else { return Output::default() };
        adopt_spare(&mut client.outbox, &mut self.spare_buffers);
        client.outbox.lend()
    }

    /// An empty output in a client's protocol, for a separately built reply. Return it with
    /// `keep_spare_output`.
    pub(crate) fn spare_output(&mut self, id: ClientId) -> Output {
        let mut output = Output::new(self.protocol(id));
        output.adopt(self.spare_buffer());
        output
    }

    /// Keeps the buffer of an empty output.
    pub(crate) fn keep_spare_output(&mut self, mut output: Output) {
        output.release().into_iter().for_each(|buffer| self.keep_spare_buffer(buffer));
    }

    /// An empty buffer, perhaps one that was used before. Return it with `keep_spare_buffer`.
    pub(crate) fn spare_buffer(&mut self) -> Vec<u8> {
        self.spare_buffers.pop().unwrap_or_default()
    }

    /// Keeps a buffer whose content is no longer needed.
    pub(crate) fn keep_spare_buffer(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        keep_spare(&mut self.spare_buffers, buffer);
    }

    /// Appends what others wrote to a client while its output was lent.
    #[inline]
    pub(crate) fn collect_pushed(&mut self, id: ClientId, lent: &mut Output) {
        if let Some(client) = self.get_mut(id) {
            client.outbox.collect(lent);
        }
    }

    /// Ends `lend_output`. `is_answered`: the output now ends with a reply.
    pub(crate) fn return_output(&mut self, id: ClientId, mut lent: Output, is_answered: bool) {
        let Some(client) = find_mut(&mut self.slots, id) else { return };
        if client.is_gone() {
            lent.clear();
            client.outbox.forget();
        }
        let mut behind = client.outbox.take_back(lent, is_answered);
        mark_dirty(client, &mut self.dirty);
        let unused = [client.outbox.release(), behind.release()];
        unused.into_iter().flatten().for_each(|buffer| keep_spare(&mut self.spare_buffers, buffer));
    }

    /// A client's output, for its socket. Call `flushed` afterwards.
    pub(crate) fn outbox(&mut self, id: ClientId) -> Option<&mut Outbox> {
        self.get_mut(id).map(|client| &mut client.outbox)
    }

    /// A client's socket has accepted as much as it could.
    #[inline(always)]
    pub(crate) fn flushed(&mut self, id: ClientId, now_us: u64) {
        let Some(client) = find_mut(&mut self.slots, id) else { return };
        if let Some(buffer) = client.outbox.release() {
            keep_spare(&mut self.spare_buffers, buffer);
        }
        self.recount(id, now_us);
    }

    /// The next client with output that its socket has not been offered yet.
    pub(crate) fn next_dirty(&mut self, now_us: u64) -> Option<ClientId> {
        while let Some(id) = self.dirty.pop_front() {
            if let Some(client) = self.get_mut(id) {
                client.is_dirty = false;
                self.recount(id, now_us);
                return Some(id);
            }
        }
        None
    }

    /// Moves the clients with new output to `to`. They stay marked, so that later output does not list them again.
    pub(crate) fn take_dirty(&mut self, to: &mut BTreeSet<ClientId>) {
        to.extend(self.dirty.drain(..));
    }

    /// Ends `take_dirty`.
    pub(crate) fn add_dirty(&mut self, held_back: BTreeSet<ClientId>) {
        self.dirty.extend(held_back);
    }

    /// Updates the memory of a client's buffers, and closes the client above its limit.
    pub(crate) fn recount(&mut self, id: ClientId, now_us: u64) {
        let limits = self.output_limits;
        let Some(client) = self.get_mut(id) else { return };
        let counted = client.counted_bytes;
        let bytes = client.memory_bytes();
        client.counted_bytes = bytes;
        let due_before = client.soft_limit_due_us;
        let is_over = client.check_output_limit(&limits, now_us);
        let due = client.soft_limit_due_us;
        self.memory_bytes = self.memory_bytes - counted + bytes;
        if due != due_before {
            due_before.inspect(|&due_us| self.soft_limits.remove(due_us, id));
            due.inspect(|&due_us| self.soft_limits.insert(due_us, id));
        }
        if is_over {
            self.close(id, CloseReason::OutputLimit);
        }
    }

    /// Counts memory that an interface holds for a client.
    #[cfg(feature = "http")]
    pub(crate) fn record_interface_memory(&mut self, id: ClientId, bytes: usize, now_us: u64) {
        if let Some(client) = self.get_mut(id) {
            client.interface_bytes = bytes;
            self.recount(id, now_us);
        }
    }

    /// Closes clients that stayed above their soft limit of output, even if nothing more was written to
    /// them.
    pub(crate) fn close_too_slow(&mut self, now_us: u64) {
        while let Some(id) = self.soft_limits.pop_due(now_us) {
            self.recount(id, now_us);
        }
    }

    /// When `close_too_slow` is due.
    pub(crate) fn next_soft_limit_us(&self) -> Option<u64> {
        self.soft_limits.next()
    }

    /// Marks a client to be closed; the first reason counts. A client that closes after its last output
    /// can still be killed, so that its socket is not waited for.
    pub(crate) fn close(&mut self, id: ClientId, reason: CloseReason) {
        let Some(client) = self.get_mut(id) else { return };
        let is_new = match client.closing {
            None => true,
            Some(earlier) => earlier.flushes_first() && reason == CloseReason::Killed,
        };
        if is_new {
            client.closing = Some(reason);
            self.closing.push_back(id);
            self.end_stranger(id);
        }
    }

    /// The next client to be closed: each once, and again if it was killed meanwhile.
    pub(crate) fn next_closing(&mut self) -> Option<(ClientId, CloseReason)> {
        while let Some(id) = self.closing.pop_front() {
            if let Some(reason) = self.get(id).and_then(|client| client.closing) {
                return Some((id, reason));
            }
        }
        None
    }

    /// Puts a client with parseable input on the backlog.
    pub(crate) fn add_backlog(&mut self, id: ClientId) {
        if let Some(client) = self.get_mut(id)
            && !client.is_in_backlog
        {
            client.is_in_backlog = true;
            self.backlog.push_back(id);
        }
    }

    /// Postpones the input of a client until `resume_deferred`.
    pub(crate) fn defer(&mut self, id: ClientId) {
        if let Some(client) = self.get_mut(id)
            && !client.is_in_backlog
        {
            client.is_in_backlog = true;
            self.deferred.push(id);
        }
    }

    /// Puts the postponed clients on the backlog.
    pub(crate) fn resume_deferred(&mut self) {
        self.backlog.extend(self.deferred.drain(..));
    }

    /// The clients of the backlog, to be processed once each.
    pub(crate) fn take_backlog(&mut self) -> VecDeque<ClientId> {
        let backlog = std::mem::take(&mut self.backlog);
        for &id in &backlog {
            if let Some(client) = self.get_mut(id) {
                client.is_in_backlog = false;
            }
        }
        backlog
    }

    /// Whether a client has input that can be parsed.
    pub(crate) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Records that a client accepts input again.
    pub(crate) fn add_resumed(&mut self, id: ClientId) {
        if let Some(client) = self.get_mut(id)
            && !client.is_resumed
        {
            client.is_resumed = true;
            self.resumed.push_back(id);
        }
    }

    /// The next client that accepts input again, in order.
    pub(crate) fn next_resumed(&mut self) -> Option<ClientId> {
        while let Some(id) = self.resumed.pop_front() {
            if let Some(client) = self.get_mut(id) {
                client.is_resumed = false;
                return Some(id);
            }
        }
        None
    }

    /// Stops processing a client's input from now on. No effect on a blocked client.
    pub(crate) fn block(&mut self, id: ClientId, blocked: Blocked) {
        let Some(client) = find_mut(&mut self.slots, id).filter(|client| client.blocked.is_none())
        else {
            return;
        };
        match blocked {
            Blocked::Pause(place) => drop(self.paused.insert(place, id)),
            Blocked::AuthDelay(until_us) => self.auth_delays.insert(until_us, id),
            Blocked::Call(ref wait) if matches!(wait.wants, Wants::Replicas(_)) => {
                self.acknowledgement_waits.insert(id);
                (self.has_begun_to_wait, self.has_undecided_waits) = (true, true);
            }
            Blocked::Call(_) => {}
        }
        client.blocked = Some(blocked);
        self.blocked_count += 1;
    }

    /// Holds back a client's next command until the end of a pause, behind those held back before.
    pub(crate) fn hold_back(&mut self, id: ClientId) {
        self.last_paused += 1;
        self.block(id, Blocked::Pause(self.last_paused));
    }

    /// Resumes processing a client's input; returns the waiting call, if there was one.
    pub(crate) fn unblock(&mut self, id: ClientId) -> Option<Box<Wait>> {
        let blocked = self.get_mut(id)?.blocked.take()?;
        self.end_block(id);
        match blocked {
            Blocked::Call(wait) => {
                if matches!(wait.wants, Wants::Replicas(_)) {
                    self.acknowledgement_waits.remove(&id);
                }
                Some(wait)
            }
            Blocked::Pause(place) => {
                self.paused.remove(&place);
                None
            }
            Blocked::AuthDelay(until_us) => {
                self.auth_delays.remove(until_us, id);
                None
            }
        }
    }

    /// Unblocks all clients held back by CLIENT PAUSE, so that their commands run in the order in which
    /// they came.
    pub(crate) fn unblock_paused(&mut self) {
        while let Some((_, id)) = self.paused.pop_first() {
            self.unblock(id);
        }
    }

    /// Takes the waiting call from a client, to run it again. Call `put_wait_back` or `end_block`
    /// afterwards: until then the client still counts as blocked.
    pub(crate) fn take_wait(&mut self, id: ClientId) -> Option<Box<Wait>> {
        let client = self.get_mut(id)?;
        client.wait()?;
        match client.blocked.take() {
            Some(Blocked::Call(wait)) => Some(wait),
            Some(Blocked::Pause(_) | Blocked::AuthDelay(_)) | None => None,
        }
    }

    /// Lets a call wait as before, after it ran again without a result.
    pub(crate) fn put_wait_back(&mut self, id: ClientId, wait: Box<Wait>) {
        if let Some(client) = self.get_mut(id) {
            client.blocked = Some(Blocked::Call(wait));
        }
    }

    /// Unblocks a client whose wait was taken.
    pub(crate) fn end_block(&mut self, id: ClientId) {
        self.blocked_count -= 1;
        self.add_backlog(id);
        self.add_resumed(id);
    }

    /// Sets the protocol of a client's replies from now on.
    pub(crate) fn set_protocol(&mut self, id: ClientId, protocol: Protocol) {
        if let Some(client) = self.get_mut(id) {
            client.outbox.set_protocol(protocol);
        }
    }

    /// The protocol of a client's replies.
    #[inline]
    pub(crate) fn protocol(&self, id: ClientId) -> Protocol {
        self.get(id).map_or(Protocol::default(), |client| client.outbox.protocol())
    }

    /// Panics if the lists and counts disagree with the clients.
    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.by_number.len(), self.slots.iter().flatten().count());
        let counted: usize = self.iter().map(|client| client.counted_bytes).sum();
        assert_eq!(counted, self.memory_bytes);
        let blocked = self.iter().filter(|client| client.blocked.is_some()).count();
        assert_eq!(blocked, self.blocked_count);
        let paused = self.iter().filter_map(|client| match client.blocked {
            Some(Blocked::Pause(place)) => Some((place, client.id)),
            _ => None,
        });
        assert!(paused.collect::<BTreeMap<_, _>>() == self.paused, "who is held back is not known");
        self.check_holds();
        self.check_strangers();
        for client in self.iter() {
            assert_eq!(client.is_dirty, self.dirty.contains(&client.id));
            let is_listed = self.backlog.contains(&client.id) || self.deferred.contains(&client.id);
            assert_eq!(client.is_in_backlog, is_listed);
            client.outbox.check_invariants();
        }
    }
}

/// As `Clients::get_mut`, but borrows only the slots.
#[inline]
fn find_mut(slots: &mut [Option<Client>], id: ClientId) -> Option<&mut Client> {
    // No other client ever has this number.
    slots.get_mut(id.slot())?.as_mut().filter(|client| client.id.number() == id.number())
}

/// Puts a client with output on the list to be flushed.
#[inline]
fn mark_dirty(client: &mut Client, dirty: &mut VecDeque<ClientId>) {
    if !client.outbox.is_empty() && !client.is_dirty {
        client.is_dirty = true;
        dirty.push_back(client.id);
    }
}

/// Gives a spare buffer to an outbox that will need one.
#[inline]
fn adopt_spare(outbox: &mut Outbox, spare: &mut Vec<Vec<u8>>) {
    if outbox.is_unallocated()
        && let Some(buffer) = spare.pop()
    {
        outbox.adopt(buffer);
    }
}

fn keep_spare(spare: &mut Vec<Vec<u8>>, buffer: Vec<u8>) {
    if spare.len() < SPARE_BUFFERS_MAX && (1..=SPARE_BUFFER_BYTES_MAX).contains(&buffer.capacity())
    {
        spare.push(buffer);
    }
}
