//! The fuzzer's properties, checked with a few generated inputs each: `cargo test` notices a broken one,
//! `fuzz/` searches (see CONTRIBUTING.md).

#[path = "fuzz_properties/applier.rs"]
mod applier;
#[path = "fuzz_properties/broker.rs"]
mod broker;
#[path = "fuzz_properties/glob.rs"]
mod glob;
#[path = "fuzz_properties/http.rs"]
mod http;
#[path = "fuzz_properties/inline.rs"]
mod inline;
#[path = "fuzz_properties/listpack.rs"]
mod listpack;
#[path = "fuzz_properties/lzf.rs"]
mod lzf;
#[path = "fuzz_properties/parser.rs"]
mod parser;
#[path = "fuzz_properties/rdb.rs"]
mod rdb;
#[path = "fuzz_properties/settings.rs"]
mod settings;
#[path = "fuzz_properties/tls.rs"]
mod tls;
#[path = "fuzz_properties/users.rs"]
mod users;
#[path = "fuzz_properties/ziplist.rs"]
mod ziplist;

use proptest::prelude::*;
use std::fs;
use std::path::Path;

type Check = fn(&[u8]);

/// Each target by the name of its seeds.
const TARGETS: &[(&str, Check)] = &[
    ("applier", applier::check),
    ("broker", broker::check),
    ("glob", glob::check),
    ("http", http::check),
    ("inline", inline::check),
    ("listpack", listpack::check),
    ("lzf", lzf::check),
    ("parser", parser::check),
    ("rdb", rdb::check),
    ("settings", settings::check),
    ("users", users::check),
    ("tls", tls::check),
    ("ziplist", ziplist::check),
];

#[test]
fn the_seeds_hold() {
    for (target, check) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
        for seed in fs::read_dir(folder).expect("a folder of seeds") {
            check(&fs::read(seed.expect("an entry").path()).expect("a seed"));
        }
    }
}

/// Random combinations of pieces, with a few odd bytes.
fn pieces(pieces: &'static [&'static str], count: usize) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        9 => prop::sample::select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(piece, 0..count).prop_map(|pieces| pieces.concat())
}

