//! Finds a command by its name.

use super::command::Command;
use crate::acl::{Catalogue, CatalogueEntry};
use ahash::RandomState;
use std::collections::HashMap;

/// Names are shorter than this; a test of the rows checks it.
pub(crate) const NAME_BYTES_MAX: usize = 32;

/// All commands, by name and by position. Subcommands have their own positions.
pub(crate) struct Table {
    families: &'static [&'static [Command]],
    commands: Vec<&'static Command>,
    by_name: HashMap<&'static [u8], usize, RandomState>,
    /// The short names again: every request does a look-up, and most names are short.
    by_packed_name: PackedNames,
    /// Their names and categories, for the rules of users.
    catalogue: Catalogue,
}

/// A command and its position in the table.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    pub command: &'static Command,
    pub index: usize,
}

impl Table {
    /// Builds the table of these families' rows.
    pub(crate) fn new(families: &'static [&'static [Command]]) -> Table {
        let mut commands = Vec::new();
        // The names are ours, and look-ups with names of clients add nothing: no secret seed is needed.
        let mut by_name = HashMap::with_hasher(RandomState::with_seeds(1, 2, 3, 4));
        let mut by_packed_name = PackedNames::default();
        let mut packed_count = 0;
        for command in families.iter().copied().flatten() {
            by_name.insert(command.name.as_bytes(), commands.len());
            // Setting a bit makes only letters the same in both cases.
            if command.name.bytes().all(|byte| byte.is_ascii_lowercase())
                && let Some(packed) = packed(command.name.as_bytes())
            {
                by_packed_name.insert(packed, commands.len());
                packed_count += 1;
            }
            commands.push(command);
            // Right after their container, so that its position gives theirs.
            for subcommand in command.subcommands {
                by_name.insert(subcommand.name.as_bytes(), commands.len());
                commands.push(subcommand);
            }
        }
        assert!(packed_count < PackedNames::SLOTS / 4, "the table of names is too full");
        let entry = |command: &&'static Command| CatalogueEntry {
            name: command.name,
            categories: command.categories(),
            subcommands: command.subcommands.len(),
        };
        let catalogue = Catalogue::new(commands.iter().map(entry).collect());
        Table { families, commands, by_name, by_packed_name, catalogue }
    }

    /// Finds the command with this name in any case; not a subcommand.
    #[inline(always)]
    pub(crate) fn find(&self, name: &[u8]) -> Option<Found> {
        let index = match packed(name).and_then(|packed| self.by_packed_name.get(packed)) {
            Some(index) => index,
            None => self.find_long(name)?,
        };
        Some(Found { command: self.commands[index], index })
    }

    #[inline(never)]
    fn find_long(&self, name: &[u8]) -> Option<usize> {
        let mut lower = [0; NAME_BYTES_MAX];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        let index = *self.by_name.get(&*lower)?;
        (!lower.contains(&b'|')).then_some(index)
    }

    /// Finds the subcommand of a container by its short name, in any case.
    pub(crate) fn find_subcommand(&self, container: Found, name: &[u8]) -> Option<Found> {
        let mut subcommands = container.command.subcommands.iter();
        let matches =
            |command: &Command| name.eq_ignore_ascii_case(command.short_name().as_bytes());
        let position = subcommands.position(matches)?;
        let index = container.index + 1 + position;
        Some(Found { command: self.commands[index], index })
    }

    /// Finds the command or subcommand with this full name (`client|list`), in any case.
    pub(crate) fn find_full(&self, name: &[u8]) -> Option<Found> {
        let index = *self.by_name.get(name.to_ascii_lowercase().as_slice())?;
        Some(Found { command: self.commands[index], index })
    }

    /// Returns the command at a position from a look-up.
    pub(crate) fn at(&self, index: usize) -> Found {
        Found { command: self.commands[index], index }
    }

    /// Returns the names and categories of all commands. A position is the number of a command there.
    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Returns all commands in the order of the table, without subcommands.
    pub(crate) fn commands(&self) -> impl Iterator<Item = &'static Command> {
        self.families.iter().copied().flatten()
    }

    /// Returns all commands and subcommands with their positions.
    pub(crate) fn all(&self) -> impl Iterator<Item = Found> {
        self.commands.iter().enumerate().map(|(index, command)| Found { command, index })
    }
}

/// Positions by packed name: open addressing, sparse enough to find nearly all at the first slot.
struct PackedNames {
    /// A packed name and a position; 0, which is not a name, in an empty slot.
    slots: [(u64, u32); PackedNames::SLOTS],
}

impl Default for PackedNames {
    fn default() -> PackedNames {
        PackedNames { slots: [(0, 0); PackedNames::SLOTS] }
    }
}

impl PackedNames {
    /// Several times the number of commands, asserted where the table is built.
    const SLOTS: usize = 1024;

    /// Returns the first slot to search for a name: the upper bits of a product, on which all bits of
    /// the name have an influence (Knuth's multiplicative hashing).
    #[inline]
    fn home(packed: u64) -> usize {
        (packed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize
    }

    fn insert(&mut self, packed: u64, position: usize) {
        let mut slot = PackedNames::home(packed);
        while self.slots[slot].0 != 0 {
            slot = (slot + 1) % PackedNames::SLOTS;
        }
        self.slots[slot] = (packed, position as u32);
    }

    #[inline]
    fn get(&self, packed: u64) -> Option<usize> {
        let mut slot = PackedNames::home(packed);
        loop {
            match self.slots[slot] {
                (name, position) if name == packed => return Some(position as usize),
                (0, _) => return None,
                _ => slot = (slot + 1) % PackedNames::SLOTS,
            }
        }
    }
}

/// Packs a name of three to eight bytes into a number, the same in upper and lower case. Setting bit 5
/// of each byte makes letters lower case, and maps nothing else to letters. So two names with the same
/// number are the same, if one of them has only letters.
#[inline]
fn packed(name: &[u8]) -> Option<u64> {
    const LOWER_CASE: u64 = u64::from_ne_bytes([0x20; 8]);
    if name.len() > 8 {
        return None;
    }
    let bytes = match (name.first_chunk(), name.last_chunk(), name) {
        // The bytes that both chunks cover have the same position in both.
        (Some(first), Some(last), _) => {
            u64::from(u32::from_le_bytes(*first))
                | u64::from(u32::from_le_bytes(*last)) << (8 * (name.len() - 4))
        }
        (_, _, [first, second, third]) => {
            u64::from(u32::from_le_bytes([*first, *second, *third, 0]))
        }
        _ => return None,
    };
    Some(bytes | LOWER_CASE >> (8 * (8 - name.len())))
}
