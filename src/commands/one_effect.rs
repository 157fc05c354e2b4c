//! Several effects of one command, which are one for whoever repeats them.

use crate::engine::Context;

/// Records what `run` does as one effect for whoever repeats it.
pub(super) fn as_one_effect<R>(
    ctx: &mut Context<'_>,
    run: impl FnOnce(&mut Context<'_>) -> R,
) -> R {
    let is_group = !ctx.origin.is_exec() && ctx.state.keyspace.effects.is_on();
    if is_group {
        ctx.state.keyspace.effects.begin_group();
    }
    let result = run(ctx);
    if is_group {
        ctx.state.keyspace.effects.end_group();
    }
    result
}
