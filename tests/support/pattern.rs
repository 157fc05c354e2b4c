//! The notation for expected replies, and how replies are compared with it.
//!
//! | notation | reply |
//! |---|---|
//! | `+OK` `-ERR text` | simple string, error: the rest of the line; inside `[…]` up to `,` or `]`, or quoted: `-"ERR a, b"` |
//! | `12` `-3` | integer |
//! | `word` `"any\r\nbytes"` `"x"*1000` | bulk string: a bare word begins with a letter; `*` repeats |
//! | `(nil)` `(nil array)` `(null)` | RESP2's null bulk string and null array, RESP3's null |
//! | `(true)` `(false)` `(double 1.5)` `(big 12)` `(verbatim "txt:…")` | RESP3's other scalars |
//! | `[a, 1]` `~[a]` `>[message, c, x]` | array, set, push; `...` at the end: whatever follows |
//! | `{a: 1, b: 2}` | map, in any order; `...` at the end: and others |
//! | `<any>` `<int>` `<bulk>` `<array>` | any reply, or any of this type; `<int id>` and `<bulk id>` also name it for a later `$id` |
//! | `<3..9>` | an integer from 3 to 9 |
//! | `<like "a*b">` | a bulk string of that form; `*` stands for any bytes |
//! | `<has "a" "b">` | a bulk string that contains these, in this order |
//! | `<unordered [a, b]>` | an array of these in any order |
//!
//! `<like …>` and `<has …>` follow a type mark as well: `-<like "ERR *">`, `(verbatim <has "txt:">)`.

use std::collections::HashMap;

use super::reply::Reply;
use super::words::Cursor;

/// Names given in a transcript to parts of earlier replies.
pub type Names = HashMap<String, Vec<u8>>;

#[derive(Debug)]
pub enum Pattern {
    Any,
    Exactly(Reply),
    AnyInteger(Option<String>),
    Between(i64, i64),
    Simple(Text),
    Error(Text),
    Bulk(Text),
    Verbatim(Text),
    AnyArray,
    Unordered(Vec<Pattern>),
    Array(Items),
    Set(Items),
    Push(Items),
    Map { pairs: Vec<(Pattern, Pattern)>, open: bool },
}

#[derive(Debug)]
pub enum Text {
    Any(Option<String>),
    Exactly(Vec<u8>),
    Like(Vec<u8>),
    Has(Vec<Vec<u8>>),
}

#[derive(Debug)]
pub struct Items {
    patterns: Vec<Pattern>,
    open: bool,
}

impl Pattern {
    /// Parses a whole line.
    pub fn parse(line: &str) -> Result<Pattern, String> {
        let mut cursor = Cursor::new(line);
        let pattern = parse_pattern(&mut cursor, 0)?;
        cursor.skip_spaces();
        match cursor.rest() {
            "" => Ok(pattern),
            rest => Err(format!("left over after the reply: {rest}")),
        }
    }

    pub fn fits(&self, reply: &Reply, names: &mut Names) -> bool {
        match (self, reply) {
            (Pattern::Any, _) | (Pattern::AnyArray, Reply::Array(_)) => true,
            (Pattern::Exactly(expected), _) => expected == reply,
            (Pattern::AnyInteger(name), Reply::Integer(number)) => {
                bind(names, name.as_deref(), number.to_string().as_bytes());
                true
            }
            (Pattern::Between(low, high), Reply::Integer(number)) => (low..=high).contains(&number),
            (Pattern::Simple(text), Reply::Simple(bytes))
            | (Pattern::Error(text), Reply::Error(bytes))
            | (Pattern::Bulk(text), Reply::Bulk(bytes))
            | (Pattern::Verbatim(text), Reply::Verbatim(bytes)) => text.fits(bytes, names),
            (Pattern::Array(items), Reply::Array(replies))
            | (Pattern::Set(items), Reply::Set(replies))
            | (Pattern::Push(items), Reply::Push(replies)) => items.fit(replies, names),
            (Pattern::Unordered(patterns), Reply::Array(replies)) => {
                let mut left: Vec<&Reply> = replies.iter().collect();
                patterns.iter().all(|pattern| take_fitting(&mut left, |r| pattern.fits(r, names)))
                    && left.is_empty()
            }
            (Pattern::Map { pairs, open }, Reply::Map(replies)) => {
                let mut left: Vec<&(Reply, Reply)> = replies.iter().collect();
                let fits = pairs.iter().all(|(key, value)| {
                    take_fitting(&mut left, |(k, v)| key.fits(k, names) && value.fits(v, names))
                });
                fits && (*open || left.is_empty())
            }
            _ => false,
        }
    }
}

