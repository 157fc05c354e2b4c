//! Iterating over keys: KEYS, SCAN, RANDOMKEY.

use crate::dict::Item;
use crate::engine::Arg::{One, OptionalNamed};
use crate::engine::Group::Generic;
use crate::engine::syntax::ALL_KEYS;
use crate::engine::{Arguments, Command, CommandError, Context, integer, is_word};
use crate::glob::glob_matches;
use crate::resp::{Output, Request};

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("keys", 2, keys).group(Generic).since("1.0.0").read_only().dangerous()
        .args(&[One("pattern")]).cost(ALL_KEYS)
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
        .says("Returns all keys whose names match a pattern."),
    Command::new("scan", -2, scan).group(Generic).since("2.8.0").read_only()
        .args(&[One("cursor"), OptionalNamed("MATCH", "pattern"), OptionalNamed("COUNT", "count"), OptionalNamed("TYPE", "type")])
        .cost("O(1) for each call").tips(&["nondeterministic_output", "request_policy:special"])
        .says("Returns some of the keys, and a cursor to continue."),
    Command::new("randomkey", 1, randomkey).group(Generic).since("1.0.0").read_only()
        .tips(&["request_policy:all_shards", "nondeterministic_output"])
        .says("Returns a random key."),
];

/// Keys that one call of SCAN visits unless COUNT says otherwise.
pub(super) const SCAN_COUNT: usize = 10;

/// Whether a pattern matches a key: `*` matches all keys, also the empty one.
pub(super) fn selects(pattern: &[u8], key: &[u8]) -> bool {
    pattern == b"*" || glob_matches(pattern, key)
}

fn keys(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let pattern = Arguments::of(request).required()?;
    let count = ctx.state.keyspace.len(ctx.db);
    ctx.state.keyspace.work.keys(count);
    let all = ctx.state.keyspace.keys(ctx.db).map(|(key, _)| key);
    let matching: Vec<_> = all.filter(|key| selects(pattern, key)).collect();
    ctx.reply.array(matching.len());
    for key in matching {
        ctx.reply.bulk(key);
    }
    Ok(())
}

/// Takes the cursor of a scan.
pub(super) fn cursor_of(args: &mut Arguments<'_>) -> Result<u64, CommandError> {
    parse_cursor(args.required()?).ok_or(const { CommandError::text("ERR invalid cursor") })
}

/// What a scan of the elements of one value wants.
pub(super) struct ElementScan<'a> {
    /// The elements that one call visits, roughly.
    pub(super) count: usize,
    pattern: Option<&'a [u8]>,
}

impl<'a> ElementScan<'a> {
    pub(super) fn parse(args: Arguments<'a>) -> Result<ElementScan<'a>, CommandError> {
        let ScanOptions { count, pattern, type_name } = scan_options(args)?;
        if type_name.is_some() {
            Err(CommandError::Syntax)
        } else {
            Ok(ElementScan { count, pattern })
        }
    }

    /// Whether the pattern matches an element.
    pub(super) fn selects(&self, element: Item<'_>) -> bool {
        self.pattern.is_none_or(|pattern| element.with(|element| selects(pattern, element)))
    }
}

/// Writes the next cursor, and the head of this page, in which so many elements follow.
pub(super) fn write_head(reply: &mut Output, next: u64, count: usize) {
    reply.array(2);
    let mut digits = itoa::Buffer::new();
    reply.bulk(digits.format(next).as_bytes());
    reply.array(count);
}

/// SCAN's options.
struct ScanOptions<'a> {
    count: usize,
    pattern: Option<&'a [u8]>,
    type_name: Option<&'a [u8]>,
}

fn scan_options(mut args: Arguments<'_>) -> Result<ScanOptions<'_>, CommandError> {
    let mut options = ScanOptions { count: SCAN_COUNT, pattern: None, type_name: None };
    while let Some(option) = args.optional() {
        let value = args.required()?;
        if is_word(option, "count") {
            let count = integer(value)?;
            if count < 1 {
                return Err(CommandError::Syntax);
            }
            options.count = usize::try_from(count).unwrap_or(usize::MAX);
        } else if is_word(option, "match") {
            options.pattern = Some(value);
        } else if is_word(option, "type") {
            options.type_name = Some(value);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(options)
}

fn scan(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let cursor = cursor_of(&mut args)?;
    let ScanOptions { count, pattern, type_name } = scan_options(args)?;
    let mut found = Vec::new();
    let mut looked_up = 0;
    let keyspace = &mut ctx.state.keyspace;
    keyspace.work.keys(count.min(keyspace.len(ctx.db)));
    let next = keyspace.scan(ctx.db, cursor, count, |key, value| {
        if pattern.is_some_and(|pattern| !selects(pattern, key)) {
            return;
        }
        // A type that does not exist matches nothing: Redis returns an error only from version 8 on.
        if let Some(type_name) = type_name {
            looked_up += 1;
            if !is_word(type_name, value.type_name()) {
                return;
            }
        }
        found.push(key);
    });
    write_page(ctx.reply, next, &found);
    ctx.state.stats.keyspace_hits += looked_up;
    Ok(())
}

/// Writes the next cursor, and the keys of this page.
pub(super) fn write_page(reply: &mut Output, next: u64, keys: &[&[u8]]) {
    write_head(reply, next, keys.len());
    keys.iter().for_each(|key| reply.bulk(key));
}

/// Parses a cursor as C's strtoul does: it ends at a NUL, accepts a sign, and negative numbers count
/// back from the largest.
pub(super) fn parse_cursor(arg: &[u8]) -> Option<u64> {
    let text = arg.split(|&byte| byte == 0).next().unwrap_or_default();
    let (is_negative, digits) = match text {
        [] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut number: u64 = 0;
    for &digit in digits {
        number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    Some(if is_negative { number.wrapping_neg() } else { number })
}

fn randomkey(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let random = ctx.state.random.next();
    match ctx.state.keyspace.random_key(ctx.db, random) {
        Some(key) => ctx.reply.bulk(key),
        None => ctx.reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::parse_cursor;

    #[test]
    fn cursors_are_read_as_c_does() {
        let cases: &[(&[u8], Option<u64>)] = &[
            (b"0", Some(0)),
            (b"", Some(0)),
            (b"+5", Some(5)),
            (b"-1", Some(u64::MAX)),
            (b"007", Some(7)),
            (b"5\0x", Some(5)),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"18446744073709551616", None),
            (b" 1", None),
            (b"1 ", None),
            (b"-", None),
            (b"+-1", None),
            (b"x", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_cursor(text), *expected, "{}", String::from_utf8_lossy(text));
        }
    }
}
