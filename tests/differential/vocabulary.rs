//! The commands of generated clients: templates, and the words that fill them.
//!
//! In a template a lower-case word is a placeholder (see `word`), `A|B` a choice, `[…]` is optional, and
//! everything else is literal.

/// A group of commands. Each seed gives it a weight, sometimes zero.
pub struct Family {
    pub templates: &'static [&'static str],
}

pub const FAMILIES: &[Family] = &[
    Family { templates: PUSHES },
    Family { templates: POPS },
    Family { templates: READS },
    Family { templates: EDITS },
    Family { templates: STRINGS },
    Family { templates: COUNTERS },
    Family { templates: HASHES },
    Family { templates: SETS },
    Family { templates: STREAMS },
    Family { templates: WAITS },
    Family { templates: SCORES },
    Family { templates: RANKED },
    Family { templates: KEYS },
    Family { templates: EXPIRY },
    Family { templates: TRANSACTIONS },
    Family { templates: SUBSCRIPTIONS },
    Family { templates: PUBLISHING },
    Family { templates: CONNECTION },
    Family { templates: CLIENTS },
    Family { templates: ABSENT },
    Family { templates: ODDITIES },
];

const PUSHES: &[&str] = &[
    "RPUSH key values",
    "RPUSH key values",
    "LPUSH key values",
    "RPUSH key value",
    "LPUSHX key values",
    "RPUSHX key values",
];

const POPS: &[&str] = &[
    "LPOP key [number]",
    "RPOP key [number]",
    "LMOVE key key LEFT|RIGHT LEFT|RIGHT",
    "RPOPLPUSH key key",
    "LMPOP 1 key LEFT|RIGHT [COUNT number]",
    "LMPOP 3 key key key LEFT|RIGHT [COUNT number]",
];

const READS: &[&str] = &[
    "LLEN key",
    "LRANGE key number number",
    "LRANGE key 0 -1",
    "LINDEX key number",
    "LPOS key value [RANK number] [COUNT number] [MAXLEN number]",
    "TYPE key",
    "EXISTS keys",
    "DBSIZE",
    "KEYS pattern",
    "RANDOMKEY",
    "TOUCH keys",
    "OBJECT ENCODING|REFCOUNT|IDLETIME|FREQ key",
];

const EDITS: &[&str] = &[
    "LSET key number value",
    "LINSERT key BEFORE|AFTER value value",
    "LREM key number value",
    "LTRIM key number number",
    "LTRIM key 0 number",
];

const STRINGS: &[&str] = &[
    "SET key value",
    "SET key value [NX|XX] [GET] [EX seconds]",
    "SET key value [GET] [KEEPTTL]",
    "GET key",
    "GET key",
    "GETSET key value",
    "GETDEL key",
    "GETEX key [EX seconds] [PERSIST]",
    "GETEX key EXAT at",
    "MGET keys",
    "MSET key value key value",
    "MSETNX key value key value",
    "SETNX key value",
    "SETEX key seconds value",
    "PSETEX key milliseconds value",
    "APPEND key value",
    "STRLEN key",
    "SETRANGE key number value",
    "GETRANGE|SUBSTR key number number",
    "LCS key key [LEN] [IDX] [MINMATCHLEN number] [WITHMATCHLEN]",
];

const COUNTERS: &[&str] = &[
    "SET key number",
    "INCR key",
    "DECR key",
    "INCRBY key number",
    "DECRBY key number",
    "INCRBYFLOAT key number",
    "APPEND key number",
    "GET key",
];

const SCORES: &[&str] = &[
    "ZADD key score member score member",
    "ZADD key score member score member",
    "ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member",
    "ZADD key NX|XX|GT|LT CH score member score member",
    "ZINCRBY key score member",
    "ZREM key member member",
    "ZPOPMIN|ZPOPMAX key [number]",
    "ZMPOP 2 key key MIN|MAX [COUNT number]",
    "ZUNIONSTORE|ZINTERSTORE key 2 key key [WEIGHTS weight weight] [AGGREGATE SUM|MIN|MAX]",
    "ZDIFFSTORE key 2 key key",
    "ZRANGESTORE key key number number [REV]",
    "ZRANGESTORE key key bound bound BYSCORE [LIMIT number number]",
    "ZREMRANGEBYRANK key number number",
    "ZREMRANGEBYSCORE key bound bound",
];

