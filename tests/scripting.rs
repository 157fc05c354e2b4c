//! Scripts: published weaknesses of Lua in Redis, limits, and what is recorded of scripts and functions.

#![cfg(feature = "lua")]

mod broker_support;

use broker_support::Bench;
use tidegate::resp::write_command;
use tidegate::settings::Settings;
use tidegate::snapshot::{CommandEncoder, RdbEncoder, RdbHeader};
use tidegate::{Broker, ClientId, Host, Now, Peer};

/// A broker with one client.
struct Side {
    bench: Bench,
    client: ClientId,
}

impl Side {
    fn new() -> Side {
        Side::with("")
    }

    fn with(settings: &str) -> Side {
        let settings = Settings::from_text(settings, "the test's settings").expect("valid");
        let mut bench = Bench::with(settings);
        let client = bench.client();
        Side { bench, client }
    }

    fn ask(&mut self, args: &[&[u8]]) -> String {
        let mut request = Vec::new();
        write_command(&mut request, args.iter().copied());
        self.bench.broker.receive(self.client, &request, self.bench.now);
        self.bench.settle();
        self.bench.owed(self.client)
    }

    fn eval(&mut self, script: &str) -> String {
        self.ask(&[b"EVAL", script.as_bytes(), b"0"])
    }

    /// Checks that the next script has the whole sandbox as it was.
    fn check_unharmed(&mut self) {
        let script =
            "return {type(redis.call), #string.rep('x', 3), tostring(redis.x), tostring(('').x)}";
        assert_eq!(self.eval(script), "*4\r\n$8\r\nfunction\r\n:3\r\n$3\r\nnil\r\n$3\r\nnil\r\n");
    }
}

/// The source name of a chunk was not held while the parser called a reader of Lua code for more of it, even
/// behind the end of the text. Here the parser gets the whole text at once, and the reader is not called again.
#[test]
fn cve_2025_49844_the_parser_calls_no_code() {
    let mut side = Side::new();
    let script = "local calls = 0
        local f, e = load(function()
          calls = calls + 1
          collectgarbage()
          if calls == 1 then return nil end
          return 'x x'
        end)
        collectgarbage()
        return {type(f), calls, select('#', f())}";
    assert_eq!(side.eval(script), "*3\r\n$8\r\nfunction\r\n:1\r\n:0\r\n");
    let script = "for i = 1, 200 do
          local n = 0
          load(function() n = n + 1 collectgarbage() return n < 5 and ('local a' .. i .. n .. ' ') or nil end, 'name' .. i)
        end return 1";
    assert_eq!(side.eval(script), ":1\r\n");
    side.check_unharmed();
}

/// The number of results of `unpack` overflowed, and the stack was not made large enough.
#[test]
fn cve_2025_46817_bounds_of_unpack_do_not_overflow() {
    let mut side = Side::new();
    for bounds in [
        "-2147483648, 2147483647",
        "0, 2147483647",
        "-1, 2147483647",
        "2147483647, 2147483647",
        "-2147483648, 0",
        "1, 1e300",
        "-1e300, 1e300",
        "0/0, 5",
        "1, 0/0",
        "1, 8001",
    ] {
        let reply = side.eval(&format!("return {{unpack({{}}, {bounds})}}"));
        assert!(reply.contains("too many results to unpack"), "{bounds}: {reply}");
    }
    assert_eq!(side.eval("return {unpack({1, 2}, 5, 1)}"), "*0\r\n");
    assert_eq!(side.eval("return {unpack({1, 2, 3}, '2', 3)}"), "*2\r\n:2\r\n:3\r\n");
    side.check_unharmed();
}

/// A script could change the metatables of strings and other basic types, and so what later scripts of other
/// users do.
#[test]
fn cve_2025_46818_metatables_of_basic_types_are_protected() {
    let mut side = Side::new();
    for attack in [
        "getmetatable('').__index = function() return 'evil' end",
        "getmetatable('').__index.x = 1",
        "rawset(getmetatable(''), 'x', 1)",
        "setmetatable(getmetatable(''), {})",
        "getmetatable(getmetatable('')).x = 1",
        "for _, v in pairs({1, true, print_, function() end, coroutine.create(function() end)}) do getmetatable(v).x = 1 end",
        "getmetatable(redis).__index.x = 1",
        "getmetatable(_G).__index = {}",
        "table.insert(redis, 'x')",
        "table.sort(_G)",
        "local _, t = pairs(redis) t.call = 1 error('a copy')",
        "string.x = 1",
        "string.gsub = nil",
        "cjson.null.x = 1",
    ] {
        let reply = side.eval(attack);
        assert!(reply.starts_with('-'), "{attack}: {reply}");
        side.check_unharmed();
    }
}

