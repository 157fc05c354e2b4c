//! Append files: whether they are written, their size, rewrites, the progress of loading. RDB files: saves.

use super::figure::Unit::{Bytes, Count, Flag, Percent, Seconds, UnixSeconds};
use super::figure::{Figure, counter, gauge, status};
use super::reading::Reading;
use crate::clock::Now;

#[rustfmt::skip]
pub(super) static FIGURES: &[Figure] = &[
    gauge("aof_enabled", "aof_enabled", Flag,
        "Whether there are append files, or the first are being written.",
        |r| is_on(r).into()),
    status("aof_last_write_status", "aof_last_write_ok",
        "Whether changes can be written: ok or err, as a metric 1 or 0.",
        |r| ok_or_err(r.state.persistence.refusal().is_some()).into()),
    gauge("aof_current_size", "aof_size_bytes", Bytes,
        "Bytes of all append files.", |r| r.state.persistence.current_bytes.into()),
    gauge("aof_base_size", "aof_base_size_bytes", Bytes,
        "Bytes of the base file after the last rewrite, or when it was loaded.",
        |r| r.state.persistence.base_bytes.into()),
    gauge("aof_buffer_length", "aof_pending_bytes", Bytes, "Bytes of changes that wait to be written.",
        |r| r.state.persistence.pending_bytes.into()),
    gauge("aof_pending_bio_fsync", "aof_syncs_in_progress", Count,
        "Syncs in progress.", |r| r.state.persistence.pending_syncs.into()),
    counter("aof_delayed_fsync", "aof_syncs_delayed_total", Count,
        "Times that a sync was due while the previous one was in progress.",
        |r| r.state.persistence.delayed_syncs.into()),

    gauge("aof_rewrite_in_progress", "aof_rewrite_in_progress", Flag,
        "Whether the files are being rewritten.",
        |r| r.state.persistence.is_rewriting.into()),
    gauge("aof_rewrite_scheduled", "aof_rewrite_scheduled", Flag,
        "Whether a rewrite was requested and has not begun.",
        |r| r.state.persistence.is_rewrite_wanted.into()),
    gauge("aof_last_rewrite_time_sec", "aof_last_rewrite_duration_seconds", Seconds,
        "Time that the last rewrite took, if there was one.",
        |r| r.state.persistence.last_rewrite_s.into()),
    gauge("aof_current_rewrite_time_sec", "aof_current_rewrite_duration_seconds", Seconds,
        "Time since the current rewrite began, if there is one.",
        |r| rewriting_s(r).into()),
    status("aof_last_bgrewrite_status", "aof_last_rewrite_ok",
        "How the last rewrite ended: ok or err, as a metric 1 or 0.",
        |r| ok_or_err(r.state.persistence.failed_rewrites > 0).into()),
    counter("aof_rewrites", "aof_rewrites_total", Count,
        "Rewrites begun.", |r| r.state.persistence.rewrites.into()),
    gauge("aof_rewrites_consecutive_failures", "aof_rewrite_failures", Count,
        "Failed rewrites since the last successful one.",
        |r| r.state.persistence.failed_rewrites.into()),

    gauge("rdb_changes_since_last_save", "rdb_unsaved_changes", Count,
        "Changes since the last complete RDB file, or the start.",
        |r| r.state.persistence.saves.unsaved_changes(r.state.keyspace.changes()).into()),
    gauge("rdb_bgsave_in_progress", "rdb_save_in_progress", Flag,
        "Whether an RDB file is being written.",
        |r| r.state.persistence.saves.began().is_some().into()),
    gauge("rdb_last_save_time", "rdb_last_save_timestamp_seconds", UnixSeconds,
        "Calendar time of the last complete RDB file, or of the start.",
        |r| (last_save(r).unix_us / 1_000_000).into()),
    status("rdb_last_bgsave_status", "rdb_last_save_ok",
        "How the last save ended: ok or err, as a metric 1 or 0.",
        |r| ok_or_err(r.state.persistence.saves.has_failed).into()),
    gauge("rdb_last_bgsave_time_sec", "rdb_last_save_duration_seconds", Seconds,
        "Time that the last save took, if there was one.",
        |r| r.state.persistence.saves.last_took_s.into()),
    gauge("rdb_current_bgsave_time_sec", "rdb_current_save_duration_seconds", Seconds,
        "Time since the current save began, if there is one.",
        |r| saving_s(r).into()),
    counter("rdb_saves", "rdb_saves_total", Count, "RDB files completed.",
        |r| r.state.persistence.saves.completed.into()),

    gauge("loading", "loading", Flag,
        "Whether append files are being loaded.", |r| r.state.persistence.loading.is_some().into()),
    gauge("loading_start_time", "", UnixSeconds, "Calendar time at which loading began.",
        |r| r.state.persistence.loading.unwrap_or_default().began_unix_s.into()),
    gauge("loading_total_bytes", "loading_bytes", Bytes, "Bytes of the files being loaded.",
        |r| r.state.persistence.loading.unwrap_or_default().total_bytes.into()),
    gauge("loading_loaded_bytes", "loading_loaded_bytes", Bytes, "Bytes already loaded.",
        |r| r.state.persistence.loading.unwrap_or_default().loaded_bytes.into()),
    gauge("loading_loaded_perc", "", Percent, "Loaded part of the files.",
        |r| r.state.persistence.loading.unwrap_or_default().percent().into()),
    gauge("loading_eta_seconds", "loading_remaining_seconds", Seconds,
        "Time until the rest is loaded, at the speed so far.",
        |r| seconds_left(r).into()),
];

fn is_on(r: &Reading<'_>) -> bool {
    let persistence = &r.state.persistence;
    persistence.is_on || (persistence.is_rewriting && r.state.settings.appendonly)
}

fn last_save(r: &Reading<'_>) -> Now {
    r.state.persistence.saves.last().unwrap_or(r.state.started)
}

fn saving_s(r: &Reading<'_>) -> Option<u64> {
    let began_us = r.state.persistence.saves.began()?.monotonic_us;
    Some(r.now.monotonic_us.saturating_sub(began_us) / 1_000_000)
}

fn ok_or_err(is_bad: bool) -> &'static str {
    if is_bad { "err" } else { "ok" }
}

fn rewriting_s(r: &Reading<'_>) -> Option<u64> {
    let began_us = r.state.persistence.rewrite_began_us?;
    Some(r.now.monotonic_us.saturating_sub(began_us) / 1_000_000)
}

/// As in Redis, one second until the speed is known.
fn seconds_left(r: &Reading<'_>) -> u64 {
    let loading = r.state.persistence.loading.as_ref();
    loading.map_or(0, |loading| loading.seconds_left(r.now.monotonic_us).unwrap_or(1))
}
