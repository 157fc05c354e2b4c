//! Where a dead letter came from, and why.

/// The origin of a dead letter. Consecutive dead letters with the same one share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The key of the queue that the message left last.
    pub from: Box<[u8]>,
    /// Why it left that queue.
    pub reason: Reason,
}

/// Why a message became a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It waited too long.
    Expired,
    /// Its queue was above its limits.
    Length,
    /// It was delivered too often.
    DeliveryLimit,
    /// A consumer rejected it.
    Rejected,
}

/// All reasons with their words.
const WORDS: &[(Reason, &str)] = &[
    (Reason::Expired, "expired"),
    (Reason::Length, "length"),
    (Reason::DeliveryLimit, "delivery-limit"),
    (Reason::Rejected, "rejected"),
];

impl Reason {
    /// The word for it, in replies and in append files.
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(reason, _)| *reason == self).map_or("", |(_, word)| word)
    }

    /// The reason with this word.
    pub fn of_word(word: &[u8]) -> Option<Reason> {
        WORDS.iter().find(|(_, own)| own.as_bytes() == word).map(|(reason, _)| *reason)
    }
}

impl DeadLetter {
    /// Bytes of memory.
    pub(super) fn allocated_bytes(&self) -> usize {
        // With the reference counts in front of it.
        2 * size_of::<usize>() + size_of::<DeadLetter>() + self.from.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_word_of_its_own() {
        for (reason, word) in WORDS {
            assert_eq!((reason.word(), Reason::of_word(word.as_bytes())), (*word, Some(*reason)));
        }
        assert_eq!(Reason::of_word(b"other"), None);
    }
}
