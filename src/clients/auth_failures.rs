//! Refused passwords by the address they came from. After many, the next ones from there wait: see
//! `engine/auth_delay.rs`.

use super::client::Peer;
use crate::deadlines::Deadlines;
use crate::line_limit::{LeftOut, LineLimit};
use crate::settings::Settings;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The wait after the first refused password too many. A person does not notice it.
const FIRST_DELAY_MS: u64 = 100;

/// Where passwords come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    V4(Ipv4Addr),
    /// The first 64 bits of an address, which are the least that a network has.
    V6(u64),
    /// A user of this machine, over the Unix socket.
    User(u32),
}

impl Source {
    /// The source of a client's passwords. None for clients of this program, and where the system does
    /// not say who is behind a Unix socket.
    fn of(peer: &Peer) -> Option<Source> {
        match peer {
            Peer::Tcp { addr, .. } => Some(match addr.ip().to_canonical() {
                IpAddr::V4(ip) => Source::V4(ip),
                IpAddr::V6(ip) => Source::V6((ip.to_bits() >> 64) as u64),
            }),
            Peer::Unix { credentials, .. } => credentials.map(|peer| Source::User(peer.uid)),
            Peer::InProcess => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::V4(ip) => ip.fmt(f),
            Source::V6(bits) => {
                write!(f, "{}/64", Ipv6Addr::from_bits(u128::from(*bits) << 64))
            }
            Source::User(uid) => write!(f, "user {uid} of this machine"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u64,
    last_us: u64,
}

/// Refused passwords by source. All times are microseconds of the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct AuthFailures {
    by_source: BTreeMap<Source, Failures>,
    /// The time of each source's last one.
    by_time: Deadlines<Source>,
    lines: LineLimit<()>,
    /// Of those not logged: the source with the most, and its count.
    busiest: Option<(Source, u64)>,
}

/// What the log says about a refused password.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Where it came from, and how many there were.
    pub(crate) source: Option<(Source, u64)>,
    pub(crate) left_out: LeftOut,
}

impl AuthFailures {
    /// How long an AUTH of this client has to wait; 0 for not at all.
    pub(crate) fn delay_us(&self, peer: &Peer, settings: &Settings, now_us: u64) -> u64 {
        let max_us = settings.strangers.auth_delay_max_ms.saturating_mul(1000);
        let failures = Source::of(peer).and_then(|source| self.by_source.get(&source));
        let Some(failures) = failures.filter(|_| max_us > 0) else { return 0 };
        let beyond = failures.count.saturating_sub(settings.strangers.auth_delay_after);
        if beyond == 0 || forgotten_us(failures.last_us, settings) <= now_us {
            return 0;
        }
        // The number of doublings is bounded, so that nothing is shifted out.
        ((FIRST_DELAY_MS * 1000) << (beyond - 1).min(20)).min(max_us)
    }

    /// Records a refused password. Returns what to log, unless there was a line within the last minute.
    pub(crate) fn record(
        &mut self,
        peer: &Peer,
        settings: &Settings,
        now_us: u64,
    ) -> Option<Refusal> {
        self.forget(settings, now_us);
        let source = Source::of(peer).map(|source| (source, self.add(source, now_us)));
        let addresses_max = usize::try_from(settings.strangers.auth_delay_addresses_max);
        while self.by_source.len() > addresses_max.unwrap_or(usize::MAX) {
            self.forget_first();
        }
        let admitted = self.lines.admit((), now_us);
        if admitted.is_none() && source.map(|found| found.1) > self.busiest.map(|found| found.1) {
            self.busiest = source;
        }
        admitted.map(|left_out| Refusal { source, left_out })
    }

    /// Counts one more from a source; returns how many there are.
    fn add(&mut self, source: Source, now_us: u64) -> u64 {
        let failures = self.by_source.get(&source).copied();
        self.by_time.shift(failures.map(|failures| failures.last_us), Some(now_us), source);
        let count = failures.map_or(0, |failures| failures.count) + 1;
        self.by_source.insert(source, Failures { count, last_us: now_us });
        count
    }

    /// The number of sources.
    pub(crate) fn len(&self) -> usize {
        self.by_source.len()
    }

    /// Whether nothing is remembered.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.by_source.is_empty()
    }

    /// When there is something to forget.
    pub(crate) fn next_us(&self, settings: &Settings) -> Option<u64> {
        self.by_time.next().map(|last_us| forgotten_us(last_us, settings))
    }

