//! DUMP: a value in the binary form of Redis, for RESTORE there or here.
//! <https://redis.io/docs/latest/commands/dump/>

use crate::engine::Arg::One;
use crate::engine::Group::Generic;
use crate::engine::tips::VARIES;
use crate::engine::uses::READ_VALUE;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::Request;
use crate::snapshot;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("dump", 2, dump).group(Generic).since("2.6.0").read_only().key(1, READ_VALUE)
        .args(&[One("key")]).cost("O(N) where N is the size of the value").tips(VARIES)
        .says("Returns a value in the binary form that RESTORE takes."),
];

/// Returns the payload; of a queue under a policy, the messages that are ready.
fn dump(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let key = Arguments::of(request).required()?;
    let payload = ctx.state.keyspace.get(ctx.db, key).map(snapshot::dump);
    ctx.state.stats.count_lookup(payload.is_some());
    match payload {
        None => ctx.reply.null(),
        Some(payload) => {
            ctx.state.keyspace.work.copied(payload.len());
            ctx.reply.bulk(&payload);
        }
    }
    Ok(())
}
