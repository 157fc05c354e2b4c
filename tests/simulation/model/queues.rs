//! The commands about queues: QUEUE.

use super::connection::address;
use super::deliveries::NACKED;
use super::keys::integer;
use super::lists::SYNTAX;
use super::queue_state::Totals;
use super::reply::Reply;
use super::{Model, Who, Words};

/// `[COUNT n]` at the end.
fn count_option(words: &Words) -> Result<usize, String> {
    match words.get(4) {
        None => Ok(1),
        Some(word) => match integer(word) {
            Ok(count @ 1..) => Ok(count as usize),
            _ => Err("ERR count should be greater than 0".into()),
        },
    }
}

/// `[READ|WRITE|ALL]`: whether reads, and writes.
fn directions(words: &Words) -> (bool, bool) {
    match words.get(3).map(|word| word.to_ascii_uppercase()).as_deref() {
        Some(b"READ") => (true, false),
        Some(b"WRITE") => (false, true),
        _ => (true, true),
    }
}

/// `[FOR ms]` at the end. An error is the reply.
fn span_ms(words: &Words) -> Result<Option<i64>, String> {
    let at = words.iter().skip(3).position(|word| word.eq_ignore_ascii_case(b"FOR"));
    let Some(at) = at else { return Ok(None) };
    match integer(&words[3 + at + 1]) {
        Ok(ms @ 1..=315_360_000_000) => Ok(Some(ms)),
        _ => Err("ERR FOR takes a whole number of milliseconds from 1 to 315360000000".into()),
    }
}

