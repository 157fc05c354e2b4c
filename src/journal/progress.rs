//! The progress of loading: INFO shows it, and the log.

use crate::broker::Broker;
use crate::clock::Now;
use crate::persistence::Loading;
use log::info;

/// Interval of log lines about the progress.
const LOG_INTERVAL_US: u64 = 1_000_000;

/// The progress of loading.
#[derive(Debug)]
pub(super) struct Progress {
    /// When the next log line is due.
    log_us: u64,
}

impl Progress {
    /// Begins: until `Broker::persistence` says otherwise, clients get an error.
    pub(super) fn begin(broker: &mut Broker, total_bytes: u64, now: Now) -> Progress {
        broker.persistence_mut().loading = Some(Loading {
            began_unix_s: now.unix_us / 1_000_000,
            began_us: now.monotonic_us,
            total_bytes,
            loaded_bytes: 0,
        });
        Progress { log_us: now.monotonic_us + LOG_INTERVAL_US }
    }

    /// This many bytes are loaded.
    pub(super) fn report(&mut self, broker: &mut Broker, loaded_bytes: u64, now: Now) {
        if let Some(loading) = &mut broker.persistence_mut().loading {
            loading.loaded_bytes = loaded_bytes;
        }
        if now.monotonic_us < self.log_us {
            return;
        }
        self.log_us = now.monotonic_us + LOG_INTERVAL_US;
        if let Some(loading) = &broker.persistence().loading {
            let left = loading.seconds_left(now.monotonic_us);
            info!(
                "loading: {:.0} %, {} of {} bytes, {} messages, {} left",
                loading.percent(),
                loading.loaded_bytes,
                loading.total_bytes,
                broker.message_count(),
                left.map_or("unknown time".into(), |s| format!("{s} s")),
            );
        }
    }

    /// Logs that everything is loaded.
    pub(super) fn end(&self, broker: &Broker, now: Now) {
        let Some(loading) = broker.persistence().loading else { return };
        let took_us = now.monotonic_us - loading.began_us;
        let (total, messages) = (loading.total_bytes, broker.message_count());
        info!("loaded {messages} messages, {total} bytes in {:.2} s", took_us as f64 / 1e6);
    }
}
