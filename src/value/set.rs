//! Sets of members.

use super::compact::{Compact, Owner};
use super::growth::Growth;
use super::int_set::{self, Integers};
use super::{Kind, Type, Value};
use crate::dict::{self, Buffer, Dict, Item, packed};

/// More integers are never kept in order, since each change moves those behind.
const INTEGERS_MAX: usize = 4_096;

/// The form of few members that are not all integers. Other forms are the width of integers in order, zero if
/// there are none.
const MEMBERS: u8 = 1;

/// A set. Few members are packed, with the key.
#[derive(Clone, Debug, Default)]
pub struct SetValue(Compact<Dict<false>>);

/// A set as its form says.
enum Form<'a> {
    /// Few members, all of them integers.
    Integers(Integers<'a>),
    /// Few members, packed.
    Few(&'a [u8]),
    Many(&'a Dict<false>),
}

impl SetValue {
    #[inline]
    fn form(&self) -> Form<'_> {
        match (self.0.apart(), self.0.form()) {
            (Some(table), _) => Form::Many(table),
            (None, MEMBERS) => Form::Few(self.0.bytes()),
            (None, width) => Form::Integers(Integers::new(self.0.bytes(), width)),
        }
    }

    #[inline]
    fn are_integers(&self) -> bool {
        self.0.apart().is_none() && self.0.form() != MEMBERS
    }

    /// Returns the number of members.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.apart().map_or_else(|| self.0.count(), Dict::len)
    }

    #[inline]
    pub(crate) fn contains(&self, member: &[u8]) -> bool {
        self.contains_item(Item::of(member))
    }

    /// As `contains`. The text of a number must be given as the number, as `Item::of` does.
    #[inline]
    pub(crate) fn contains_item(&self, member: Item<'_>) -> bool {
        match (self.form(), member) {
            (Form::Integers(integers), Item::Integer(number)) => integers.contains(number),
            (Form::Integers(_), Item::Text(_)) => false,
            (Form::Few(bytes), member) => packed::get::<false>(bytes, member).is_some(),
            (Form::Many(table), member) => table.get_item(member).is_some(),
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
        if self.are_integers() {
            if let Item::Integer(number) = member
                && let Some(is_new) = int_set::insert(&mut self.0, number)
            {
                if self.0.count() > growth.count_max.min(INTEGERS_MAX) {
                    self.convert(growth);
                }
                return is_new;
            }
            self.convert(growth);
        }
        if self.0.apart().is_none() {
            if let Some(is_new) = packed::insert::<false>(&mut self.0, member, Item::EMPTY) {
                // A value without a block had no place for the form.
                self.0.set_form(MEMBERS);
                return is_new;
            }
            self.0.set_apart(packed::to_table(self.0.bytes(), &growth.hasher));
        }
        let table = self.0.apart_mut();
        table.is_some_and(|table| table.insert_item(member, Item::EMPTY, &growth.hasher))
    }

    /// Makes integers members of any kind.
    #[cold]
    fn convert(&mut self, growth: &Growth) {
        let mut members = SetValue::default();
        members.0.set_packed(&[], 0);
        members.0.set_form(MEMBERS);
        for member in self.iter() {
            members.insert_item(member, growth);
        }
        match members.0.apart_mut() {
            Some(table) => drop(self.0.set_apart(std::mem::take(table))),
            None => self.0.set_packed(members.0.bytes(), members.0.count()),
        }
        self.0.set_form(MEMBERS);
    }

    /// Removes a member; returns whether it was there.
    pub(crate) fn remove(&mut self, member: &[u8]) -> bool {
        self.remove_item(Item::of(member))
    }

    /// As `remove`. The text of a number must be given as the number, as `Item::of` does.
    pub(crate) fn remove_item(&mut self, member: Item<'_>) -> bool {
        if let Some(table) = self.0.apart_mut() {
            return table.remove_item(member);
        }
        match (self.are_integers(), member) {
            (true, Item::Integer(number)) => int_set::remove(&mut self.0, number),
            (true, Item::Text(_)) => false,
            (false, member) => packed::remove::<false>(&mut self.0, member),
        }
    }

    /// Returns the members; integers in order, if all are and they are few.
    pub(crate) fn iter(&self) -> Members<'_> {
        Members(match self.form() {
            Form::Integers(integers) => Walk::Integers(integers, 0),
            Form::Few(bytes) => Walk::Members(packed::iter(bytes)),
            Form::Many(table) => Walk::Members(table.iter()),
        })
    }

    /// Returns a member that random numbers from `draw` choose.
    pub(crate) fn random(&self, mut draw: impl FnMut() -> u64) -> Option<Item<'_>> {
        match self.form() {
            Form::Integers(integers) => {
                let index = draw().checked_rem(integers.len() as u64)?;
                integers.get(index as usize).map(Item::Integer)
            }
            Form::Few(_) => packed::random::<false>(&self.0, draw).map(|(member, _)| member),
            Form::Many(table) => table.random(draw).map(|(member, _)| member),
        }
    }

    /// Passes some members to `found`: see `Dict::scan`.
    pub(crate) fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut found: impl FnMut(Item<'a>),
    ) -> u64 {
        match self.0.apart() {
            Some(table) => table.scan(cursor, count, |member, _| found(member)),
            None => {
                self.iter().for_each(found);
                0
            }
        }
    }

    /// Returns the encoding's name in Redis 7.0.
    pub(crate) fn encoding(&self) -> &'static str {
        if self.are_integers() { "intset" } else { "hashtable" }
    }
}

/// The members of a set.
#[derive(Clone, Debug)]
pub(crate) struct Members<'a>(Walk<'a>);

#[derive(Clone, Debug)]
enum Walk<'a> {
    /// With the index of the next one.
    Integers(Integers<'a>, usize),
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
        self.0.allocated_bytes() + self.0.apart().map_or(0, Dict::allocated_bytes)
    }

    fn share(&mut self) -> SetValue {
        SetValue(self.0.share(Dict::share))
    }

    fn len(&self) -> usize {
        SetValue::len(self)
    }

    fn free_part(&mut self) -> usize {
        match self.0.apart_mut() {
            Some(table) => table.take_part(),
            None => std::mem::take(self).len(),
        }
    }

    #[inline(always)]
    fn name(&self) -> &[u8] {
        self.0.name()
    }

    #[inline]
    fn owner(&self) -> Option<Owner<'_>> {
        self.0.owner()
    }

    #[inline]
    fn set_number(&mut self, at: usize, number: u32) {
        self.0.set_number(at, number);
    }

    fn renamed(self, owner: Owner<'_>, _: impl FnOnce() -> u32) -> Self {
        SetValue(self.0.renamed(owner))
    }
}
