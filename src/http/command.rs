//! Any command over HTTP.

use super::answer::Answer;
use super::asked::Asked;
use super::parameters::{self, bad};
use super::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeSeed, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt::{self, Formatter};

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
    let words = words_of(asked.body, asked.broker.settings().http.batch_max as usize)?;
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

/// Reads an array of at most `max` words. Reading ends at the first one beyond, since a body has space for
/// millions of them.
fn words_of(body: &[u8], max: usize) -> Result<Vec<Word>, Response> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let words = AtMost(max).deserialize(&mut json);
    let words = words.and_then(|words| json.end().map(|()| words));
    words.map_err(|error| {
        bad(&format!("expected an array of strings, such as [\"LLEN\",\"jobs\"]: {error}"))
    })
}

/// Reads an array with a limit on its length.
struct AtMost(usize);

impl<'de> DeserializeSeed<'de> for AtMost {
    type Value = Vec<Word>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<Word>, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for AtMost {
    type Value = Vec<Word>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "an array of at most {} words (http-batch-max)", self.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Vec<Word>, A::Error> {
        let mut words = Vec::new();
        while let Some(word) = array.next_element()? {
            if words.len() == self.0 {
                return Err(A::Error::invalid_length(self.0 + 1, &self));
            }
            words.push(word);
        }
        Ok(words)
    }
}

fn bytes_of(word: Word) -> Option<Vec<u8>> {
    match word {
        Word::Text(text) => Some(text.into_bytes()),
        Word::Integer(number) => Some(number.to_string().into_bytes()),
        Word::Bytes { base64 } => STANDARD.decode(base64).ok(),
    }
}
