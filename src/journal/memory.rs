//! A directory in memory that loses power, runs out of space and fails on demand.
//!
//! It separates durable data from other data: synced bytes from unsynced ones, names covered by the
//! directory's sync from newer ones. [`MemoryDirectory::crash`] decides at random, from a seed, what
//! remains of the rest. The result is as bad as the rules in [`super::files`] allow, which is worse than
//! with most file systems: code that works here does not depend on a particular one.
//!
//! It is also the starting point for other simulations of a broker with its journal.

use super::files::{AppendFile, Directory, checked};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Faults on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A write takes only the first half of its bytes (or its only byte).
    ShortWrite,
    /// A write, the creation of a file, or the reservation of space finds no space, and changes nothing.
    /// Writes to reserved space succeed.
    NoSpace,
    /// A write fails, but the first half of its bytes was written.
    WriteError,
    /// The sync of a file or of the directory fails, and made nothing durable.
    ///
    /// As in Linux, the error is reported once to each opener of the file, and never again: later syncs
    /// of the file succeed, but make nothing durable. For names, a later sync of the directory does.
    SyncError,
    /// The process is dead: none of its changes happen.
    PowerOff,
}

/// A directory in memory. A clone is the same directory.
#[derive(Clone, Debug, Default)]
pub struct MemoryDirectory {
    disk: Arc<Mutex<Disk>>,
}

impl MemoryDirectory {
    /// An empty directory.
    pub fn new() -> MemoryDirectory {
        MemoryDirectory::default()
    }

    /// A directory with these files, all durable. Names are not checked.
    pub fn with_files<N: Into<String>, B: Into<Vec<u8>>>(
        files: impl IntoIterator<Item = (N, B)>,
    ) -> MemoryDirectory {
        let mut disk = Disk::default();
        for (name, bytes) in files {
            disk.files.push(Content::durable(bytes.into()));
            disk.names.insert(name.into(), disk.files.len() - 1);
        }
        disk.durable_names = disk.names.clone();
        MemoryDirectory { disk: Arc::new(Mutex::new(disk)) }
    }

    /// Applies `fault` to every operation in `operations` that it can affect.
    ///
    /// Operations are changes: create, write, truncate, sync, rename, remove. They are counted from 0,
    /// whether they succeed or not.
    pub fn inject(&self, operations: Range<u64>, fault: Fault) {
        self.disk().faults.push((operations, fault));
    }

    /// The number of operations so far.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// A possible state of the directory after a power failure now; the same seed gives the same state.
    ///
    /// - Each change of a name since the last sync of the directory has happened or not, independently
    ///   of the others.
    /// - The length of a file is anything between the shortest and the longest since its last sync.
    /// - Its bytes that are not durable are torn in blocks of 512 or 4096 bytes: each block is new, or
    ///   as in an earlier state since the last sync, or zero, if the file ended there at some point
    ///   since.
    ///
    /// Everything in the new directory is durable, and it has no faults. This one does not change, so
    /// that many seeds can be tried.
    pub fn crash(&self, seed: u64) -> MemoryDirectory {
        let disk = self.disk();
        let mut dice = Dice(seed);
        let mut names = disk.durable_names.clone();
        let happens = [0, 2, 4][dice.below(3)];
        for change in &disk.pending_names {
            if dice.below(4) < happens {
                change.apply(&mut names);
            }
        }
        let files = names.into_iter();
        MemoryDirectory::with_files(
            files.map(|(name, number)| (name, disk.files[number].after_crash(&mut dice))),
        )
    }

    /// The directory with everything durable and without faults, as after the process ended but not the
    /// system. This one does not change.
    pub fn after_kill(&self) -> MemoryDirectory {
        let disk = self.disk();
        let files = disk.names.iter();
        MemoryDirectory::with_files(
            files.map(|(name, number)| (name.clone(), disk.files[*number].bytes.clone())),
        )
    }

    /// The directory as the next process finds it after this one was killed, without faults: changes
    /// that are not durable are visible, and may still be lost. This one does not change.
    pub fn survivor(&self) -> MemoryDirectory {
        let mut disk = self.disk().clone();
        disk.faults.clear();
        MemoryDirectory { disk: Arc::new(Mutex::new(disk)) }
    }

    /// Whether a file of this name exists after a power failure, with any content.
    pub fn has_durable_name(&self, name: &str) -> bool {
        let disk = self.disk();
        let is_changed = |change: &NameChange| change.gone.as_deref() == Some(name);
        disk.durable_names.contains_key(name) && !disk.pending_names.iter().any(is_changed)
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        locked(&self.disk)
    }
}

