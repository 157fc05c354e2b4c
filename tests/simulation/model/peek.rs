//! QUEUE PEEK and QUEUE MOVE.

use super::client::Side;
use super::keys::integer;
use super::pushes::PushOptions;
use super::reply::Reply;
use super::{Message, Model, Words};

/// What QUEUE PEEK tells of a message besides its bytes.
#[derive(Default)]
struct Known {
    deliveries: Option<i64>,
    age_ms: Option<i64>,
    due_ms: Option<i64>,
    receipt: Option<u64>,
    owner: Option<usize>,
}

/// `[COUNT n]` from a word on.
fn count_from(words: &Words, at: usize) -> Result<Option<usize>, String> {
    match (words.get(at), words.get(at + 1)) {
        (None, _) => Ok(None),
        (Some(word), Some(count)) if word.eq_ignore_ascii_case(b"COUNT") => match integer(count) {
            Ok(count @ 1..) => Ok(Some(count as usize)),
            _ => Err("ERR count should be greater than 0".into()),
        },
        _ => Err("ERR syntax error".into()),
    }
}

impl Model {
    pub(super) fn peek(
        &mut self,
        db: usize,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let key = &words[2];
        let which = words.get(3).map(|word| word.to_ascii_uppercase());
        let which = which.filter(|word| word != b"COUNT").unwrap_or_default();
        let count = count_from(words, if which.is_empty() { 3 } else { 4 })?.unwrap_or(10);
        self.check_list(db, key)?;
        let now_ms = self.queue_ms();
        let policy = self.policy(key);
        let record = self.record(db, key).cloned().unwrap_or_default();
        let mut seen: Vec<(Message, Known)> = Vec::new();
        match which.as_slice() {
            b"DELAYED" => {
                let mut delayed = record.delayed;
                delayed.sort_by_key(|delayed| delayed.ready_ms);
                seen.extend(delayed.into_iter().map(|delayed| {
                    let stamp = delayed.message.stamp.expect("its queue is under a policy");
                    let due_ms = Some((delayed.ready_ms - now_ms).max(0));
                    let deliveries = Some(stamp.deliveries.into());
                    (delayed.message, Known { deliveries, due_ms, ..Known::default() })
                }));
            }
            b"INFLIGHT" => seen.extend(record.in_flight.into_iter().map(|delivery| {
                let stamp = delivery.message.stamp.expect("it was delivered");
                let timeout = policy.as_ref().and_then(|policy| policy.number("ack-timeout-ms"));
                let due_ms = timeout.map(|ms| delivery.delivered_ms + ms);
                let due_ms = delivery.own_due_ms.or(due_ms);
                let known = Known {
                    deliveries: Some(stamp.deliveries.into()),
                    age_ms: Some(now_ms - stamp.ready_ms),
                    due_ms: due_ms.map(|due_ms| (due_ms - now_ms).max(0)),
                    receipt: Some(delivery.number),
                    owner: delivery.owner,
                };
                (delivery.message, known)
            })),
            _ => seen.extend(self.list(db, key).iter().map(|message| {
                let stamp = message.stamp;
                let deliveries = stamp.filter(|_| policy.is_some());
                let known = Known {
                    deliveries: deliveries.map(|stamp| stamp.deliveries.into()),
                    age_ms: stamp.map(|stamp| now_ms - stamp.ready_ms),
                    ..Known::default()
                };
                (message.clone(), known)
            })),
        }
        seen.truncate(count);
        reply.array(seen.len());
        for (message, known) in seen {
            tell_of_message(&message, &known, reply);
        }
        Ok(())
    }

    pub(super) fn move_messages(
        &mut self,
        db: usize,
        words: &Words,
        reply: &mut Reply,
    ) -> Result<(), String> {
        let (source, to) = (&words[2], &words[3]);
        let count = count_from(words, 4)?.unwrap_or(1);
        let is_origin = to.eq_ignore_ascii_case(b"ORIGIN");
        if !is_origin && source == to {
            return Err("ERR source and destination queues are the same".into());
        }
        self.check_list(db, source)?;
        if !is_origin {
            self.check_list(db, to)?;
        }
        let count = if self.is_read_paused(db, source) { 0 } else { count };
        let mut moved = 0;
        for _ in 0..count.min(self.list(db, source).len()) {
            let Some(first) = self.list(db, source).first().cloned() else { break };
            let key = match (is_origin, &first.origin) {
                (false, _) => to.clone(),
                (true, Some((from, _))) if from != source => from.clone(),
                (true, _) => break,
            };
            match self.check_move(db, &key, &first.bytes) {
                Err(error) if moved == 0 => return Err(error),
                Err(_) => break,
                Ok(()) => {}
            }
            self.take_out(db, source, Side::Left, 1);
            self.count_others(db, source, -1);
            self.tally.removed += 1;
            let options = PushOptions::default();
            self.push_new(db, &key, Side::Right, &[first.bytes], &options).expect("it was checked");
            moved += 1;
        }
        reply.count(moved);
        Ok(())
    }

    fn check_move(&mut self, db: usize, key: &[u8], message: &[u8]) -> Result<(), String> {
        self.check_list(db, key)?;
        if self.new_messages(db, key, &[message.to_vec()], None).is_empty() {
            let shown = String::from_utf8_lossy(key);
            return Err(format!(
                "ERR queue '{shown}' has had the first message within its dedup-window-ms"
            ));
        }
        self.check_push(db, key, 1, message.len())
    }
}

fn tell_of_message(message: &Message, known: &Known, reply: &mut Reply) {
    let Known { deliveries, age_ms, due_ms, receipt, owner } = *known;
    reply.map(9);
    reply.bulk(b"message");
    reply.bulk(&message.bytes);
    for (name, number) in [("deliveries", deliveries), ("age-ms", age_ms), ("due-ms", due_ms)] {
        reply.bulk(name.as_bytes());
        match number {
            Some(number) => reply.integer(number),
            None => reply.null(),
        }
    }
    let origin = message.origin.clone();
    for (field, text) in [
        ("from", origin.as_ref().map(|(from, _)| from.clone())),
        ("reason", origin.map(|(_, reason)| reason.as_bytes().to_vec())),
        ("receipt", receipt.map(|number| number.to_string().into_bytes())),
        ("client-id", owner.map(|owner| (owner + 1).to_string().into_bytes())),
        // No client sets one.
        ("client-name", None),
    ] {
        reply.bulk(field.as_bytes());
        match text {
            Some(text) => reply.bulk(&text),
            None => reply.null(),
        }
    }
}
