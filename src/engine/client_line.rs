//! A client as a line of CLIENT LIST, which ACL LOG shows too.

use crate::acl::Users;
use crate::client_id::ClientId;
use crate::clients::{Client, ClientRole, CloseReason, Peer, PeerCredentials};
use crate::clock::Now;
use std::fmt::Write;

/// Returns a client's ID as shown in replies.
pub(crate) fn shown_id(id: ClientId) -> i64 {
    // Each connection gets a new number: i64 outlasts any server.
    id.number() as i64
}

/// Writes a client's line, without a line end. The fields and their order are those of Redis 7.2; tools find fields by
/// name. A field without a counterpart here has the value of a Redis that never used the feature. At the
/// end, and only for clients of the Unix socket, are the process, user and group behind them.
///
/// `exec` is the number of commands of the transaction that the client runs, if it runs one.
pub(crate) fn write(
    text: &mut String,
    client: &Client,
    users: &Users,
    exec: Option<usize>,
    now: Now,
) {
    let (identity, subscriptions) = (client.identity.as_deref(), client.subscriptions.as_deref());
    let name =
        |field: Option<&[u8]>| String::from_utf8_lossy(field.unwrap_or_default()).into_owned();
    let transaction = client.transaction.as_deref();
    // EXEC has already taken the transaction from the client.
    let open = transaction.filter(|transaction| transaction.is_open);
    let queued = exec.or(open.map(|transaction| transaction.queued.len()));
    let output = client.outbox();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={}",
        shown_id(client.id),
        client.peer.addr(),
        client.peer.laddr(),
        client.peer.fd(),
        name(identity.map(|identity| &identity.name[..])),
        seconds_since(client.connected_us, now),
        seconds_since(client.last_active_us, now),
        flags(client, exec.is_some()),
        client.db,
    );
    let _ = write!(
        text,
        " sub={} psub={} ssub={} multi={}",
        subscriptions.map_or(0, |all| all.channels.len()),
        subscriptions.map_or(0, |all| all.patterns.len()),
        subscriptions.map_or(0, |all| all.shard_channels.len()),
        queued.map_or("-1".to_string(), |queued| queued.to_string()),
    );
    // Arguments are slices of the input and take no memory of their own.
    let _ = write!(
        text,
        " qbuf={} qbuf-free={} argv-mem=0 multi-mem={} rbs={} rbp=0 obl={} oll={} omem={}",
        client.input.len(),
        client.input.capacity() - client.input.len(),
        transaction.map_or(0, |transaction| transaction.queued_bytes),
        output.capacity(),
        output.len(),
        output.shared_count(),
        output.memory_bytes(),
    );
    let _ = write!(
        text,
        " tot-mem={} events={} cmd={} user={} redir=-1 resp={} lib-name={} lib-ver={}",
        client.memory_bytes(),
        if client.is_slow() { "rw" } else { "r" },
        client.last_command.unwrap_or("NULL"),
        String::from_utf8_lossy(users.get(client.user).name()),
        output.protocol().version(),
        name(identity.map(|identity| &identity.library_name[..])),
        name(identity.map(|identity| &identity.library_version[..])),
    );
    if let Peer::Unix { credentials: Some(PeerCredentials { pid, uid, gid }), .. } = client.peer {
        let _ = write!(text, " pid={pid} uid={uid} gid={gid}");
    }
}

fn seconds_since(then_us: u64, now: Now) -> u64 {
    now.monotonic_us.saturating_sub(then_us) / 1_000_000
}

/// Returns the client's flags, one letter each; `N` for none.
fn flags(client: &Client, is_in_exec: bool) -> String {
    let transaction = client.transaction.as_deref();
    let is_blocked = client.blocked.is_some();
    let is_limited = matches!(
        client.closing,
        Some(CloseReason::OutputLimit | CloseReason::QueryLimit | CloseReason::SlowSubscriber)
    );
    let letters = [
        ('O', client.is_monitor),
        ('S', client.role == ClientRole::Replica),
        ('M', client.role == ClientRole::Primary),
        ('P', client.is_subscriber()),
        ('x', client.is_in_transaction() || is_in_exec),
        ('b', is_blocked),
        ('d', transaction.is_some_and(|transaction| transaction.is_watch_broken)),
        ('c', client.closing.is_some_and(CloseReason::flushes_first)),
        ('A', is_limited),
        ('U', matches!(client.peer, Peer::Unix { .. })),
        ('e', client.no_evict),
        ('T', client.no_touch),
        // Not in Redis: the client's pops overlap, and so acknowledge nothing.
        ('w', client.is_shared()),
    ];
    let flags: String = letters.iter().filter(|(_, is_set)| *is_set).map(|(l, _)| l).collect();
    if flags.is_empty() { "N".into() } else { flags }
}
