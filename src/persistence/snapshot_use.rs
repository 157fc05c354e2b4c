//! Who has the snapshot: only one can be taken at a time.

/// The purpose of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotUse {
    /// A new base of the append files.
    Rewrite,
    /// An RDB file (SAVE, BGSAVE, a `save` line, the end of the server).
    Save,
    /// The data for replicas.
    Sync,
}

/// The owner of the snapshot. Whoever wants one claims it first, and then calls `Broker::begin_snapshot`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SnapshotOwner(Option<SnapshotUse>);

impl SnapshotOwner {
    /// The present use.
    pub fn current(self) -> Option<SnapshotUse> {
        self.0
    }

    /// Whether the snapshot belongs to this use. If it was lost to another one, the parts so far are useless.
    pub fn is(self, purpose: SnapshotUse) -> bool {
        self.0 == Some(purpose)
    }

    /// Claims the snapshot until `release`; false if another use has it.
    pub fn claim(&mut self, purpose: SnapshotUse) -> bool {
        *self.0.get_or_insert(purpose) == purpose
    }

    /// Claims it, and takes it from another use, which is told by `is`: for data that would be lost otherwise.
    pub fn seize(&mut self, purpose: SnapshotUse) {
        if let Some(loser) = self.0.replace(purpose).filter(|loser| *loser != purpose) {
            log::warn!("a snapshot for {} ends early: {} needs it", loser.name(), purpose.name());
        }
    }

    /// Gives it up; false if another use, or none, has it. If true, the caller ends the snapshot.
    pub fn release(&mut self, purpose: SnapshotUse) -> bool {
        self.0.take_if(|own| *own == purpose).is_some()
    }
}

impl SnapshotUse {
    fn name(self) -> &'static str {
        match self {
            SnapshotUse::Rewrite => "append files",
            SnapshotUse::Save => "an RDB file",
            SnapshotUse::Sync => "replicas",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_at_a_time() {
        let mut owner = SnapshotOwner::default();
        assert!(!owner.release(SnapshotUse::Save));
        assert!(owner.claim(SnapshotUse::Rewrite) && owner.claim(SnapshotUse::Rewrite));
        assert!(!owner.claim(SnapshotUse::Save) && !owner.release(SnapshotUse::Save));
        owner.seize(SnapshotUse::Save);
        assert!(owner.is(SnapshotUse::Save) && !owner.release(SnapshotUse::Rewrite));
        assert!(owner.release(SnapshotUse::Save));
        assert_eq!(owner.current(), None);
    }
}
