//! QUEUE POP: messages with receipts.

use super::acknowledge::lease_of;
use crate::client_id::ClientId;
use crate::clients::Wants;
use crate::commands::take::count_of;
use crate::engine::{Arguments, CommandError, Context, is_word, wait};
use crate::keyspace::Claim;
use crate::queue::End;
use crate::queueing::{self, Queues};
use crate::resp::{Args, Request};
use std::iter::{self, Take};

/// What a call wants.
struct Wanted<'a> {
    keys: Take<Args<'a>>,
    end: End,
    count: usize,
    /// How long it waits, in milliseconds; 0 for ever, `None` not at all.
    block_ms: Option<u64>,
    /// How long the messages belong to the caller, whatever becomes of its connection.
    lease_ms: Option<i64>,
}

impl<'a> Wanted<'a> {
    fn read(mut args: Arguments<'a>) -> Result<Wanted<'a>, CommandError> {
        let keys = args.counted("ERR numkeys should be greater than 0")?;
        let mut wanted = Wanted { keys, end: End::Front, count: 1, block_ms: None, lease_ms: None };
        while let Some(option) = args.optional() {
            if is_word(option, "left") {
                wanted.end = End::Front;
            } else if is_word(option, "right") {
                wanted.end = End::Back;
            } else if is_word(option, "count") {
                let count = args.required()?;
                wanted.count = count_of(count, "ERR count should be greater than 0", 1)?;
            } else if is_word(option, "block") {
                let ms =
                    args.integer_within(0, i64::MAX, "ERR timeout is negative or no integer")?;
                wanted.block_ms = Some(ms.unsigned_abs());
            } else if is_word(option, "lease") {
                wanted.lease_ms = Some(lease_of(&mut args)?);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(wanted)
    }
}

pub(super) fn pop(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let wanted = Wanted::read(Arguments::from(request, 2))?;
    // A call that runs again looks only at the ready key.
    let has_popped = match ctx.ready_key {
        Some(key) => pop_first(ctx, iter::once(key), &wanted)?,
        None => pop_first(ctx, wanted.keys.clone(), &wanted)?,
    };
    if has_popped {
        return Ok(());
    }
    match wanted.block_ms {
        Some(ms) if ctx.origin.may_wait() => {
            let wait_us = ms.saturating_mul(1000);
            let deadline_us = (ms > 0).then(|| ctx.now.monotonic_us.saturating_add(wait_us));
            let wants = if wanted.lease_ms.is_some() { Wants::Lease } else { Wants::Message };
            wait::begin(ctx, request, wants, wanted.keys, deadline_us);
        }
        _ => ctx.reply.null_array(),
    }
    Ok(())
}

/// Pops from the first of these queues that has messages. Returns whether one had.
fn pop_first<'a>(
    ctx: &mut Context<'_>,
    keys: impl Iterator<Item = &'a [u8]> + Clone,
    wanted: &Wanted<'_>,
) -> Result<bool, CommandError> {
    let (db, keyspace) = (ctx.db, &mut ctx.state.keyspace);
    for key in keys.clone() {
        let policy = keyspace.policy_for(db, key);
        if !policy.is_some_and(|policy| policy.is_at_least_once()) {
            return Err(needs_policy(key));
        }
    }
    let owner = if wanted.lease_ms.is_some() { ClientId::nobody() } else { ctx.client };
    let lease_ms = wanted.lease_ms.unwrap_or(0);
    let claim = Claim { owner, input: 0, by_receipt: true, lease_ms };
    for key in keys {
        let Some(at) = keyspace.slot_under_policy(db, key) else { continue };
        // Policies apply only to lists.
        keyspace.list_in(at)?;
        let from = queueing::Pop { at, key, end: wanted.end, count: wanted.count, claim };
        if Queues::new(keyspace).pop_with_receipts(from, ctx.reply) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn needs_policy(key: &[u8]) -> CommandError {
    let key = key.escape_ascii();
    CommandError::from(format!(
        "ERR QUEUE POP needs a policy with delivery at-least-once for '{key}': QUEUE POLICY SET name pattern \
         delivery at-least-once acknowledge explicit"
    ))
}
