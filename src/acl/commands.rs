//! The commands that a selector allows.

use super::catalogue::{COMMANDS_MAX, Catalogue};
use super::category::Categories;
use super::error::ModifierError;

const WORDS: usize = COMMANDS_MAX / 64;

/// The commands that a selector allows, decided for each command when a rule is added, and the rules.
#[derive(Clone, Debug)]
pub(super) struct AllowedCommands {
    /// A bit for each number of a command.
    bits: [u64; WORDS],
    /// Whether commands are allowed that a rule does not name: the rules begin with `+@all`.
    begins_with_all: bool,
    /// The rules since `+@all` or `-@all`, as they are shown: whether each allows, and what, in lower
    /// case.
    rules: Vec<(bool, String)>,
    /// Commands of which only calls with this first argument are allowed (`+select|0`).
    first_args: Vec<(usize, String)>,
}

impl AllowedCommands {
    /// All commands, or none.
    pub(super) fn all(allows: bool) -> AllowedCommands {
        let bits = [if allows { u64::MAX } else { 0 }; WORDS];
        let (rules, first_args) = (Vec::new(), Vec::new());
        AllowedCommands { bits, begins_with_all: allows, rules, first_args }
    }

    /// Whether every call of every command is allowed, now and with later versions.
    pub(super) fn is_all(&self) -> bool {
        self.bits == [u64::MAX; WORDS]
    }

    /// Whether a call of this command is allowed with this first argument.
    #[inline]
    pub(super) fn allow(&self, command: usize, first_arg: Option<&[u8]>) -> bool {
        let word = self.bits.get(command / 64).copied().unwrap_or(0);
        word >> (command % 64) & 1 == 1 || self.allows_first_arg(command, first_arg)
    }

    fn allows_first_arg(&self, command: usize, first_arg: Option<&[u8]>) -> bool {
        let Some(given) = first_arg else { return false };
        let mut own = self.first_args.iter().filter(|(of, _)| *of == command);
        own.any(|(_, arg)| arg.as_bytes().eq_ignore_ascii_case(given))
    }

    /// Allows or forbids what a rule names, behind its `+` or `-`: `get`, `config|get`, `@list`,
    /// `select|0`.
    ///
    /// # Errors
    /// There is no such command or category, or it cannot be allowed in this form.
    pub(super) fn change(
        &mut self,
        catalogue: &Catalogue,
        what: &[u8],
        allows: bool,
    ) -> Result<(), ModifierError> {
        // Names of commands and categories are ASCII; a first argument is compared ignoring case.
        let what = str::from_utf8(what).map_err(|_| ModifierError::Unknown)?.to_ascii_lowercase();
        if let Some(category) = what.strip_prefix('@') {
            if category == "all" {
                *self = AllowedCommands::all(allows);
                return Ok(());
            }
            let category = Categories::named(category.as_bytes()).ok_or(ModifierError::Unknown)?;
            for (command, entry) in catalogue.entries().iter().enumerate() {
                if entry.categories.intersects(category) {
                    self.set(catalogue, command, allows);
                }
            }
        } else if let Some(command) = catalogue.find(&what) {
            self.set(catalogue, command, allows);
        } else {
            self.allow_first_arg(catalogue, &what, allows)?;
        }
        self.add_rule(allows, what);
        Ok(())
    }

    /// Allows or forbids a command and its subcommands.
    fn set(&mut self, catalogue: &Catalogue, command: usize, allows: bool) {
        for number in catalogue.with_subcommands(command) {
            if let Some(word) = self.bits.get_mut(number / 64) {
                let bit = 1 << (number % 64);
                if allows { *word |= bit } else { *word &= !bit }
            }
            self.first_args.retain(|(of, _)| *of != number);
        }
    }

    fn allow_first_arg(
        &mut self,
        catalogue: &Catalogue,
        what: &str,
        allows: bool,
    ) -> Result<(), ModifierError> {
        let (name, arg) = what.rsplit_once('|').ok_or(ModifierError::Unknown)?;
        let command = catalogue.find(name).filter(|_| allows).ok_or(ModifierError::Unknown)?;
        if name.contains('|') {
            return Err(ModifierError::FirstArgOfSubcommand);
        }
        if arg.is_empty() {
            return Err(ModifierError::Syntax);
        }
        // A container has no other arguments than its subcommands.
        if catalogue.entries().get(command).is_some_and(|entry| entry.subcommands > 0) {
            return Err(ModifierError::Unknown);
        }
        self.first_args.push((command, arg.to_string()));
        Ok(())
    }

