//! The glob matcher agrees with a naive one, and its time is within the product of both lengths.

use std::time::{Duration, Instant};
use tidegate::glob::glob_matches;

/// Longer patterns and texts show nothing new and are slow with the naive matcher.
const LEN_MAX: usize = 512;

/// A pattern, a zero byte, a text.
pub fn check(data: &[u8]) {
    let split = data.iter().position(|&byte| byte == 0).unwrap_or(data.len());
    let pattern = &data[..split.min(LEN_MAX)];
    let text = data.get(split + 1..).unwrap_or_default();
    let text = &text[..text.len().min(LEN_MAX)];
    // In Redis only an empty pattern matches an empty text, not even a star.
    let expected =
        if text.is_empty() { pattern.is_empty() } else { Naive::new(pattern, text).matches(0, 0) };
    assert_eq!(glob_matches(pattern, text), expected);

    let (pattern, text) = (pattern.repeat(4), text.repeat(4));
    let begin = Instant::now();
    glob_matches(&pattern, &text);
    // A thousand times a step's time, since others use the machine as well.
    let bound = Duration::from_micros(pattern.len() as u64 * text.len() as u64);
    assert!(begin.elapsed() < bound + Duration::from_secs(5), "far beyond the product of lengths");
}

/// Tries everything a star can stand for, and remembers mismatches.
struct Naive<'a> {
    pattern: &'a [u8],
    text: &'a [u8],
    failed: Vec<bool>,
}

impl<'a> Naive<'a> {
    fn new(pattern: &'a [u8], text: &'a [u8]) -> Naive<'a> {
        Naive { pattern, text, failed: vec![false; (pattern.len() + 1) * (text.len() + 1)] }
    }

    fn matches(&mut self, p: usize, t: usize) -> bool {
        let entry = p * (self.text.len() + 1) + t;
        if self.failed[entry] {
            return false;
        }
        let found = match self.pattern.get(p) {
            None => t == self.text.len(),
            Some(b'*') => self.matches(p + 1, t) || (t < self.text.len() && self.matches(p, t + 1)),
            Some(_) if t == self.text.len() => false,
            Some(_) => {
                let (is_match, next) = self.element(p, self.text[t]);
                is_match && self.matches(next, t + 1)
            }
        };
        self.failed[entry] = !found;
        found
    }

    /// Whether a byte matches the element at `p`, which is no star; and where the next begins.
    fn element(&self, p: usize, byte: u8) -> (bool, usize) {
        match (self.pattern[p], self.pattern.get(p + 1)) {
            (b'?', _) => (true, p + 1),
            (b'\\', Some(&escaped)) => (escaped == byte, p + 2),
            (b'[', _) => self.class(p + 1, byte),
            (literal, _) => (literal == byte, p + 1),
        }
    }

    /// Collects all bytes of the class that begins after its bracket, then looks for one.
    fn class(&self, mut p: usize, byte: u8) -> (bool, usize) {
        let is_negated = self.pattern.get(p) == Some(&b'^');
        p += usize::from(is_negated);
        let mut members = Vec::new();
        while let Some(&first) = self.pattern.get(p) {
            if first == b']' {
                p += 1;
                break;
            }
            let (second, third) = (self.pattern.get(p + 1), self.pattern.get(p + 2));
            match (first, second, third) {
                (b'\\', Some(&escaped), _) => {
                    members.push(escaped);
                    p += 2;
                }
                (_, Some(b'-'), Some(&last)) => {
                    members.extend(first.min(last)..=first.max(last));
                    p += 3;
                }
                _ => {
                    members.push(first);
                    p += 1;
                }
            }
        }
        (members.contains(&byte) != is_negated, p)
    }
}