/// A delimiter of a long string was counted as a C integer, and read beyond its end.
#[test]
fn cve_2025_46819_delimiters_of_long_strings() {
    let mut side = Side::new();
    for length in [0_usize, 1, 2, 1000, 200_000] {
        let equals = "=".repeat(length);
        assert_eq!(side.eval(&format!("return #[{equals}[ab]{equals}]")), ":2\r\n");
        for broken in [
            format!("return [{equals}"),
            format!("--[{equals}[ x"),
            format!("return [{equals}[x]{equals}"),
        ] {
            let reply = side.eval(&broken);
            assert!(
                reply.starts_with("-ERR Error compiling") || reply == "$-1\r\n",
                "{reply:.200}"
            );
        }
    }
    // As many as overflow do not fit in the memory of scripts.
    let reply = side.eval("return loadstring('return [' .. string.rep('=', 2147483000))");
    assert!(reply.contains("not enough memory"), "{reply}");
    side.check_unharmed();
}

/// The digits of `bit.tohex` overflowed the stack with the smallest number of them.
#[test]
fn cve_2024_31449_the_digits_of_tohex() {
    let mut side = Side::new();
    for count in ["-2147483648", "2147483648", "-1e300", "1e300", "0/0", "-9", "99"] {
        let reply = side.eval(&format!("return #bit.tohex(-1, {count})"));
        assert!(reply.starts_with(':') && reply.len() == 4, "{count}: {reply}");
    }
}

/// Finalizers of scripts ran while the interpreter was freed. Scripts cannot make any: there is no `newproxy`.
#[test]
fn cve_2024_46981_there_are_no_finalizers() {
    let mut side = Side::new();
    let script =
        "local t = setmetatable({}, {__gc = function() redis.call('set', 'freed', '1') end})
        t = nil collectgarbage() collectgarbage() return 1";
    assert_eq!(side.eval(script), ":1\r\n");
    assert_eq!(side.ask(&[b"SCRIPT", b"FLUSH"]), "+OK\r\n");
    assert_eq!(side.ask(&[b"EXISTS", b"freed"]), ":0\r\n");
    assert!(side.eval("return newproxy(true)").contains("nonexistent global variable"));
}

/// JSON and MessagePack of large or deeply nested values wrote beyond their buffers.
#[test]
fn cve_2022_24834_large_and_nested_values() {
    let mut side = Side::new();
    let nested = "local t = {} for i = 1, 5000 do t = {t} end";
    assert!(side.eval(&format!("{nested} return cjson.encode(t)")).contains("excessive nesting"));
    assert_eq!(side.eval(&format!("{nested} return #cmsgpack.pack(t)")), ":17\r\n");
    assert!(side.eval("return cjson.decode(string.rep('[', 100000))").contains("nested"));
    assert!(side.eval("return cmsgpack.unpack(string.rep('\\145', 100000))").contains("nested"));
    let large = "local s = string.rep('\"\\1', 1000000)";
    assert_eq!(side.eval(&format!("{large} return #cjson.encode(s)")), ":8000002\r\n");
    assert_eq!(side.eval(&format!("{large} return #cmsgpack.pack(s)")), ":2000005\r\n");
    for announced in
        ["\\219\\255\\255\\255\\255", "\\221\\255\\255\\255\\255", "\\223\\255\\255\\255\\255"]
    {
        let reply = side.eval(&format!("return cmsgpack.unpack('{announced}')"));
        assert!(reply.contains("Missing bytes"), "{reply}");
    }
}

