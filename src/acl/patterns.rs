//! The patterns of keys and channels that a selector allows.

use crate::glob::glob_matches;

/// What is done with the value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// Its content is read or returned.
    pub reads: bool,
    /// Its content is added to, changed or deleted.
    pub writes: bool,
}

impl Access {
    /// Both.
    pub(crate) const ALL: Access = Access { reads: true, writes: true };
    /// Neither: only what is not the content, such as whether the key exists.
    pub(crate) const NONE: Access = Access { reads: false, writes: false };

    /// Whether it includes all of `other`.
    fn includes(self, other: Access) -> bool {
        self.reads >= other.reads && self.writes >= other.writes
    }
}

/// The patterns of keys, each with the access that it gives.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyPatterns {
    /// Whether every key may be used in every way. Then there are no patterns.
    pub(super) allows_all: bool,
    patterns: Vec<(Vec<u8>, Access)>,
}

impl KeyPatterns {
    /// Every key in every way.
    pub(super) fn all() -> KeyPatterns {
        KeyPatterns { allows_all: true, patterns: Vec::new() }
    }

    /// Adds a pattern. The same one again gets both accesses.
    pub(super) fn add(&mut self, pattern: &[u8], access: Access) {
        match self.patterns.iter_mut().find(|(own, _)| own == pattern) {
            Some((_, own)) => {
                own.reads |= access.reads;
                own.writes |= access.writes;
            }
            None => self.patterns.push((pattern.to_vec(), access)),
        }
    }

    /// Whether this key may be used in this way: one pattern must give all of the access.
    pub(super) fn allow(&self, key: &[u8], access: Access) -> bool {
        let gives =
            |(pattern, own): &(Vec<u8>, Access)| own.includes(access) && glob_matches(pattern, key);
        self.allows_all || self.patterns.iter().any(gives)
    }

    /// Whether every key may be used in this way.
    pub(super) fn allow_every(&self, access: Access) -> bool {
        let gives = |(pattern, own): &(Vec<u8>, Access)| own.includes(access) && pattern == b"*";
        self.allows_all || self.patterns.iter().any(gives)
    }

    /// The patterns as ACL GETUSER shows them, separated by spaces.
    pub(super) fn describe(&self) -> Vec<u8> {
        let shown = self.patterns.iter().map(|(pattern, access)| {
            let sign: &[u8] = match access {
                Access { reads: true, writes: true } => b"~",
                Access { reads: true, writes: false } => b"%R~",
                Access { .. } => b"%W~",
            };
            [sign, pattern].concat()
        });
        if self.allows_all { b"~*".to_vec() } else { shown.collect::<Vec<_>>().join(&b' ') }
    }
}

/// The patterns of channels.
#[derive(Clone, Debug, Default)]
pub(super) struct ChannelPatterns {
    /// Whether every channel may be used. Then there are no patterns.
    pub(super) allows_all: bool,
    patterns: Vec<Vec<u8>>,
}

impl ChannelPatterns {
    /// Every channel, or none.
    pub(super) fn all(allows: bool) -> ChannelPatterns {
        ChannelPatterns { allows_all: allows, patterns: Vec::new() }
    }

    /// Adds a pattern, once.
    pub(super) fn add(&mut self, pattern: &[u8]) {
        if !self.patterns.iter().any(|own| own == pattern) {
            self.patterns.push(pattern.to_vec());
        }
    }

    /// Whether this channel may be used. A pattern, as of PSUBSCRIBE, must be in the list literally: it
    /// could match more than a pattern of the list that matches it as a text.
    pub(super) fn allow(&self, channel: &[u8], is_pattern: bool) -> bool {
        let allows = |own: &Vec<u8>| match is_pattern {
            true => own == channel,
            false => glob_matches(own, channel),
        };
        self.allows_all || self.patterns.iter().any(allows)
    }

    /// The patterns as ACL GETUSER shows them, separated by spaces.
    pub(super) fn describe(&self) -> Vec<u8> {
        let shown = self.patterns.iter().map(|pattern| [b"&", &pattern[..]].concat());
        if self.allows_all { b"&*".to_vec() } else { shown.collect::<Vec<_>>().join(&b' ') }
    }
}
