//! The positions of a command's keys and how they are used, in Redis' terms (key specifications).

use crate::acl::Access;
use crate::command_error::is_word;
use crate::resp::{Request, parse_integer};

/// How keys are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uses {
    /// Redis' words for it.
    pub words: &'static [&'static str],
    /// What a user must be allowed to do with the keys.
    pub access: Access,
}

impl Uses {
    /// Whether the arguments are keys: shard channels are not.
    pub(super) fn are_of_keys(&self) -> bool {
        *self != uses::NOT_KEY
    }
}

/// How keys are used. `access` is reading; `insert`, `update` and `delete` are writing.
pub(crate) mod uses {
    use super::Uses;
    use crate::acl::Access;

    const READS: Access = Access { reads: true, writes: false };
    const WRITES: Access = Access { reads: false, writes: true };

    pub(crate) const READ: Uses = Uses { words: &["RO"], access: Access::NONE };
    pub(crate) const READ_VALUE: Uses = Uses { words: &["RO", "access"], access: READS };
    pub(crate) const INSERT: Uses = Uses { words: &["RW", "insert"], access: WRITES };
    pub(crate) const DELETE: Uses = Uses { words: &["RW", "delete"], access: WRITES };
    pub(crate) const UPDATE: Uses = Uses { words: &["RW", "update"], access: WRITES };
    pub(crate) const TAKE: Uses = Uses { words: &["RW", "access", "delete"], access: Access::ALL };
    pub(crate) const READ_AND_UPDATE: Uses =
        Uses { words: &["RW", "access", "update"], access: Access::ALL };
    /// Depends on other arguments: see [`super::KeySpecs::narrowed_by`].
    pub(crate) const READ_AND_MAYBE_UPDATE: Uses =
        Uses { words: &["RW", "access", "update", "variable_flags"], access: Access::ALL };
    pub(crate) const OVERWRITE: Uses = Uses { words: &["OW", "update"], access: WRITES };
    pub(crate) const CREATE: Uses = Uses { words: &["OW", "insert"], access: WRITES };
    /// Taken, if the request has them there.
    pub(crate) const MOVE_AWAY: Uses =
        Uses { words: &["RW", "access", "delete", "incomplete"], access: Access::ALL };
    pub(crate) const REMOVE: Uses = Uses { words: &["RM", "delete"], access: WRITES };
    /// Shard channels: in a cluster they are assigned to nodes like keys.
    pub(crate) const NOT_KEY: Uses = Uses { words: &["not_key"], access: Access::NONE };
}

/// Adjacent keys of a request that are used in the same way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeySpec {
    /// How the keys are used.
    pub uses: Uses,
    /// The first argument of the search.
    pub begin: usize,
    pub find: FindKeys,
}

