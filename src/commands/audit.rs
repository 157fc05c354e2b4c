//! The log lines of commands that change the server or all its data, at `loglevel verbose`.

use crate::engine::Context;
use crate::engine::secrets;
use crate::resp::{OwnedRequest, Request};
use log::debug;

/// Limits on the arguments shown of a request, and on the bytes of each.
const ARGS_MAX: usize = 16;
const ARG_BYTES_MAX: usize = 64;

/// Logs the running command and its client.
pub(super) fn log_action(ctx: &Context<'_>, request: &Request<'_>) {
    if let Some(client) = ctx.client()
        && log::log_enabled!(log::Level::Debug)
    {
        debug!("{} by {}", spelled(ctx, request), client.described());
    }
}

/// Returns the request without its passwords, always on one line.
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
