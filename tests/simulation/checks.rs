//! Checks after each step.

use std::collections::BTreeSet;
use std::io::IoSlice;

use tidegate::Outbox;
use tidegate::clock::Now;
use tidegate::{Broker, ClientId};

use crate::model::{Contents, Model, Who};

/// What the broker reported since the previous step.
#[derive(Default)]
pub struct Told {
    pub dirty: BTreeSet<ClientId>,
    pub resumed: BTreeSet<ClientId>,
}

/// A client's state before the step.
#[derive(Clone, Copy, Default)]
pub struct Before {
    pub wanted_input: bool,
    /// The length of the output stream then.
    pub owed: usize,
}

pub fn check(
    broker: &mut Broker,
    model: &mut Model,
    now: Now,
    ids: &[ClientId],
    before: &mut [Before],
    told: &Told,
) {
    broker.check_invariants();
    for (who, &id) in ids.iter().enumerate() {
        if model.clients[who].is_connected {
            check_client(broker, model, who, id, &mut before[who], told);
        }
    }
    let connected = model.clients.iter().filter(|client| client.is_connected).count();
    assert_eq!(broker.client_count(), connected, "connected clients");
    // With timers of queues the broker may look at a queue needlessly.
    let may_be = model.has_had_timers || model.has_backlog();
    assert!(broker.has_backlog() || !model.has_backlog(), "no backlog");
    assert!(may_be || !broker.has_backlog(), "backlog");
    let deadline_us = broker.next_deadline(now).map(|wait| wait.as_micros() as u64);
    check_deadline(deadline_us, model.next_deadline_us(now), model.has_had_timers);
    check_conservation(model);
    check_queues(model);
}

fn check_client(
    broker: &mut Broker,
    model: &mut Model,
    who: Who,
    id: ClientId,
    before: &mut Before,
    told: &Told,
) {
    if !model.clients[who].any_order.is_empty()
        && let Some(output) = broker.outbox(id)
    {
        model.adopt_order(who, &bytes_of(output));
    }
    let client = &model.clients[who];
    assert_eq!(broker.is_blocked(id), client.wait.is_some(), "client {who} is blocked");
    let wants_input = client.wants_input();
    assert_eq!(broker.wants_input(id), wants_input, "client {who} wants input");
    assert!(
        !wants_input || before.wanted_input || told.resumed.contains(&id),
        "nobody was told that client {who} takes input again"
    );
    let checked = before.owed - client.taken;
    check_output(broker, who, id, &client.owed[client.taken..], checked);
    assert!(
        client.owed.len() == before.owed || told.dirty.contains(&id),
        "nobody was told that client {who} is owed something"
    );
    *before = Before { wanted_input: wants_input, owed: client.owed.len() };
}

/// Compares a client's output, of which `checked` bytes have been compared before.
fn check_output(broker: &mut Broker, who: Who, id: ClientId, expected: &[u8], checked: usize) {
    let output = broker.outbox(id).unwrap_or_else(|| panic!("client {who} is not connected"));
    let got = bytes_of(output);
    assert_eq!(output.len(), got.len(), "the output's length for client {who}");
    if expected.len() == checked && got.len() == checked {
        return;
    }
    if got != expected {
        let same = got.iter().zip(expected).take_while(|(a, b)| a == b).count();
        panic!(
            "client {who} is owed something else, of which {same} bytes are the same\n  \
             expected …{}\n  got      …{}",
            shown(&expected[same.saturating_sub(60)..]),
            shown(&got[same.saturating_sub(60)..]),
        );
    }
}

/// All bytes of an output, read with a socket's slices.
pub fn bytes_of(output: &Outbox) -> Vec<u8> {
    let mut slices = vec![IoSlice::new(&[]); 2 * output.shared_count() + 1];
    let filled = output.io_slices(&mut slices, usize::MAX);
    slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect()
}

/// With timers of queues the broker's deadline may be too early, but never too late.
fn check_deadline(got_us: Option<u64>, expected_us: Option<u64>, has_had_timers: bool) {
    if has_had_timers {
        let is_in_time = expected_us.is_none_or(|at| got_us.is_some_and(|got_us| got_us <= at));
        assert!(is_in_time, "next deadline: {got_us:?} is later than {expected_us:?}");
    } else {
        assert_eq!(got_us, expected_us, "next deadline");
    }
}

/// Every pushed message was popped, was removed, or is there. A dead letter is pushed again.
fn check_conservation(model: &Model) {
    let tally = &model.tally;
    let done = tally.popped + tally.acknowledged;
    let gone = tally.removed + tally.expired + tally.dropped + tally.dead_lettered;
    assert_eq!(
        tally.pushed + tally.copied,
        done + gone + model.left() + model.in_flight(),
        "messages were lost or made: {tally:?}"
    );
}

/// The same for each queue under a policy, by the totals of QUEUE INFO.
fn check_queues(model: &Model) {
    for ((db, key), record) in &model.queues {
        let totals = &record.totals;
        let gone = totals.expired + totals.dropped + totals.dead_lettered + totals.purged;
        let left = model.dbs[*db].get(key).map_or(0, |list| list.messages.len());
        assert_eq!(
            totals.pushed + record.others,
            totals.acknowledged
                + gone
                + (left + record.delayed.len() + record.in_flight.len()) as i64,
            "messages of '{}' were lost or made: {record:?}",
            key.escape_ascii()
        );
    }
}

/// Compares all keys with their elements and expiries.
pub fn check_contents(got: &Contents, expected: &Contents) {
    for (place @ (db, key), (elements, expires_ms)) in expected {
        let (found, found_ms) = got.get(place).cloned().unwrap_or_default();
        let shown_key = key.escape_ascii();
        assert_eq!(found_ms, *expires_ms, "the expiry of '{shown_key}' in database {db}");
        assert!(
            found == *elements,
            "the elements of '{shown_key}' in database {db}\n  expected {}\n  got      {}",
            shown(&elements.join(&b' ')),
            shown(&found.join(&b' ')),
        );
    }
    let unexpected = got.keys().find(|place| !expected.contains_key(*place));
    assert_eq!(unexpected, None, "it should not be there");
}

/// Bytes as text, shortened if there are many.
pub fn shown(bytes: &[u8]) -> String {
    const SHOWN_MAX: usize = 200;
    let cut = if bytes.len() > SHOWN_MAX { "…" } else { "" };
    format!("{}{cut}", bytes[..bytes.len().min(SHOWN_MAX)].escape_ascii())
}
