//! ACL DRYRUN: whether a user may run a command.

use crate::engine::look_up::find;
use crate::engine::{Attempt, CommandError, Context};
use crate::resp::{OwnedRequest, Request};

pub(super) fn dryrun(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let name = request.get(2).unwrap_or_default();
    let user = ctx.state.users.find(name);
    let user = user.ok_or_else(|| CommandError::quoting("ERR User '", name, "' not found"))?;
    let tried = OwnedRequest::from_args(request.args_from(3));
    let tried = tried.as_request();
    let found = find(ctx.table, ctx.table.find(tried.name()), &tried)
        .map_err(|_| CommandError::quoting("ERR Command '", tried.name(), "' not found"))?;
    if !found.command.accepts(tried.len()) {
        return Err(CommandError::Arity(found.command.name.to_string()));
    }
    let attempt = Attempt { found, request: &tried };
    match ctx.state.users.get(user).check(&attempt) {
        Ok(()) => ctx.reply.ok(),
        Err(refusal) => ctx.reply.bulk(&attempt.refusal_text(name, refusal, true)),
    }
    Ok(())
}