const WORDS: &[&str] = &["a", "0", "b c", "\"", "'", "\\", "x4f", " ", "\t", "\x0b", "\r", "\0"];
const GLOBS: &[&str] = &["*", "?", "[", "^", "a", "b", "-", "]", "\\", "\0"];
#[rustfmt::skip]
const REQUESTS: &[&str] = &[
    "*", "$", "-", "0", "1", "2", "10", "\r\n", "\r", "\n", "~", "a", " ", "\"", "'", "\\x4",
];
#[rustfmt::skip]
const LINES: &[&str] = &[
    "port ", "bind ", "save ", "requirepass ", "dir ", "timeout ", "maxmemory ", "replicaof ",
    "client-output-buffer-limit ", "normal ", "pubsub ", "1 ", "2gb ", "10% ", "yes ", "no ", "a",
    "#", " ", "\n", "\n", "\"", "'", "\\n", "\\x41", "é", "channel-policy ", "p * ", "; ",
    "high-water-mark ", "slow-subscriber disconnect ", "user ", "on ", "~* ", ">x ", "(+get ", ") ",
];
#[rustfmt::skip]
const RULES: &[&str] = &[
    "on", "off", "nopass", ">x", "<x", "#", "reset", "~", "%", "R", "W", "&", "*", "a", "b", "[", "?",
    "+", "-", "@all", "@read", "@queue", "get", "config", "|get", "select", "|0", "(", ")", " ", "\n",
    "\n+", "\n-", "\n~", "\n%R~", "\n(", "allkeys", "resetkeys", "allchannels", "resetchannels",
    "allcommands", "nocommands", "clearselectors",
];
#[rustfmt::skip]
const EVENTS: &[&str] = &[
    "\na", "\nb", "\nc", "\nd", "\ne", "\nA", "\ni", "\nm0", "\nm9", "\n+100", "\n>", "\n=5",
    "RPUSH ", "LPOP ", "BLPOP ", "BLMOVE q r LEFT RIGHT 1", "LRANGE q 0 -1", "MULTI", "EXEC",
    "WATCH q", "SUBSCRIBE q", "PUBLISH ", "PEXPIRE q 50", "HELLO 3", "CLIENT KILL ID ",
    "CLIENT PAUSE 60", "MONITOR", "SELECT 1", "SWAPDB 0 1", "q ", "r ", "1 ", "0 ", "|",
];
/// Requests, most of them whole.
#[rustfmt::skip]
const HTTP: &[&str] = &[
    "GET /queues/q HTTP/1.1\r\nHost: a\r\n\r\n", "GET /queues/a?wait=5 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /queues/q?count=2&lease=5 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST /queues/q HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
    "POST /queues/b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    "POST /queue HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Type: application/x-ndjson\r\n\r\na\nb\r\n",
    "POST /command HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n[\"LLEN\",\"jobs\"]",
    "DELETE /queues/q/inflight/1 HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /channels/a HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "GET /queues/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YWxpY2U6YQ==\r\n\r\n",
    "GET /queues/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YWxpY2U6eA==\r\n\r\n",
    "POST /queues/a HTTP/1.1\r\n", "GET /", "Host: localhost\r\n", "Content-Length: 3\r\n", "Expect: 100-continue\r\n",
    "Transfer-Encoding: chunked\r\n", "Authorization: Basic ZGVmYXVsdDpw\r\n", "Connection: close\r\n", "Origin: http://a\r\n",
    "\r\n", "\r\n\r\n", "\n", "\r", "3\r\nabc\r\n", "0\r\n", ";x", "abc", "%0d", "?", ":", " HTTP/1.1",
];
/// Subscribers whose sockets accept little, some of which publish.
#[rustfmt::skip]
const PUBLICATIONS: &[&str] = &[
    "\naHELLO 3", "\nbHELLO 3", "\nbHELLO 2", "\nm7", "\nm99", "\nn0", "\nn40", "\no5000",
    "\nm9000",
    "\naSUBSCRIBE c", "\nbSUBSCRIBE c d", "\ncPSUBSCRIBE *", "\nbSSUBSCRIBE c", "\nbUNSUBSCRIBE",
    "\naPUBLISH c own", "\nbPUBLISH d own", "\ndPUBLISH c 1", "\ndPUBLISH d 2", "\nhPUBLISH c m",
    "\ndSPUBLISH c 3", "\nAPUBLISH c 1|PUBLISH c 2|PUBLISH c 3|", "\naPING", "\naMONITOR", "\nbRESET",
    "\nAMULTI|PUBLISH c 1|PUBLISH c 2|EXEC|", "\nACLIENT REPLY SKIP|PUBLISH c 1|", "\nj", "\naQUIT",
    "\ndCONFIG SET channel-policy \"p c high-water-mark 1 slow-subscriber drop-oldest\"",
    "\ndCONFIG SET channel-policy \"p c high-water-mark 3 slow-subscriber drop-oldest\"",
    "\ndCONFIG SET channel-policy \"q * high-water-mark 2 slow-subscriber drop-oldest\"",
    "\ndCONFIG SET channel-policy \"p * high-water-mark 2\"",
    "\ndCONFIG SET channel-policy \"q d high-water-mark 3 slow-subscriber disconnect\"",
    "\ndCONFIG SET channel-policy \"\"", "\ndINFO channels", "\n.", "\n>",
];

