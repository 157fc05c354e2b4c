//! Policies of any kind as the words of a directive, `;` between two of them.

use crate::policy::Policy;

use super::file::quote;

/// What stands between two policies in one value.
const SEPARATOR: &str = ";";

/// Adds the policies in `args` to those before, each in the place of the one with its name; no words
/// at all take all away.
pub(super) fn parse<P: Policy>(args: &[String], before: &[P]) -> Result<Vec<P>, String> {
    if args.is_empty() {
        return Ok(Vec::new());
    }
    let mut policies = before.to_vec();
    for words in args.split(|word| word == SEPARATOR) {
        let is_plain = |word: &String| !word.contains(|c: char| c.is_whitespace() || c == ';');
        if !words.iter().all(is_plain) {
            let mut error =
                "no word of a policy in the settings may have spaces or ';' in it".to_owned();
            if let Some(command) = P::SET_BY {
                error.push_str(&format!("; {command} takes any bytes"));
            }
            return Err(error);
        }
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
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
    let each = policies.iter().map(|policy| text(policy, |word| word));
    each.collect::<Vec<_>>().join(&format!(" {SEPARATOR} "))
}

/// A line of a file for each policy.
pub(super) fn lines<P: Policy>(name: &str, policies: &[P]) -> Vec<String> {
    // A pattern may have quotes in it.
    let quoted = |word: String| if word.contains(['"', '\'']) { quote(&word) } else { word };
    policies.iter().map(|policy| format!("{name} {}", text(policy, quoted))).collect()
}

/// A policy's words. They came from settings, so they are text.
fn text<P: Policy>(policy: &P, show: impl Fn(String) -> String) -> String {
    let words = policy.to_words().into_iter();
    let words = words.map(|word| show(String::from_utf8_lossy(&word).into_owned()));
    words.collect::<Vec<_>>().join(" ")
}
