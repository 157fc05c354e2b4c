//! Words of notes: numbers, and ends of lists.

use crate::queue::End;

pub(super) fn digits(number: i64) -> Vec<u8> {
    number.to_string().into_bytes()
}

pub(super) fn number<T: std::str::FromStr>(word: &[u8]) -> Option<T> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

pub(super) fn end_word(end: End) -> Vec<u8> {
    match end {
        End::Front => b"left".to_vec(),
        End::Back => b"right".to_vec(),
    }
}

pub(super) fn read_end(word: &[u8]) -> Option<End> {
    match word {
        b"left" => Some(End::Front),
        b"right" => Some(End::Back),
        _ => None,
    }
}