/// Sizes in the formats of `struct` overflowed.
#[test]
fn older_cve_2020_14147_and_2018_11219_sizes_of_struct() {
    let mut side = Side::new();
    for call in [
        "struct.pack('I2147483648', 1)",
        "struct.pack('!2147483647i', 1)",
        "struct.unpack('c2147483647', 'x')",
        "struct.unpack('>I4', 'abcd', 2147483647)",
        "struct.unpack('>I4', 'abcd', -1)",
        "struct.unpack('>I4', 'abcd', 1e300)",
        "struct.unpack('dc0', struct.pack('d', 1e300))",
        "struct.unpack('dc0', struct.pack('d', -1))",
        "struct.unpack('dc0', struct.pack('d', 0/0) .. 'x')",
        "struct.pack('c0c5', 'a', 'b')",
    ] {
        let reply = side.eval(&format!("local x = {call} return 'done'"));
        assert!(reply.starts_with("-ERR") || reply == "$4\r\ndone\r\n", "{call}: {reply}");
    }
    assert_eq!(side.eval("return struct.size(string.rep('c2147483647', 5))"), ":10737418235\r\n");
}

/// A script changed global functions, which scripts of other users then called with more rights.
#[test]
fn cve_2022_24735_scripts_cannot_change_each_other() {
    let mut side = Side::new();
    for attack in [
        "redis.call = function() return 'evil' end",
        "redis = {call = function() return 'evil' end}",
        "KEYS = nil",
        "function tostring() end",
        "local x = _G x.pairs = 1",
        "__redis__err__handler = function() end",
        "cjson.decode = nil",
        "math.floor = nil",
    ] {
        let reply = side.eval(attack);
        assert!(reply.contains("Attempt to modify a readonly table"), "{attack}: {reply}");
        side.check_unharmed();
    }
}

/// Unusual errors ended the process.
#[test]
fn cve_2022_24736_errors_of_any_kind() {
    let mut side = Side::new();
    for error in [
        "{}",
        "nil",
        "false",
        "1",
        "{err=1}",
        "{err={}}",
        "function() end",
        "redis",
        "cjson.null",
        "setmetatable({}, {__index = function() error('again') end, __tostring = error})",
        "coroutine.create(function() end)",
    ] {
        assert!(side.eval(&format!("error({error})")).starts_with('-'), "{error}");
        let script = format!("local ok, e = pcall(error, {error}) return tostring(ok)");
        assert_eq!(side.eval(&script), "$5\r\nfalse\r\n");
    }
    assert!(
        side.eval("local function f() return xpcall(f, f) end f() error('x')").starts_with('-')
    );
    side.check_unharmed();
}

/// More values on the stack than there is space for.
#[test]
fn cve_2021_32626_the_stack_is_limited() {
    let mut side = Side::new();
    let script =
        "local function f(n) if n == 0 then return 1 end return 1 + f(n - 1) end return f(1e6)";
    assert!(side.eval(script).contains("stack overflow"));
    assert!(side.eval("local function f() return coroutine.wrap(f)() end f()").starts_with('-'));
    let script = "local t = {} t[1] = t return t";
    assert!(side.eval(script).contains("reached lua stack limit"));
    let script = "local t = {} t[1] = t t[2] = t return t";
    assert!(side.eval(script).contains("takes more memory"));
    // Each repeated item of a pattern is a call.
    let script = "return string.find(string.rep('a', 1e6), string.rep('a?', 1e6) .. 'b')";
    assert!(side.eval(script).contains("pattern too long"));
    for (call, nested) in [("(", ")"), ("{", "}"), ("function() return ", " end"), ("not ", "")] {
        let text = format!("return {}1{}", call.repeat(50_000), nested.repeat(50_000));
        assert!(side.eval(&text).starts_with("-ERR Error compiling"), "{call}");
    }
    side.check_unharmed();
}

/// An error text with line ends would be further replies for the client.
#[test]
fn cve_2025_67733_texts_are_one_line() {
    let mut side = Side::new();
    for script in [
        "return {err = 'a\\r\\n+OK\\r\\n'}",
        "return {ok = 'a\\r\\n+OK\\r\\n'}",
        "error('a\\r\\n+OK')",
        "return redis.error_reply('a b\\r\\n+OK\\r\\nx')",
        "return {big_number = '1\\r\\n+OK'}",
        "return redis.call('a\\r\\nb')",
    ] {
        side.ask(&[b"HELLO", b"3"]);
        let reply = side.eval(script);
        assert_eq!(reply.matches("\r\n").count(), 1, "{script}: {reply:?}");
    }
}