const RANKED: &[&str] = &[
    "ZADD key score member score member",
    "ZSCORE key member",
    "ZMSCORE key member member",
    "ZCARD key",
    "ZCOUNT key bound bound",
    "ZRANGE key number number [REV] [WITHSCORES]",
    "ZREVRANGE key number number [WITHSCORES]",
    "ZRANGE key bound bound BYSCORE [REV] [LIMIT number number] [WITHSCORES]",
    "ZRANGEBYSCORE|ZREVRANGEBYSCORE key bound bound [WITHSCORES] [LIMIT number number]",
    "ZUNION|ZINTER 2 key key [WEIGHTS weight weight] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]",
    "ZDIFF 2 key key [WITHSCORES]",
    "ZINTERCARD 2 key key [LIMIT number]",
    "ZRANDMEMBER key 0",
    "ZSCAN key 0 [MATCH pattern] [COUNT 5]",
];

const HASHES: &[&str] = &[
    "HSET key value value",
    "HSET key value value value number",
    "HMSET key value value value value",
    "HSETNX key value value",
    "HGET key value",
    "HMGET key values",
    "HGETALL key",
    "HKEYS|HVALS|HLEN key",
    "HSTRLEN|HEXISTS key value",
    "HDEL key values",
    "HINCRBY key value number",
    "HINCRBYFLOAT key value number",
    "OBJECT ENCODING key",
];

const SETS: &[&str] = &[
    "SADD key values",
    "SADD key number number",
    "SADD key value number",
    "SREM key values",
    "SISMEMBER key value",
    "SMISMEMBER key values",
    "SMEMBERS|SCARD key",
    "SMOVE key key value",
    "SINTER|SUNION|SDIFF keys",
    "SINTERSTORE|SUNIONSTORE|SDIFFSTORE key keys",
    "SINTERCARD 2 key key [LIMIT number]",
    "SINTERCARD 1|2|3 keys",
    "OBJECT ENCODING key",
];

const STREAMS: &[&str] = &[
    "XADD key sid value value",
    "XADD key sid value value",
    "XADD key sid value value value value",
    "XADD key NOMKSTREAM sid value value",
    "XADD key MAXLEN|MINID =|~ number sid value value",
    "XLEN key",
    "XRANGE key sid sid [COUNT number]",
    "XRANGE key - +",
    "XREVRANGE key sid sid [COUNT number]",
    "XDEL key sid sid",
    "XTRIM key MAXLEN|MINID [=|~] number",
    "XREAD [COUNT number] STREAMS key 0|1-1|2|5-0|9",
    "XREAD [COUNT number] STREAMS key key 0|2-1|6-1 0|1-1|5-0|9",
    "XREAD [COUNT number] BLOCK 0 STREAMS key key $ 0|1-1|5-0|9",
    "XREAD BLOCK 0 STREAMS key $",
    "XGROUP CREATE key G|H sid MKSTREAM",
    "XGROUP CREATE key G|H $",
    "XGROUP SETID key G|H sid",
    "XGROUP DESTROY key G|H",
    "XGROUP DELCONSUMER key G|H C|D",
    "XREADGROUP GROUP G|H C|D [COUNT number] [NOACK] STREAMS key >",
    "XREADGROUP GROUP G|H C|D [COUNT number] STREAMS key >",
    "XREADGROUP GROUP G|H C|D [COUNT number] STREAMS key key > >",
    "XREADGROUP GROUP G|H C|D [COUNT number] STREAMS key sid",
    "XACK key G|H sid sid",
    "XPENDING key G|H",
    "XCLAIM key G|H C|D 0 sid sid [RETRYCOUNT number] [FORCE] [JUSTID]",
    "XAUTOCLAIM key G|H C|D 0 sid [COUNT number] [JUSTID]",
];

const WAITS: &[&str] = &[
    "BLPOP key patience",
    "BRPOP key patience",
    "BLPOP keys patience",
    "BRPOP keys patience",
    "BLMOVE key key LEFT|RIGHT LEFT|RIGHT patience",
    "BRPOPLPUSH key key patience",
    "BLMPOP patience 1 key LEFT|RIGHT [COUNT number]",
    "BLMPOP patience 2 key key LEFT|RIGHT [COUNT number]",
    "BZPOPMIN|BZPOPMAX keys patience",
    "BZMPOP patience 2 key key MIN|MAX [COUNT number]",
];

