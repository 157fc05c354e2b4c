//! A row of the table, and how its value is read, shown and stored.

use super::definition::Settings;
use super::field::Field;
use super::value::{Kind, Value};

/// One row of the table.
#[derive(Clone, Copy)]
pub(super) struct Directive {
    /// The name in Redis' current documentation.
    pub(super) name: &'static str,
    /// Its former name. CONFIG GET answers it as a separate directive, as Redis does.
    pub(super) alias: Option<&'static str>,
    /// How a value is read and shown.
    pub(super) kind: Kind,
    /// As written in a file.
    pub(super) default: &'static str,
    /// Whether CONFIG SET may change it.
    pub(super) runtime: Runtime,
    /// What a value does.
    pub(super) effect: Effect,
    /// Whether the value is only applied together with files, which may have changed although the value has
    /// not: so CONFIG SET applies it even then.
    pub(super) names_file: bool,
    /// Whether its value is a password, which must appear in no log and no list of commands.
    pub(super) is_secret: bool,
    /// For used rows: what it does, the unit, the reason for its limits. Otherwise: why it has no
    /// effect.
    pub(super) doc: &'static str,
}

/// Whether CONFIG SET may change a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runtime {
    /// CONFIG SET changes it.
    Mutable,
    /// Only the file and the command line set it.
    Immutable,
    /// CONFIG SET changes it for those whom `enable-protected-configs` allows it: it chooses where files
    /// are written.
    Protected,
    /// Only a line in the file; CONFIG neither shows nor sets it.
    FileOnly,
}

/// What a value does.
#[derive(Clone, Copy)]
pub(super) enum Effect {
    /// It is a field of the settings.
    Used(Field),
    /// It is checked, stored and shown.
    Ignored,
    /// Only neutral values are accepted. Ignoring the others would change what the operator relies on.
    Refused {
        /// The neutral values, as CONFIG GET shows them.
        accepts: &'static [&'static str],
        /// Why, and what to do instead.
        why: &'static str,
    },
}

/// A row with an effect.
pub(super) const fn used(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    field: Field,
    doc: &'static str,
) -> Directive {
    let (alias, runtime, effect) = (None, Runtime::Mutable, Effect::Used(field));
    Directive {
        name,
        alias,
        kind,
        default,
        runtime,
        effect,
        names_file: false,
        is_secret: false,
        doc,
    }
}

/// A row without effect, where nothing is lost by that.
pub(super) const fn ignored(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Directive {
    let (alias, runtime, effect) = (None, Runtime::Mutable, Effect::Ignored);
    Directive {
        name,
        alias,
        kind,
        default,
        runtime,
        effect,
        names_file: false,
        is_secret: false,
        doc,
    }
}

/// A row that accepts only neutral values.
pub(super) const fn refused(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    accepts: &'static [&'static str],
    why: &'static str,
) -> Directive {
    let (alias, runtime, effect) = (None, Runtime::Mutable, Effect::Refused { accepts, why });
    Directive {
        name,
        alias,
        kind,
        default,
        runtime,
        effect,
        names_file: false,
        is_secret: false,
        doc: why,
    }
}

impl Directive {
    /// Adds the former name.
    pub(super) const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    /// Marks the value as a password.
    pub(super) const fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    /// Marks a value that is applied even if it has not changed.
    pub(super) const fn names_file(mut self) -> Self {
        self.names_file = true;
        self
    }

    /// Cannot be changed once the server runs.
    pub(super) const fn immutable(mut self) -> Self {
        self.runtime = Runtime::Immutable;
        self
    }

    /// Changed by CONFIG SET only if `enable-protected-configs` allows it.
    pub(super) const fn protected(mut self) -> Self {
        self.runtime = Runtime::Protected;
        self
    }

    /// Neither shown nor set by CONFIG.
    pub(super) const fn file_only(mut self) -> Self {
        self.runtime = Runtime::FileOnly;
        self
    }

    /// The default as a value. `None` only for a wrong row, which a test rules out.
    pub(super) fn parse_default(&self) -> Option<Value> {
        self.kind.parse(&self.kind.split(self.default.as_bytes()).ok()?, &self.kind.empty()).ok()
    }
}

impl Directive {
    /// The value as CONFIG GET shows it.
    pub(super) fn print(&self, settings: &Settings) -> String {
        self.kind.print(&self.value(settings))
    }

    /// The current value: the field's, or the stored one, or the default.
    pub(super) fn value(&self, settings: &Settings) -> Value {
        match self.effect {
            Effect::Used(field) => (field.read)(settings),
            Effect::Ignored | Effect::Refused { .. } => settings
                .foreign
                .get(self.name)
                .cloned()
                .or_else(|| self.parse_default())
                .unwrap_or_else(|| Value::Text(self.default.to_owned())),
        }
    }

    /// Reads words as a value of this directive. The error is in Redis' words.
    pub(super) fn parse(&self, args: &[Vec<u8>], settings: &Settings) -> Result<Value, String> {
        self.kind.parse(args, &self.value(settings))
    }

    /// Stores a value that `parse` made, unless the row refuses it.
    pub(super) fn write(&self, settings: &mut Settings, value: Value) -> Result<(), String> {
        match self.effect {
            Effect::Used(field) => {
                if !(field.write)(settings, &value) {
                    return Err(format!("{} does not take this value", self.name));
                }
            }
            Effect::Ignored => {
                settings.foreign.insert(self.name, value);
            }
            Effect::Refused { accepts, why } => {
                if !accepts.contains(&self.kind.print(&value).as_str()) {
                    return Err(why.to_owned());
                }
                settings.foreign.insert(self.name, value);
            }
        }
        Ok(())
    }
}