/// Bytecode is not checked by Lua (CVE-2015-4335).
#[test]
fn older_cve_2015_4335_bytecode_is_refused() {
    let mut side = Side::new();
    let script = "local d = string.dump(function() return 1 end)
        return {tostring(loadstring(d)), tostring(load(function() local x = d d = nil return x end))}";
    assert_eq!(side.eval(script), "*2\r\n$3\r\nnil\r\n$3\r\nnil\r\n");
    assert!(side.ask(&[b"EVAL", b"\x1bLua", b"0"]).starts_with("-ERR Error compiling"));
    assert!(side.ask(&[b"SCRIPT", b"LOAD", b"\x1bLuaQ\0\x01\x04\x08\x04\x08\0"]).starts_with('-'));
}

/// A script beyond the memory for scripts fails; the next one has memory again.
#[test]
fn memory_is_limited() {
    let mut side = Side::with("lua-memory-limit 4mb");
    for script in [
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = {} end",
        "return string.rep('x', 1e9)",
        "local t = {} for i = 1, 1000 do t[i] = string.rep('x', 1000) end return #table.concat(t, string.rep('y', 1e5))",
        "return cjson.decode('[' .. string.rep('[],', 500000) .. '1]')",
    ] {
        let reply = side.eval(script);
        assert!(reply.contains("not enough memory"), "{script}: {reply:.300}");
        side.check_unharmed();
    }
    let script = "local ok, e = pcall(string.rep, 'x', 1e9) return {tostring(ok), e}";
    assert_eq!(side.eval(script), "*2\r\n$5\r\nfalse\r\n$17\r\nnot enough memory\r\n");
    // Scripts of EVAL do not fill the memory.
    for number in 0..3000 {
        let filler = "x".repeat(2000);
        assert_eq!(
            side.eval(&format!("local s = '{filler}' return {number}")),
            format!(":{number}\r\n")
        );
    }
}

/// A reply that a script drops takes no memory of Lua's, however the script calls the command; one that it uses does.
#[test]
fn dropped_replies_are_not_converted() {
    let mut side = Side::with("lua-memory-limit 1mb");
    let element = vec![b'x'; 1 << 20];
    side.ask(&[b"RPUSH", b"large", &element, &element]);
    for call in ["redis.call", "redis.pcall"] {
        let request = format!("{call}('LRANGE', 'large', 0, -1)");
        for (script, reply) in [
            (format!("{request} return 1"), ":1\r\n"),
            (format!("for _ = 1, 3 do {request} end return 2"), ":2\r\n"),
            (format!("coroutine.wrap(function() {request} end)() return 3"), ":3\r\n"),
            (format!("local f = function() {request} end f() return 4"), ":4\r\n"),
        ] {
            assert_eq!(side.eval(&script), reply, "{script}");
        }
        for script in [
            format!("local value = {request} return 1"),
            format!("local one, two = {request} return 1"),
            format!("return {request}"),
            format!("return #{{{request}}}"),
            format!("if {request} then return 1 end"),
            format!("local f = function() return {request} end f() return 1"),
        ] {
            let reply = side.eval(&script);
            assert!(reply.contains("not enough memory"), "{script}: {reply:.300}");
        }
    }
    let script =
        "redis.pcall('INCR', 'large') local value = redis.pcall('INCR', 'large') return value.err";
    let reply = side.eval(script);
    assert!(reply.contains("WRONGTYPE"), "{reply}");
    assert!(side.eval("redis.call('INCR', 'large') return 1").starts_with("-WRONGTYPE"));
    side.check_unharmed();
}

