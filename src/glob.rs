//! Redis' glob patterns: `*`, `?`, `[abc]`, `[^a-z]`, and `\` for a literal character.
//!
//! The matcher is iterative: on a mismatch it returns only to the last `*`, since an earlier one could
//! not match more. The cost is at most the product of both lengths; no pattern takes exponential time.

/// Whether `text` as a whole matches `pattern`.
///
/// Follows Redis (`KEYS` command page) in the corner cases: a class without its `]` ends with the
/// pattern, a `\` at the end is literal, a range may be given high to low, and only the empty pattern
/// matches the empty text.
pub fn glob_matches(pattern: &[u8], text: &[u8]) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t) = (0, 0);
    // After the last star: where the pattern continues, and the next text position to try.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            if p == pattern.len() {
                return true;
            }
            retry = Some((p, t));
            continue;
        }
        match match_one(&pattern[p..], text[t]) {
            Some(used) => {
                p += used;
                t += 1;
            }
            None => match &mut retry {
                Some((after_star, next)) => {
                    *next += 1;
                    (p, t) = (*after_star, *next);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Matches one byte against the first element of a pattern; returns the element's length.
fn match_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (escaped == byte).then_some(2),
        [b'[', ref class @ ..] => {
            let (matched, used) = match_class(class, byte);
            matched.then_some(1 + used)
        }
        [literal, ..] => (literal == byte).then_some(1),
    }
}

/// Matches one byte against a class (after its `[`); returns the result, and the length of the class.
fn match_class(class: &[u8], byte: u8) -> (bool, usize) {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match class[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', escaped, ..] => {
                found |= escaped == byte;
                at += 2;
            }
            [low, b'-', high, ..] => {
                found |= (low.min(high)..=low.max(high)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                found |= literal == byte;
                at += 1;
            }
        }
    }
    (found != negated, at)
}

#[cfg(test)]
mod tests {
    use super::glob_matches;

    #[test]
    fn matches_as_redis_does() {
        let cases: &[(&str, &str, bool)] = &[
            ("", "", true),
            ("", "a", false),
            ("*", "", false),
            ("**", "abc", true),
            ("a*", "a", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("a*b*c", "aXbYbZc", true),
            ("?", "", false),
            ("h?llo", "hello", true),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("[a-", "a", true),
            ("[abc", "b", true),
            ("[^", "x", true),
            ("[]", "x", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", true),
            ("[\\]]", "]", true),
            ("news.*", "news.art.figurative", true),
        ];
        for &(pattern, text, expected) in cases {
            let got = glob_matches(pattern.as_bytes(), text.as_bytes());
            assert_eq!(got, expected, "{pattern} against {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let pattern = "a*".repeat(10_000) + "b";
        let text = "a".repeat(20_000);
        assert!(!glob_matches(pattern.as_bytes(), text.as_bytes()));
    }
}