impl Model {
    /// Runs a command about queues; false for other commands. An error is the reply.
    pub(super) fn run_queue_command(
        &mut self,
        who: Who,
        words: &Words,
        in_exec: bool,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        if !words[0].eq_ignore_ascii_case(b"QUEUE") {
            return Ok(false);
        }
        let db = self.clients[who].db;
        match words[1].to_ascii_uppercase().as_slice() {
            b"POLICY" => self.run_policy_command(words, reply)?,
            b"POP" => self.pop_with_receipts(who, words, in_exec, reply)?,
            b"TOUCH" => self.touch_deliveries(db, words, reply)?,
            b"ACK" if words.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"IDS")) => {
                let (numbers, _) = self.receipts(db, words)?;
                self.acknowledge_all(db, &words[2], &numbers);
                reply.count(numbers.len());
            }
            b"NACK" if words.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"IDS")) => {
                let (numbers, options) = self.receipts(db, words)?;
                let is_delay = |word: &Vec<u8>| word.eq_ignore_ascii_case(b"DELAY");
                let delay_ms = options.first().filter(|word| is_delay(word)).map(|_| &options[1]);
                let delay_ms = delay_ms.map(|ms| integer(ms).expect("a number"));
                let is_last = |name: &[u8]| {
                    options.last().is_some_and(|word| word.eq_ignore_ascii_case(name))
                };
                if is_last(b"FATAL") && delay_ms.is_some() {
                    return Err(SYNTAX.into());
                } else if is_last(b"FATAL") {
                    self.reject_all(db, &words[2], &numbers);
                } else if is_last(b"SILENT") {
                    self.uncount(db, &words[2], &numbers);
                    // It is no failure.
                    self.retry_all(db, &words[2], &numbers, Some(delay_ms.unwrap_or(0)), NACKED);
                } else {
                    self.retry_all(db, &words[2], &numbers, delay_ms, NACKED);
                }
                reply.count(numbers.len());
            }
            b"ACK" if words.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"VALUE")) => {
                let numbers = self.deliveries_of(db, &words[2], &words[4..]);
                self.acknowledge_all(db, &words[2], &numbers);
                reply.count(numbers.len());
            }
            b"NACK" if words.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"VALUE")) => {
                let numbers = self.deliveries_of(db, &words[2], &words[4..]);
                self.retry_all(db, &words[2], &numbers, None, NACKED);
                reply.count(numbers.len());
            }
            b"ACK" => {
                let count = count_option(words)?;
                reply.count(self.acknowledge(who, db, &words[2], count));
            }
            b"NACK" => {
                let mut words = words.clone();
                let delay_ms = match words.len() {
                    len @ (5 | 7) if words[len - 2].eq_ignore_ascii_case(b"DELAY") => {
                        let delay_ms = integer(&words[len - 1]).ok();
                        words.truncate(len - 2);
                        delay_ms
                    }
                    _ => None,
                };
                let count = count_option(&words)?;
                reply.count(self.give_back_held(who, db, &words[2], count, delay_ms));
            }
            b"PAUSE" => {
                self.pause(db, &words[2], directions(words), span_ms(words)?);
                reply.ok();
            }
            b"RESUME" => {
                self.set_pauses(db, &words[2], directions(words), None);
                reply.ok();
            }
            b"INFO" => self.tell_of_queue(db, &words[2], reply),
            b"INFLIGHT" => {
                let count = if words.len() == 3 { usize::MAX } else { count_option(words)? };
                self.tell_in_flight(db, &words[2], count, reply);
            }
            b"PURGE" => {
                let count = self.purge(db, &words[2], &words[3..])?;
                reply.count(count);
            }
            b"PEEK" => self.peek(db, words, reply)?,
            b"MOVE" => self.move_messages(db, words, reply)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// QUEUE PURGE: drops ready messages, delayed ones, those in flight. An error is the reply.
    fn purge(&mut self, db: usize, key: &[u8], kinds: &[Vec<u8>]) -> Result<usize, String> {
        self.check_list(db, key)?;
        let is_given = |kind: &[u8]| kinds.iter().any(|given| given.eq_ignore_ascii_case(kind));
        let has_record = self.record(db, key).is_some();
        let count_before = self.all_of(db, key);
        if kinds.is_empty() || is_given(b"READY") {
            let count = self.list(db, key).len();
            self.tally.removed += count;
            if count > 0 {
                self.replace(db, key, Vec::new());
            }
            self.count_others(db, key, -(count as i64));
        }
        if is_given(b"DELAYED") {
            self.clear_delayed(db, key);
        }
        if is_given(b"INFLIGHT") {
            self.clear_in_flight(db, key);
        }
        let count = count_before - self.all_of(db, key);
        if has_record && count > 0 {
            // The totals count them.
            self.count_others(db, key, count as i64);
            self.count(db, key, |totals| totals.purged += count as i64);
        }
        Ok(count)
    }

    /// The messages of a queue in any state.
    fn all_of(&mut self, db: usize, key: &[u8]) -> usize {
        let hidden = self.record(db, key).map(|one| one.in_flight.len() + one.delayed.len());
        self.list(db, key).len() + hidden.unwrap_or_default()
    }

    fn tell_of_queue(&mut self, db: usize, key: &[u8], reply: &mut Reply) {
        let now_ms = self.queue_ms();
        let list = self.list(db, key).to_vec();
        // Without a policy only the times of dead letters are known.
        let times = list.iter().map(|message| Some(message.stamp?.ready_ms));
        let oldest_ms = times.collect::<Option<Vec<_>>>().and_then(|times| times.into_iter().min());
        let consumers = self.clients.iter().filter(|client| client.waits_for(db, key)).count();
        let producers = self.producers_of(db, key).count();
        let policy = self.policy(key);
        let record = self.record(db, key).cloned().unwrap_or_default();
        reply.map(27);
        reply.bulk(b"policy");
        match policy {
            Some(policy) => reply.bulk(&policy.name),
            None => reply.null(),
        }
        reply.bulk(b"length");
        reply.count(list.len());
        reply.bulk(b"bytes");
        match !list.is_empty() && self.policy(key).is_none() {
            true => reply.null(),
            false => reply.count(list.iter().map(|message| message.bytes.len()).sum()),
        }
        reply.bulk(b"oldest-age-ms");
        match oldest_ms {
            Some(oldest_ms) => reply.integer(now_ms - oldest_ms),
            None => reply.null(),
        }
        reply.bulk(b"in-flight");
        reply.count(record.in_flight.len());
        reply.bulk(b"delayed");
        reply.count(record.delayed.len());
        reply.bulk(b"consumers-waiting");
        reply.count(consumers);
        reply.bulk(b"producers-waiting");
        reply.count(producers);
        reply.bulk(b"paused");
        reply.bulk(match (record.reads_until_ms, record.writes_until_ms) {
            (Some(_), Some(_)) => b"all",
            (Some(_), None) => b"read",
            (None, Some(_)) => b"write",
            (None, None) => b"none",
        });
        reply.bulk(b"paused-for-ms");
        match record.end_of_pause_ms() {
            Some(end_ms) => reply.integer(end_ms - now_ms),
            None => reply.null(),
        }
        let Totals { pushed, delivered, acknowledged, redelivered, .. } = record.totals;
        let Totals { expired, rejected, dropped, dead_lettered, .. } = record.totals;
        let Totals { deduplicated, shared, nacked, timed_out, .. } = record.totals;
        let Totals { connection_lost, purged, .. } = record.totals;
        let Totals { drop_head, dead_letter_full, hop_limit, .. } = record.totals;
        for (name, count) in [
            ("pushed", pushed),
            ("delivered", delivered),
            ("acknowledged", acknowledged),
            ("redelivered", redelivered),
            ("nacked", nacked),
            ("timed-out", timed_out),
            ("connection-lost", connection_lost),
            ("expired", expired),
            ("rejected", rejected),
            ("dropped", dropped),
            ("drop-head", drop_head),
            ("dead-letter-full", dead_letter_full),
            ("hop-limit", hop_limit),
            ("purged", purged),
            ("dead-lettered", dead_lettered),
            ("deduplicated", deduplicated),
            ("shared-connections", shared),
        ] {
            reply.bulk(name.as_bytes());
            reply.integer(count);
        }
    }

    fn tell_in_flight(&mut self, db: usize, key: &[u8], count: usize, reply: &mut Reply) {
        let now_ms = self.queue_ms();
        let in_flight = self.record(db, key).map(|record| record.in_flight.clone());
        let in_flight = in_flight.unwrap_or_default();
        let policy = self.policy(key);
        let timeout_ms = policy.and_then(|policy| policy.number("ack-timeout-ms"));
        reply.array(in_flight.len().min(count));
        for delivery in in_flight.into_iter().take(count) {
            reply.map(8);
            reply.bulk(b"receipt");
            reply.bulk(delivery.number.to_string().as_bytes());
            reply.bulk(b"message");
            reply.bulk(&delivery.message.bytes);
            reply.bulk(b"client-id");
            match delivery.owner {
                Some(owner) => reply.bulk((owner + 1).to_string().as_bytes()),
                None => reply.null(),
            }
            let owner = delivery.owner.filter(|owner| self.clients[*owner].is_connected);
            reply.bulk(b"client-name");
            match owner {
                Some(_) => reply.bulk(b""),
                None => reply.null(),
            }
            reply.bulk(b"client-addr");
            match owner {
                Some(owner) => reply.bulk(address(owner).as_bytes()),
                None => reply.null(),
            }
            reply.bulk(b"in-flight-ms");
            reply.integer(now_ms - delivery.delivered_ms);
            reply.bulk(b"due-ms");
            let timeout_ms = timeout_ms.map(|timeout_ms| delivery.delivered_ms + timeout_ms);
            match delivery.own_due_ms.or(timeout_ms) {
                Some(due_ms) => reply.integer((due_ms - now_ms).max(0)),
                None => reply.null(),
            }
            reply.bulk(b"deliveries");
            reply.count(delivery.message.stamp.map_or(0, |stamp| stamp.deliveries) as usize);
        }
    }
}
