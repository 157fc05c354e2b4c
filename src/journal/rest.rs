//! The part of a file after the last batch that is kept: whole batches, preallocated space, or a torn
//! tail.
//!
//! It may be as long as the file, so it is read in parts, of which few are held at once.

use super::batch::{PREFIX, TRAILER_BYTES, Trailer, checksum_of};
use super::files::Directory;
use super::preallocated::PreallocatedAtEnd;
use memchr::memmem;
use std::io::{self, Read};

/// Bytes of one read.
const READ_BYTES: usize = 1 << 20;

/// The meaning of a break in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The result of a power failure: when the whole batches after the break were written, nothing from
    /// the break on was known to be durable.
    TornTail,
    /// Durable data is missing; this batch proves it.
    Damage(LaterBatch),
    /// There is no opening, and no proof that there was one: Redis has written the file, or it is
    /// damaged. A power failure cannot be the reason.
    NoOpening,
}

/// A whole batch after a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaterBatch {
    /// Its offset in the file.
    pub start: u64,
    /// The offset of its end.
    pub end: u64,
    /// Up to here the file was known to be synced when it was written, according to its trailer.
    pub durable: u64,
}

/// Bytes after the last batch that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// Those before the preallocated space.
    pub torn: u64,
    /// The preallocated space at the end of the file.
    pub preallocated: u64,
}

/// Reads a file from offset `kept` to its end, once.
pub struct Rest<'a> {
    directory: &'a dyn Directory,
    name: &'a str,
    kept: u64,
    reader: Box<dyn Read + Send>,
    /// A part of the file: what is searched now, and some of the part before.
    window: Vec<u8>,
    /// Bytes of the rest before the window.
    dropped: u64,
    /// Up to here the window was searched for trailers.
    searched: usize,
    is_at_end: bool,
    preallocated: PreallocatedAtEnd,
}

impl<'a> Rest<'a> {
    /// Begins at offset `kept`, where the last kept batch ends.
    ///
    /// # Errors
    /// An error of the system.
    pub fn begin(directory: &'a dyn Directory, name: &'a str, kept: u64) -> io::Result<Rest<'a>> {
        Ok(Rest {
            directory,
            name,
            kept,
            reader: directory.read(name, kept)?,
            window: Vec::new(),
            dropped: 0,
            searched: 0,
            is_at_end: false,
            preallocated: PreallocatedAtEnd::default(),
        })
    }

    /// Decides about a break at `kept`. It reads no further than the proof.
    ///
    /// # Errors
    /// An error of the system.
    pub fn judge(&mut self) -> io::Result<Verdict> {
        while let Some(batch) = self.next_batch()? {
            // A whole batch exactly at the break is not torn, but does not follow: batches before it are
            // lost, or it is misplaced.
            if batch.start == self.kept || batch.durable > self.kept {
                return Ok(Verdict::Damage(batch));
            }
        }
        Ok(if self.kept == 0 { Verdict::NoOpening } else { Verdict::TornTail })
    }

    /// The next whole batch.
    ///
    /// Each is verified by itself, since after a break it is unknown where a command begins. It must be
    /// at its own offset, or begin exactly at the break: anything else may be a message crafted to look
    /// like a batch. A message that contains a piece of this very file, at the same offset, would still
    /// be taken for it.
    ///
    /// # Errors
    /// An error of the system.
    pub fn next_batch(&mut self) -> io::Result<Option<LaterBatch>> {
        loop {
            let Some(found) = memmem::find(&self.window[self.searched..], PREFIX) else {
                if self.is_at_end {
                    return Ok(None);
                }
                self.searched =
                    self.searched.max(self.window.len().saturating_sub(PREFIX.len() - 1));
                self.read_more()?;
                continue;
            };
            let position = self.searched + found;
            let Some(bytes) = self.window[position..].first_chunk().copied() else {
                if self.is_at_end {
                    return Ok(None);
                }
                self.searched = position;
                self.read_more()?;
                continue;
            };
            self.searched = position + PREFIX.len();
            if let Some(batch) = self.batch_before(position, &bytes)? {
                return Ok(Some(batch));
            }
        }
    }

    /// How much of it is preallocated. This reads to the end, so it is the last question.
    ///
    /// # Errors
    /// An error of the system.
    pub fn lengths(mut self) -> io::Result<Lengths> {
        while !self.is_at_end {
            self.searched = self.window.len();
            self.read_more()?;
        }
        let torn = self.preallocated.begins_at();
        Ok(Lengths { torn, preallocated: self.dropped + self.window.len() as u64 - torn })
    }

    /// The batch that ends with this trailer, if there is one.
    fn batch_before(
        &self,
        position: usize,
        bytes: &[u8; TRAILER_BYTES],
    ) -> io::Result<Option<LaterBatch>> {
        let Some(trailer) = Trailer::from_bytes(bytes) else { return Ok(None) };
        let position_in_rest = self.dropped + position as u64;
        let before = position_in_rest.checked_sub(trailer.length);
        let end = self.kept.checked_add(position_in_rest + TRAILER_BYTES as u64);
        let (Some(before), Some(end)) = (before, end) else { return Ok(None) };
        let start = self.kept + before;
        if trailer.start != start && before != 0 {
            return Ok(None);
        }
        let commands = match before.checked_sub(self.dropped) {
            Some(at) => crc32c::crc32c(&self.window[at as usize..position]),
            // It began before the window.
            None => checksum_from(self.directory.read(self.name, start)?, trailer.length)?,
        };
        let is_whole = trailer.checksum == checksum_of(commands, bytes);
        Ok(is_whole.then_some(LaterBatch { start, end, durable: trailer.durable }))
    }

    /// Reads on. Drops what was searched, except a part in which most batches begin.
    fn read_more(&mut self) -> io::Result<()> {
        let dropped = self.searched.saturating_sub(READ_BYTES);
        self.window.drain(..dropped);
        self.searched -= dropped;
        self.dropped += dropped as u64;
        let before = self.window.len();
        (&mut self.reader).take(READ_BYTES as u64).read_to_end(&mut self.window)?;
        self.is_at_end = self.window.len() < before + READ_BYTES;
        self.preallocated.add(&self.window[before..]);
        Ok(())
    }
}

