//! Any command over HTTP.

use super::answer::Answer;
use super::asked::Asked;
use super::parameters::{self, bad};
use super::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// A word of a command, as replies show texts too.
#[derive(Deserialize)]
#[serde(untagged)]
enum Word {
    Text(String),
    Integer(i64),
    Bytes { base64: String },
}

/// Runs the command whose words are the body, an array.
pub(super) fn run(asked: &mut Asked<'_>) -> Result<Answer, Response> {
    let [] = parameters::take(&asked.head.target, [])?;
    // Otherwise a form of another site could be read as one: a script needs a preflight for this type.
    if !asked.head.has_content_type("application/json") {
        return Err(bad("expected Content-Type: application/json"));
    }
    let words: Vec<Word> = serde_json::from_slice(asked.body).map_err(|error| {
        bad(&format!("expected an array of strings, such as [\"LLEN\",\"jobs\"]: {error}"))
    })?;
    let words: Option<Vec<Vec<u8>>> = words.into_iter().map(bytes_of).collect();
    let words = words.ok_or_else(|| bad("expected valid base64"))?;
    if words.is_empty() {
        return Err(bad("expected at least the name of a command"));
    }
    if let Some(why) = asked.broker.needs_own_connection(&words) {
        return Err(bad(why));
    }
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    asked.words(&words);
    Ok(Answer::Json { field: Some("reply") })
}

fn bytes_of(word: Word) -> Option<Vec<u8>> {
    match word {
        Word::Text(text) => Some(text.into_bytes()),
        Word::Integer(number) => Some(number.to_string().into_bytes()),
        Word::Bytes { base64 } => STANDARD.decode(base64).ok(),
    }
}