/// The memory ends in each of the steps in which a reply becomes a value of Lua, and arguments get into a script.
#[test]
fn memory_ends_within_conversions() {
    let mut side = Side::with("lua-memory-limit 1mb");
    let number = |number: usize| format!("element {number}").into_bytes();
    for index in 0..40 {
        side.ask(&[b"RPUSH", b"queue", &number(index)]);
        side.ask(&[b"HSET", b"hash", &number(index), b"1.5"]);
        side.ask(&[b"ZADD", b"sorted", b"2.5", &number(index)]);
    }
    let script = "
        local kept, used = {}, tonumber(ARGV[1])
        collectgarbage()
        while collectgarbage('count') < used do
            kept[#kept + 1] = string.rep('x', 300) .. #kept
        end
        redis.setresp(3)
        local ok, reply = pcall(redis.call, unpack(ARGV, 2))
        return type(reply) == 'string' and reply or 'a value'";
    let (mut failed, mut succeeded) = (0, 0);
    for used in (2004..2048).map(|halves| format!("{}.{}", halves / 2, halves % 2 * 5)) {
        for command in [
            &[&b"LRANGE"[..], b"queue", b"0", b"-1"][..],
            &[b"HGETALL", b"hash"],
            &[b"ZRANGE", b"sorted", b"0", b"-1", b"WITHSCORES"],
            &[b"SET", b"string", b"value"],
            &[b"RPUSH", b"string", b"value"],
        ] {
            let words = [&[b"EVAL", script.as_bytes(), b"0", used.as_bytes()], command].concat();
            let reply = side.ask(&words);
            match reply.contains("not enough memory") {
                true => failed += 1,
                false => succeeded += 1,
            }
            let is_known = ["not enough memory", "a value", "WRONGTYPE"];
            assert!(is_known.iter().any(|part| reply.contains(part)), "{used} {reply}");
            side.check_unharmed();
        }
    }
    assert!(failed >= 20 && succeeded >= 20, "{failed} failed, {succeeded} succeeded");
    for size in [1 << 10, 1 << 19, 1 << 20, 1 << 22] {
        let reply = side.ask(&[b"EVAL", b"return #ARGV[1]", b"0", &vec![b'x'; size]]);
        let expected = match size < 1 << 20 {
            true => format!(":{size}\r\n"),
            false => "not enough memory".into(),
        };
        assert!(reply.contains(&expected), "{size}: {reply}");
        side.check_unharmed();
    }
}

/// A host whose clock goes on with each look at it.
struct Hurried(std::sync::atomic::AtomicU64);

impl Host for Hurried {
    fn monotonic_us(&self) -> u64 {
        self.0.fetch_add(100_000, std::sync::atomic::Ordering::Relaxed)
    }
    fn resident_bytes(&self) -> u64 {
        0
    }
    fn cpu_us(&self) -> (u64, u64) {
        (0, 0)
    }
    fn rewrite_config(&mut self, _: &Settings) -> Result<(), String> {
        Err(String::new())
    }
    fn read_file(&mut self, _: &std::path::Path) -> Result<Vec<u8>, String> {
        Err(String::new())
    }
    fn replace_file(&mut self, _: &std::path::Path, _: &[u8]) -> Result<(), String> {
        Err(String::new())
    }
    fn settings_changed(&mut self, _: &Settings) {}
    fn claim_append_files(&mut self, _: &Settings) -> Result<(), String> {
        Err(String::new())
    }
    fn sleep(&mut self, _: std::time::Duration) {}
}

/// A script that has changed nothing is stopped, whatever it catches. One that has goes on.
#[test]
fn time_is_limited() {
    let now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
    let settings = Settings::default().with("script-time-limit-ms", "1000").expect("valid");
    let mut broker = Broker::new(settings, 1, Box::new(Hurried(0.into())), now);
    let client = broker.connect(0, Peer::in_process(), now);
    let mut eval = |script: &str| {
        let mut request = Vec::new();
        write_command(&mut request, [&b"EVAL"[..], script.as_bytes(), b"0"]);
        broker.receive(client, &request, now);
        broker.settle(now);
        let reply = broker.outbox(client).map(|output| output.take_all()).unwrap_or_default();
        broker.flushed(client, reply.len(), now);
        String::from_utf8_lossy(&reply).into_owned()
    };
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "local f = function() while true do end end
         while true do coroutine.resume(coroutine.create(f)) end",
        "local f = function() while true do end end while true do pcall(coroutine.wrap(f)) end",
        "local function f() while true do pcall(f) end end f()",
        "string.gsub(string.rep('x', 1e6), 'x', function() for i = 1, 1e6 do end end)",
        "while true do redis.call('get', 'k') end",
    ] {
        let reply = eval(script);
        assert!(reply.contains("script-time-limit-ms"), "{script}: {reply}");
        assert_eq!(eval("return 1"), ":1\r\n");
    }
    let script = "redis.call('set', 'k', 'v') for i = 1, 1e7 do end return 'done'";
    assert_eq!(eval(script), "$4\r\ndone\r\n");
}

const LIBRARY: &[u8] = b"#!lua name=lib\nredis.register_function('f', function(keys) return redis.call('incr', keys[1]) end)";

