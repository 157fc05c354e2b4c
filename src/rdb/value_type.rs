//! The types of values in the RDB format: those that are read, and those that are only passed over.

use super::format::{
    TYPE_HASH, TYPE_LIST, TYPE_LIST_QUICKLIST, TYPE_LIST_QUICKLIST_2, TYPE_LIST_ZIPLIST, TYPE_SET,
    TYPE_STREAM, TYPE_STRING, TYPE_ZSET, TYPE_ZSET_2, TYPE_ZSET_LISTPACK, TYPE_ZSET_ZIPLIST,
};
use std::fmt::{self, Display, Formatter};

/// The types of values, each with one encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// A string.
    String,
    /// A list as strings.
    List,
    /// A list as one ziplist.
    ListZiplist,
    /// A list as ziplists.
    ListQuicklist,
    /// A list as listpacks and single elements.
    ListQuicklist2,
    /// A set as strings.
    Set,
    /// A set as one array of integers.
    SetIntset,
    /// A set as one listpack.
    SetListpack,
    /// A sorted set with scores as text.
    Zset,
    /// A sorted set with scores as binary numbers.
    Zset2,
    /// A sorted set as one ziplist.
    ZsetZiplist,
    /// A sorted set as one listpack.
    ZsetListpack,
    /// A hash as strings.
    Hash,
    /// A hash as one zipmap.
    HashZipmap,
    /// A hash as one ziplist.
    HashZiplist,
    /// A hash as one listpack.
    HashListpack,
    /// A hash with expiring fields, of a release candidate.
    HashMetadataPreGa,
    /// A hash with expiring fields as one listpack, of a release candidate.
    HashListpackExPreGa,
    /// A hash with expiring fields.
    HashMetadata,
    /// A hash with expiring fields as one listpack.
    HashListpackEx,
    /// A hash with expiring fields of Valkey 9, whose number means something else in files of Redis.
    ValkeyHash,
    /// A stream.
    Stream,
    /// A stream of Redis 7.0.
    Stream2,
    /// A stream of Redis 7.2.
    Stream3,
    /// A value of a module.
    Module,
}

const VALKEY_HASH: u8 = 22;

/// The number of each type.
const NUMBERS: &[(u8, ValueType)] = &[
    (TYPE_STRING, ValueType::String),
    (TYPE_LIST, ValueType::List),
    (TYPE_SET, ValueType::Set),
    (TYPE_ZSET, ValueType::Zset),
    (TYPE_HASH, ValueType::Hash),
    (TYPE_ZSET_2, ValueType::Zset2),
    (7, ValueType::Module),
    (9, ValueType::HashZipmap),
    (TYPE_LIST_ZIPLIST, ValueType::ListZiplist),
    (11, ValueType::SetIntset),
    (TYPE_ZSET_ZIPLIST, ValueType::ZsetZiplist),
    (13, ValueType::HashZiplist),
    (TYPE_LIST_QUICKLIST, ValueType::ListQuicklist),
    (TYPE_STREAM, ValueType::Stream),
    (16, ValueType::HashListpack),
    (TYPE_ZSET_LISTPACK, ValueType::ZsetListpack),
    (TYPE_LIST_QUICKLIST_2, ValueType::ListQuicklist2),
    (19, ValueType::Stream2),
    (20, ValueType::SetListpack),
    (21, ValueType::Stream3),
    (22, ValueType::HashMetadataPreGa),
    (VALKEY_HASH, ValueType::ValkeyHash),
    (23, ValueType::HashListpackExPreGa),
    (24, ValueType::HashMetadata),
    (25, ValueType::HashListpackEx),
];

impl ValueType {
    /// Returns the type with this number in files of Redis, or in those of Valkey from 9 on.
    pub(super) fn of(number: u8, is_valkey: bool) -> Option<ValueType> {
        if is_valkey && number == VALKEY_HASH {
            return Some(ValueType::ValkeyHash);
        }
        NUMBERS.iter().find(|(own, _)| *own == number).map(|(_, value_type)| *value_type)
    }

    /// Returns the number.
    pub(super) fn number(self) -> u8 {
        NUMBERS.iter().find(|(_, own)| *own == self).map_or(u8::MAX, |(number, _)| *number)
    }

    /// Returns Redis' name of the type without its encoding, as the command TYPE does.
    pub fn name(self) -> &'static str {
        match self {
            ValueType::String => "string",
            ValueType::List
            | ValueType::ListZiplist
            | ValueType::ListQuicklist
            | ValueType::ListQuicklist2 => "list",
            ValueType::Set | ValueType::SetIntset | ValueType::SetListpack => "set",
            ValueType::Zset
            | ValueType::Zset2
            | ValueType::ZsetZiplist
            | ValueType::ZsetListpack => "zset",
            ValueType::Hash
            | ValueType::HashZipmap
            | ValueType::HashZiplist
            | ValueType::HashListpack
            | ValueType::HashMetadataPreGa
            | ValueType::HashListpackExPreGa
            | ValueType::HashMetadata
            | ValueType::HashListpackEx
            | ValueType::ValkeyHash => "hash",
            ValueType::Stream | ValueType::Stream2 | ValueType::Stream3 => "stream",
            ValueType::Module => "module",
        }
    }
}

impl Display for ValueType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} (type {})", self.name(), self.number())
    }
}
