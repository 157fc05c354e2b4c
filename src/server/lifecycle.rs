//! The life of a server, as the program around it learns of it: for example to notify a service manager.

use crate::broker::Broker;
use crate::clock::Now;
use std::time::Duration;

/// Time between two reports on loading.
const LOADING_EVERY_US: u64 = 1_000_000;

/// What has just become of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeEvent {
    /// The append files are being loaded. Reported at the beginning, then every second.
    Loading {
        /// The loaded part, in percent.
        percent: u8,
        /// Seconds until the rest is loaded; `None` before that is known.
        seconds_left: Option<u64>,
    },
    /// All commands are served.
    Ready,
    /// The loop still turns. Reported as often as was asked for.
    Alive {
        /// Connected clients.
        clients: usize,
    },
    /// The certificates are about to be read again.
    Reloading,
    /// They have been read, or the log says why not.
    Reloaded,
    /// No more clients are accepted; the last replies are sent and the append files are closed.
    Stopping,
}

/// Who is told, and when next.
#[derive(Default)]
pub(super) struct Lifecycle {
    call: Option<Box<dyn FnMut(LifeEvent) + Send>>,
    /// Time between two reports that the loop turns; `None` for no such reports.
    beat_us: Option<u64>,
    /// When to report next that it loads or turns, in microseconds of the monotonic clock; `None` for never.
    next_us: Option<u64>,
    stage: Stage,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Starting,
    Serving,
    Stopping,
}

impl Lifecycle {
    pub(super) fn new(
        beat: Option<Duration>,
        call: impl FnMut(LifeEvent) + Send + 'static,
    ) -> Lifecycle {
        Lifecycle {
            call: Some(Box::new(call)),
            beat_us: beat.map(|beat| beat.as_micros().try_into().unwrap_or(u64::MAX)),
            next_us: Some(0),
            stage: Stage::Starting,
        }
    }

    /// When the next report is due; `None` for never. Readiness is reported in the next turn.
    #[inline]
    pub(super) fn due_us(&self) -> Option<u64> {
        match self.stage {
            Stage::Starting => self.call.as_ref().map(|_| 0),
            Stage::Serving => self.next_us,
            Stage::Stopping => None,
        }
    }

    /// Reports what is due, at the beginning of a turn.
    #[inline]
    pub(super) fn report(&mut self, broker: &Broker, now: Now) {
        if self.due_us().is_some_and(|due_us| due_us <= now.monotonic_us) {
            self.report_due(broker, now.monotonic_us);
        }
    }

    #[cold]
    fn report_due(&mut self, broker: &Broker, now_us: u64) {
        if let Some(loading) = broker.persistence().loading {
            if self.next_us.is_none_or(|next_us| next_us <= now_us) {
                self.next_us = Some(now_us + LOADING_EVERY_US);
                // Files that grow while they are read may give more.
                let percent = loading.percent().clamp(0.0, 100.0) as u8;
                let seconds_left = loading.seconds_left(now_us);
                self.tell(LifeEvent::Loading { percent, seconds_left });
            }
            return;
        }
        self.next_us = self.beat_us.map(|beat_us| now_us.saturating_add(beat_us));
        if self.stage == Stage::Starting {
            self.stage = Stage::Serving;
            self.tell(LifeEvent::Ready);
        }
        self.tell(LifeEvent::Alive { clients: broker.client_count() });
    }

    /// The certificates are about to be read again.
    pub(super) fn reloading(&mut self) {
        // Otherwise `Reloaded` would look like readiness.
        if self.stage == Stage::Serving {
            self.tell(LifeEvent::Reloading);
        }
    }

    /// The certificates have been read again.
    pub(super) fn reloaded(&mut self) {
        if self.stage == Stage::Serving {
            self.tell(LifeEvent::Reloaded);
        }
    }

    /// The server stops. Nothing is reported afterwards.
    pub(super) fn stopping(&mut self) {
        self.stage = Stage::Stopping;
        self.tell(LifeEvent::Stopping);
    }

    fn tell(&mut self, event: LifeEvent) {
        if let Some(call) = &mut self.call {
            call(event);
        }
    }
}
