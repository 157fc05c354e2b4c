//! Pushes to queues under a policy, at once or after a wait for capacity.

use crate::clients::Wants;
use crate::engine::{CommandError, Context, wait};
use crate::queueing::{self, Pushed, Queues, Target};
use crate::resp::{Args, Request};
use std::iter;

/// Pushes messages to a queue under a policy. `None` if the call waits for capacity: then the request runs
/// again.
///
/// # Errors
/// The queue is paused or full, or a policy reserves its name. Nothing was stored.
pub(super) fn push_or_wait(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    to: &Target<'_>,
    messages: Args<'_>,
) -> Result<Option<Pushed>, CommandError> {
    let keyspace = &mut ctx.state.keyspace;
    let is_first = ctx.origin.is_woken();
    // Calls in a transaction do not wait.
    if ctx.origin.may_wait()
        && let Some(policy) = queueing::must_wait(keyspace, to, messages.clone(), is_first)
    {
        let wait_us = policy.block_timeout_ms.saturating_mul(1000);
        let deadline_us = ctx.now.monotonic_us.saturating_add(wait_us);
        let wants = Wants::Capacity { policy, messages: messages.len() };
        wait::begin(ctx, request, wants, iter::once(to.key), Some(deadline_us));
        return Ok(None);
    }
    Queues::new(keyspace).push(to, messages).map(Some)
}
