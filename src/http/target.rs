//! The target of a request: the segments of its path, and the parameters behind it.

use std::borrow::Cow;

/// More segments than any path that we serve has.
const SEGMENTS_MAX: usize = 6;

/// A path and a query, not decoded yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    /// The path as it was sent, without the query.
    pub path: &'a str,
    segments: [&'a str; SEGMENTS_MAX],
    count: usize,
    query: &'a str,
}

impl<'a> Target<'a> {
    /// `None` if it is no path. A whole URL, as for a proxy, is not served.
    pub(super) fn parse(text: &'a str) -> Option<Target<'a>> {
        let (path, query) = split(text, b'?').unwrap_or((text, ""));
        let mut within = path.strip_prefix('/')?;
        let mut target = Target { path, segments: [""; SEGMENTS_MAX], count: 0, query };
        if within.is_empty() {
            return Some(target);
        }
        // One more than there may be fits no route.
        for place in &mut target.segments {
            target.count += 1;
            let Some((segment, behind)) = split(within, b'/') else {
                *place = within;
                break;
            };
            (*place, within) = (segment, behind);
        }
        Some(target)
    }

    /// The segments of the path, not decoded: only names are.
    pub(super) fn segments(&self) -> &[&'a str] {
        &self.segments[..self.count]
    }

    /// The parameters of the query, not decoded.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let parts = self.query.split('&').filter(|part| !part.is_empty());
        parts.map(|part| part.split_once('=').unwrap_or((part, "")))
    }
}

/// What is before and behind the first such byte, which is ASCII. A search for a `char` takes several times as
/// long.
pub(super) fn split(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = memchr::memchr(byte, text.as_bytes())?;
    Some((&text[..at], &text[at + 1..]))
}

/// The bytes of a segment or a parameter. `+` is itself, since a queue may have it in its name. `None` if
/// something follows a `%` that is not two hexadecimal digits.
pub(super) fn decode(text: &str) -> Option<Cow<'_, [u8]>> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'%') {
        return Some(Cow::Borrowed(bytes));
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, behind)) = rest.split_first() {
        if first != b'%' {
            decoded.push(first);
            rest = behind;
            continue;
        }
        let (digits, behind) = behind.split_at_checked(2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        decoded.push(u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()?);
        rest = behind;
    }
    Some(Cow::Owned(decoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_segments_and_parameters() {
        let target = Target::parse("/queues/a%2Fb?wait=3&count&x=%20").expect("a path");
        assert_eq!(target.segments(), ["queues", "a%2Fb"]);
        let parameters: Vec<_> = target.parameters().collect();
        assert_eq!(parameters, [("wait", "3"), ("count", ""), ("x", "%20")]);
        assert!(Target::parse("/").expect("a path").segments().is_empty());
        assert_eq!(Target::parse("/a//").expect("a path").segments(), ["a", "", ""]);
        assert_eq!(Target::parse("/1/2/3/4/5/6/7/8").expect("a path").segments().len(), 6);
        assert!(Target::parse("http://a/").is_none() && Target::parse("*").is_none());
    }

    #[test]
    fn names_are_any_bytes() {
        assert_eq!(decode("a%2fb%FF+%25").as_deref(), Some(&b"a/b\xff+%"[..]));
        for wrong in ["%", "%1", "%zz", "a%+1", "%\u{e9}1"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
