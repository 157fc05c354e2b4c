//! The positions of a command's keys and how they are used, in Redis' terms (key specifications).

use crate::resp::{Request, parse_integer};

/// How keys are used.
pub(crate) mod uses {
    pub(crate) const READ: &[&str] = &["RO"];
    pub(crate) const READ_VALUE: &[&str] = &["RO", "access"];
    pub(crate) const INSERT: &[&str] = &["RW", "insert"];
    pub(crate) const DELETE: &[&str] = &["RW", "delete"];
    pub(crate) const UPDATE: &[&str] = &["RW", "update"];
    pub(crate) const TAKE: &[&str] = &["RW", "access", "delete"];
    pub(crate) const READ_AND_UPDATE: &[&str] = &["RW", "access", "update"];
    /// Depends on other arguments.
    pub(crate) const READ_AND_MAYBE_UPDATE: &[&str] = &["RW", "access", "update", "variable_flags"];
    pub(crate) const OVERWRITE: &[&str] = &["OW", "update"];
    pub(crate) const CREATE: &[&str] = &["OW", "insert"];
    pub(crate) const REMOVE: &[&str] = &["RM", "delete"];
    /// Shard channels: in a cluster they are assigned to nodes like keys.
    pub(crate) const NOT_KEY: &[&str] = &["not_key"];
}

/// Adjacent keys of a request that are used in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeySpec {
    /// How the keys are used.
    pub uses: &'static [&'static str],
    /// The first argument of the search.
    pub begin: usize,
    pub find: FindKeys,
}

/// How keys are found from the first argument on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FindKeys {
    /// Up to `last`, counted from the first argument or, if negative, from the end of the request.
    Range { last: i32, step: usize },
    /// The first argument is the number of keys that follow it.
    Counted,
}

impl KeySpec {
    pub(super) const fn one(at: usize, uses: &'static [&'static str]) -> KeySpec {
        KeySpec { uses, begin: at, find: FindKeys::Range { last: 0, step: 1 } }
    }

    pub(super) const fn range(first: usize, last: i32, uses: &'static [&'static str]) -> KeySpec {
        KeySpec { uses, begin: first, find: FindKeys::Range { last, step: 1 } }
    }

    pub(super) const fn counted(at: usize, uses: &'static [&'static str]) -> KeySpec {
        KeySpec { uses, begin: at, find: FindKeys::Counted }
    }
}

/// The key specifications of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeySpecs {
    specs: [KeySpec; KeySpecs::MAX],
    len: usize,
}

impl KeySpecs {
    const MAX: usize = 2;

    pub(super) const NONE: KeySpecs =
        KeySpecs { specs: [KeySpec::one(0, &[]); KeySpecs::MAX], len: 0 };

    pub(super) const fn and(mut self, spec: KeySpec) -> KeySpecs {
        assert!(self.len < KeySpecs::MAX, "a command with more key specifications than any has");
        self.specs[self.len] = spec;
        self.len += 1;
        self
    }

    pub(super) const fn every(mut self, step: usize) -> KeySpecs {
        let last = &mut self.specs[self.len - 1];
        if let FindKeys::Range { last: end, .. } = last.find {
            last.find = FindKeys::Range { last: end, step };
        }
        self
    }

    pub(crate) fn as_slice(&self) -> &[KeySpec] {
        &self.specs[..self.len]
    }

    /// Whether the command has keys. Shard channels do not count.
    pub(crate) fn has_keys(&self) -> bool {
        self.as_slice().iter().any(|spec| spec.uses != uses::NOT_KEY)
    }

    /// Returns the first key, the last key and the step, in COMMAND's original form; zeros if the
    /// positions of the keys depend on other arguments.
    pub(crate) fn legacy_range(&self) -> (i64, i64, i64) {
        let ([first, ..], [.., last]) = (self.as_slice(), self.as_slice()) else {
            return (0, 0, 0);
        };
        // Positions in a request are small.
        match last.find {
            FindKeys::Range { last: end, step } if end < 0 => {
                (first.begin as i64, i64::from(end), step as i64)
            }
            FindKeys::Range { last: end, step } => {
                (first.begin as i64, last.begin as i64 + i64::from(end), step as i64)
            }
            FindKeys::Counted => (0, 0, 0),
        }
    }

    /// Returns the keys of a request and how they are used; none if its arguments are invalid. The
    /// command must accept this number of arguments.
    pub(crate) fn of<'a>(
        &self,
        request: &Request<'a>,
    ) -> Option<Vec<(&'a [u8], &'static [&'static str])>> {
        let mut found = Vec::new();
        for spec in self.as_slice() {
            let (first, last, step) = match spec.find {
                FindKeys::Range { last, step } if last < 0 => {
                    let last = request.len().checked_sub(last.unsigned_abs() as usize)?;
                    (spec.begin, last, step)
                }
                FindKeys::Range { last, step } => {
                    (spec.begin, spec.begin + last.unsigned_abs() as usize, step)
                }
                FindKeys::Counted => {
                    let count = parse_integer(request.get(spec.begin)?)?;
                    let count = usize::try_from(count).ok().filter(|&count| count > 0)?;
                    (spec.begin + 1, spec.begin.checked_add(count)?, 1)
                }
            };
            if last >= request.len() {
                return None;
            }
            let places = (first..=last).step_by(step.max(1));
            found.extend(places.filter_map(|place| Some((request.get(place)?, spec.uses))));
        }
        (!found.is_empty()).then_some(found)
    }
}
