//! Sessions that clients may resume, within a number and a time.
//!
//! They are in memory, so none outlives the process or a change of the certificates: a resumed session
//! would skip the check of the client's certificate by new authorities.

use rustls::server::StoresServerSessions;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Keys in `order` that may be gone already, besides as many as there are sessions.
const GONE_MAX: usize = 64;

/// The sessions of one configuration. The library wants a store that threads can share.
pub(super) struct Sessions {
    kept: Mutex<Kept>,
    count_max: usize,
    timeout: Duration,
}

#[derive(Default)]
struct Kept {
    by_key: HashMap<Vec<u8>, (Instant, Vec<u8>)>,
    /// The keys, oldest first, with their times.
    order: VecDeque<(Instant, Vec<u8>)>,
}

impl Sessions {
    /// Keeps at most `count_max` sessions; 0 for no limit.
    pub(super) fn new(count_max: u32, timeout: Duration) -> Sessions {
        let count_max = if count_max == 0 { usize::MAX } else { count_max as usize };
        Sessions { kept: Mutex::default(), count_max, timeout }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> T {
        change(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put_at(&self, key: Vec<u8>, value: Vec<u8>, now: Instant) -> bool {
        self.with(|kept| {
            kept.by_key.insert(key.clone(), (now, value));
            kept.order.push_back((now, key));
            let is_old = |at: Instant| now.duration_since(at) >= self.timeout;
            while kept.by_key.len() > self.count_max
                || kept.order.front().is_some_and(|(at, _)| is_old(*at))
            {
                let Some((at, key)) = kept.order.pop_front() else { break };
                // A session that was stored again is younger.
                if kept.by_key.get(&key).is_some_and(|(stored, _)| *stored == at) {
                    kept.by_key.remove(&key);
                }
            }
            if kept.order.len() > 2 * kept.by_key.len() + GONE_MAX {
                let by_key = &kept.by_key;
                kept.order.retain(|(at, key)| by_key.get(key).is_some_and(|(s, _)| s == at));
            }
        });
        true
    }

    fn get_at(&self, key: &[u8], now: Instant) -> Option<Vec<u8>> {
        self.with(|kept| {
            let (at, value) = kept.by_key.get(key)?;
            (now.duration_since(*at) < self.timeout).then(|| value.clone())
        })
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.put_at(key, value, Instant::now())
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get_at(key, Instant::now())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let found = self.get(key);
        self.with(|kept| kept.by_key.remove(key));
        found
    }

    fn can_cache(&self) -> bool {
        true
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the sessions: they are secret.
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_session_goes_first_and_all_go_in_time() {
        let sessions = Sessions::new(2, Duration::from_secs(300));
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        for (key, s) in [(1, 0), (2, 10), (1, 20), (3, 30)] {
            assert!(sessions.put_at(vec![key], vec![key, key], at(s)));
        }
        assert_eq!(sessions.get_at(&[2], at(30)), None, "there were two younger ones");
        assert_eq!(sessions.get_at(&[1], at(30)), Some(vec![1, 1]));
        assert_eq!(sessions.get_at(&[1], at(319)), Some(vec![1, 1]));
        assert_eq!(sessions.get_at(&[1], at(320)), None);
        sessions.put_at(vec![4], vec![], at(400));
        assert_eq!(sessions.with(|kept| (kept.by_key.len(), kept.order.len())), (1, 1));
    }

    #[test]
    fn what_is_taken_leaves_nothing_behind() {
        let sessions = Sessions::new(0, Duration::from_secs(300));
        for number in 0..1_000_u16 {
            sessions.put(number.to_le_bytes().to_vec(), vec![0; 10]);
            assert_eq!(sessions.take(&number.to_le_bytes()), Some(vec![0; 10]));
            assert_eq!(sessions.take(&number.to_le_bytes()), None);
        }
        assert!(sessions.with(|kept| kept.by_key.is_empty() && kept.order.len() <= GONE_MAX));
    }
}
