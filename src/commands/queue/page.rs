//! The arguments of commands that go through the queues page by page: `[cursor] [MATCH pattern] [COUNT n]`.

use crate::commands::scan::parse_cursor;
use crate::commands::take::count_of;
use crate::engine::{Arguments, CommandError, is_word};

/// The page that is asked for.
pub(super) struct Page<'a> {
    /// 0 begins.
    pub(super) cursor: u64,
    /// How many queues to visit.
    pub(super) count: usize,
    /// Only queues whose names match are shown.
    pub(super) pattern: Option<&'a [u8]>,
}

impl<'a> Page<'a> {
    /// Takes all remaining arguments. `count`: how many to visit unless they say otherwise.
    ///
    /// # Errors
    /// An argument is invalid.
    pub(super) fn parse(mut args: Arguments<'a>, count: usize) -> Result<Page<'a>, CommandError> {
        let mut page = Page { cursor: 0, count, pattern: None };
        let is_option = |word: &[u8]| is_word(word, "match") || is_word(word, "count");
        if let Some(text) = args.clone().optional().filter(|word| !is_option(word)) {
            page.cursor = parse_cursor(text).ok_or(CommandError::text("ERR invalid cursor"))?;
            args.optional();
        }
        while let Some(option) = args.optional() {
            let value = args.required()?;
            if is_word(option, "match") {
                page.pattern = Some(value);
            } else if is_word(option, "count") {
                page.count = count_of(value, "ERR count should be greater than 0", 1)?;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(page)
    }
}
