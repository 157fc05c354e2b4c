//! Policies of any kind as the words of a directive, separated by `;`.

use crate::policy::Policy;

use super::words::quote_bytes;

/// Separates policies in one value. No word of a policy is equal to it.
const SEPARATOR: &str = ";";

/// Adds the policies in `args` to those before, replacing policies of the same name. No words at all
/// remove all policies.
pub(super) fn parse<P: Policy>(args: &[Vec<u8>], before: &[P]) -> Result<Vec<P>, String> {
    if args.is_empty() {
        return Ok(Vec::new());
    }
    let mut policies = before.to_vec();
    for words in args.split(|word| word == SEPARATOR.as_bytes()) {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let policy = P::parse(&words)?;
        match policies.iter_mut().find(|other| other.name() == policy.name()) {
            Some(other) => *other = policy,
            None => policies.push(policy),
        }
    }
    Ok(policies)
}

/// The policies as one value that `parse` reads.
pub(super) fn print<P: Policy>(policies: &[P]) -> String {
    policies.iter().map(text).collect::<Vec<_>>().join(&format!(" {SEPARATOR} "))
}

/// A line of a file for each policy.
pub(super) fn lines<P: Policy>(name: &str, policies: &[P]) -> Vec<String> {
    policies.iter().map(|policy| format!("{name} {}", text(policy))).collect()
}

/// A policy's words, quoted if they would not read back otherwise.
pub(crate) fn text<P: Policy>(policy: &P) -> String {
    let shown = |word: Vec<u8>| match String::from_utf8(word) {
        Ok(plain) if !plain.is_empty() && plain.chars().all(is_plain) => plain,
        Ok(other) => quote_bytes(other.as_bytes()),
        Err(error) => quote_bytes(error.as_bytes()),
    };
    policy.to_words().into_iter().map(shown).collect::<Vec<_>>().join(" ")
}

fn is_plain(c: char) -> bool {
    let is_odd = c.is_whitespace() || c.is_control() || c == char::REPLACEMENT_CHARACTER;
    !is_odd && !matches!(c, '"' | '\'')
}