    /// Forgets the sources from which none came for long enough.
    pub(crate) fn forget(&mut self, settings: &Settings, now_us: u64) {
        while self.next_us(settings).is_some_and(|due_us| due_us <= now_us) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, source)) = self.by_time.pop_first() {
            self.by_source.remove(&source);
        }
    }

    /// How many were not logged in the minute that is over, and the source of the most, with its count.
    pub(crate) fn take_left_out(&mut self, now_us: u64) -> Option<(u64, Option<(Source, u64)>)> {
        let (_, count) = self.lines.take_left_out(now_us).pop()?;
        Some((count, self.busiest.take()))
    }
}

/// When the failures of a source are forgotten.
fn forgotten_us(last_us: u64, settings: &Settings) -> u64 {
    last_us.saturating_add(u64::from(settings.strangers.auth_delay_forget_s) * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn peer(ip: &str) -> Peer {
        let addr = SocketAddr::new(ip.parse().expect("an address"), 4711);
        Peer::Tcp { addr, laddr: addr, fd: 3 }
    }

    fn delays_ms(settings: &Settings, failures: u64) -> Vec<u64> {
        let mut all = AuthFailures::default();
        let peer = peer("192.0.2.1");
        let delays = (0..failures).map(|_| {
            all.record(&peer, settings, 7);
            all.delay_us(&peer, settings, 7) / 1000
        });
        delays.collect()
    }

    #[test]
    fn the_wait_doubles_up_to_a_maximum() {
        let settings = |lines| Settings::from_text(lines, "a test").expect("valid");
        let few = settings("auth-delay-after 2");
        assert_eq!(delays_ms(&few, 8), [0, 0, 100, 200, 400, 800, 1000, 1000]);
        let at_once = settings("auth-delay-after 0\nauth-delay-max-ms 60000");
        assert_eq!(delays_ms(&at_once, 3), [100, 200, 400]);
        assert_eq!(delays_ms(&at_once, 10_000).last(), Some(&60_000));
        let short = settings("auth-delay-after 0\nauth-delay-max-ms 30");
        assert_eq!(delays_ms(&short, 3), [30, 30, 30]);
        let off = settings("auth-delay-after 0\nauth-delay-max-ms 0");
        assert_eq!(delays_ms(&off, 3), [0, 0, 0]);
    }

    #[test]
    fn an_address_is_forgotten_after_a_quiet_time() {
        let settings =
            Settings::from_text("auth-delay-after 0\nauth-delay-forget 10", "a test").expect("ok");
        let (mut all, peer) = (AuthFailures::default(), peer("192.0.2.1"));
        all.record(&peer, &settings, 5);
        all.record(&peer, &settings, 6_000_005);
        assert_eq!(all.next_us(&settings), Some(16_000_005));
        assert_eq!(all.delay_us(&peer, &settings, 16_000_004), 200_000);
        assert_eq!(all.delay_us(&peer, &settings, 16_000_005), 0);
        all.forget(&settings, 16_000_004);
        assert_eq!(all.len(), 1);
        all.forget(&settings, 16_000_005);
        assert!(all.is_empty() && all.next_us(&settings).is_none());
    }

    #[test]
    fn addresses_are_told_apart_by_what_a_network_has() {
        let source = |ip: &str| Source::of(&peer(ip));
        assert_eq!(source("192.0.2.1"), source("::ffff:192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1:2:3"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        let shown = |ip: &str| source(ip).map(|source| source.to_string());
        assert_eq!(shown("2001:db8::1").as_deref(), Some("2001:db8::/64"));
        assert_eq!(Source::of(&Peer::InProcess), None);
    }

    #[test]
    fn the_least_recent_addresses_make_place() {
        let settings =
            Settings::from_text("auth-delay-after 0\nauth-delay-addresses-max 2", "a test");
        let settings = settings.expect("valid");
        let mut all = AuthFailures::default();
        for (number, ip) in ["192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"].iter().enumerate()
        {
            all.record(&peer(ip), &settings, number as u64);
        }
        assert_eq!(all.len(), 2);
        let delay_us = |ip| all.delay_us(&peer(ip), &settings, 4);
        assert_eq!(["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(delay_us), [200_000, 0, 100_000]);
    }

    #[test]
    fn the_log_has_a_line_a_minute_and_names_the_busiest() {
        let (settings, mut all) = (Settings::default(), AuthFailures::default());
        let first = all.record(&peer("192.0.2.1"), &settings, 0).expect("a line");
        assert_eq!(
            (first.source, first.left_out),
            (Some((Source::V4([192, 0, 2, 1].into()), 1)), LeftOut(0))
        );
        for ip in ["192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.2"] {
            assert!(all.record(&peer(ip), &settings, 1).is_none());
        }
        assert!(all.take_left_out(59_999_999).is_none());
        let busiest = Some((Source::V4([192, 0, 2, 2].into()), 3));
        assert_eq!(all.take_left_out(60_000_000), Some((4, busiest)));
        assert!(all.take_left_out(60_000_000).is_none());
    }
}
