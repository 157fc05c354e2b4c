//! What the log tells of commands, at `loglevel verbose`: who changed the server or its data as a
//! whole.

use crate::engine::Context;
use crate::engine::secrets;
use crate::resp::{OwnedRequest, Request};
use log::debug;

/// Arguments of a request that are shown, and bytes of each.
const ARGS_MAX: usize = 16;
const ARG_BYTES_MAX: usize = 64;

/// Tells of the command that runs, and who gave it.
pub(super) fn log_deed(ctx: &Context<'_>, request: &Request<'_>) {
    if let Some(client) = ctx.client()
        && log::log_enabled!(log::Level::Debug)
    {
        debug!("{} by {}", spelled(ctx, request), client.described());
    }
}

/// The request without its passwords, on one line whatever is in it.
fn spelled(ctx: &Context<'_>, request: &Request<'_>) -> String {
    let hidden = secrets::hide(ctx.found.command, request);
    let shown = hidden.as_ref().map_or(*request, OwnedRequest::as_request);
    let words = shown.args().take(ARGS_MAX).map(|arg| {
        let rest = if arg.len() > ARG_BYTES_MAX { "…" } else { "" };
        format!("{}{rest}", arg[..arg.len().min(ARG_BYTES_MAX)].escape_ascii())
    });
    let rest = if shown.len() > ARGS_MAX { " …" } else { "" };
    format!("{}{rest}", words.collect::<Vec<String>>().join(" "))
}
