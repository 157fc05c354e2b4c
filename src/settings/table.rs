//! The whole table, and look-up of a row.

use super::row::Directive;
use super::{
    acknowledgement, directives, foreign, foreign_server, replication, scripting, sorted_set,
};

/// The rows that have an effect, in the order of the documentation.
pub(super) fn used() -> impl Iterator<Item = &'static Directive> {
    let used = directives::USED.iter().chain(replication::REPLICATION);
    let types = sorted_set::SORTED_SET.iter().chain(scripting::SCRIPTING);
    used.chain(acknowledgement::ACKNOWLEDGEMENT).chain(types)
}

/// The whole table: the used rows first.
pub(super) fn all() -> impl Iterator<Item = &'static Directive> {
    used().chain(foreign::DATA).chain(foreign_server::SERVER)
}

/// The row with this name or alias, in any case.
pub(super) fn find(name: &str) -> Option<&'static Directive> {
    all().find(|d| {
        d.name.eq_ignore_ascii_case(name) || d.alias.is_some_and(|a| a.eq_ignore_ascii_case(name))
    })
}

/// Whether a directive is applied together with files, which may have changed even if it has not.
pub(crate) fn names_file(name: &str) -> bool {
    find(name).is_some_and(|directive| directive.names_file)
}

/// Whether the value of a directive is a password, which must not be shown.
pub fn is_secret(name: &str) -> bool {
    find(name).is_some_and(|directive| directive.is_secret)
}

/// The names of the directives whose values are passwords.
pub fn secret_names() -> impl Iterator<Item = &'static str> {
    all().filter(|directive| directive.is_secret).map(|directive| directive.name)
}
