//! Places between elements.

use std::cmp::Ordering;

/// A place in the order: each element is before or behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cut<'a> {
    /// Before all elements.
    Start,
    /// Behind all elements.
    End,
    /// Before the elements with this score.
    BeforeScore(f64),
    /// Behind the elements with this score.
    BehindScore(f64),
    /// Before this member, if all elements have the same score.
    BeforeMember(&'a [u8]),
    /// Behind this member, if all elements have the same score.
    BehindMember(&'a [u8]),
    /// Before this element.
    Before(f64, &'a [u8]),
}

impl Cut<'_> {
    /// Whether the cut is behind an element. Its member is only looked at if that matters.
    #[inline(always)]
    pub(crate) fn is_behind<'m>(&self, score: f64, member: impl FnOnce() -> &'m [u8]) -> bool {
        match *self {
            Cut::Start => false,
            Cut::End => true,
            Cut::BeforeScore(own) => score < own,
            Cut::BehindScore(own) => score <= own,
            Cut::BeforeMember(own) => member() < own,
            Cut::BehindMember(own) => member() <= own,
            Cut::Before(own, own_member) => score < own || score == own && member() < own_member,
        }
    }
}

/// The order of elements. No score is NaN.
#[inline]
pub(crate) fn compare(a: (f64, &[u8]), b: (f64, &[u8])) -> Ordering {
    a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal).then_with(|| a.1.cmp(b.1))
}