impl Text {
    fn fits(&self, bytes: &[u8], names: &mut Names) -> bool {
        match self {
            Text::Any(name) => {
                bind(names, name.as_deref(), bytes);
                true
            }
            Text::Exactly(expected) => expected == bytes,
            Text::Like(form) => is_like(form, bytes),
            Text::Has(parts) => {
                let mut rest = bytes;
                parts.iter().all(|part| match find(rest, part) {
                    Some(at) => {
                        rest = &rest[at + part.len()..];
                        true
                    }
                    None => false,
                })
            }
        }
    }
}

impl Items {
    fn fit(&self, replies: &[Reply], names: &mut Names) -> bool {
        let enough = match self.open {
            true => replies.len() >= self.patterns.len(),
            false => replies.len() == self.patterns.len(),
        };
        enough
            && self.patterns.iter().zip(replies).all(|(pattern, reply)| pattern.fits(reply, names))
    }
}

fn bind(names: &mut Names, name: Option<&str>, value: &[u8]) {
    if let Some(name) = name {
        names.insert(name.to_owned(), value.to_vec());
    }
}

fn take_fitting<T: Copy>(left: &mut Vec<T>, mut fits: impl FnMut(T) -> bool) -> bool {
    match left.iter().position(|&item| fits(item)) {
        Some(at) => {
            left.remove(at);
            true
        }
        None => false,
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    (0..=haystack.len().checked_sub(needle.len())?).find(|&at| haystack[at..].starts_with(needle))
}

fn is_like(form: &[u8], bytes: &[u8]) -> bool {
    match form.split_first() {
        None => bytes.is_empty(),
        Some((b'*', form)) => (0..=bytes.len()).any(|at| is_like(form, &bytes[at..])),
        Some((first, form)) => {
            bytes.split_first().is_some_and(|(b, rest)| b == first && is_like(form, rest))
        }
    }
}

fn parse_pattern(cursor: &mut Cursor<'_>, depth: usize) -> Result<Pattern, String> {
    cursor.skip_spaces();
    let rest = cursor.rest();
    let mut chars = rest.chars();
    let first = chars.next().ok_or("a reply is missing")?;
    let second_is_digit = chars.next().is_some_and(|c| c.is_ascii_digit());
    Ok(match first {
        '+' => {
            cursor.advance(1);
            Pattern::Simple(parse_line_text(cursor, depth)?)
        }
        '-' if !second_is_digit => {
            cursor.advance(1);
            Pattern::Error(parse_line_text(cursor, depth)?)
        }
        '-' | '0'..='9' => Pattern::Exactly(Reply::Integer(parse_integer(cursor)?)),
        '"' => Pattern::Bulk(Text::Exactly(cursor.quoted()?)),
        '[' => Pattern::Array(parse_items(cursor, "[", depth)?),
        '~' => Pattern::Set(parse_items(cursor, "~[", depth)?),
        '>' => Pattern::Push(parse_items(cursor, ">[", depth)?),
        '{' => parse_map(cursor, depth)?,
        '(' => parse_parenthesis(cursor)?,
        '<' => parse_angle(cursor, depth)?,
        c if c.is_ascii_alphabetic() => {
            let word = cursor.take_while(|c| !c.is_whitespace() && !",:]}".contains(c));
            Pattern::Bulk(Text::Exactly(word.as_bytes().to_vec()))
        }
        _ => return Err(format!("not a reply: {rest}")),
    })
}

/// The text after `+` or `-`.
fn parse_line_text(cursor: &mut Cursor<'_>, depth: usize) -> Result<Text, String> {
    match cursor.rest().chars().next() {
        Some('"') => Ok(Text::Exactly(cursor.quoted()?)),
        Some('<') => parse_text(cursor),
        _ => {
            let text = cursor.take_while(|c| depth == 0 || !",]}".contains(c));
            Ok(Text::Exactly(text.trim_end().as_bytes().to_vec()))
        }
    }
}

fn parse_integer(cursor: &mut Cursor<'_>) -> Result<i64, String> {
    let digits = cursor.take_while(|c| c == '-' || c.is_ascii_digit());
    digits.parse().map_err(|_| format!("not an integer: {digits}"))
}

fn parse_items(cursor: &mut Cursor<'_>, open: &str, depth: usize) -> Result<Items, String> {
    cursor.expect(open)?;
    let mut items = Items { patterns: Vec::new(), open: false };
    while !cursor.eat("]") {
        if !items.patterns.is_empty() {
            cursor.expect(",")?;
        }
        if cursor.eat("...") {
            items.open = true;
            cursor.expect("]")?;
            break;
        }
        items.patterns.push(parse_pattern(cursor, depth + 1)?);
    }
    Ok(items)
}

fn parse_map(cursor: &mut Cursor<'_>, depth: usize) -> Result<Pattern, String> {
    cursor.expect("{")?;
    let mut pairs = Vec::new();
    while !cursor.eat("}") {
        if !pairs.is_empty() {
            cursor.expect(",")?;
        }
        if cursor.eat("...") {
            cursor.expect("}")?;
            return Ok(Pattern::Map { pairs, open: true });
        }
        let key = parse_pattern(cursor, depth + 1)?;
        cursor.expect(":")?;
        pairs.push((key, parse_pattern(cursor, depth + 1)?));
    }
    Ok(Pattern::Map { pairs, open: false })
}

fn parse_parenthesis(cursor: &mut Cursor<'_>) -> Result<Pattern, String> {
    cursor.expect("(")?;
    if cursor.eat("verbatim") {
        cursor.skip_spaces();
        let text = match cursor.rest().starts_with('<') {
            true => parse_text(cursor)?,
            false => Text::Exactly(cursor.quoted()?),
        };
        cursor.expect(")")?;
        return Ok(Pattern::Verbatim(text));
    }
    let inner = cursor.take_while(|c| c != ')').to_owned();
    cursor.expect(")")?;
    Ok(Pattern::Exactly(match inner.split_once(' ') {
        None if inner == "nil" => Reply::NilBulk,
        None if inner == "null" => Reply::Null,
        None if inner == "true" => Reply::Boolean(true),
        None if inner == "false" => Reply::Boolean(false),
        Some(("nil", "array")) => Reply::NilArray,
        Some(("double", number)) => Reply::Double(number.to_owned()),
        Some(("big", number)) => Reply::BigNumber(number.to_owned()),
        _ => return Err(format!("not a reply: ({inner})")),
    }))
}

fn parse_angle(cursor: &mut Cursor<'_>, depth: usize) -> Result<Pattern, String> {
    let second_is_number =
        cursor.rest().chars().nth(1).is_some_and(|c| c == '-' || c.is_ascii_digit());
    if second_is_number {
        cursor.expect("<")?;
        let low = parse_integer(cursor)?;
        cursor.expect("..")?;
        let high = parse_integer(cursor)?;
        cursor.expect(">")?;
        return Ok(Pattern::Between(low, high));
    }
    if cursor.eat("<any>") {
        return Ok(Pattern::Any);
    }
    if cursor.eat("<array>") {
        return Ok(Pattern::AnyArray);
    }
    if cursor.eat("<int") {
        return Ok(Pattern::AnyInteger(parse_name(cursor)?));
    }
    if cursor.eat("<unordered") {
        let items = parse_items(cursor, "[", depth)?;
        cursor.expect(">")?;
        return Ok(Pattern::Unordered(items.patterns));
    }
    Ok(Pattern::Bulk(parse_text(cursor)?))
}

/// `<bulk>`, `<bulk name>`, `<like "…">` or `<has "…" "…">`.
fn parse_text(cursor: &mut Cursor<'_>) -> Result<Text, String> {
    if cursor.eat("<bulk") {
        return Ok(Text::Any(parse_name(cursor)?));
    }
    if cursor.eat("<like") {
        cursor.skip_spaces();
        let form = cursor.quoted()?;
        cursor.expect(">")?;
        return Ok(Text::Like(form));
    }
    if cursor.eat("<has") {
        let mut parts = Vec::new();
        while !cursor.eat(">") {
            cursor.skip_spaces();
            parts.push(cursor.quoted()?);
        }
        return Ok(Text::Has(parts));
    }
    Err(format!("not a pattern: {}", cursor.rest()))
}

fn parse_name(cursor: &mut Cursor<'_>) -> Result<Option<String>, String> {
    cursor.skip_spaces();
    let name = cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned();
    cursor.expect(">")?;
    Ok((!name.is_empty()).then_some(name))
}
