//! Waiting for keys or for capacity: one line for all clients, in the order of arrival.

use super::client::{Take, Wait};
use super::reply::Reply;
use super::throttle::owner_of;
use super::{Model, Who};

impl Model {
    pub(super) fn start_waiting(&mut self, who: Who, wait: Wait) {
        self.clients[who].wait = Some(wait);
        match self.clients[who].waits_in_line() {
            true => self.line.push(who),
            false => self.held_back.push(who),
        }
        if let Some(Wait::Keys { db, keys, .. }) = self.clients[who].wait.clone() {
            keys.iter().for_each(|key| self.await_rate(db, key));
        }
    }

    pub(super) fn stop_waiting(&mut self, who: Who) -> Option<Wait> {
        let wait = self.clients[who].wait.take()?;
        self.line.retain(|other| *other != who);
        self.held_back.retain(|other| *other != who);
        self.add_to_backlog(who);
        // A producer further back may fit where this one did not.
        if let Wait::Capacity { db, key, .. } = &wait {
            self.mark_capacity(*db, key);
        }
        Some(wait)
    }

    /// The next client whose wait times out, and when; of several at the same time, the oldest client.
    pub(super) fn next_timeout(&self) -> Option<(u64, Who)> {
        let deadlines = self.line.iter().filter_map(|&who| match self.clients[who].wait {
            Some(Wait::Keys { deadline_us, .. } | Wait::Member { deadline_us, .. }) => {
                Some((deadline_us?, who))
            }
            Some(Wait::Capacity { deadline_us, .. }) => Some((deadline_us, who)),
            _ => None,
        });
        deadlines.min()
    }

    /// Ends a wait without a result; false if the client was not in line.
    pub(super) fn time_out(&mut self, who: Who) -> bool {
        match self.no_capacity_error(who) {
            Some(error) => self.end_wait(who, |reply| reply.error(&error)),
            None => self.end_wait(who, Reply::null_array),
        }
    }

    pub(super) fn end_wait(&mut self, who: Who, answer: impl FnOnce(&mut Reply)) -> bool {
        if !self.clients[who].waits_in_line() {
            return false;
        }
        self.stop_waiting(who);
        let mut reply = Reply::new(self.clients[who].is_resp3);
        answer(&mut reply);
        self.answer(who, &reply.bytes);
        true
    }

    /// A key may have something for waiting clients.
    pub(super) fn mark_ready(&mut self, db: usize, key: &[u8]) {
        let mut line = self.line.iter().map(|&who| &self.clients[who]);
        let is_waited_for = match self.is_sorted_set(db, key) {
            true => line.any(|client| client.waits_for_member(db, key)),
            false => self.is_list(db, key) && line.any(|client| client.waits_for(db, key)),
        };
        let ready = (db, key.to_vec());
        if is_waited_for && !self.ready.contains(&ready) {
            self.ready.push(ready);
        }
    }

    /// Whether a key has a list that may be popped from.
    pub(super) fn has_messages(&self, db: usize, key: &[u8]) -> bool {
        self.is_list(db, key) && !self.is_read_paused(db, key)
    }

    /// Serves clients that wait for keys or for capacity, unless a pause forbids it.
    pub(super) fn serve_ready(&mut self) {
        while self.pause.is_none() && !(self.ready.is_empty() && self.freed.is_empty()) {
            while !self.ready.is_empty() {
                // Keys that become ready meanwhile come after all of these.
                for (db, key) in std::mem::take(&mut self.ready) {
                    self.serve(db, &key);
                }
            }
            self.serve_producers();
        }
    }

    fn serve(&mut self, db: usize, key: &[u8]) {
        while let Some(who) = self.first_served(db, key) {
            let Some(Wait::Keys { take, .. }) = self.stop_waiting(who) else { continue };
            // A client about to be dropped gets nothing.
            if self.clients[who].closing.is_some() {
                continue;
            }
            let mut reply = Reply::new(self.clients[who].is_resp3);
            if let Err(error) = self.take(who, db, key, &take, &mut reply) {
                reply.error(&error);
            }
            self.answer(who, &reply.bytes);
        }
        if self.deliverable(None, db, key) == 0 {
            self.await_rate(db, key);
        }
        self.serve_members(db, &key.to_vec());
    }

    /// Replies to a waiting client.
    pub(super) fn answer(&mut self, who: Who, bytes: &[u8]) {
        self.write(who, bytes);
        self.clients[who].answered = self.clients[who].owed.len();
    }

    /// After SWAPDB, existing keys that a client waits for are ready, in the order of the line and of
    /// each client's keys.
    pub(super) fn mark_ready_after_swap(&mut self) {
        for who in self.line.clone() {
            let (Some(Wait::Keys { db, keys, .. }) | Some(Wait::Member { db, keys, .. })) =
                self.clients[who].wait.clone()
            else {
                continue;
            };
            keys.iter().for_each(|key| self.mark_ready(db, key));
        }
    }

    /// Takes the wanted messages from a key; false, and no reply, if it has no list. An error is the
    /// reply.
    pub(super) fn take(
        &mut self,
        who: Who,
        db: usize,
        key: &[u8],
        take: &Take,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        if let Take::Receipts { .. } = take {
            self.check_receipts(key)?;
        }
        self.check_list(db, key)?;
        let is_there = match take {
            Take::Move { .. } => self.has_messages(db, key),
            _ => self.deliverable(owner_of(take, who), db, key) > 0,
        };
        if !is_there {
            return Ok(false);
        }
        match take {
            Take::Receipts { side, count, lease_ms } => {
                let owner = owner_of(take, who);
                self.take_with_receipts(owner, (db, key), *side, *count, *lease_ms, reply);
            }
            Take::One(side) => {
                let taken = self.pop(who, db, key, *side, 1);
                reply.array(2);
                reply.bulk(key);
                reply.bulk(&taken[0]);
            }
            Take::Many(side, count) => {
                let taken = self.pop(who, db, key, *side, *count);
                reply.array(2);
                reply.bulk(key);
                reply.bulks(taken.iter());
            }
            Take::Move { from, to, destination } => {
                self.check_list(db, destination)?;
                let moved = self.move_one(db, key, destination, *from, *to)?;
                reply.bulk(&moved);
            }
        }
        Ok(true)
    }
}
