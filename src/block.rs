//! A small buffer behind one thin pointer: its length and capacity are stored before its bytes.
//!
//! It has `unsafe` because that pays: a `Vec<u8>` takes three words beside its
//! allocation, and the rest of the state two more: 24 of the 120 bytes of a queue with one message of 64
//! bytes. An enum of such a buffer and something else would take a second word, too: so a block may also
//! have content apart, in a box of its own.

use std::alloc::{self, Layout};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;

/// Stored before the bytes. Not aligned if `M` is not: mimalloc would leave some bytes of an aligned
/// allocation unused, often a fifth of it.
#[repr(C)]
struct Head<M> {
    meta: M,
    capacity: [u8; 2],
    len: [u8; 2],
}

/// Maximum number of usable bytes.
pub(crate) const CAPACITY_MAX: usize = u16::MAX as usize;

/// A buffer of a fixed capacity, with data of its owner that has no meaning here.
///
/// It may have content of type `A` apart. It is full then, and its capacity is stored as zero.
///
/// Invariants: the pointer is of an allocation with the layout `self.layout()` that only this block owns and
/// that begins with a `Head`; the `head.len` bytes after it are initialized. Without content apart,
/// `head.len` is at most `head.capacity`, which never changes after the allocation. With content apart,
/// `head.capacity` is zero and `head.len` is not and never changes, and behind the bytes is a pointer from
/// `Box::into_raw`, which only this block owns.
#[derive(Debug)]
pub(crate) struct Block<M: Copy, A = ()> {
    head: NonNull<Head<M>>,
    owns: PhantomData<(M, Box<A>)>,
}

// SAFETY: a block owns its allocation, as a `Vec<u8>` does, and its content apart, as a `Box` does; it has
// no interior mutability.
unsafe impl<M: Copy + Send, A: Send> Send for Block<M, A> {}
// SAFETY: as above.
unsafe impl<M: Copy + Sync, A: Sync> Sync for Block<M, A> {}

impl<M: Copy, A> Block<M, A> {
    /// Bytes before the usable ones.
    pub(crate) const HEAD_BYTES: usize = size_of::<Head<M>>();

    /// Blocks with content of no size never have any: what follows from that is computed at compile time.
    const MAY_BE_APART: bool = size_of::<A>() > 0;

    /// An empty block with capacity for `capacity` bytes, at most `CAPACITY_MAX`.
    pub(crate) fn with_capacity(capacity: usize, meta: M) -> Block<M, A> {
        let stored = u16::try_from(capacity).expect("at most CAPACITY_MAX");
        let layout = Block::<M, A>::layout_of(capacity);
        // SAFETY: the layout's size is not zero: it is at least that of a `Head`.
        let pointer = unsafe { alloc::alloc(layout) }.cast::<Head<M>>();
        let Some(head) = NonNull::new(pointer) else { alloc::handle_alloc_error(layout) };
        // SAFETY: the allocation can hold a `Head`, is aligned for it, and only this block owns it.
        unsafe { head.write(Head { meta, capacity: stored.to_ne_bytes(), len: [0; 2] }) };
        Block { head, owns: PhantomData }
    }

    /// A full block of these bytes, not none and at most `CAPACITY_MAX` less a pointer, with content apart,
    /// whose type must have a size.
    pub(crate) fn with_apart(bytes: &[u8], apart: Box<A>, meta: M) -> Block<M, A> {
        assert!(Self::MAY_BE_APART && !bytes.is_empty(), "this block has no content apart");
        let mut block: Block<M, A> = Block::with_capacity(bytes.len() + size_of::<*mut A>(), meta);
        block.extend(bytes);
        // SAFETY: the allocation has the bytes of a pointer after the used ones.
        unsafe { block.apart_place().write_unaligned(Box::into_raw(apart)) };
        block.head_mut().capacity = [0; 2];
        block
    }

    #[inline]
    fn head(&self) -> &Head<M> {
        // SAFETY: there is a `Head`, and it is borrowed with the block.
        unsafe { self.head.as_ref() }
    }

    #[inline]
    fn head_mut(&mut self) -> &mut Head<M> {
        // SAFETY: as in `head`; the block is borrowed as long, and only this block owns the allocation.
        unsafe { self.head.as_mut() }
    }

