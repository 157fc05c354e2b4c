//! The numbers of Redis' RDB format: opcodes, types of values, forms of lengths and strings.

/// The start of a file. The version follows, as four digits.
pub const MAGIC: &[u8] = b"REDIS";

/// The version that is written: Redis 5 and every later one load it, and every Valkey.
pub const VERSION: u16 = 9;

/// A function library; its text follows as a string.
pub const OP_FUNCTION: u8 = 245;
/// A function library in the form of a release candidate of Redis 7.0.
pub const OP_FUNCTION_PRE_GA: u8 = 246;
/// Data of a module.
pub const OP_MODULE_AUX: u8 = 247;
/// Seconds since the next key was used, as a length.
pub const OP_IDLE: u8 = 248;
/// How often the next key is used, in one byte.
pub const OP_FREQUENCY: u8 = 249;
/// A field about the file: a name and a value, both strings. A reader passes over unknown names.
pub const OP_AUX: u8 = 250;
/// The numbers of keys, and of keys with an expiry, as lengths: a hint.
pub const OP_RESIZE: u8 = 251;
/// When the next key expires: Unix milliseconds, in eight bytes.
pub const OP_EXPIRY_MS: u8 = 252;
/// When the next key expires: Unix seconds, in four bytes.
pub const OP_EXPIRY_S: u8 = 253;
/// The following keys are in the database whose number follows as a length.
pub const OP_SELECT: u8 = 254;
/// The end. The checksum follows in eight bytes; zero if there is none.
pub const OP_END: u8 = 255;

/// A string.
pub const TYPE_STRING: u8 = 0;
/// A list: the number of elements, and each as a string.
pub const TYPE_LIST: u8 = 1;
/// A set: the number of members, and each as a string.
pub const TYPE_SET: u8 = 2;
/// A sorted set: the number of members, and each as a string and its score as text.
pub const TYPE_ZSET: u8 = 3;
/// A hash: the number of fields, and each as two strings, with its value.
pub const TYPE_HASH: u8 = 4;
/// A sorted set: the number of members, and each as a string and its score in eight bytes.
pub const TYPE_ZSET_2: u8 = 5;
/// A sorted set: one string, a ziplist of members, each followed by its score.
pub const TYPE_ZSET_ZIPLIST: u8 = 12;
/// A sorted set: one string, a listpack of members, each followed by its score.
pub const TYPE_ZSET_LISTPACK: u8 = 17;
/// A list: one string, a ziplist.
pub const TYPE_LIST_ZIPLIST: u8 = 10;
/// A list: the number of ziplists, and each as a string.
pub const TYPE_LIST_QUICKLIST: u8 = 14;
/// A stream: the number of blocks, and each as the id of its first entry and a listpack; the number of
/// entries, the last id, the groups with their consumers and pending entries.
pub const TYPE_STREAM: u8 = 15;
/// A list: the number of nodes, and each as its container and a string.
pub const TYPE_LIST_QUICKLIST_2: u8 = 18;

/// The containers of nodes in `TYPE_LIST_QUICKLIST_2`: the string is one element, or a listpack.
pub const CONTAINER_PLAIN: u64 = 1;
/// See `CONTAINER_PLAIN`.
pub const CONTAINER_PACKED: u64 = 2;

/// The two highest bits of the first byte of a length: six bits of it are in this byte.
pub const LENGTH_6_BITS: u8 = 0b0000_0000;
/// Six bits are in this byte, eight in the next.
pub const LENGTH_14_BITS: u8 = 0b0100_0000;
/// The whole byte: the length is in the next four, the highest first.
pub const LENGTH_32_BITS: u8 = 0b1000_0000;
/// The whole byte: the length is in the next eight, the highest first.
pub const LENGTH_64_BITS: u8 = 0b1000_0001;
/// No length, but a string in a form that the six other bits name.
pub const STRING_FORM: u8 = 0b1100_0000;
/// The two bits that tell these apart.
pub const LENGTH_MASK: u8 = 0b1100_0000;

/// Forms of a string: the decimal digits of a number in one byte, in two or in four, the lowest first.
pub const FORM_INT_8: u8 = 0;
/// See `FORM_INT_8`.
pub const FORM_INT_16: u8 = 1;
/// See `FORM_INT_8`.
pub const FORM_INT_32: u8 = 2;
/// Compressed with LZF: the compressed and the original length, and the compressed bytes.
pub const FORM_LZF: u8 = 3;

/// Bytes of the checksum at the end of a file, and at the end of the payload of DUMP.
pub const CHECKSUM_BYTES: usize = 8;
