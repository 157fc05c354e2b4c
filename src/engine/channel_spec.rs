//! The positions of the channels that a command uses.

use crate::resp::Request;

/// The positions of the channels that a command uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChannelSpec {
    first: usize,
    /// Whether all arguments from the first one on are channels.
    has_many: bool,
    /// Whether they are patterns.
    pub(super) is_pattern: bool,
}

impl ChannelSpec {
    pub(super) const fn one(at: usize) -> ChannelSpec {
        ChannelSpec { first: at, has_many: false, is_pattern: false }
    }

    pub(super) const fn from(first: usize) -> ChannelSpec {
        ChannelSpec { first, has_many: true, is_pattern: false }
    }

    pub(super) const fn patterns(first: usize) -> ChannelSpec {
        ChannelSpec { first, has_many: true, is_pattern: true }
    }

    /// The channels of a request, with their positions.
    pub(super) fn of<'a>(&self, request: &Request<'a>) -> impl Iterator<Item = (usize, &'a [u8])> {
        let count = if self.has_many { usize::MAX } else { 1 };
        (self.first..).zip(request.args_from(self.first)).take(count)
    }
}