/// What scripts and functions change is recorded as one transaction, and libraries as they were loaded.
#[test]
fn effects_are_recorded_instead_of_scripts() {
    let mut side = Side::new();
    let reader = side.bench.broker.read_effects();
    side.eval("redis.call('rpush', 'q', 'a', 'b') redis.call('set', 'k', redis.call('time')[1]) redis.call('select', 1) return redis.call('incr', 'n')");
    side.eval("return redis.call('set', 'single', 'v', 'ex', 10)");
    side.eval("return redis.call('get', 'k')");
    side.eval("redis.call('lpop', 'q') error('a part stays')");
    assert_eq!(side.ask(&[b"FUNCTION", b"LOAD", LIBRARY]), "$3\r\nlib\r\n");
    assert_eq!(side.ask(&[b"FCALL", b"f", b"1", b"n"]), ":1\r\n");
    side.ask(&[b"MULTI"]);
    side.eval("redis.call('incr', 'n') redis.call('incr', 'n')");
    side.ask(&[b"SET", b"k2", b"v"]);
    side.ask(&[b"EXEC"]);
    let mut effects = Vec::new();
    side.bench.broker.take_effects(&reader, &mut effects);
    let text = String::from_utf8_lossy(&effects).replace("\r\n", " ");
    assert!(
        !text.to_ascii_lowercase().contains("eval") && !text.to_ascii_lowercase().contains("fcall")
    );
    assert_eq!(text.matches("MULTI").count(), 2, "{text}");
    assert_eq!(text.matches("EXEC").count(), 2, "{text}");
    assert!(text.contains("FUNCTION $4 LOAD"), "{text}");
    let mut loaded = Side::new();
    loaded.bench.broker.replay(&mut 0, &effects).expect("it loads");
    loaded.bench.broker.end_replay(loaded.bench.now);
    assert_eq!(loaded.bench.broker.contents(), side.bench.broker.contents());
    assert_eq!(loaded.ask(&[b"FCALL", b"f", b"1", b"n"]), ":4\r\n");
}

/// Libraries are in snapshots of both forms, and so in rewritten append files, RDB files and what replicas get.
#[test]
fn libraries_are_saved() {
    let mut side = Side::new();
    side.ask(&[b"FUNCTION", b"LOAD", LIBRARY]);
    side.ask(&[b"SET", b"n", b"7"]);
    side.bench.broker.begin_snapshot();
    let (mut commands, mut rdb) = (Vec::new(), Vec::new());
    let mut encoder = CommandEncoder::default();
    let mut rdb_encoder = RdbEncoder::begin(&RdbHeader::default(), &mut rdb);
    while let Some(part) = side.bench.broker.next_saved(1 << 20) {
        encoder.add(&part, &mut commands, |_| Ok(())).expect("memory takes it");
        rdb_encoder.add(&part, &mut rdb, |_| Ok(())).expect("memory takes it");
    }
    encoder.finish(&mut commands);
    rdb_encoder.finish(&mut rdb);
    let mut loaded = Side::new();
    loaded.bench.broker.replay(&mut 0, &commands).expect("it loads");
    loaded.bench.broker.end_replay(loaded.bench.now);
    assert_eq!(loaded.ask(&[b"FCALL", b"f", b"1", b"n"]), ":8\r\n");
    let mut loaded = Side::new();
    let mut load = tidegate::broker::RdbLoad::new(false);
    loaded.bench.broker.load_rdb(&mut load, &rdb).expect("it loads");
    loaded.bench.broker.end_replay(loaded.bench.now);
    assert!(load.is_done());
    assert_eq!(loaded.ask(&[b"FCALL", b"f", b"1", b"n"]), ":8\r\n");
    let stats = loaded.ask(&[b"FUNCTION", b"STATS"]);
    assert!(stats.contains("libraries_count\r\n:1\r\n"), "{stats}");
}

/// Monitors see a script before its commands.
#[test]
fn monitors_see_the_commands_of_scripts() {
    let mut side = Side::new();
    let monitor = side.bench.client();
    side.bench.call(monitor, "MONITOR");
    side.eval("return redis.call('set', 'k', 'v')");
    let shown = side.bench.owed(monitor);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 2, "{shown}");
    assert!(
        lines[0].contains("\"EVAL\"") && lines[1].contains("[0 lua] \"set\" \"k\" \"v\""),
        "{shown}"
    );
}
