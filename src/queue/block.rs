//! A small buffer behind one thin pointer: its length and capacity are stored before its bytes.
//!
//! It has `unsafe` because that pays: a `Vec<u8>` takes three words beside its
//! allocation, and the rest of the state two more: 24 of the 120 bytes of a queue with one message of 64
//! bytes.

use std::alloc::{self, Layout};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;

/// Stored before the bytes. Not aligned: mimalloc would leave some bytes of an aligned allocation
/// unused, often a fifth of it.
#[repr(C, packed)]
struct Head {
    meta: Meta,
    capacity: u16,
    len: u16,
}

/// Data that the owner stores with the bytes. It has no meaning here.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, packed)]
pub(super) struct Meta {
    pub(super) numbers: [u32; 2],
    pub(super) start: u16,
    pub(super) count: u16,
}

/// Bytes before the usable ones.
pub(super) const HEAD_BYTES: usize = size_of::<Head>();

/// Maximum number of usable bytes.
pub(super) const CAPACITY_MAX: usize = u16::MAX as usize;

/// A buffer of a fixed capacity.
///
/// Invariants: the pointer is of an allocation with `layout(head.capacity)` that only this block owns
/// and that begins with a `Head`; the `head.len` bytes after it are initialized; `head.len` is at most
/// `head.capacity`; and `head.capacity` never changes after the allocation.
#[derive(Debug)]
pub(super) struct Block {
    head: NonNull<Head>,
    owns: PhantomData<Head>,
}

// SAFETY: a block owns its allocation, as a `Vec<u8>` does, and has no interior mutability.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    /// An empty block with capacity for `capacity` bytes, at most `CAPACITY_MAX`.
    pub(super) fn with_capacity(capacity: usize, meta: Meta) -> Block {
        let stored = u16::try_from(capacity).expect("at most CAPACITY_MAX");
        let layout = layout(capacity);
        // SAFETY: the layout's size is not zero: it is at least that of a `Head`.
        let pointer = unsafe { alloc::alloc(layout) }.cast::<Head>();
        let Some(head) = NonNull::new(pointer) else { alloc::handle_alloc_error(layout) };
        // SAFETY: the allocation can hold a `Head`, which needs no alignment, and only this block owns
        // it.
        unsafe { head.write(Head { meta, capacity: stored, len: 0 }) };
        Block { head, owns: PhantomData }
    }

    #[inline]
    fn head(&self) -> &Head {
        // SAFETY: there is a `Head`, and it is borrowed with the block.
        unsafe { self.head.as_ref() }
    }

    #[inline]
    fn head_mut(&mut self) -> &mut Head {
        // SAFETY: as in `head`; the block is borrowed as long, and only this block owns the allocation.
        unsafe { self.head.as_mut() }
    }

    /// Where the bytes begin.
    #[inline]
    fn start(&self) -> *mut u8 {
        // SAFETY: the allocation contains a `Head`, so the address after it is at most its end.
        unsafe { self.head.as_ptr().add(1).cast::<u8>() }
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        usize::from(self.head().capacity)
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.head().len)
    }

    #[inline]
    pub(super) fn meta(&self) -> Meta {
        self.head().meta
    }

    #[inline]
    pub(super) fn meta_mut(&mut self) -> &mut Meta {
        &mut self.head_mut().meta
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: that many bytes are initialized, and they are borrowed with the block.
        unsafe { slice::from_raw_parts(self.start(), self.len()) }
    }

    #[inline]
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; the block is borrowed as long, and only this block owns the allocation.
        unsafe { slice::from_raw_parts_mut(self.start(), self.len()) }
    }

    /// Removes the bytes after the first `len`.
    #[inline]
    pub(super) fn truncate(&mut self, len: usize) {
        if len < self.len() {
            self.head_mut().len = len as u16;
        }
    }

    /// Adds bytes; they must fit.
    #[inline]
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let len = self.len();
        assert!(bytes.len() <= self.capacity() - len, "the block is full");
        // SAFETY: the allocation has that many bytes after the used ones; `bytes` is borrowed, and the
        // block's own bytes are borrowed mutably, so the two do not overlap.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start().add(len), bytes.len()) };
        self.head_mut().len = (len + bytes.len()) as u16;
    }

    /// As `extend`, with the same byte before and after.
    #[inline]
    pub(super) fn extend_between(&mut self, byte: u8, bytes: &[u8]) {
        let len = self.len();
        assert!(bytes.len() + 2 <= self.capacity() - len, "the block is full");
        // SAFETY: as in `extend`.
        unsafe {
            let end = self.start().add(len);
            end.write(byte);
            ptr::copy_nonoverlapping(bytes.as_ptr(), end.add(1), bytes.len());
            end.add(1 + bytes.len()).write(byte);
        }
        self.head_mut().len = (len + bytes.len() + 2) as u16;
    }

    /// Adds zeros; they must fit.
    pub(super) fn extend_zeros(&mut self, count: usize) {
        let len = self.len();
        assert!(count <= self.capacity() - len, "the block is full");
        // SAFETY: the allocation has that many bytes after the used ones.
        unsafe { self.start().add(len).write_bytes(0, count) };
        self.head_mut().len = (len + count) as u16;
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let layout = layout(self.capacity());
        // SAFETY: the allocation has this layout, and is not used after the block.
        unsafe { alloc::dealloc(self.head.as_ptr().cast::<u8>(), layout) }
    }
}

/// The layout of a block's allocation.
fn layout(capacity: usize) -> Layout {
    Layout::from_size_align(HEAD_BYTES + capacity, align_of::<Head>()).expect("a small size")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_its_bytes_and_its_meta() {
        assert_eq!((size_of::<Option<Block>>(), HEAD_BYTES), (size_of::<usize>(), 16));
        for capacity in [0, 1, 7, 64, 4000, CAPACITY_MAX] {
            let meta = Meta { numbers: [1, 2], start: 3, count: 4 };
            let mut block = Block::with_capacity(capacity, meta);
            assert_eq!((block.capacity(), block.len(), block.bytes()), (capacity, 0, &[][..]));
            match capacity / 2 {
                half @ ..2 => block.extend(&vec![0xff; half]),
                half => block.extend_between(0xff, &vec![0xff; half - 2]),
            }
            block.extend_zeros(capacity - capacity / 2);
            block.bytes_mut().reverse();
            let mut expected = vec![0; capacity - capacity / 2];
            expected.resize(capacity, 0xff);
            assert_eq!(block.bytes(), expected);
            let Meta { numbers, start, count } = block.meta();
            assert_eq!((numbers, start, count), ([1, 2], 3, 4));
            block.meta_mut().count = u16::MAX;
            block.truncate(3);
            block.truncate(4);
            assert_eq!((block.capacity(), block.len()), (capacity, capacity.min(3)));
            assert_eq!(block.bytes(), &expected[..capacity.min(3)]);
        }
    }

    #[test]
    #[should_panic(expected = "the block is full")]
    fn a_full_block_takes_no_more() {
        let mut block = Block::with_capacity(3, Meta::default());
        block.extend(b"ab");
        block.extend(b"cd");
    }

    #[test]
    #[should_panic(expected = "the block is full")]
    fn a_full_block_takes_no_byte_between_others() {
        Block::with_capacity(2, Meta::default()).extend_between(1, b"a");
    }

    #[test]
    fn a_block_goes_to_another_thread() {
        let mut block = Block::with_capacity(3, Meta::default());
        block.extend(b"abc");
        let thread = std::thread::spawn(move || block.bytes().to_vec());
        assert_eq!(thread.join().expect("no panic"), b"abc");
    }
}
