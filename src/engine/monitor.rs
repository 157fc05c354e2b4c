//! MONITOR: shows every command that runs to the clients that asked for it.

use super::context::Context;
use crate::client_id::ClientId;
use crate::clients::Peer;
use crate::resp::Request;
use crate::state::State;

/// Shows a command to all monitors.
///
/// `1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`
pub(crate) fn feed(ctx: &mut Context<'_>, request: &Request<'_>) {
    let addr = match ctx.client() {
        Some(_) if ctx.origin.is_script() => "lua".into(),
        Some(client) => match &client.peer {
            Peer::Unix { path, .. } => format!("unix:{}", path.display()),
            peer => peer.addr(),
        },
        None => return,
    };
    let (seconds, micros) = (ctx.now.unix_us / 1_000_000, ctx.now.unix_us % 1_000_000);
    let mut line = format!("+{seconds}.{micros:06} [{} {addr}]", ctx.db).into_bytes();
    for arg in request.args_from(0) {
        line.extend_from_slice(b" \"");
        quote(arg, &mut line);
        line.push(b'"');
    }
    line.extend_from_slice(b"\r\n");
    for index in 0..ctx.state.monitors.len() {
        let monitor = ctx.state.monitors[index];
        ctx.state.clients.write(monitor, |output| output.raw(&line));
    }
}

/// Writes bytes like Redis' `sdscatrepr`, without the surrounding quotes.
fn quote(bytes: &[u8], line: &mut Vec<u8>) {
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => line.extend_from_slice(&[b'\\', byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            0x07 => line.extend_from_slice(b"\\a"),
            0x08 => line.extend_from_slice(b"\\b"),
            b' '..=b'~' => line.push(byte),
            _ => line.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
}

/// Makes a client a monitor.
pub(crate) fn start(state: &mut State, id: ClientId) {
    if let Some(client) = state.clients.get_mut(id)
        && !client.is_monitor
    {
        client.is_monitor = true;
        state.monitors.push(id);
    }
}

/// Ends a client's time as a monitor.
pub(crate) fn stop(state: &mut State, id: ClientId) {
    if let Some(client) = state.clients.get_mut(id)
        && client.is_monitor
    {
        client.is_monitor = false;
        state.monitors.retain(|monitor| *monitor != id);
    }
}
