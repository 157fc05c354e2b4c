//! Sets of members.

use super::growth::Growth;
use super::int_set::IntSet;
use super::{Kind, Type, Value};
use crate::dict::{self, Dict, Item};

/// More integers are never kept in order, since each change moves those behind.
const INTEGERS_MAX: usize = 4_096;

/// A set. It is behind a pointer, so that a value is no larger than a list.
#[derive(Clone, Debug, Default)]
pub struct SetValue(Box<Form>);

#[derive(Clone, Debug)]
enum Form {
    /// Few members, all of them integers.
    Integers(IntSet),
    Members(Dict<false>),
}

impl Default for Form {
    fn default() -> Form {
        Form::Integers(IntSet::default())
    }
}

impl SetValue {
    /// Returns the number of members.
    #[inline]
    pub fn len(&self) -> usize {
        match &*self.0 {
            Form::Integers(integers) => integers.len(),
            Form::Members(members) => members.len(),
        }
    }

    #[inline]
    pub(crate) fn contains(&self, member: &[u8]) -> bool {
        self.contains_item(Item::of(member))
    }

    /// As `contains`. The text of a number must be given as the number, as `Item::of` does.
    #[inline]
    pub(crate) fn contains_item(&self, member: Item<'_>) -> bool {
        match (&*self.0, member) {
            (Form::Integers(integers), Item::Integer(number)) => integers.contains(number),
            (Form::Integers(_), Item::Text(_)) => false,
            (Form::Members(members), member) => members.get_item(member).is_some(),
        }
    }

    /// Adds a member; returns whether it is new.
    #[inline]
    pub(crate) fn insert(&mut self, member: &[u8], growth: &Growth) -> bool {
        self.insert_item(Item::of(member), growth)
    }

    /// As `insert`. The text of a number must be given as the number, as `Item::of` does.
    #[inline]
    pub(crate) fn insert_item(&mut self, member: Item<'_>, growth: &Growth) -> bool {
        if let Form::Integers(integers) = &mut *self.0 {
            if let Item::Integer(number) = member {
                let is_new = integers.insert(number);
                if integers.len() > growth.count_max.min(INTEGERS_MAX) {
                    self.convert(growth);
                }
                return is_new;
            }
            self.convert(growth);
        }
        match &mut *self.0 {
            Form::Members(members) => members.insert_item(member, Item::EMPTY, &growth.hasher),
            Form::Integers(_) => unreachable!("converted above"),
        }
    }

    #[cold]
    fn convert(&mut self, growth: &Growth) {
        let Form::Integers(integers) = &*self.0 else { return };
        let mut members = Dict::default();
        for number in integers.iter() {
            members.insert_item(Item::Integer(number), Item::EMPTY, &growth.hasher);
        }
        *self.0 = Form::Members(members);
    }

    /// Removes a member; returns whether it was there.
    pub(crate) fn remove(&mut self, member: &[u8]) -> bool {
        self.remove_item(Item::of(member))
    }

    /// As `remove`. The text of a number must be given as the number, as `Item::of` does.
    pub(crate) fn remove_item(&mut self, member: Item<'_>) -> bool {
        match (&mut *self.0, member) {
            (Form::Integers(integers), Item::Integer(number)) => integers.remove(number),
            (Form::Integers(_), Item::Text(_)) => false,
            (Form::Members(members), member) => members.remove_item(member),
        }
    }

    /// Returns the members; integers in order, if all are and they are few.
    pub(crate) fn iter(&self) -> Members<'_> {
        match &*self.0 {
            Form::Integers(integers) => Members(Walk::Integers(integers, 0)),
            Form::Members(members) => Members(Walk::Members(members.iter())),
        }
    }

    /// Returns a member that random numbers from `draw` choose.
    pub(crate) fn random(&self, mut draw: impl FnMut() -> u64) -> Option<Item<'_>> {
        match &*self.0 {
            Form::Integers(integers) => {
                let index = draw().checked_rem(integers.len() as u64)?;
                integers.get(index as usize).map(Item::Integer)
            }
            Form::Members(members) => members.random(draw).map(|(member, _)| member),
        }
    }

    /// Passes some members to `found`: see `Dict::scan`.
    pub(crate) fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut found: impl FnMut(Item<'a>),
    ) -> u64 {
        match &*self.0 {
            Form::Integers(integers) => {
                integers.iter().for_each(|number| found(Item::Integer(number)));
                0
            }
            Form::Members(members) => members.scan(cursor, count, |member, _| found(member)),
        }
    }

    /// Returns the encoding's name in Redis 7.0.
    pub(crate) fn encoding(&self) -> &'static str {
        match &*self.0 {
            Form::Integers(_) => "intset",
            Form::Members(_) => "hashtable",
        }
    }
}

/// The members of a set.
#[derive(Clone, Debug)]
pub(crate) struct Members<'a>(Walk<'a>);

#[derive(Clone, Debug)]
enum Walk<'a> {
    /// With the index of the next one.
    Integers(&'a IntSet, usize),
    Members(dict::Iter<'a, false>),
}

impl<'a> Iterator for Members<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match &mut self.0 {
            Walk::Integers(integers, next) => {
                let number = integers.get(*next)?;
                *next += 1;
                Some(Item::Integer(number))
            }
            Walk::Members(members) => members.next().map(|(member, _)| member),
        }
    }
}

impl Kind for SetValue {
    const TYPE: Type = Type::Set;

    #[inline]
    fn of(value: &Value) -> Option<&SetValue> {
        match value {
            Value::Set(set) => Some(set),
            _ => None,
        }
    }

    #[inline]
    fn of_mut(value: &mut Value) -> Option<&mut SetValue> {
        match value {
            Value::Set(set) => Some(set),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::Set(self)
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn allocated_bytes(&self) -> usize {
        let own = match &*self.0 {
            Form::Integers(integers) => integers.allocated_bytes(),
            Form::Members(members) => members.allocated_bytes(),
        };
        size_of::<Form>() + own
    }

    fn share(&mut self) -> SetValue {
        SetValue(Box::new(match &*self.0 {
            Form::Integers(integers) => Form::Integers(integers.clone()),
            Form::Members(members) => Form::Members(members.share()),
        }))
    }

    fn len(&self) -> usize {
        SetValue::len(self)
    }

    fn free_part(&mut self) -> usize {
        match &mut *self.0 {
            Form::Members(members) => members.take_part(),
            Form::Integers(integers) => std::mem::take(integers).len(),
        }
    }
}
