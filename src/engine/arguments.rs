//! A cursor over the arguments of a request. Each argument is requested once, in order, and a missing
//! one is an error of the command. So a row that allows too few arguments causes a wrong reply, and
//! never ends the process.

use crate::command_error::{CommandError, integer, integer_within, is_word};
use crate::resp::{Args, Request};
use std::iter::Take;

/// The remaining arguments.
#[derive(Clone, Debug)]
pub(crate) struct Arguments<'a> {
    left: Args<'a>,
}

impl<'a> Arguments<'a> {
    /// Returns those after the command's name, or after its subcommand's name if `at` is 2.
    #[inline]
    pub(crate) fn from(request: &Request<'a>, at: usize) -> Arguments<'a> {
        Arguments { left: request.args_from(at) }
    }

    /// Returns those after the command's name.
    #[inline]
    pub(crate) fn of(request: &Request<'a>) -> Arguments<'a> {
        Arguments::from(request, 1)
    }

    /// Returns the number of remaining arguments.
    #[inline]
    pub(crate) fn left(&self) -> usize {
        self.left.len()
    }

    /// Returns all remaining arguments.
    #[inline]
    pub(crate) fn rest(self) -> Args<'a> {
        self.left
    }

    /// Takes the next argument, if there is one.
    #[inline]
    pub(crate) fn optional(&mut self) -> Option<&'a [u8]> {
        self.left.next()
    }

