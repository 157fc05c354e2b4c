//! The names and categories of all commands.

use super::category::Categories;
use std::collections::HashMap;

/// The most commands and subcommands that a set of them holds.
pub(super) const COMMANDS_MAX: usize = 512;

/// What rules need to know about a command.
#[derive(Clone, Debug)]
pub(crate) struct CatalogueEntry {
    /// Lower case; that of a subcommand with its container in front: `client|list`.
    pub name: &'static str,
    pub categories: Categories,
    /// The number of its subcommands, which follow it in the catalogue.
    pub subcommands: usize,
}

/// All commands and subcommands. The number of a command is its position.
#[derive(Debug)]
pub(crate) struct Catalogue {
    entries: Vec<CatalogueEntry>,
    by_name: HashMap<&'static str, usize>,
}

impl Catalogue {
    /// The catalogue of these commands; subcommands follow their container.
    pub(crate) fn new(entries: Vec<CatalogueEntry>) -> Catalogue {
        assert!(entries.len() <= COMMANDS_MAX, "more commands than a set of them holds");
        let by_name = entries.iter().enumerate().map(|(at, entry)| (entry.name, at)).collect();
        Catalogue { entries, by_name }
    }

    /// No commands, for tests of what is below the commands.
    #[cfg(test)]
    pub(crate) fn none() -> &'static Catalogue {
        static NONE: std::sync::LazyLock<Catalogue> =
            std::sync::LazyLock::new(|| Catalogue::new(Vec::new()));
        &NONE
    }

    /// The number of the command or subcommand with this full name, in lower case.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// All commands, in order.
    pub(crate) fn entries(&self) -> &[CatalogueEntry] {
        &self.entries
    }

    /// The numbers of a command and its subcommands.
    pub(super) fn with_subcommands(&self, command: usize) -> std::ops::RangeInclusive<usize> {
        let subcommands = self.entries.get(command).map_or(0, |entry| entry.subcommands);
        command..=command + subcommands
    }
}