const KEYS: &[&str] = &[
    "DEL keys",
    "UNLINK keys",
    "RENAME key key",
    "RENAME key key",
    "RENAMENX key key",
    "MOVE key db",
    "COPY key key [DB db] [REPLACE]",
    "COPY key key REPLACE",
    "RESTORE key 0|1000000|-5 payload [REPLACE] [junk]",
    "RESTORE key at-ms payload ABSTTL REPLACE",
    "FLUSHDB [ASYNC|SYNC]",
    "FLUSHALL [ASYNC|SYNC]",
];

const EXPIRY: &[&str] = &[
    "EXPIRE key seconds [NX|XX|GT|LT]",
    "PEXPIRE key milliseconds [NX|XX|GT|LT]",
    "EXPIREAT key at [NX|XX|GT|LT] [NX|XX|GT|LT]",
    "PEXPIREAT key at-ms [NX|XX|GT|LT]",
    "TTL key",
    "PTTL key",
    "EXPIRETIME key",
    "PEXPIRETIME key",
    "PERSIST key",
];

const TRANSACTIONS: &[&str] =
    &["MULTI", "MULTI", "EXEC", "EXEC", "EXEC", "DISCARD", "WATCH keys", "WATCH key", "UNWATCH"];

const SUBSCRIPTIONS: &[&str] = &[
    "SUBSCRIBE channels",
    "UNSUBSCRIBE [channels]",
    "UNSUBSCRIBE channel",
    "PSUBSCRIBE pattern [pattern]",
    "PUNSUBSCRIBE [pattern]",
    "SSUBSCRIBE channels",
    "SUNSUBSCRIBE [channels]",
    "RESET",
    "PING [value]",
];

const PUBLISHING: &[&str] = &[
    "PUBLISH channel value",
    "PUBLISH channel value",
    "SPUBLISH channel value",
    "PUBSUB CHANNELS|SHARDCHANNELS [pattern]",
    "PUBSUB NUMSUB|SHARDNUMSUB [channels]",
    "PUBSUB NUMPAT",
];

const CONNECTION: &[&str] = &[
    "PING [value]",
    "ECHO value",
    "SELECT db",
    "SELECT 0",
    "HELLO 2|3 [SETNAME name]",
    "HELLO [number]",
    "RESET",
    "QUIT",
    "AUTH [default] value",
];

const CLIENTS: &[&str] = &[
    "CLIENT ID",
    "CLIENT GETNAME",
    "CLIENT SETNAME name",
    "CLIENT INFO",
    "CLIENT LIST [TYPE normal|pubsub|master|replica]",
    "CLIENT LIST ID client [client]",
    "CLIENT KILL ID client [SKIPME yes|no]",
    "CLIENT KILL TYPE pubsub [SKIPME yes|no]",
    "CLIENT KILL address",
    "CLIENT KILL ADDR address [SKIPME yes|no]",
    "CLIENT UNBLOCK client [TIMEOUT|ERROR]",
    "CLIENT UNBLOCK client",
    "CLIENT REPLY ON|OFF|SKIP",
    "CLIENT REPLY ON",
    "CLIENT NO-EVICT ON|OFF",
    "CLIENT GETREDIR",
    "CLIENT TRACKINGINFO",
];

/// Commands that neither server has.
const ABSENT: &[&str] = &[
    "ACL WHOAMI",
    "FUNCTION LIST [LIBRARYNAME value] [WITHCODE]",
    "FUNCTION|SCRIPT FLUSH [ASYNC|SYNC]",
    "FUNCTION|SCRIPT KILL",
    "SCRIPT EXISTS values",
];

const ODDITIES: &[&str] = &[
    "junk value",
    "NOSUCH key values",
    "COMMAND GETKEYS BLPOP keys 0",
    "COMMAND GETKEYS BLMPOP 0 0|1|2|3|-1 key key LEFT",
    "COMMAND GETKEYS LMOVE key key LEFT RIGHT",
    "OBJECT|CLIENT|PUBSUB|CONFIG|COMMAND junk [value]",
    "LLEN",
    "EXEC value",
];

