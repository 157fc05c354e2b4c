//! Clients: their number, their traffic, and why some were closed.

use super::figure::Unit::{Bytes, Count, KilobytesPerSecond};
use super::figure::{Figure, counter, gauge};

#[rustfmt::skip]
pub(super) static FIGURES: &[Figure] = &[
    gauge("connected_clients", Count, "Connected clients.", |r| r.state.clients.len().into()),
    gauge("maxclients", Count, "Limit on connected clients.", |r| r.state.settings.maxclients.into()),
    gauge("blocked_clients", Count, "Clients that wait, for example for a message or for capacity in a queue.",
        |r| r.state.clients.blocked_count().into()),
    gauge("clients_in_timeout_table", Count, "Waiting clients whose wait has a deadline.",
        |r| r.state.wait_deadlines.len().into()),
    gauge("mem_clients_normal", Bytes, "Memory of the clients' records and buffers.",
        |r| r.state.clients.memory_bytes().into()),

    counter("total_connections_received", Count, "Connections accepted.",
        |r| r.state.stats.connections_received.into()),
    counter("rejected_connections", Count, "Connections refused because there were too many.",
        |r| r.state.stats.connections_rejected.into()),
    counter("client_query_buffer_limit_disconnections", Count, "Clients closed because a request was too long.",
        |r| r.state.stats.closed_by_query_limit.into()),
    counter("client_output_buffer_limit_disconnections", Count, "Clients closed because they read too slowly.",
        |r| r.state.stats.closed_by_output_limit.into()),
    counter("tls_failed_connections", Count, "Connections closed because TLS failed, usually in the handshake.",
        |r| r.state.stats.closed_by_tls.into()),
    counter("acl_access_denied_auth", Count, "Authentications with a wrong name or password.",
        |r| r.state.stats.denied.auth.into()),
    counter("acl_access_denied_cmd", Count, "Requests refused because the user may not run the command.",
        |r| r.state.stats.denied.command.into()),
    counter("acl_access_denied_key", Count, "Requests refused because the user may not use a key so.",
        |r| r.state.stats.denied.key.into()),
    counter("acl_access_denied_channel", Count, "Requests refused because the user may not use a channel.",
        |r| r.state.stats.denied.channel.into()),

    counter("total_net_input_bytes", Bytes, "Bytes received from clients.", |r| r.state.stats.input_bytes.into()),
    counter("total_net_output_bytes", Bytes, "Bytes sent to clients.", |r| r.state.stats.output_bytes.into()),
    gauge("instantaneous_input_kbps", KilobytesPerSecond, "Current input from clients.",
        |r| (r.state.stats.rates().input_bytes / 1024.0).into()),
    gauge("instantaneous_output_kbps", KilobytesPerSecond, "Current output to clients.",
        |r| (r.state.stats.rates().output_bytes / 1024.0).into()),
    counter("total_reads_processed", Count, "Reads from sockets.", |r| r.state.stats.reads.into()),
    counter("total_writes_processed", Count, "Writes to sockets.", |r| r.state.stats.writes.into()),
];
