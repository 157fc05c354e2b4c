//! The expiry options of string commands (SET, GETEX and others).

use crate::clock::Now;
use crate::engine::{Arguments, CommandError};

/// The unit and base of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    in_seconds: bool,
    /// Counts from now; otherwise it is a Unix time.
    is_span: bool,
}

pub(super) const SECONDS: Form = Form { in_seconds: true, is_span: true };
pub(super) const MILLISECONDS: Form = Form { in_seconds: false, is_span: true };
pub(super) const UNIX_SECONDS: Form = Form { in_seconds: true, is_span: false };
pub(super) const UNIX_MILLISECONDS: Form = Form { in_seconds: false, is_span: false };

/// The expiry options of a command. The same form may be repeated, and the last one counts. Two
/// different forms are an error, as in Redis.
#[derive(Debug, Default)]
pub(super) struct Wish<'a> {
    /// The form of the time, and the number.
    pub at: Option<(Form, &'a [u8])>,
    /// The other option was given instead: KEEPTTL of SET, PERSIST of GETEX.
    pub is_other: bool,
}

impl<'a> Wish<'a> {
    /// Takes an expiry option if one is next and compatible with those before. Returns whether it did.
    /// `other` is the option that sets no time.
    pub(super) fn take(&mut self, args: &mut Arguments<'a>, other: &str) -> bool {
        if self.at.is_none() && args.takes(other) {
            self.is_other = true;
            return true;
        }
        let forms = [
            ("ex", SECONDS),
            ("px", MILLISECONDS),
            ("exat", UNIX_SECONDS),
            ("pxat", UNIX_MILLISECONDS),
        ];
        let before = self.at.map(|(form, _)| form);
        let may_be = |form: Form| !self.is_other && before.is_none_or(|before| before == form);
        let mut allowed = forms.into_iter().filter(|(_, form)| may_be(*form));
        let Some((_, form)) = allowed.find(|(word, _)| args.takes(word)) else { return false };
        let number = args.optional();
        self.at = number.map(|number| (form, number)).or(self.at);
        number.is_some()
    }
}

impl Form {
    pub(super) fn is_span(self) -> bool {
        self.is_span
    }

    /// Returns the Unix time in milliseconds that a number means, for the command with this name.
    pub(super) fn unix_ms(
        self,
        number: &[u8],
        now: Now,
        command: &str,
    ) -> Result<i64, CommandError> {
        let number = crate::engine::integer(number)?;
        let base_ms = if self.is_span { now.unix_ms() } else { 0 };
        let span_ms = if self.in_seconds { number.checked_mul(1000) } else { Some(number) };
        let at_ms = span_ms.filter(|_| number > 0).and_then(|span_ms| span_ms.checked_add(base_ms));
        let invalid = || format!("ERR invalid expire time in '{command}' command").into();
        at_ms.ok_or_else(invalid)
    }
}