    /// Takes the next argument.
    ///
    /// # Errors
    /// There is none.
    #[inline]
    pub(crate) fn required(&mut self) -> Result<&'a [u8], CommandError> {
        self.optional().ok_or(CommandError::Syntax)
    }

    /// Takes the last argument, which then no longer remains.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn last(&mut self) -> Result<&'a [u8], CommandError> {
        self.left.next_back().ok_or(CommandError::Syntax)
    }

    /// Takes the next `count` arguments.
    ///
    /// # Errors
    /// There are fewer.
    pub(crate) fn several(&mut self, count: usize) -> Result<Take<Args<'a>>, CommandError> {
        if count > self.left() {
            return Err(CommandError::Syntax);
        }
        let several = self.left.clone().take(count);
        if let Some(before_last) = count.checked_sub(1) {
            self.left.nth(before_last);
        }
        Ok(several)
    }

    /// Ends the arguments.
    ///
    /// # Errors
    /// There are more.
    pub(crate) fn finish(self) -> Result<(), CommandError> {
        if self.left() == 0 { Ok(()) } else { Err(CommandError::Syntax) }
    }

    /// Takes a number, at least 1, and as many arguments behind it.
    ///
    /// # Errors
    /// There are fewer; or `error`, if the number is less or none.
    pub(crate) fn counted(&mut self, error: &'static str) -> Result<Take<Args<'a>>, CommandError> {
        let count = self.integer_within(1, i64::MAX, error)?;
        self.several(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Takes the next argument, as an integer.
    ///
    /// # Errors
    /// There is none, or it is not an integer.
    pub(crate) fn integer(&mut self) -> Result<i64, CommandError> {
        integer(self.required()?)
    }

    /// Takes the next argument, as an integer between bounds.
    ///
    /// # Errors
    /// There is none; or `error`, if it is not an integer between the bounds.
    pub(crate) fn integer_within(
        &mut self,
        min: i64,
        max: i64,
        error: &'static str,
    ) -> Result<i64, CommandError> {
        integer_within(self.required()?, min, max, error)
    }

    /// Takes the next argument, which must be one of these words in any case, and returns the word's
    /// meaning.
    ///
    /// # Errors
    /// There is none, or it is another word.
    pub(crate) fn choice<T: Copy>(&mut self, words: &[(&str, T)]) -> Result<T, CommandError> {
        let next = self.required()?;
        let chosen = words.iter().find(|(word, _)| is_word(next, word));
        chosen.map(|(_, meaning)| *meaning).ok_or(CommandError::Syntax)
    }

    /// Takes the next argument if it is this word in any case. Returns whether it was.
    pub(crate) fn takes(&mut self, word: &str) -> bool {
        let mut behind = self.left.clone();
        let is_next = behind.next().is_some_and(|next| is_word(next, word));
        if is_next {
            self.left = behind;
        }
        is_next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedRequest;

    fn request<const N: usize>(words: [&str; N]) -> OwnedRequest {
        OwnedRequest::from_args(words.map(str::as_bytes))
    }

    #[test]
    fn a_missing_argument_is_an_error() {
        let owned = request(["SET", "k", "Px", "7", "x"]);
        let request = owned.as_request();
        let mut args = Arguments::of(&request);
        assert_eq!(args.required(), Ok(&b"k"[..]));
        assert!(!args.takes("ex") && args.takes("px"));
        assert_eq!(args.integer(), Ok(7));
        assert_eq!((args.left(), args.clone().finish()), (1, Err(CommandError::Syntax)));
        assert_eq!(args.integer(), Err(CommandError::NotAnInteger));
        assert_eq!(args.left(), 0);
        assert_eq!(args.optional(), None);
        assert_eq!(args.required(), Err(CommandError::Syntax));
        assert_eq!(args.last(), Err(CommandError::Syntax));
        assert_eq!(args.integer_within(0, 9, "ERR no"), Err(CommandError::Syntax));
        assert_eq!(args.choice(&[("on", true)]), Err(CommandError::Syntax));
        assert!(!args.takes("x"));
        assert_eq!(Arguments::from(&request, 9).finish(), Ok(()));
    }

    #[test]
    fn integers_within_bounds() {
        let owned = request(["X", "0", "9", "10", "x"]);
        let mut args = Arguments::of(&owned.as_request());
        let mut next = || args.integer_within(0, 9, "ERR no");
        assert_eq!((next(), next()), (Ok(0), Ok(9)));
        assert_eq!(next(), Err(CommandError::text("ERR no")));
        assert_eq!(next(), Err(CommandError::text("ERR no")));
    }

    #[test]
    fn arguments_after_their_number() {
        let owned = request(["X", "2", "a", "b", "0", "9", "x"]);
        let mut args = Arguments::of(&owned.as_request());
        let mut next = || args.counted("ERR no").map(|several| several.collect::<Vec<_>>());
        assert_eq!(next(), Ok(vec![&b"a"[..], b"b"]));
        assert_eq!(next(), Err(CommandError::text("ERR no")));
        assert_eq!(next(), Err(CommandError::Syntax));
        assert_eq!(next(), Err(CommandError::text("ERR no")));
    }

    #[test]
    fn a_choice_has_the_meaning_of_its_word() {
        let owned = request(["X", "oFf", "ON", "o"]);
        let mut args = Arguments::of(&owned.as_request());
        let mut next = || args.choice(&[("on", true), ("off", false)]);
        assert_eq!((next(), next(), next()), (Ok(false), Ok(true), Err(CommandError::Syntax)));
    }

    #[test]
    fn keys_before_a_timeout_or_after_their_number() {
        let owned = request(["X", "a", "b", "c", "0"]);
        let mut args = Arguments::of(&owned.as_request());
        assert_eq!(args.last(), Ok(&b"0"[..]));
        assert_eq!(args.several(4).err(), Some(CommandError::Syntax));
        assert_eq!(args.several(usize::MAX).err(), Some(CommandError::Syntax));
        let several = |args: &mut Arguments<'_>, count| {
            args.several(count).map(|keys| keys.map(<[u8]>::to_vec).collect::<Vec<_>>().concat())
        };
        assert_eq!(several(&mut args, 0), Ok(b"".to_vec()));
        assert_eq!(several(&mut args, 2), Ok(b"ab".to_vec()));
        assert_eq!(args.clone().rest().collect::<Vec<_>>(), [&b"c"[..]]);
        assert_eq!(several(&mut args, 1), Ok(b"c".to_vec()));
        assert_eq!(args.left(), 0);
    }
}