    /// Where the bytes begin.
    #[inline]
    fn start(&self) -> *mut u8 {
        // SAFETY: the allocation contains a `Head`, so the address after it is at most its end.
        unsafe { self.head.as_ptr().add(1).cast::<u8>() }
    }

    /// Where the pointer to the content apart is, or would be.
    #[inline]
    fn apart_place(&self) -> *mut *mut A {
        // SAFETY: the used bytes are within the allocation.
        unsafe { self.start().add(self.len()).cast::<*mut A>() }
    }

    /// Whether it has content apart.
    #[inline]
    fn is_apart(&self) -> bool {
        Self::MAY_BE_APART && self.len() > self.capacity()
    }

    /// Returns the content apart, if there is any.
    #[inline]
    pub(crate) fn apart(&self) -> Option<&A> {
        // SAFETY: there is a pointer from a box that this block owns, which is borrowed.
        self.is_apart().then(|| unsafe { &*self.apart_place().read_unaligned() })
    }

    /// Returns the content apart for changes, if there is any.
    #[inline]
    pub(crate) fn apart_mut(&mut self) -> Option<&mut A> {
        // SAFETY: as in `apart`; the block is borrowed mutably.
        self.is_apart().then(|| unsafe { &mut *self.apart_place().read_unaligned() })
    }

    /// Returns the number of usable bytes: none with content apart.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        usize::from(u16::from_ne_bytes(self.head().capacity))
    }

    /// Returns the bytes of its allocation, without that of content apart.
    #[inline]
    pub(crate) fn allocated_bytes(&self) -> usize {
        self.layout().size()
    }

    /// Returns the number of used bytes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        usize::from(u16::from_ne_bytes(self.head().len))
    }

    #[inline]
    fn set_len(&mut self, len: usize) {
        self.head_mut().len = (len as u16).to_ne_bytes();
    }

    /// Returns the owner's data.
    #[inline]
    pub(crate) fn meta(&self) -> M {
        self.head().meta
    }

    /// Returns the owner's data for changes.
    #[inline]
    pub(crate) fn meta_mut(&mut self) -> &mut M {
        &mut self.head_mut().meta
    }

    /// Returns the used bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: that many bytes are initialized, and they are borrowed with the block.
        unsafe { slice::from_raw_parts(self.start(), self.len()) }
    }

    /// Returns the used bytes for changes.
    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; the block is borrowed as long, and only this block owns the allocation.
        unsafe { slice::from_raw_parts_mut(self.start(), self.len()) }
    }

    /// Removes the bytes after the first `len`, but none of a block with content apart.
    #[inline]
    pub(crate) fn truncate(&mut self, len: usize) {
        if len < self.len() && !self.is_apart() {
            self.set_len(len);
        }
    }

    /// Adds bytes; they must fit.
    #[inline]
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let len = self.len();
        assert!(len + bytes.len() <= self.capacity(), "the block is full");
        // SAFETY: the allocation has that many bytes after the used ones; `bytes` is borrowed, and the
        // block's own bytes are borrowed mutably, so the two do not overlap.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start().add(len), bytes.len()) };
        self.set_len(len + bytes.len());
    }

    /// As `extend`, with the same byte before and after.
    #[inline]
    pub(crate) fn extend_between(&mut self, byte: u8, bytes: &[u8]) {
        let len = self.len();
        assert!(len + bytes.len() + 2 <= self.capacity(), "the block is full");
        // SAFETY: as in `extend`.
        unsafe {
            let end = self.start().add(len);
            end.write(byte);
            ptr::copy_nonoverlapping(bytes.as_ptr(), end.add(1), bytes.len());
            end.add(1 + bytes.len()).write(byte);
        }
        self.set_len(len + bytes.len() + 2);
    }

    /// Adds zeros; they must fit.
    #[inline]
    pub(crate) fn extend_zeros(&mut self, count: usize) {
        let len = self.len();
        assert!(len + count <= self.capacity(), "the block is full");
        // SAFETY: the allocation has that many bytes after the used ones.
        unsafe { self.start().add(len).write_bytes(0, count) };
        self.set_len(len + count);
    }

    /// The layout of the allocation.
    #[inline]
    fn layout(&self) -> Layout {
        Self::layout_of(if self.is_apart() {
            self.len() + size_of::<*mut A>()
        } else {
            self.capacity()
        })
    }

    /// The layout of an allocation with this many bytes after the head.
    #[inline]
    fn layout_of(bytes: usize) -> Layout {
        Layout::from_size_align(Self::HEAD_BYTES + bytes, align_of::<Head<M>>())
            .expect("a small size")
    }
}