/// No code with the lock can panic while the state is half changed.
fn locked(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Directory for MemoryDirectory {
    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        let name = checked(name)?.to_string();
        let mut disk = self.disk();
        match disk.next_fault(&[Fault::NoSpace]) {
            Some(Fault::NoSpace) => return Err(io::ErrorKind::StorageFull.into()),
            Some(_) => return Err(power_off()),
            None => {}
        }
        if disk.names.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = disk.files.len();
        disk.files.push(Content::default());
        disk.change_names(NameChange { gone: None, there: Some((name, number)) });
        Ok(Arc::new(MemoryFile::new(&self.disk, number, 0)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        let disk = self.disk();
        let number = disk.number_of(name)?;
        Ok(Arc::new(MemoryFile::new(&self.disk, number, disk.files[number].failures)))
    }

    fn read(&self, name: &str, from: u64) -> io::Result<Box<dyn Read + Send>> {
        let disk = self.disk();
        let bytes = &disk.files[disk.number_of(name)?].bytes;
        let from = bytes.len().min(from as usize);
        Ok(Box::new(io::Cursor::new(bytes[from..].to_vec())))
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        let disk = self.disk();
        Ok(disk.files[disk.number_of(name)?].bytes.len() as u64)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let to = checked(to)?.to_string();
        let mut disk = self.disk();
        let number = disk.number_of(from)?;
        if disk.next_fault(&[]).is_some() {
            return Err(power_off());
        }
        let change = NameChange { gone: Some(from.to_string()), there: Some((to, number)) };
        disk.change_names(change);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.number_of(name)?;
        if disk.next_fault(&[]).is_some() {
            return Err(power_off());
        }
        disk.change_names(NameChange { gone: Some(name.to_string()), there: None });
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.disk().names.keys().cloned().collect())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk();
        match disk.next_fault(&[Fault::SyncError]) {
            Some(Fault::SyncError) => return Err(broken()),
            Some(_) => return Err(power_off()),
            None => {}
        }
        disk.durable_names = disk.names.clone();
        disk.pending_names.clear();
        Ok(())
    }
}

/// A file of the directory, whatever its name is now.
#[derive(Debug)]
struct MemoryFile {
    disk: Arc<Mutex<Disk>>,
    number: usize,
    /// Failed syncs of the file that were reported here, or happened before it was opened.
    failures_known: AtomicU64,
}

impl MemoryFile {
    fn new(disk: &Arc<Mutex<Disk>>, number: usize, failures: u64) -> MemoryFile {
        MemoryFile { disk: Arc::clone(disk), number, failures_known: AtomicU64::new(failures) }
    }
}

impl AppendFile for MemoryFile {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        let mut disk = locked(&self.disk);
        let end = at.saturating_add(bytes.len() as u64);
        let possible = match end <= disk.files[self.number].kept {
            true => &[Fault::ShortWrite, Fault::WriteError][..],
            false => &[Fault::ShortWrite, Fault::NoSpace, Fault::WriteError],
        };
        let fault = disk.next_fault(possible);
        let content = &mut disk.files[self.number];
        let at = usize::try_from(at).ok().filter(|at| *at <= content.bytes.len());
        let at = at.ok_or(io::ErrorKind::InvalidInput)?;
        let half = &bytes[..bytes.len() / 2];
        let (written, result) = match fault {
            None => (bytes, Ok(bytes.len())),
            Some(Fault::ShortWrite) if !half.is_empty() => (half, Ok(half.len())),
            Some(Fault::ShortWrite) => (bytes, Ok(bytes.len())),
            Some(Fault::NoSpace) => return Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::WriteError) => (half, Err(broken())),
            Some(Fault::SyncError | Fault::PowerOff) => return Err(power_off()),
        };
        content.change(Change::Write { at, bytes: written.to_vec() });
        result
    }

    fn keep_space(&self, at: u64, bytes: u64) -> io::Result<()> {
        let mut disk = locked(&self.disk);
        match disk.next_fault(&[Fault::NoSpace]) {
            Some(Fault::NoSpace) => return Err(io::ErrorKind::StorageFull.into()),
            Some(_) => return Err(power_off()),
            None => {}
        }
        let content = &mut disk.files[self.number];
        // Bytes within the file already have space.
        if at <= content.kept.max(content.bytes.len() as u64) {
            content.kept = content.kept.max(at.saturating_add(bytes));
        }
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut disk = locked(&self.disk);
        if disk.next_fault(&[]).is_some() {
            return Err(power_off());
        }
        match usize::try_from(length) {
            Ok(length) if length <= disk.files[self.number].bytes.len() => {
                disk.files[self.number].kept = length as u64;
                disk.files[self.number].change(Change::Truncate { length });
                Ok(())
            }
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn length(&self) -> io::Result<u64> {
        Ok(locked(&self.disk).files[self.number].bytes.len() as u64)
    }

    fn is_named(&self) -> io::Result<bool> {
        Ok(locked(&self.disk).names.values().any(|number| *number == self.number))
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = locked(&self.disk);
        let fault = disk.next_fault(&[Fault::SyncError]);
        let content = &mut disk.files[self.number];
        match fault {
            None => content.sync(),
            Some(Fault::SyncError) => content.failures += 1,
            Some(_) => return Err(power_off()),
        }
        // The lock is held: nothing is reordered.
        let known = self.failures_known.swap(content.failures, Ordering::Relaxed);
        if known < content.failures { Err(broken()) } else { Ok(()) }
    }
}

fn broken() -> io::Error {
    io::Error::other("injected input/output error")
}

fn power_off() -> io::Error {
    io::Error::other("the power is off")
}

#[derive(Clone, Debug, Default)]
struct Disk {
    /// Files by number. A file without a name stays for its openers.
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    /// The names at the directory's last sync, and the changes since.
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
    operations: u64,
    faults: Vec<(Range<u64>, Fault)>,
}

impl Disk {
    /// Counts an operation; returns its fault: one of `possible`, or the power's.
    fn next_fault(&mut self, possible: &[Fault]) -> Option<Fault> {
        let operation = self.operations;
        self.operations += 1;
        let mut due = self.faults.iter().filter(|(when, _)| when.contains(&operation));
        due.find(|(_, fault)| *fault == Fault::PowerOff || possible.contains(fault))
            .map(|(_, fault)| *fault)
    }

    fn number_of(&self, name: &str) -> io::Result<usize> {
        self.names.get(checked(name)?).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }
}

/// A name that is removed, one that is added, or both in one step.
#[derive(Clone, Debug)]
struct NameChange {
    gone: Option<String>,
    there: Option<(String, usize)>,
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        if let Some(name) = &self.gone {
            names.remove(name);
        }
        if let Some((name, number)) = &self.there {
            names.insert(name.clone(), *number);
        }
    }
}

