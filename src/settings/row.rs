//! What a row of the table is, and how a row is found.

use super::field::Field;
use super::value::{Kind, Value};
use super::{directives, foreign, foreign_server};

/// One row of the table.
#[derive(Clone, Copy)]
pub(super) struct Directive {
    /// The name that Redis documents now.
    pub(super) name: &'static str,
    /// The name it had before; CONFIG GET answers it as a directive of its own, as Redis does.
    pub(super) alias: Option<&'static str>,
    /// How a value is read and shown.
    pub(super) kind: Kind,
    /// Written as in a file.
    pub(super) default: &'static str,
    /// Whether CONFIG SET may change it.
    pub(super) runtime: Runtime,
    /// What a value does.
    pub(super) effect: Effect,
    /// Whether its value is a password, which no log and no list of commands shows.
    pub(super) is_secret: bool,
    /// Used: what it does, the unit, the reason of its limits. Otherwise: why it does nothing.
    pub(super) doc: &'static str,
}

/// Whether CONFIG SET may change a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runtime {
    /// CONFIG SET changes it.
    Mutable,
    /// Only the file and the command line set it.
    Immutable,
    /// As immutable; Redis guards these since they choose where files are written.
    Protected,
    /// A line of the file that CONFIG neither shows nor sets.
    FileOnly,
}

/// What a value does.
#[derive(Clone, Copy)]
pub(super) enum Effect {
    /// It is a field of the settings.
    Used(Field),
    /// It is checked, kept and shown.
    Ignored,
    /// Only the values that ask for nothing are taken, since doing without the rest would change
    /// what the operator relies on.
    Refused {
        /// The values that ask for nothing, as CONFIG GET shows them.
        accepts: &'static [&'static str],
        /// Why, and what to do instead.
        why: &'static str,
    },
}

/// A row that does something.
pub(super) const fn used(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    field: Field,
    doc: &'static str,
) -> Directive {
    let (alias, runtime, effect) = (None, Runtime::Mutable, Effect::Used(field));
    Directive { name, alias, kind, default, runtime, effect, is_secret: false, doc }
}

/// A row that does nothing, and nothing is lost by that.
pub(super) const fn ignored(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Directive {
    let (alias, runtime, effect) = (None, Runtime::Mutable, Effect::Ignored);
    Directive { name, alias, kind, default, runtime, effect, is_secret: false, doc }
}

/// A row of which only the values that ask for nothing are taken.
pub(super) const fn refused(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    accepts: &'static [&'static str],
    why: &'static str,
) -> Directive {
    let (alias, runtime, effect) = (None, Runtime::Mutable, Effect::Refused { accepts, why });
    Directive { name, alias, kind, default, runtime, effect, is_secret: false, doc: why }
}

impl Directive {
    /// With an older name.
    pub(super) const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    /// Whose value is a password.
    pub(super) const fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    /// Fixed once the server runs.
    pub(super) const fn immutable(mut self) -> Self {
        self.runtime = Runtime::Immutable;
        self
    }

    /// Fixed once the server runs, with Redis' other wording.
    pub(super) const fn protected(mut self) -> Self {
        self.runtime = Runtime::Protected;
        self
    }

    /// Neither shown nor set by CONFIG.
    pub(super) const fn file_only(mut self) -> Self {
        self.runtime = Runtime::FileOnly;
        self
    }

    /// The default as a value; `None` only if the row is wrong, which a test rules out.
    pub(super) fn parse_default(&self) -> Option<Value> {
        self.kind.parse(&self.kind.split(self.default.as_bytes()).ok()?, &self.kind.empty()).ok()
    }
}

/// The whole table: the used rows first.
pub(super) fn all() -> impl Iterator<Item = &'static Directive> {
    directives::USED.iter().chain(foreign::DATA).chain(foreign_server::SERVER)
}

/// The row of a name or alias, in any case.
pub(super) fn find(name: &str) -> Option<&'static Directive> {
    all().find(|d| {
        d.name.eq_ignore_ascii_case(name) || d.alias.is_some_and(|a| a.eq_ignore_ascii_case(name))
    })
}