/// Commands that are not generated here, and why. `every_command_is_generated` checks the rest.
pub const UNSPOKEN: &[(&str, &str)] = &[
    ("ZRANK", "7.2 has an option that earlier versions refuse"),
    ("ZREVRANK", "as ZRANK"),
    ("MIGRATE", "it needs a second server: tests/replication"),
    ("EVAL", "a script is no list of words: tests/transcripts/scripting_*"),
    ("EVALSHA", "as EVAL"),
    ("EVAL_RO", "as EVAL"),
    ("EVALSHA_RO", "as EVAL"),
    ("FCALL", "as EVAL"),
    ("FCALL_RO", "as EVAL"),
    ("SCRIPT LOAD", "as EVAL"),
    ("FUNCTION LOAD", "as EVAL"),
    ("FUNCTION DELETE", "as EVAL"),
    ("FUNCTION STATS", "as EVAL"),
    ("QUEUE", "not a command of the original"),
    ("ACL", "users would outlive a run; the transcripts `acl_` have it"),
    ("ASKING", "there is no cluster; the transcript `server_absent` has it"),
    ("BGREWRITEAOF", "persistence is not compared"),
    ("BGSAVE", "persistence is not compared"),
    ("CLIENT CACHING", "key tracking is not there"),
    ("CLIENT PAUSE", "it holds up the connection that judges"),
    ("CLIENT UNPAUSE", "it goes with CLIENT PAUSE"),
    ("CLIENT SETINFO", "since 7.2"),
    ("CLIENT NO-TOUCH", "since 7.2"),
    ("CLUSTER", "as ASKING"),
    ("COMMAND", "it describes the server"),
    ("CONFIG", "it describes the server"),
    ("DEBUG", "its subcommands are the server's own"),
    ("DUMP", "its versions differ"),
    ("HRANDFIELD", "it is random; the transcript has what is certain"),
    ("HSCAN", "cursors differ; the transcript has whole scans"),
    ("INFO", "it describes the server"),
    ("METRICS", "not a command of the original"),
    ("LATENCY", "it measures the server"),
    ("LASTSAVE", "it is never the same"),
    ("LOLWUT", "art"),
    ("MEMORY", "it measures the server"),
    ("MODULE LIST", "8.2 has modules"),
    ("MONITOR", "it shows the connection that judges"),
    ("PSYNC", "it makes the connection that of a replica"),
    ("READONLY", "as ASKING"),
    ("READWRITE", "as ASKING"),
    ("REPLCONF", "it makes the connection that of a replica"),
    ("REPLICAOF", "it replaces all data"),
    ("ROLE", "it describes the server"),
    ("SAVE", "persistence is not compared"),
    ("SCAN", "a step of its own, compared as a whole"),
    ("SHUTDOWN", "it ends the server"),
    ("SLOWLOG", "it measures the server"),
    ("SLAVEOF", "it replaces all data"),
    ("SORT", "in Redis it changes the encoding of a sorted set; the transcript `sort` has it"),
    ("SORT_RO", "as SORT"),
    ("SPOP", "it is random; the transcript has what is certain"),
    ("SRANDMEMBER", "it is random; the transcript has what is certain"),
    ("SSCAN", "cursors differ; the transcript has whole scans"),
    ("SWAPDB", "a step of its own, taken where the outcome is certain"),
    ("SYNC", "it makes the connection that of a replica"),
    ("TIME", "it is never the same"),
    ("XGROUP CREATECONSUMER", "since 7.2 a read without entries makes a consumer, too"),
    ("XGROUP HELP", "its last line differs"),
    ("XINFO", "its fields differ"),
    ("XSETID", "7.0 accepts ids below that of a deleted entry"),
    ("WAIT", "what is out of range depends on the version"),
    ("WAITAOF", "since 7.2"),
    ("ZLEXCOUNT", "its result is defined only if all scores are the same; the transcripts have it"),
    ("ZRANGEBYLEX", "as ZLEXCOUNT"),
    ("ZREMRANGEBYLEX", "as ZLEXCOUNT"),
    ("ZREVRANGEBYLEX", "as ZLEXCOUNT"),
];

