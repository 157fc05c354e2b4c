//! Reads the members of sorted sets, in all their forms.

use super::error::Problem;
use super::length::{Cursor, Stop};
use super::sink::{Place, Sink};
use super::text::Buffers;
use super::{listpack, ziplist};
use crate::resp::parse_double;

/// How the scores of a sorted set are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScoreForm {
    /// A length of one byte and as many digits, or a byte with a meaning.
    Text,
    /// Eight bytes.
    Binary,
    /// Elements of one ziplist or listpack.
    Ziplist,
    Listpack,
}

/// Bytes that are no lengths of texts, but whole scores.
const NOT_A_NUMBER: u8 = 253;
const INFINITE: u8 = 254;
const NEGATIVE_INFINITE: u8 = 255;

const NO_SCORE: &str = "a score is not a number";

impl ScoreForm {
    /// Whether the whole sorted set is one string.
    pub(super) fn is_packed(self) -> bool {
        matches!(self, ScoreForm::Ziplist | ScoreForm::Listpack)
    }
}

/// Takes a member with its score.
pub(super) fn member(
    form: ScoreForm,
    buffers: &mut Buffers,
    cursor: &mut Cursor<'_>,
    place: &Place,
    sink: &mut impl Sink,
) -> Result<(), Stop> {
    let member = buffers.string(cursor)?;
    let score = match form {
        ScoreForm::Text => score_text(cursor)?,
        _ => Some(f64::from_le_bytes(cursor.array()?)).filter(|score| !score.is_nan()),
    };
    let score = score.ok_or_else(|| Problem::Refused(NO_SCORE.into()))?;
    Ok(sink.scored_member(place, member, positive_zero(score)).map_err(Problem::Refused)?)
}

/// Takes a score written as text.
fn score_text(cursor: &mut Cursor<'_>) -> Result<Option<f64>, Stop> {
    Ok(match cursor.byte()? {
        NOT_A_NUMBER => None,
        INFINITE => Some(f64::INFINITY),
        NEGATIVE_INFINITE => Some(f64::NEG_INFINITY),
        length => parse_double(cursor.take(length.into())?),
    })
}

/// Takes a whole sorted set that is one string: members, each followed by its score.
pub(super) fn packed(
    form: ScoreForm,
    bytes: &[u8],
    place: &Place,
    sink: &mut impl Sink,
) -> Result<(), Problem> {
    sink.begin_sorted_set(place).map_err(Problem::Refused)?;
    let mut member = None;
    let element = |element: &[u8]| match member.take() {
        None => {
            member = Some(element.to_vec());
            Ok(())
        }
        Some(member) => {
            let score = parse_double(element).ok_or(NO_SCORE)?;
            sink.scored_member(place, &member, positive_zero(score))
        }
    };
    match form {
        ScoreForm::Listpack => {
            listpack::read(bytes, element)
                .map_err(|error| error.into_problem(Problem::Listpack))?;
        }
        _ => ziplist::read(bytes, element).map_err(|error| error.into_problem(Problem::Ziplist))?,
    }
    if member.is_some() {
        return Err(Problem::Refused("the last member has no score".into()));
    }
    sink.end_sorted_set(place).map_err(Problem::Refused)
}

/// Negative zero is stored as zero, which is equal.
fn positive_zero(score: f64) -> f64 {
    score + 0.0
}