/// What a primary sends.
#[rustfmt::skip]
const STREAM: &[&str] = &[
    "RPUSH ", "LPUSH ", "LPOP ", "RPOP ", "LTRIM ", "SET ", "DEL ", "LMOVE ", "PEXPIREAT ", "MULTI\r\n",
    "EXEC\r\n", "SELECT ", "PING\r\n", "REPLCONF GETACK *\r\n", "PUBLISH ", "FLUSHALL\r\n", "FLUSHDB\r\n",
    "SWAPDB 0 1\r\n", "XADD ", "ECHO ", "QUEUE ACK ", "QUEUE NACK ", "SETRANGE ", "APPEND ", "INCR ",
    "LREM ", "RENAME ", "q ", "safe ", "safe:inflight ", "late ", "late:delayed ", "dead ", "s ", "1 ", "0 ",
    "-1 ", "900000 ", "LEFT RIGHT", "1700000000500 ", "x", "\r\n", "\r\n", "\r\n", "*2\r\n$3\r\nDEL\r\n$1\r\nq\r\n",
    "*1\r\n$4\r\nEXEC\r\n", "*1\r\n$5\r\nMULTI\r\n", "*", "$", "\"", "\n",
];

/// Bytes of a seed to be replaced: which, and by what.
fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
}

/// One of the seeds of a target, with other bytes here and there.
fn edited(target: &str, edits: &[(prop::sample::Index, u8)], cut: bool) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let seeds = fs::read_dir(folder).expect("a folder of seeds");
    let mut seeds: Vec<_> = seeds.map(|seed| seed.expect("an entry").path()).collect();
    seeds.sort();
    let (first, edits) = edits.split_first().expect("at least one");
    let mut bytes = fs::read(first.0.get(&seeds)).expect("a seed");
    for (at, byte) in edits {
        let at = at.index(bytes.len());
        bytes[at] = *byte;
    }
    if cut {
        bytes.truncate(usize::from(first.1));
    }
    bytes
}

proptest! {
    #[test]
    fn parser_holds(flags: u8, seed: u8, input in pieces(REQUESTS, 30)) {
        parser::check(&[&[flags, seed][..], &input].concat());
    }

    #[test]
    fn inline_holds(line in pieces(WORDS, 20)) {
        inline::check(&line);
    }

    #[test]
    fn glob_holds(input in pieces(GLOBS, 40)) {
        glob::check(&input);
    }

    #[test]
    fn settings_hold(file in pieces(LINES, 12)) {
        settings::check(&file);
    }

    #[test]
    fn users_hold(rules in pieces(RULES, 24)) {
        users::check(&rules);
    }

    #[test]
    fn http_holds(flags: u8, seed: u8, bytes in pieces(HTTP, 16)) {
        http::check(&[&[flags, seed][..], &bytes].concat());
    }

    #[test]
    fn tls_holds(version: u8, bytes_max: u8, events in prop::collection::vec(any::<u8>(), 0..200)) {
        // The handshake first, usually in two pieces.
        let handshake = [0x7f, 0x80, 0x60, 0x7f, 0x80, 0x7f, 0x80];
        tls::check(&[&[version, bytes_max][..], &handshake, &events].concat());
    }

    #[test]
    fn rdb_holds(edits in edits(), cut: bool) {
        rdb::check(&edited("rdb", &edits, cut));
    }

    #[test]
    fn applier_holds(flags: u8, piece: u8, stream in pieces(STREAM, 60)) {
        applier::check(&[&[flags & !3, piece][..], &stream].concat());
    }

    #[test]
    fn applier_holds_for_seeds(edits in edits(), cut: bool) {
        applier::check(&edited("applier", &edits, cut));
    }

    #[test]
    fn lzf_holds(bytes in prop::collection::vec(prop_oneof![0u8..4, 0x20u8..0x24, any::<u8>()], 0..60)) {
        lzf::check(&bytes);
    }

    #[test]
    fn listpack_holds(edits in edits(), cut: bool) {
        listpack::check(&edited("listpack", &edits, cut));
    }

    #[test]
    fn ziplist_holds(edits in edits(), cut: bool) {
        ziplist::check(&edited("ziplist", &edits, cut));
    }

    #[test]
    fn broker_holds(flags: u8, events in pieces(EVENTS, 60)) {
        broker::check(&[&[flags][..], &events].concat());
    }

    #[test]
    fn broker_holds_for_slow_subscribers(events in pieces(PUBLICATIONS, 60)) {
        broker::check(&[&[0x80][..], &events].concat());
    }
}
