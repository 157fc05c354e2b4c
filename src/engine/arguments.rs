//! A cursor over the arguments of a request: each is asked for once, in the order in which it is written,
//! and whatever is missing is an error of the command. A row that allows too few arguments so
//! gives a wrong answer, and never ends the process.

use super::error::{CommandError, integer, is_word};
use crate::resp::Request;

/// The arguments that are left.
#[derive(Clone, Debug)]
pub struct Arguments<'a> {
    request: Request<'a>,
    next: usize,
}

impl<'a> Arguments<'a> {
    /// Those behind the command's name, or behind that of its subcommand if `at` is 2.
    pub fn from(request: &Request<'a>, at: usize) -> Arguments<'a> {
        Arguments { request: *request, next: at }
    }

    /// Those behind the command's name.
    pub fn of(request: &Request<'a>) -> Arguments<'a> {
        Arguments::from(request, 1)
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.request.len().saturating_sub(self.next)
    }

    /// The next one, if there is one.
    pub fn optional(&mut self) -> Option<&'a [u8]> {
        let found = self.request.get(self.next)?;
        self.next += 1;
        Some(found)
    }

    /// The next one.
    ///
    /// # Errors
    /// There is none.
    pub fn required(&mut self) -> Result<&'a [u8], CommandError> {
        self.optional().ok_or(CommandError::Syntax)
    }

    /// The next one, as an integer.
    ///
    /// # Errors
    /// There is none, or it is no integer.
    pub fn integer(&mut self) -> Result<i64, CommandError> {
        integer(self.required()?)
    }

    /// Takes the next one, if it is this word in any case; whether it was.
    pub fn takes(&mut self, word: &str) -> bool {
        let is_next = self.request.get(self.next).is_some_and(|next| is_word(next, word));
        self.next += usize::from(is_next);
        is_next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedRequest;

    #[test]
    fn what_is_missing_is_an_error() {
        let owned = OwnedRequest::from_args([&b"SET"[..], b"k", b"Px", b"7", b"x"]);
        let request = owned.as_request();
        let mut args = Arguments::of(&request);
        assert_eq!(args.required(), Ok(&b"k"[..]));
        assert!(!args.takes("ex") && args.takes("px"));
        assert_eq!(args.integer(), Ok(7));
        assert_eq!(args.left(), 1);
        assert_eq!(args.integer(), Err(CommandError::NotAnInteger));
        assert_eq!(args.left(), 0);
        assert_eq!(args.optional(), None);
        assert_eq!(args.required(), Err(CommandError::Syntax));
        assert_eq!(Arguments::from(&request, 9).left(), 0);
    }
}
