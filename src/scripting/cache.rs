//! The compiled scripts, by the SHA-1 of their text.

use super::stack::Compiled;
use crate::library::ScriptFlags;
use ahash::RandomState;
use std::collections::{HashMap, VecDeque};

/// The SHA-1 of a script, in lower-case hexadecimal digits.
pub(crate) type ScriptName = [u8; 40];

/// Scripts that only EVAL has compiled, and that are kept, as in Redis from 7.4 on. A client that generates a
/// script for each call would fill the memory otherwise.
const UNNAMED_MAX: usize = 500;

/// A compiled script.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) compiled: Compiled,
    /// None without a first line that says so.
    pub(crate) flags: Option<ScriptFlags>,
}

#[derive(Debug)]
struct Cached {
    script: Script,
    /// Whether SCRIPT LOAD has named it, so that it stays.
    is_loaded: bool,
    /// Whether it was used since it was last looked at for removal.
    is_used: bool,
}

/// The cache.
#[derive(Debug, Default)]
pub(crate) struct ScriptCache {
    scripts: HashMap<ScriptName, Cached, RandomState>,
    /// Those that may be removed, and some that were loaded since; the oldest first.
    unnamed: VecDeque<ScriptName>,
}

impl ScriptCache {
    /// The script with this name.
    pub(crate) fn get(&mut self, name: &ScriptName) -> Option<&Script> {
        let cached = self.scripts.get_mut(name)?;
        cached.is_used = true;
        Some(&cached.script)
    }

    /// Whether there is a script with this name.
    pub(crate) fn contains(&self, name: &ScriptName) -> bool {
        self.scripts.contains_key(name)
    }

    /// The number of scripts.
    pub(crate) fn len(&self) -> usize {
        self.scripts.len()
    }

    /// Makes a script that is there stay. Returns whether it is there.
    pub(crate) fn keep(&mut self, name: &ScriptName) -> bool {
        let cached = self.scripts.get_mut(name);
        cached.map(|cached| cached.is_loaded = true).is_some()
    }

    /// Adds a script that SCRIPT LOAD has named.
    pub(crate) fn add_loaded(&mut self, name: ScriptName, script: Script) {
        self.scripts.insert(name, Cached { script, is_loaded: true, is_used: false });
    }

    /// Adds a script of EVAL. An older one may be removed for it.
    pub(crate) fn add_unnamed(&mut self, name: ScriptName, script: Script) {
        if self.unnamed.len() >= UNNAMED_MAX {
            self.make_space();
        }
        self.unnamed.push_back(name);
        self.scripts.insert(name, Cached { script, is_loaded: false, is_used: false });
    }

    /// Removes the first script that was not used since it was last passed over.
    fn make_space(&mut self) {
        // After one round none is marked as used.
        for _ in 0..=2 * UNNAMED_MAX {
            let Some(oldest) = self.unnamed.pop_front() else { return };
            let Some(cached) = self.scripts.get_mut(&oldest) else { return };
            if cached.is_loaded {
                return;
            }
            if !std::mem::take(&mut cached.is_used) {
                self.scripts.remove(&oldest);
                return;
            }
            self.unnamed.push_back(oldest);
        }
    }

    /// Removes all scripts that only EVAL has compiled. Returns whether there were any.
    pub(crate) fn remove_unnamed(&mut self) -> bool {
        let len = self.scripts.len();
        self.scripts.retain(|_, cached| cached.is_loaded);
        self.unnamed.clear();
        self.scripts.len() < len
    }
}
