//! The commands about queues: QUEUE.

use super::keys::integer;
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

/// `[READ|WRITE|ALL]` at the end: whether reads, and writes.
fn directions(words: &Words) -> (bool, bool) {
    match words.get(3).map(|word| word.to_ascii_uppercase()).as_deref() {
        Some(b"READ") => (true, false),
        Some(b"WRITE") => (false, true),
        _ => (true, true),
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
                if options.first().is_some_and(|word| word.eq_ignore_ascii_case(b"SILENT")) {
                    self.uncount(db, &words[2], &numbers);
                }
                self.give_back_all(db, &words[2], &numbers);
                reply.count(numbers.len());
            }
            b"ACK" if words.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"VALUE")) => {
                let numbers = self.deliveries_of(db, &words[2], &words[4..]);
                self.acknowledge_all(db, &words[2], &numbers);
                reply.count(numbers.len());
            }
            b"NACK" if words.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"VALUE")) => {
                let numbers = self.deliveries_of(db, &words[2], &words[4..]);
                self.give_back_all(db, &words[2], &numbers);
                reply.count(numbers.len());
            }
            b"ACK" => {
                let count = count_option(words)?;
                reply.count(self.acknowledge(who, db, &words[2], count));
            }
            b"NACK" => {
                let count = count_option(words)?;
                reply.count(self.give_back_held(who, db, &words[2], count));
            }
            b"PAUSE" => {
                self.set_paused(db, &words[2], directions(words), true);
                reply.ok();
            }
            b"RESUME" => {
                self.set_paused(db, &words[2], directions(words), false);
                reply.ok();
            }
            b"INFO" => self.tell_of_queue(db, &words[2], reply),
            b"INFLIGHT" => self.tell_in_flight(db, &words[2], reply),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn tell_of_queue(&mut self, db: usize, key: &[u8], reply: &mut Reply) {
        let now_ms = self.queue_ms();
        let list = self.list(db, key).to_vec();
        let oldest_ms = list.iter().filter_map(|message| Some(message.stamp?.ready_ms)).min();
        let waiters = self.clients.iter().filter(|client| client.waits_for(db, key)).count();
        let producers = self.producers_of(db, key).count();
        let policy = self.policy(key);
        let record = self.record(db, key).cloned().unwrap_or_default();
        reply.map(19);
        reply.bulk(b"policy");
        match policy {
            Some(policy) => reply.bulk(&policy.name),
            None => reply.null(),
        }
        reply.bulk(b"length");
        reply.count(list.len());
        reply.bulk(b"bytes");
        match list.first().is_some_and(|message| message.stamp.is_none()) {
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
        reply.bulk(b"waiters");
        reply.count(waiters);
        reply.bulk(b"producers");
        reply.count(producers);
        reply.bulk(b"paused");
        reply.bulk(match (record.is_read_paused, record.is_write_paused) {
            (true, true) => b"all",
            (true, false) => b"read",
            (false, true) => b"write",
            (false, false) => b"none",
        });
        let Totals { pushed, delivered, acknowledged, redelivered, .. } = record.totals;
        let Totals { expired, rejected, dropped, dead_lettered, .. } = record.totals;
        let Totals { deduplicated, shared, .. } = record.totals;
        for (name, count) in [
            ("pushed", pushed),
            ("delivered", delivered),
            ("acknowledged", acknowledged),
            ("redelivered", redelivered),
            ("expired", expired),
            ("rejected", rejected),
            ("dropped", dropped),
            ("dead-lettered", dead_lettered),
            ("deduplicated", deduplicated),
            ("shared-connections", shared),
        ] {
            reply.bulk(name.as_bytes());
            reply.integer(count);
        }
    }

    fn tell_in_flight(&mut self, db: usize, key: &[u8], reply: &mut Reply) {
        let now_ms = self.queue_ms();
        let in_flight = self.record(db, key).map(|record| record.in_flight.clone());
        let in_flight = in_flight.unwrap_or_default();
        reply.array(in_flight.len());
        for delivery in in_flight {
            reply.map(4);
            reply.bulk(b"message");
            reply.bulk(&delivery.message.bytes);
            reply.bulk(b"client-id");
            reply.bulk(delivery.owner.map_or(0, |who| who + 1).to_string().as_bytes());
            reply.bulk(b"in-flight-ms");
            reply.integer(now_ms - delivery.delivered_ms);
            reply.bulk(b"deliveries");
            reply.count(delivery.message.stamp.map_or(0, |stamp| stamp.deliveries) as usize);
        }
    }
}
