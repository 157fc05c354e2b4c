//! The requests that were refused, for ACL LOG.

use std::collections::VecDeque;

/// Equal refusals within this time of the latest one are one entry.
const GROUPING_MS: u64 = 60_000;
/// How many of the latest entries a refusal is compared with.
const COMPARED_MAX: usize = 10;

/// Bytes kept of the object and of the user's name, so that long keys do not fill the memory. Redis keeps
/// them whole.
const NAME_BYTES_MAX: usize = 1024;

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogSubject {
    Command,
    Key,
    Channel,
    Auth,
}

impl LogSubject {
    /// The word in ACL LOG.
    pub(crate) fn name(self) -> &'static str {
        match self {
            LogSubject::Command => "command",
            LogSubject::Key => "key",
            LogSubject::Channel => "channel",
            LogSubject::Auth => "auth",
        }
    }
}

/// What a refused command was part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DenialContext {
    Toplevel,
    Transaction,
    Script,
}

impl DenialContext {
    /// The word in ACL LOG.
    pub(crate) fn name(self) -> &'static str {
        match self {
            DenialContext::Toplevel => "toplevel",
            DenialContext::Transaction => "multi",
            DenialContext::Script => "lua",
        }
    }
}

/// A refusal.
#[derive(Clone, Debug)]
pub(crate) struct Denial {
    pub subject: LogSubject,
    pub context: DenialContext,
    /// The command, key or channel; the name of the command for a wrong password.
    pub object: Vec<u8>,
    /// The name of the user.
    pub username: Vec<u8>,
    /// The client, as CLIENT LIST shows it.
    pub client_info: String,
}

/// One or more equal refusals.
#[derive(Clone, Debug)]
pub(crate) struct LogEntry {
    /// The latest one.
    pub denial: Denial,
    pub count: u64,
    /// The number of the entry since the start of the server.
    pub id: u64,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    pub updated_ms: u64,
}

/// The refusals, the latest first.
#[derive(Debug, Default)]
pub(crate) struct AccessLog {
    entries: VecDeque<LogEntry>,
    next_id: u64,
}

impl AccessLog {
    /// Adds a refusal at this time, in milliseconds since 1970, and keeps at most so many entries.
    pub(crate) fn add(&mut self, mut denial: Denial, now_ms: u64, entries_max: usize) {
        for name in [&mut denial.object, &mut denial.username] {
            name.truncate(NAME_BYTES_MAX);
            name.shrink_to_fit();
        }
        if entries_max == 0 {
            return self.clear();
        }
        let is_equal = |entry: &LogEntry| {
            let own = &entry.denial;
            own.subject == denial.subject
                && own.context == denial.context
                && now_ms.saturating_sub(entry.updated_ms) <= GROUPING_MS
                && own.object == denial.object
                && own.username == denial.username
        };
        let found = self.entries.iter().take(COMPARED_MAX).position(is_equal);
        if let Some(before) = found.and_then(|at| self.entries.remove(at)) {
            let count = before.count + 1;
            self.entries.push_front(LogEntry { denial, count, updated_ms: now_ms, ..before });
            return;
        }
        let id = self.next_id;
        self.next_id += 1;
        let entry = LogEntry { denial, count: 1, id, created_ms: now_ms, updated_ms: now_ms };
        self.entries.push_front(entry);
        self.entries.truncate(entries_max);
    }

    /// Drops all entries.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The entries, the latest first.
    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = &LogEntry> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(object: &[u8]) -> Denial {
        Denial {
            subject: LogSubject::Key,
            context: DenialContext::Toplevel,
            object: object.to_vec(),
            username: b"bob".to_vec(),
            client_info: String::new(),
        }
    }

    #[test]
    fn equal_refusals_are_one_entry_for_a_minute() {
        let mut log = AccessLog::default();
        let counts = |log: &AccessLog| log.entries().map(|entry| entry.count).collect::<Vec<_>>();
        for now_ms in [0, 60_000, 120_000, 180_001] {
            log.add(denial(b"a"), now_ms, 8);
        }
        assert_eq!(counts(&log), [1, 3]);
        for number in 0..9 {
            log.add(denial(&[number]), 180_001, 8);
        }
        assert_eq!(counts(&log), [1; 8], "the oldest are dropped");
        log.add(denial(b"a"), 180_001, 0);
        assert_eq!(log.entries().len(), 0);
    }

    #[test]
    fn long_keys_are_not_kept_whole() {
        let mut log = AccessLog::default();
        log.add(denial(&[b'x'; 100_000]), 0, 8);
        let kept: Vec<usize> = log.entries().map(|entry| entry.denial.object.len()).collect();
        assert_eq!(kept, [NAME_BYTES_MAX]);
    }
}
