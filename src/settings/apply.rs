//! Fills settings from the table's defaults, and from words.

use super::definition::Settings;
use super::error::Place;
use super::row::Effect;
use super::{document, table};

impl Default for Settings {
    fn default() -> Self {
        let mut settings = Self::blank();
        for directive in table::all() {
            if let Effect::Used(field) = directive.effect {
                let accepted = directive
                    .parse_default()
                    .is_some_and(|value| (field.write)(&mut settings, &value));
                debug_assert!(accepted, "the default of {} is not valid", directive.name);
            }
        }
        settings
    }
}

impl Settings {
    /// Applies one line of a file or one option. The error is only the reason.
    pub(super) fn apply_words(
        &mut self,
        name: &str,
        args: &[Vec<u8>],
        place: &Place,
    ) -> Result<(), String> {
        let Some(directive) = table::find(name) else {
            return Err(document::unknown_directive(name));
        };
        let with_hint = |reason: String| {
            format!("{reason} ({} takes {})", directive.name, directive.kind.describe())
        };
        let value = directive.parse(args, self).map_err(with_hint)?;
        directive.write(self, value)?;
        self.given.entry(directive.name).or_default().push(place.clone());
        Ok(())
    }
}
