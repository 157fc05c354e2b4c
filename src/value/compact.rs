//! A value in one allocation with the name and the numbers of its key, as long as it is small.
//!
//! An owner of very many small values has no better place for these. What a small value has is packed behind
//! the name, in a form that its type knows. The content of a large one is apart. All of it is behind one
//! pointer, so that a value is no larger than a list.

use crate::block::{self, CAPACITY_MAX};
use crate::dict::Buffer;
use crate::queue::fitting;

/// Longer names are not stored here.
const NAME_BYTES_MAX: usize = 255;
/// The longest content that is packed.
pub(super) const PACKED_BYTES_MAX: usize = 32 << 10;
/// A block with this many more bytes than are used, and a quarter, shrinks.
const SLACK_MAX: usize = 64;

/// A block is a quarter larger than needed at the most.
const _: () = assert!(
    (Block::<u8>::HEAD_BYTES + 1 + NAME_BYTES_MAX + PACKED_BYTES_MAX) / 4 * 5 < CAPACITY_MAX
);

/// In `form`: a name is stored, even if it is empty.
const NAMED: u8 = 0x80;

/// Data that the owner of a value stores in it, and that has no meaning here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner<'a> {
    /// The key.
    pub(crate) name: &'a [u8],
    /// Two numbers about its use.
    pub(crate) numbers: [u32; 2],
}

/// Not aligned: see `block`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, packed)]
struct Meta {
    numbers: [u32; 2],
    count: u16,
    form: u8,
}

type Block<A> = block::Block<Meta, A>;

/// A packed value, or one of type `A` apart. The bytes of the block are the length of the name, the name, and
/// what is packed.
#[derive(Debug)]
pub(super) struct Compact<A> {
    /// `None` for an empty value without a name.
    block: Option<Block<A>>,
}

impl<A> Default for Compact<A> {
    fn default() -> Compact<A> {
        Compact { block: None }
    }
}