/// Few, so that commands meet.
pub const KEY_NAMES: &[&[u8]] = &[b"a", b"b", b"c", b"d", b"\x00\xff\r\n", b""];
pub const CHANNELS: &[&[u8]] = &[b"news", b"new", b"a", b"", b"\xfe*"];
pub const PATTERNS: &[&[u8]] = &[b"*", b"n*", b"new?", b"[a-c]", b"[^a]", b"\\*", b"", b"**w*"];
pub const VALUES: &[&[u8]] =
    &[b"x", b"y", b"z", b"1", b"-42", b"", b"x\r\n\x00y", b"12345678901234567890", b"a b"];
pub const MEMBERS: &[&[u8]] = &[b"x", b"y", b"z", b"1", b"-42", b"", b"x\r\n\x00y", b"a b"];
/// Fractions that every version shows in the same way, whatever is added to them.
pub const SCORES_OF_MEMBERS: &[&[u8]] =
    &[b"0", b"1", b"2", b"-1", b"0.5", b"2.25", b"-3.5", b"1e3", b"inf", b"-inf"];
/// None is negative: a negative zero has several texts.
pub const WEIGHTS: &[&[u8]] = &[b"0", b"1", b"2", b"0.5", b"inf"];
pub const BOUNDS: &[&[u8]] =
    &[b"0", b"1", b"(1", b"-1", b"(2.25", b"0.5", b"-inf", b"+inf", b"inf", b"(3", b"x"];
pub const LONG_VALUE_BYTES: &[usize] = &[200, 700, 5_000];
pub const NUMBERS: &[&[u8]] = &[
    b"0",
    b"1",
    b"2",
    b"3",
    b"5",
    b"-1",
    b"-2",
    b"-4",
    b"1",
    b"2",
    b"0",
    b"-1",
    b"9223372036854775807",
    b"-9223372036854775807",
    b"4294967296",
];
/// What DUMP returns for a string, a number and a list, in an old version; the last one is damaged.
pub const PAYLOADS: &[&[u8]] = &[
    b"\x00\x01x\x09\x00\xf2r\xd7\x93\xe9n+a",
    b"\x00\xc0\x07\x09\x00\xa4?\x19n\xd7-\xad#",
    b"\x01\x02\x01x\x01y\x09\x00\xb0\x04m\xff{\x02\xee\xc8",
    b"\x01?\x01x\x09\x00\x80%b\xb3\x09\x999\xfc",
    b"damaged",
];
pub const NAMES: &[&[u8]] = &[b"me", b"you", b"", b"a b", b"n\n", b"\x7f", b"{~}"];
pub const DATABASES: &[&[u8]] = &[b"0", b"1", b"2", b"0", b"1", b"7", b"-1"];

/// Ids of entries: few, so that commands meet.
pub const STREAM_IDS: &[&[u8]] = &[
    b"1-1",
    b"2-1",
    b"2-2",
    b"3",
    b"4-*",
    b"5-0",
    b"6-1",
    b"7",
    b"8-1",
    b"9-9",
    b"0-1",
    b"0",
    b"0-0",
    b"-",
    b"+",
    b"(2-1",
    b"20",
    b"18446744073709551615-1",
];

/// For ever, or longer than a run takes.
pub const PATIENCE: &[&[u8]] = &[b"0", b"0", b"0", b"300", b"250.75", b"0.0", b"1e6"];

/// Far in the future or in the past: anything between depends on the clock.
pub const SECONDS: &[&[u8]] =
    &[b"1000", b"2000", b"5000000", b"0", b"-1", b"9223372036854775807", b"-9223372036854775808"];
pub const MILLISECONDS: &[&[u8]] =
    &[b"1000000", b"2000000", b"0", b"-5", b"9223372036854775807", b"-9223372036854775808"];

/// Invalid values. No small positive numbers: as a time they would expire during a run, and as a client
/// number they would be that of the judging connection.
pub const JUNK: &[&[u8]] = &[
    b"",
    b"0",
    b"-1",
    b"-0",
    b"007",
    b"+500",
    b" 500",
    b"500 ",
    b"1e3",
    b"nan",
    b"-inf",
    b"abc",
    b"NX",
    b"MAXLEN",
    b"RANK",
    b"\x00",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"18446744073709551616",
    b"99999999999999999999999999",
    b"1e400",
    b"-1e-5",
    b"key with spaces",
    b"'quoted'",
    b"inf",
    b"infinity",
    b"0.0001e7",
    b"1e18",
];
