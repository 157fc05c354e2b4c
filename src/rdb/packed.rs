//! What listpacks and ziplists have in common: elements that are strings or small binary numbers.

use super::error::Problem;

/// Why a walk over packed elements ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed<E> {
    /// The bytes are damaged.
    Damaged(&'static str),
    /// The receiver refused an element.
    Refused(E),
}

impl Packed<String> {
    /// Returns what is wrong; `damaged` tells the kind of elements.
    pub(super) fn into_problem(self, damaged: fn(&'static str) -> Problem) -> Problem {
        match self {
            Packed::Damaged(reason) => damaged(reason),
            Packed::Refused(reason) => Problem::Refused(reason),
        }
    }
}

impl<E> Packed<E> {
    /// An element ends behind the last byte.
    pub(super) const CUT: Packed<E> = Packed::Damaged("an element is cut off");
}

/// The problem of a listpack or ziplist.
pub(super) fn problem_of(error: Packed<String>, damaged: fn(&'static str) -> Problem) -> Problem {
    match error {
        Packed::Damaged(reason) => damaged(reason),
        Packed::Refused(reason) => Problem::Refused(reason),
    }
}

/// Passes elements on, and counts them.
pub(super) struct Elements<F> {
    receive: F,
    count: u64,
    digits: itoa::Buffer,
}

impl<F> Elements<F> {
    pub(super) fn new(receive: F) -> Elements<F> {
        Elements { receive, count: 0, digits: itoa::Buffer::new() }
    }

    /// Returns the number of elements so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Passes on the text of a number.
    #[inline]
    pub(super) fn integer<E>(&mut self, number: i64) -> Result<(), Packed<E>>
    where
        F: FnMut(&[u8]) -> Result<(), E>,
    {
        self.count += 1;
        (self.receive)(self.digits.format(number).as_bytes()).map_err(Packed::Refused)
    }

    /// Passes on the text of a number of `N` bytes at the beginning of `bytes`, the lowest first; returns
    /// what is behind it.
    #[inline]
    pub(super) fn integer_of<'a, const N: usize, E>(
        &mut self,
        bytes: &'a [u8],
    ) -> Result<&'a [u8], Packed<E>>
    where
        F: FnMut(&[u8]) -> Result<(), E>,
    {
        let (number, behind) = bytes.split_first_chunk::<N>().ok_or(Packed::CUT)?;
        // The number at the upper end: shifting it down fills in the sign.
        let mut wide = [0; 8];
        wide.iter_mut().rev().zip(number.iter().rev()).for_each(|(wide, byte)| *wide = *byte);
        self.integer(i64::from_le_bytes(wide) >> (64 - 8 * N))?;
        Ok(behind)
    }

    /// Passes on a string of `length` bytes at the beginning of `bytes`; returns what is behind it.
    #[inline]
    pub(super) fn string<'a, E>(
        &mut self,
        bytes: &'a [u8],
        length: usize,
    ) -> Result<&'a [u8], Packed<E>>
    where
        F: FnMut(&[u8]) -> Result<(), E>,
    {
        let (string, behind) = bytes.split_at_checked(length).ok_or(Packed::CUT)?;
        self.count += 1;
        (self.receive)(string).map_err(Packed::Refused)?;
        Ok(behind)
    }
}

/// For tests of the compact forms: reads all elements as text; or returns why the bytes are damaged.
#[cfg(test)]
pub(super) fn all_elements(
    read: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), ()>) -> Result<(), Packed<()>>,
) -> Result<Vec<String>, &'static str> {
    let mut found = Vec::new();
    let read = read(&mut |element| {
        found.push(String::from_utf8_lossy(element).into_owned());
        Ok(())
    });
    match read {
        Ok(()) => Ok(found),
        Err(Packed::Damaged(reason)) => Err(reason),
        Err(Packed::Refused(())) => unreachable!("nothing is refused"),
    }
}
