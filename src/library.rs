//! Libraries of functions that scripts are: their code, and what it has registered. They are data, stored with
//! the keys; `scripting` compiles them.

use ahash::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The properties of a script or function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptFlags(u8);

impl ScriptFlags {
    pub(crate) const NO_WRITES: ScriptFlags = ScriptFlags(1);
    pub(crate) const ALLOW_OOM: ScriptFlags = ScriptFlags(2);
    pub(crate) const ALLOW_STALE: ScriptFlags = ScriptFlags(4);

    /// The names, in Redis' order. The last two are about clusters, and have no effect.
    const NAMES: [(&'static str, ScriptFlags); 5] = [
        ("no-writes", ScriptFlags::NO_WRITES),
        ("allow-oom", ScriptFlags::ALLOW_OOM),
        ("allow-stale", ScriptFlags::ALLOW_STALE),
        ("no-cluster", ScriptFlags(8)),
        ("allow-cross-slot-keys", ScriptFlags(16)),
    ];

    /// The flag with this name.
    pub(crate) fn named(name: &[u8]) -> Option<ScriptFlags> {
        let mut names = ScriptFlags::NAMES.iter();
        names.find(|(own, _)| own.as_bytes() == name).map(|(_, flag)| *flag)
    }

    /// Whether it has all of these.
    pub(crate) fn contains(self, other: ScriptFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub(crate) fn with(self, other: ScriptFlags) -> ScriptFlags {
        ScriptFlags(self.0 | other.0)
    }

    /// The names, in Redis' order.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        let own = ScriptFlags::NAMES.iter().filter(move |(_, flag)| self.contains(*flag));
        own.map(|(name, _)| *name)
    }
}

/// A function of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionInfo {
    /// Its name, which no function of another library has.
    pub name: Box<[u8]>,
    /// What it says about itself.
    pub description: Option<Box<[u8]>>,
    /// Its properties.
    pub flags: ScriptFlags,
}

/// A library.
#[derive(Debug, PartialEq, Eq)]
pub struct Library {
    /// Its name.
    pub name: Box<[u8]>,
    /// Its whole text, the first line with its name included.
    pub code: Box<[u8]>,
    /// Its functions, in the order in which it registers them.
    pub functions: Vec<FunctionInfo>,
}

/// All libraries.
#[derive(Debug, Default)]
pub(crate) struct Libraries {
    by_name: BTreeMap<Box<[u8]>, Arc<Library>>,
    /// By their names in lower case.
    by_function: HashMap<Box<[u8]>, (Arc<Library>, usize), RandomState>,
}

/// Names up to this length are looked up without an allocation.
const SHORT_NAME_BYTES: usize = 64;

impl Libraries {
    /// The number of libraries.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The number of functions.
    pub(crate) fn function_count(&self) -> usize {
        self.by_function.len()
    }

    /// The library with this name.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&Arc<Library>> {
        self.by_name.get(name)
    }

    /// All libraries, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Library>> {
        self.by_name.values()
    }

    /// The library of the function with this name, in any case as in Redis, and its position there.
    #[inline]
    pub(crate) fn function(&self, name: &[u8]) -> Option<(&Arc<Library>, usize)> {
        let mut short = [0; SHORT_NAME_BYTES];
        let found = match short.get_mut(..name.len()) {
            Some(lower) => {
                lower.copy_from_slice(name);
                lower.make_ascii_lowercase();
                self.by_function.get(&*lower)
            }
            None => self.by_function.get(&name.to_ascii_lowercase()[..]),
        };
        found.map(|(library, index)| (library, *index))
    }

    /// A function of `library` whose name a function of another library has.
    pub(crate) fn collision<'a>(&self, library: &'a Library) -> Option<&'a [u8]> {
        let mut functions = library.functions.iter();
        let function = functions.find(|function| {
            let other = self.function(&function.name);
            other.is_some_and(|(other, _)| other.name != library.name)
        });
        function.map(|function| &*function.name)
    }

    /// Adds a library, in the place of one with the same name. There must be no `collision`.
    pub(crate) fn add(&mut self, library: Arc<Library>) {
        self.remove(&library.name);
        for (index, function) in library.functions.iter().enumerate() {
            self.by_function
                .insert(function.name.to_ascii_lowercase().into(), (Arc::clone(&library), index));
        }
        self.by_name.insert(library.name.clone(), library);
    }

    /// Removes a library. Returns whether there was one.
    pub(crate) fn remove(&mut self, name: &[u8]) -> bool {
        let Some(library) = self.by_name.remove(name) else { return false };
        for function in &library.functions {
            self.by_function.remove(&function.name.to_ascii_lowercase()[..]);
        }
        true
    }

    /// Removes all libraries.
    pub(crate) fn clear(&mut self) {
        self.by_name.clear();
        self.by_function.clear();
    }
}