/// The content of a file, current and durable.
#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// The content at its last sync, and the changes since.
    synced: Vec<u8>,
    changes: Vec<Change>,
    /// Up to here space is reserved.
    kept: u64,
    /// Failed syncs: after the first, no other makes anything durable.
    failures: u64,
}

/// A change of a file.
#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate { length: usize },
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Write { at, bytes } => {
                to.resize(to.len().max(at + bytes.len()), 0);
                to[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Change::Truncate { length } => to.truncate(*length),
        }
    }
}

impl Content {
    fn durable(bytes: Vec<u8>) -> Content {
        Content { synced: bytes.clone(), bytes, ..Content::default() }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.bytes);
        self.changes.push(change);
    }

    fn sync(&mut self) {
        if self.failures == 0 {
            self.synced.clone_from(&self.bytes);
            self.changes.clear();
        }
    }

    /// The states since the last sync that a block may be in after a crash: that of the sync, the
    /// current one, and one between.
    fn possible_states(&self, dice: &mut Dice) -> [Vec<u8>; 3] {
        let between = dice.below(self.changes.len() + 1);
        let [mut now, mut then] = [self.synced.clone(), self.synced.clone()];
        for (index, change) in self.changes.iter().enumerate() {
            change.apply(&mut now);
            if index < between {
                change.apply(&mut then);
            }
        }
        [now, then, self.synced.clone()]
    }

    /// The shortest and the longest length since its last sync: bytes before the first were never a
    /// hole.
    fn lengths(&self) -> (usize, usize) {
        let (mut length, mut shortest, mut longest) =
            (self.synced.len(), self.synced.len(), self.synced.len());
        for change in &self.changes {
            length = match change {
                Change::Write { at, bytes } => length.max(at + bytes.len()),
                Change::Truncate { length } => *length,
            };
            shortest = shortest.min(length);
            longest = longest.max(length);
        }
        (shortest, longest)
    }

    fn after_crash(&self, dice: &mut Dice) -> Vec<u8> {
        let states = self.possible_states(dice);
        let (shortest, longest) = self.lengths();
        let length = match dice.below(4) {
            0 => self.bytes.len(),
            1 => self.synced.len(),
            _ => shortest + dice.below(longest - shortest + 1),
        };
        let block_bytes = [512, 4096][dice.below(2)];
        // Some crashes tear many blocks, some few, some none.
        let torn_of_8 = [0, 1, 4][dice.below(3)];
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let at = bytes.len();
            let end = ((at / block_bytes + 1) * block_bytes).min(length);
            let source = match (dice.below(8) < torn_of_8, dice.below(3)) {
                (false, _) => &states[0][..],
                (true, 2) => &states[0][..shortest],
                (true, state) => &states[1 + state],
            };
            let byte_at = |at| source.get(at).copied().unwrap_or(0);
            bytes.extend((at..end).map(byte_at));
        }
        bytes
    }
}

/// Random numbers from a seed: splitmix64.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    /// A number below `limit`, which is not 0. Slightly uneven, which is fine here.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // The remainder is below a usize.
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}

#[cfg(test)]
mod tests;