/// What a value has.
pub(super) enum Content<'a, A> {
    /// The form, and packed bytes in it.
    Packed(u8, &'a [u8]),
    Apart(&'a A),
}

/// Returns where the name ends.
#[inline]
fn base<A>(block: &Block<A>) -> usize {
    1 + block.bytes().first().map_or(0, |length| usize::from(*length))
}

/// Whether a block has space for so many bytes in all, and little more.
#[inline]
fn has_right_size<A>(block: &Block<A>, wanted: usize) -> bool {
    let capacity = block.capacity();
    capacity >= wanted && capacity <= wanted + wanted / 4 + SLACK_MAX
}

impl<A> Compact<A> {
    /// Makes a block of this content.
    fn block(name: &[u8], packed: &[u8], added: usize, meta: Meta) -> Block<A> {
        let needed = Block::<A>::HEAD_BYTES + 1 + name.len() + packed.len() + added;
        let mut block = Block::with_capacity(fitting(needed) - Block::<A>::HEAD_BYTES, meta);
        block.extend(&[name.len() as u8]);
        block.extend(name);
        block.extend(packed);
        block
    }

    #[inline]
    fn meta(&self) -> Meta {
        self.block.as_ref().map(Block::meta).unwrap_or_default()
    }

    /// Returns the data of the owner, if it is stored.
    #[inline]
    pub(super) fn owner(&self) -> Option<Owner<'_>> {
        let block = self.block.as_ref()?;
        let Meta { numbers, form, .. } = block.meta();
        (form & NAMED != 0).then(|| Owner { name: self.name(), numbers })
    }

    /// Returns the name set by the owner; an empty one if none is stored.
    #[inline(always)]
    pub(super) fn name(&self) -> &[u8] {
        match self.block.as_ref().map(Block::bytes) {
            Some([length, rest @ ..]) => rest.get(..usize::from(*length)).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Changes one of the owner's numbers. A value without a block has none.
    #[inline]
    pub(super) fn set_number(&mut self, at: usize, number: u32) {
        if let Some(block) = &mut self.block {
            let mut numbers = block.meta().numbers;
            numbers[at] = number;
            block.meta_mut().numbers = numbers;
        }
    }

    /// Returns the same value with another owner's data, or with none if the name is too long.
    pub(super) fn renamed(mut self, owner: Owner<'_>) -> Compact<A>
    where
        A: Default,
    {
        let Owner { name, numbers } = owner;
        let is_short = name.len() <= NAME_BYTES_MAX;
        let (name, named) = if is_short { (name, NAMED) } else { (&[][..], 0) };
        let meta = Meta { numbers, form: self.form() | named, ..self.meta() };
        let block = match self.apart_mut().map(std::mem::take) {
            Some(apart) => apart_block(name, apart, meta),
            None => Compact::block(name, self.bytes(), 0, meta),
        };
        Compact { block: Some(block) }
    }

    /// Returns the content apart, if there is any.
    #[inline]
    pub(super) fn apart(&self) -> Option<&A> {
        self.block.as_ref()?.apart()
    }

    /// Returns the content apart for changes, if there is any.
    #[inline]
    pub(super) fn apart_mut(&mut self) -> Option<&mut A> {
        self.block.as_mut()?.apart_mut()
    }

    /// Returns the content, wherever it is.
    #[inline]
    pub(super) fn content(&self) -> Content<'_, A> {
        let Some(block) = &self.block else { return Content::Packed(0, &[]) };
        match block.apart() {
            Some(apart) => Content::Apart(apart),
            None => Content::Packed(self.form(), self.bytes()),
        }
    }

    /// Replaces the content by one apart; returns it.
    pub(super) fn set_apart(&mut self, apart: A) -> &mut A {
        let meta = Meta { count: 0, ..self.meta() };
        self.block.insert(apart_block(self.name(), apart, meta)).apart_mut().expect("just set")
    }

    /// Replaces the content by packed bytes, at most `PACKED_BYTES_MAX`.
    #[inline]
    pub(super) fn set_packed(&mut self, bytes: &[u8], count: usize) {
        let meta = Meta { count: count as u16, ..self.meta() };
        match &mut self.block {
            Some(block) if has_right_size(block, base(block) + bytes.len()) => {
                block.truncate(base(block));
                block.extend(bytes);
                *block.meta_mut() = meta;
            }
            _ => self.block = Some(Compact::block(self.name(), bytes, 0, meta)),
        }
    }

    /// Returns what the type stores about its form: seven bits.
    #[inline]
    pub(super) fn form(&self) -> u8 {
        self.meta().form & !NAMED
    }

    /// Sets what the type stores about its form; nothing of a value without a block.
    #[inline]
    pub(super) fn set_form(&mut self, form: u8) {
        if let Some(block) = &mut self.block {
            let named = block.meta().form & NAMED;
            block.meta_mut().form = form | named;
        }
    }

    /// Returns the bytes of memory, without those of content apart besides its own size.
    #[inline]
    pub(super) fn allocated_bytes(&self) -> usize {
        let apart = if self.apart().is_some() { size_of::<A>() } else { 0 };
        self.block.as_ref().map_or(0, Block::allocated_bytes) + apart
    }

    /// Returns an equal value without a name, whose content apart `share` returns.
    pub(super) fn share(&self, share: impl FnOnce(&A) -> A) -> Compact<A> {
        let Meta { count, form, .. } = self.meta();
        let mut shared = Compact::default();
        match self.apart() {
            Some(apart) => drop(shared.set_apart(share(apart))),
            None => shared.set_packed(self.bytes(), count.into()),
        }
        shared.set_form(form & !NAMED);
        shared
    }
}

impl<A: Clone> Clone for Compact<A> {
    /// An equal value without a name.
    fn clone(&self) -> Compact<A> {
        self.share(A::clone)
    }
}

fn apart_block<A>(name: &[u8], apart: A, meta: Meta) -> Block<A> {
    let mut bytes = [0; 1 + NAME_BYTES_MAX];
    bytes[0] = name.len() as u8;
    bytes[1..=name.len()].copy_from_slice(name);
    Block::with_apart(&bytes[..=name.len()], Box::new(apart), meta)
}

impl<A> Buffer for Compact<A> {
    #[inline]
    fn bytes(&self) -> &[u8] {
        match &self.block {
            Some(block) => &block.bytes()[base(block)..],
            None => &[],
        }
    }

    #[inline]
    fn count(&self) -> usize {
        usize::from(self.meta().count)
    }

    #[inline]
    fn set_count(&mut self, count: usize) {
        if let Some(block) = &mut self.block {
            block.meta_mut().count = count as u16;
        }
    }

    #[inline]
    fn splice(&mut self, at: usize, old: usize, new: usize) -> Option<&mut [u8]> {
        debug_assert!(self.apart().is_none(), "nothing is packed");
        let used = self.bytes().len();
        let needed = used - old + new;
        if needed > PACKED_BYTES_MAX {
            return None;
        }
        let (start, capacity) =
            self.block.as_ref().map_or((1, 0), |block| (base(block), block.capacity()));
        if start + needed > capacity {
            let added = needed - used;
            self.block = Some(Compact::block(self.name(), self.bytes(), added, self.meta()));
        }
        let block = self.block.as_mut()?;
        let place = start + at;
        if new > old {
            block.extend_zeros(new - old);
        }
        if at + old < used && new != old {
            block.bytes_mut().copy_within(place + old..start + used, place + new);
        }
        block.truncate(start + needed);
        if new < old && !has_right_size(block, start + needed) {
            self.block = Some(Compact::block(self.name(), self.bytes(), 0, self.meta()));
        }
        self.block.as_mut()?.bytes_mut().get_mut(place..place + new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Bytes = Compact<Vec<u8>>;

    fn named(name: &[u8]) -> Bytes {
        Bytes::default().renamed(Owner { name, numbers: [1, 2] })
    }

    /// Replaces bytes of both.
    fn splice(bytes: &mut Bytes, model: &mut Vec<u8>, at: usize, old: usize, new: &[u8]) {
        bytes.splice(at, old, new.len()).expect("few bytes").copy_from_slice(new);
        model.splice(at..at + old, new.iter().copied());
        assert_eq!(bytes.bytes(), model);
    }

    #[test]
    fn bytes_come_and_go_beside_the_name() {
        for name in [&b""[..], b"key", &[b'n'; NAME_BYTES_MAX]] {
            let (mut bytes, mut model, mut random) = (named(name), Vec::new(), 1_u64);
            for step in 0..3_000_u32 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (random >> 33) as usize % (model.len() + 1);
                let most = if step % 1000 < 600 { 20 } else { 80 };
                let old = (random >> 40) as usize % (model.len() - at + 1).min(most);
                let new = vec![step as u8; (random >> 50) as usize % 40];
                splice(&mut bytes, &mut model, at, old, &new);
                bytes.set_count(step as usize);
                bytes.set_form(step as u8 & 3);
                bytes.set_number(1, step);
                let owner = bytes.owner().expect("a name");
                assert_eq!((owner.name, owner.numbers), (name, [1, step]));
                assert_eq!((bytes.count(), bytes.form()), (step as usize, step as u8 & 3));
                let used = 16 + name.len() + model.len();
                let most = fitting(used) + used / 4 + SLACK_MAX;
                assert!(bytes.allocated_bytes() <= most, "{} bytes", bytes.allocated_bytes());
            }
            let shared = bytes.share(Vec::clone);
            let expected = (bytes.bytes(), bytes.count(), bytes.form());
            assert_eq!((shared.bytes(), shared.count(), shared.form()), expected);
            assert!(shared.owner().is_none());
        }
    }

    #[test]
    fn too_much_is_refused() {
        let mut bytes = named(b"key");
        assert!(bytes.splice(0, 0, PACKED_BYTES_MAX).is_some());
        assert!(bytes.splice(7, 1, 2).is_none());
        assert!(bytes.splice(7, 2, 2).is_some());
        assert_eq!(bytes.bytes().len(), PACKED_BYTES_MAX);
    }

    #[test]
    fn content_goes_apart_and_back() {
        let mut bytes = named(b"key");
        bytes.set_packed(b"packed", 3);
        bytes.set_form(5);
        bytes.set_apart(b"apart".to_vec()).push(b'!');
        assert_eq!((bytes.bytes(), bytes.count(), bytes.form()), (&b""[..], 0, 5));
        let mut bytes = bytes.renamed(Owner { name: b"another", numbers: [3, 4] });
        assert_eq!(bytes.apart_mut().map(|apart| &apart[..]), Some(&b"apart!"[..]));
        let shared = bytes.clone();
        bytes.set_packed(b"again", 2);
        let owner = bytes.owner().expect("a name");
        assert_eq!((owner.name, owner.numbers), (&b"another"[..], [3, 4]));
        assert_eq!((bytes.bytes(), bytes.count(), bytes.form()), (&b"again"[..], 2, 5));
        assert_eq!(shared.apart().map(|apart| &apart[..]), Some(&b"apart!"[..]));
        assert!(bytes.apart().is_none() && shared.owner().is_none());
    }

    #[test]
    fn a_long_name_is_not_stored_nor_is_the_former_one() {
        let mut bytes = named(b"key");
        bytes.set_packed(b"packed", 1);
        let bytes = bytes.renamed(Owner { name: &[b'n'; 256], numbers: [3, 4] });
        assert!(bytes.owner().is_none());
        assert_eq!((bytes.bytes(), bytes.count()), (&b"packed"[..], 1));
    }

    #[test]
    fn one_pointer_is_all() {
        assert_eq!((size_of::<Bytes>(), Block::<Vec<u8>>::HEAD_BYTES), (size_of::<usize>(), 15));
    }
}