/// How keys are found from the first argument on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FindKeys {
    /// Up to `last`, counted from the first argument or, if negative, from the end of the request.
    Range { last: i32, step: usize },
    /// The first argument is the number of keys that follow it.
    Counted,
    /// The first half of the arguments behind this word, which is searched for from the first argument on.
    HalfBehind(&'static str),
    /// They follow this word, which is searched from that argument on, counted from the end. Only for COMMAND:
    /// see [`KeySpecs::located_by`].
    Keyword { word: &'static str, from: i32 },
    /// COMMAND calls it unknown, and says why. This finds the key, if the request names one.
    Unknown { why: &'static str, find: Find },
}

/// Finds the position of a key by the other arguments of a request.
pub(super) type Find = fn(&Request<'_>) -> Option<usize>;

impl KeySpec {
    pub(super) const fn one(at: usize, uses: Uses) -> KeySpec {
        KeySpec { uses, begin: at, find: FindKeys::Range { last: 0, step: 1 } }
    }

    pub(super) const fn range(first: usize, last: i32, uses: Uses) -> KeySpec {
        KeySpec { uses, begin: first, find: FindKeys::Range { last, step: 1 } }
    }

    pub(super) const fn half_behind(word: &'static str, from: usize, uses: Uses) -> KeySpec {
        KeySpec { uses, begin: from, find: FindKeys::HalfBehind(word) }
    }

    pub(super) const fn keyword(word: &'static str, from: i32, uses: Uses) -> KeySpec {
        KeySpec { uses, begin: 0, find: FindKeys::Keyword { word, from } }
    }

    pub(super) const fn unknown(why: &'static str, find: Find, uses: Uses) -> KeySpec {
        KeySpec { uses, begin: 0, find: FindKeys::Unknown { why, find } }
    }

    pub(super) const fn counted(at: usize, uses: Uses) -> KeySpec {
        KeySpec { uses, begin: at, find: FindKeys::Counted }
    }
}

/// Decides by the other arguments of a request how its keys are used.
pub(super) type Narrow = fn(&Request<'_>) -> Uses;

/// Finds the positions of the first and the last key by the other arguments of a request.
pub(super) type Locate = fn(&Request<'_>) -> (usize, usize);

/// The key specifications of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeySpecs {
    specs: [KeySpec; KeySpecs::MAX],
    len: usize,
    narrow: Option<Narrow>,
    locate: Option<Locate>,
}

/// A key of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UsedKey<'a> {
    /// Its position in the request.
    pub at: usize,
    pub name: &'a [u8],
    pub uses: Uses,
}

impl KeySpecs {
    const MAX: usize = 3;

    pub(super) const NONE: KeySpecs = KeySpecs {
        specs: [KeySpec::one(0, uses::READ); KeySpecs::MAX],
        len: 0,
        narrow: None,
        locate: None,
    };

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

    pub(super) const fn narrowed_by(mut self, narrow: Narrow) -> KeySpecs {
        self.narrow = Some(narrow);
        self
    }

    /// All keys are used in the same way, and this finds them.
    pub(super) const fn located_by(mut self, locate: Locate) -> KeySpecs {
        self.locate = Some(locate);
        self
    }

    pub(crate) fn as_slice(&self) -> &[KeySpec] {
        &self.specs[..self.len]
    }

    /// Whether the command has keys. Shard channels do not count.
    pub(crate) fn has_keys(&self) -> bool {
        self.as_slice().iter().any(|spec| spec.uses.are_of_keys())
    }

    /// Returns the first key, the last key and the step, in COMMAND's original form; zeros if the
    /// positions of the keys depend on other arguments.
    pub(crate) fn legacy_range(&self) -> (i64, i64, i64) {
        let ([first, ..], [.., last]) = (self.as_slice(), self.as_slice()) else {
            return (0, 0, 0);
        };
        // Counted keys behind others are not part of it.
        let last = if matches!(last.find, FindKeys::Counted) { first } else { last };
        // Positions in a request are small.
        match last.find {
            FindKeys::Range { last: end, step } if end < 0 => {
                (first.begin as i64, i64::from(end), step as i64)
            }
            FindKeys::Range { last: end, step } => {
                (first.begin as i64, last.begin as i64 + i64::from(end), step as i64)
            }
            // What stands before them.
            FindKeys::Keyword { .. } | FindKeys::Unknown { .. } => {
                (first.begin as i64, first.begin as i64, 1)
            }
            FindKeys::Counted | FindKeys::HalfBehind(_) => (0, 0, 0),
        }
    }

    /// Returns the keys of a request and how they are used; none if its arguments are invalid. The
    /// command must accept this number of arguments.
    pub(crate) fn of<'a>(&self, request: &Request<'a>) -> Option<Vec<UsedKey<'a>>> {
        let mut found = Vec::new();
        if self.locate.is_none() {
            for spec in self.as_slice() {
                spec.places(request)?;
            }
        }
        self.find(request, |key| {
            found.push(key);
            false
        });
        (!found.is_empty()).then_some(found)
    }

    /// Returns the first key of a request for which this holds. Keys behind an invalid argument are not
    /// looked at: the command will refuse it.
    pub(crate) fn find<'a>(
        &self,
        request: &Request<'a>,
        mut holds: impl FnMut(UsedKey<'a>) -> bool,
    ) -> Option<UsedKey<'a>> {
        let narrowed = self.narrow.map(|narrow| narrow(request));
        let located = self.locate.map(|locate| locate(request));
        let specs = if located.is_some() { &self.specs[..1] } else { self.as_slice() };
        for spec in specs {
            let (first, last, step) = match located {
                Some((first, last)) => (first, last, 1),
                None => spec.places(request)?,
            };
            for at in (first..=last).step_by(step) {
                let name = request.get(at)?;
                let key = UsedKey { at, name, uses: narrowed.unwrap_or(spec.uses) };
                if holds(key) {
                    return Some(key);
                }
            }
        }
        None
    }
}

impl KeySpec {
    /// The positions of the first and the last key in a request, and the step between keys; none if the
    /// arguments are invalid.
    fn places(&self, request: &Request<'_>) -> Option<(usize, usize, usize)> {
        let (first, last, step) = match self.find {
            FindKeys::Range { last, step } if last < 0 => {
                let last = request.len().checked_sub(last.unsigned_abs() as usize)?;
                (self.begin, last, step)
            }
            FindKeys::Range { last, step } => {
                (self.begin, self.begin + last.unsigned_abs() as usize, step)
            }
            FindKeys::Keyword { .. } => return None,
            FindKeys::Unknown { find, .. } => match find(request) {
                Some(at) => (at, at, 1),
                // No key.
                None => (1, 0, 1),
            },
            FindKeys::Counted => {
                let count = parse_integer(request.get(self.begin)?)?;
                let count = usize::try_from(count).ok().filter(|&count| count > 0)?;
                (self.begin + 1, self.begin.checked_add(count)?, 1)
            }
            FindKeys::HalfBehind(word) => {
                let mut args = request.args_from(self.begin);
                let first = self.begin + 1 + args.position(|arg| is_word(arg, word))?;
                let count = args.len() / 2;
                (count > 0 && args.len().is_multiple_of(2)).then_some((
                    first,
                    first + count - 1,
                    1,
                ))?
            }
        };
        (last < request.len()).then_some((first, last, step.max(1)))
    }
}
