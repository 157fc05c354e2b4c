//! Replication: the stream, the replicas, the link to the primary.

use super::figure::Unit::{Bytes, Count, Flag, Seconds};
use super::figure::{Figure, counter, gauge, text};
use super::reading::Reading;

#[rustfmt::skip]
pub(super) static FIGURES: &[Figure] = &[
    text("role", "The role: master or slave.",
        |r| if r.state.replication.is_replica() { "slave" } else { "master" }.into()),
    gauge("is_replica", "replication_is_replica", Flag, "Whether it is a replica.",
        |r| r.state.replication.is_replica().into()),
    gauge("connected_slaves", "connected_replicas", Count, "Connected replicas.",
        |r| r.state.replication.replicas.attached().count().into()),
    text("master_replid", "The id of the stream.",
        |r| r.state.replication.history.id.as_str().into()),
    text("master_replid2", "The former id of the stream.", |r| former_id(r).into()),
    gauge("master_repl_offset", "replication_offset_bytes", Bytes, "Bytes of the stream.",
        |r| r.state.replication.offset().into()),
    gauge("second_repl_offset", "", Bytes, "The first byte of the stream that it did not have under its former id, from 1.",
        |r| former_end(r).into()),
    gauge("repl_backlog_active", "replication_backlog_active", Flag, "Whether the latest part of the stream is kept.",
        |r| r.state.replication.backlog.is_some().into()),
    gauge("repl_backlog_size", "replication_backlog_limit_bytes", Bytes, "Bytes of the stream that are kept at least.",
        |r| r.state.settings.replication.backlog_bytes.into()),
    gauge("repl_backlog_first_byte_offset", "", Bytes, "The first byte of the stream that is kept, from 1.",
        |r| r.state.replication.backlog.as_ref().map_or(0, |backlog| backlog.start() + 1).into()),
    gauge("repl_backlog_histlen", "replication_backlog_bytes", Bytes, "Bytes of the stream that are kept.",
        |r| r.state.replication.backlog.as_ref().map_or(0, |backlog| backlog.end() - backlog.start()).into()),
    gauge("mem_replication_backlog", "replication_backlog_memory_bytes", Bytes, "Memory of the kept part of the stream.",
        |r| backlog_bytes(r).into()),
    counter("sync_full", "replication_full_syncs_total", Count, "Full syncs begun.",
        |r| r.state.replication.counts.full.into()),
    counter("sync_partial_ok", "replication_partial_syncs_total", Count, "Replicas that continued the stream.",
        |r| r.state.replication.counts.partial.into()),
    counter("sync_partial_err", "replication_partial_syncs_refused_total", Count,
        "Replicas that could not continue the stream.", |r| r.state.replication.counts.partial_refused.into()),
    gauge("master_link_up", "replication_link_up", Flag, "Whether a replica receives the stream of its primary.",
        |r| r.state.replication.link.as_ref().is_some_and(|link| link.is_up()).into()),
    gauge("master_last_io_seconds_ago", "replication_link_silent_seconds", Seconds,
        "Time since a replica last heard from its primary.", |r| silent_s(r).into()),
    gauge("master_link_down_since_seconds", "replication_link_down_seconds", Seconds,
        "Time since a replica lost the stream of its primary.", |r| down_s(r).into()),
    counter("replica_left_out", "replication_left_out_total", Count,
        "Keys and commands of the primary that were left out, since they are not supported here.",
        |r| r.state.replication.link.as_ref().map_or(0, |link| link.skipped).into()),
];

fn former_id(reading: &Reading<'_>) -> String {
    let former = reading.state.replication.history.former();
    former.map_or_else(|| "0".repeat(40), |(id, _)| id.to_string())
}

fn former_end(reading: &Reading<'_>) -> Option<u64> {
    reading.state.replication.history.former().map(|(_, offset)| offset.saturating_add(1))
}

/// Memory of the backlog.
fn backlog_bytes(reading: &Reading<'_>) -> usize {
    reading.state.replication.backlog.as_ref().map_or(0, |backlog| backlog.memory_bytes())
}

fn silent_s(reading: &Reading<'_>) -> Option<u64> {
    let link = reading.state.replication.link.as_ref().filter(|link| link.is_up())?;
    Some(reading.now.monotonic_us.saturating_sub(link.heard_us) / 1_000_000)
}

fn down_s(reading: &Reading<'_>) -> Option<u64> {
    let since_us = reading.state.replication.link.as_ref()?.down_since_us?;
    Some(reading.now.monotonic_us.saturating_sub(since_us) / 1_000_000)
}