/// The checksum of the next `length` bytes.
fn checksum_from(reader: Box<dyn Read + Send>, length: u64) -> io::Result<u32> {
    let mut reader = reader.take(length);
    let mut part = vec![0; READ_BYTES.min(length as usize)];
    let mut checksum = 0;
    loop {
        match reader.read(&mut part) {
            Ok(0) => return Ok(checksum),
            Ok(bytes) => checksum = crc32c::crc32c_append(checksum, &part[..bytes]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::batch::{Sealer, first_chain};
    use crate::journal::files::write_all;
    use crate::journal::memory::MemoryDirectory;
    use crate::journal::preallocated::add_preallocated;

    const NAME: &str = "appendonly.aof.1.incr.aof";

    /// Batches longer than the window, at all positions relative to the parts.
    #[test]
    fn batches_are_found_wherever_the_parts_end() {
        let mut file = Sealer::begin(NAME).1;
        let mut sealer = Sealer::resume(file.len() as u64, first_chain(NAME));
        let mut expected = Vec::new();
        let lengths = [5 * READ_BYTES, 100, 2 * READ_BYTES, READ_BYTES - 140, 0, 7, READ_BYTES];
        for length in lengths.into_iter().chain(900..1000) {
            let mut batch = vec![b'x'; length];
            let (start, durable) = (sealer.at(), sealer.at() / 2);
            sealer.seal(&mut batch, durable);
            expected.push(LaterBatch { start, end: sealer.at(), durable });
            file.extend_from_slice(&batch);
        }
        let end = file.len();
        add_preallocated(&mut file, 4 * READ_BYTES);
        // The opening is torn: then everything after it is found.
        let kept = 1;
        let directory = MemoryDirectory::new();
        let written = directory.create(NAME).and_then(|to| write_all(&*to, &file, 0));
        written.expect("memory");
        let begin = || Rest::begin(&directory, NAME, kept).expect("memory");
        let mut rest = begin();
        for expected in &expected {
            assert_eq!(rest.next_batch().expect("memory").as_ref(), Some(expected));
            assert!(rest.window.len() <= 3 * READ_BYTES, "{} bytes are held", rest.window.len());
        }
        assert_eq!(rest.next_batch().expect("memory"), None);
        let lengths = Lengths { torn: end as u64 - kept, preallocated: 4 << 20 };
        assert_eq!(rest.lengths().expect("memory"), lengths);
        assert_eq!(begin().lengths().expect("memory"), lengths);
        assert!(matches!(begin().judge().expect("memory"), Verdict::Damage(_)));
    }
}