    /// Adds a rule to those that are shown. It replaces earlier ones of the same name, and those of its
    /// subcommands.
    fn add_rule(&mut self, allows: bool, what: String) {
        self.rules.retain(|(_, own)| {
            let behind = own.strip_prefix(&what);
            !behind.is_some_and(|behind| behind.is_empty() || behind.starts_with('|'))
        });
        self.rules.push((allows, what));
    }

    /// The rules as ACL GETUSER shows them.
    pub(super) fn describe(&self) -> String {
        let mut text = String::from(if self.begins_with_all { "+@all" } else { "-@all" });
        for (allows, what) in &self.rules {
            text.push_str(if *allows { " +" } else { " -" });
            text.push_str(what);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::CatalogueEntry;

    /// `get`, `config` with two subcommands, `select`.
    fn catalogue() -> Catalogue {
        let entry = |name, category: &str, subcommands| CatalogueEntry {
            name,
            categories: Categories::named(category.as_bytes()).expect("a category"),
            subcommands,
        };
        Catalogue::new(vec![
            entry("get", "read", 0),
            entry("config", "slow", 2),
            entry("config|get", "admin", 0),
            entry("config|set", "admin", 0),
            entry("select", "fast", 0),
        ])
    }

    fn after(rules: &str) -> Result<AllowedCommands, ModifierError> {
        let mut allowed = AllowedCommands::all(false);
        for rule in rules.split_whitespace() {
            allowed.change(&catalogue(), &rule.as_bytes()[1..], rule.starts_with('+'))?;
        }
        Ok(allowed)
    }

    fn allowed(rules: &str) -> Vec<usize> {
        let after = after(rules).expect("the rules are right");
        (0..5).filter(|&command| after.allow(command, None)).collect()
    }

    #[test]
    fn the_last_rule_decides() {
        assert_eq!(allowed(""), [0; 0]);
        assert_eq!(allowed("+@all -get"), [1, 2, 3, 4]);
        assert_eq!(allowed("+@all -@admin +CONFIG|get"), [0, 1, 2, 4]);
        assert_eq!(allowed("+config -config|set"), [1, 2]);
        assert_eq!(allowed("+@slow"), [1, 2, 3], "a container includes its subcommands");
        assert_eq!(allowed("+get -@read"), [0; 0]);
        assert_eq!(allowed("+get -@all"), [0; 0]);
    }

    #[test]
    fn a_first_argument_is_allowed_by_itself() {
        let allowed = after("+select|0 +select|A").expect("right");
        assert!(allowed.allow(4, Some(b"0")) && allowed.allow(4, Some(b"a")));
        assert!(!allowed.allow(4, Some(b"1")) && !allowed.allow(4, None));
        assert!(!after("+select|0 -select").expect("right").allow(4, Some(b"0")));
        for (rule, error) in [
            ("-select|0", ModifierError::Unknown),
            ("+select|", ModifierError::Syntax),
            ("+select|0|1", ModifierError::Unknown),
            ("+config|no", ModifierError::Unknown),
            ("+config|get|x", ModifierError::FirstArgOfSubcommand),
            ("+|x", ModifierError::Unknown),
            ("+", ModifierError::Unknown),
            ("+@", ModifierError::Unknown),
        ] {
            assert_eq!(after(rule).err(), Some(error), "{rule}");
        }
    }

    #[test]
    fn a_rule_replaces_those_that_it_overrides() {
        let shown = |rules| after(rules).expect("right").describe();
        assert_eq!(shown("+get +select -GET"), "-@all +select -get");
        assert_eq!(shown("+config|get -config|set +config"), "-@all +config");
        assert_eq!(shown("+select +select|0"), "-@all +select +select|0");
        assert_eq!(shown("+@read -@read"), "-@all -@read");
        assert_eq!(shown("+get +@all -get"), "+@all -get");
    }
}
