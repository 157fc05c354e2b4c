//! QUEUE POP, and the commands that take receipts.

use super::client::Side;
use super::client::{Take, Wait};
use super::deliveries::Delivery;
use super::keys::integer;
use super::lists::SYNTAX;
use super::reply::Reply;
use super::{Key, Model, Who, Words};

impl Model {
    /// QUEUE POP.
    pub(super) fn pop_with_receipts(
        &mut self,
        who: Who,
        words: &Words,
        in_exec: bool,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let key_count = integer(&words[2]).expect("the generator writes numbers") as usize;
        let keys: Vec<Key> = words.get(3..3 + key_count).ok_or(SYNTAX)?.to_vec();
        let (mut side, mut count, mut block_ms, mut lease_ms) = (Side::Left, 1, None, None);
        let mut options = words[3 + key_count..].iter();
        while let Some(option) = options.next() {
            let mut number = || integer(options.next().expect("a number")).expect("a number");
            match option.to_ascii_uppercase().as_slice() {
                b"LEFT" => side = Side::Left,
                b"RIGHT" => side = Side::Right,
                b"COUNT" => count = number() as usize,
                b"BLOCK" => block_ms = Some(number() as u64),
                _ => lease_ms = Some(number()),
            }
        }
        for key in &keys {
            self.check_receipts(key)?;
        }
        let db = self.clients[who].db;
        let take = Take::Receipts { side, count, lease_ms };
        for key in &keys {
            if self.take(who, db, key, &take, reply)? {
                return Ok(());
            }
        }
        match block_ms.filter(|_| !in_exec) {
            None => reply.null_array(),
            Some(ms) => {
                let deadline_us = (ms > 0).then_some(self.now.monotonic_us + ms * 1000);
                self.start_waiting(who, Wait::Keys { db, keys, take, deadline_us });
            }
        }
        Ok(())
    }

    /// Whether messages of a queue may have receipts.
    pub(super) fn check_receipts(&self, key: &[u8]) -> Result<(), String> {
        if self.policy(key).is_some_and(|policy| policy.is("delivery", "at-least-once")) {
            return Ok(());
        }
        Err(format!(
            "ERR QUEUE POP needs a policy with delivery at-least-once for '{}': QUEUE POLICY SET name pattern \
             delivery at-least-once acknowledge explicit",
            key.escape_ascii()
        ))
    }

    /// Delivers messages of a queue that has some.
    pub(super) fn take_with_receipts(
        &mut self,
        owner: Option<Who>,
        (db, key): (usize, &[u8]),
        side: Side,
        count: usize,
        lease_ms: Option<i64>,
        reply: &mut Reply,
    ) {
        let count = count.min(self.deliverable(owner, db, key));
        self.use_rate(db, key, count);
        let now_ms = self.queue_ms();
        reply.array(2);
        reply.bulk(key);
        reply.array(count);
        for _ in 0..count {
            let delivery = self.deliver_to(owner, db, key, side);
            delivery.by_receipt = true;
            delivery.lease_ms = lease_ms;
            delivery.own_due_ms = lease_ms.map(|lease_ms| now_ms + lease_ms);
            let stamp = delivery.message.stamp.expect("its queue is under a policy");
            reply.array(4);
            reply.bulk(delivery.number.to_string().as_bytes());
            reply.bulk(&delivery.message.bytes.clone());
            reply.count(stamp.deliveries as usize);
            reply.integer(now_ms - stamp.ready_ms);
        }
    }

    /// The receipts behind IDS that are in flight, and the words behind them.
    pub(super) fn receipts<'a>(
        &self,
        db: usize,
        words: &'a Words,
    ) -> Result<(Vec<u64>, &'a [Vec<u8>]), String> {
        let count = integer(&words[4]).expect("the generator writes numbers") as usize;
        let ids = words.get(5..5 + count).ok_or(SYNTAX)?;
        let record = self.queues.get(&(db, words[2].clone()));
        let mut numbers: Vec<u64> = record.map_or(Vec::new(), |record| {
            let in_flight = record.in_flight.iter().map(|delivery| delivery.number);
            in_flight.filter(|number| ids.contains(&number.to_string().into_bytes())).collect()
        });
        numbers.sort_unstable();
        Ok((numbers, &words[5 + count..]))
    }

    /// Takes back that these deliveries count.
    pub(super) fn uncount(&mut self, db: usize, key: &[u8], numbers: &[u64]) {
        let Some(record) = self.queues.get_mut(&(db, key.to_vec())) else { return };
        for delivery in record.in_flight.iter_mut().filter(|one| numbers.contains(&one.number)) {
            if let Some(stamp) = &mut delivery.message.stamp {
                stamp.deliveries = stamp.deliveries.saturating_sub(1);
            }
        }
    }

    /// QUEUE TOUCH.
    pub(super) fn touch_deliveries(
        &mut self,
        db: usize,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let (numbers, options) = self.receipts(db, words)?;
        let lease_ms = options.get(1).map(|ms| integer(ms).expect("a number"));
        let policy = self.policy(&words[2]);
        let timeout_ms = policy.and_then(|policy| policy.number("ack-timeout-ms"));
        let now_ms = self.queue_ms();
        let touch = |delivery: &mut Delivery| {
            delivery.lease_ms = lease_ms.or(delivery.lease_ms);
            if let Some(ms) = delivery.lease_ms.or(timeout_ms) {
                delivery.own_due_ms = Some(now_ms + ms);
            }
        };
        if let Some(record) = self.queues.get_mut(&(db, words[2].clone())) {
            let own = record.in_flight.iter_mut().filter(|one| numbers.contains(&one.number));
            own.for_each(touch);
        }
        reply.count(numbers.len());
        Ok(())
    }
}