impl<M: Copy, A> Drop for Block<M, A> {
    fn drop(&mut self) {
        let layout = self.layout();
        if self.is_apart() {
            // SAFETY: the pointer is from `Box::into_raw`, and is not used after the block.
            drop(unsafe { Box::from_raw(self.apart_place().read_unaligned()) });
        }
        // SAFETY: the allocation has this layout, and is not used after the block.
        unsafe { alloc::dealloc(self.head.as_ptr().cast::<u8>(), layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Twelve bytes that need no alignment.
    type Meta = [u8; 12];

    #[test]
    fn a_block_has_its_bytes_and_its_meta() {
        type Plain = Block<Meta>;
        assert_eq!((size_of::<Option<Plain>>(), Plain::HEAD_BYTES), (size_of::<usize>(), 16));
        for capacity in [0, 1, 7, 64, 4000, CAPACITY_MAX] {
            let mut block = Plain::with_capacity(capacity, [7; 12]);
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
            assert_eq!(block.meta(), [7; 12]);
            block.meta_mut()[11] = u8::MAX;
            block.truncate(3);
            block.truncate(4);
            assert_eq!((block.capacity(), block.len()), (capacity, capacity.min(3)));
            assert_eq!(block.bytes(), &expected[..capacity.min(3)]);
            assert_eq!(block.allocated_bytes(), 16 + capacity);
            assert!(block.apart().is_none() && block.apart_mut().is_none());
        }
    }

    #[test]
    fn content_apart_is_owned_by_the_block() {
        let shared = Arc::new(7);
        for length in [1, 2, 300, CAPACITY_MAX - size_of::<usize>()] {
            let bytes = vec![b'n'; length];
            let apart = Box::new((Arc::clone(&shared), length));
            let mut block = Block::<Meta, _>::with_apart(&bytes, apart, [1; 12]);
            block.apart_mut().expect("content").1 += 1;
            block.truncate(0);
            block.meta_mut()[0] = 2;
            block.bytes_mut()[0] = b'N';
            assert_eq!((block.bytes()[0], &block.bytes()[1..]), (b'N', &bytes[1..]));
            assert_eq!(block.apart(), Some(&(Arc::clone(&shared), length + 1)));
            assert_eq!((block.meta()[0], block.capacity(), block.len()), (2, 0, length));
            assert_eq!(block.allocated_bytes(), 16 + length + size_of::<usize>());
            assert_eq!(Arc::strong_count(&shared), 2);
            drop(block);
            assert_eq!(Arc::strong_count(&shared), 1);
        }
    }

    #[test]
    #[should_panic(expected = "the block is full")]
    fn a_full_block_takes_no_more() {
        let mut block: Block<Meta> = Block::with_capacity(3, [0; 12]);
        block.extend(b"ab");
        block.extend(b"cd");
    }

    #[test]
    #[should_panic(expected = "the block is full")]
    fn a_full_block_takes_no_byte_between_others() {
        Block::<Meta>::with_capacity(2, [0; 12]).extend_between(1, b"a");
    }

    #[test]
    #[should_panic(expected = "the block is full")]
    fn a_block_with_content_apart_takes_no_more() {
        Block::<Meta, _>::with_apart(b"name", Box::new(1), [0; 12]).extend(b"x");
    }

    #[test]
    #[should_panic(expected = "no content apart")]
    fn content_without_a_size_is_never_apart() {
        Block::<Meta, _>::with_apart(b"name", Box::new(()), [0; 12]);
    }

    #[test]
    fn a_block_goes_to_another_thread() {
        let mut block: Block<Meta> = Block::with_capacity(3, [0; 12]);
        block.extend(b"abc");
        let thread = std::thread::spawn(move || block.bytes().to_vec());
        assert_eq!(thread.join().expect("no panic"), b"abc");
    }
}
