//! The ends of a queue.

/// An end of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// The left end, index 0, where LPOP pops.
    #[default]
    Front,
    /// The right end, index -1, where RPUSH pushes.
    Back,
}
