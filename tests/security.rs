//! One test for each published weakness of Redis or Valkey in a feature that Tidegate has too. Each is
//! named after its CVE, and would find the same weakness here. `docs/security.md` has the whole list.

mod broker_support;
mod server_support;

use broker_support::Bench;
use server_support::{Client, Process};
use socket2::SockRef;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tidegate::settings::Settings;
use tidegate::{CloseReason, Peer, Reply, ReplyParser};

const NO_AUTH: &str = "-NOAUTH Authentication required.\r\n";

fn bench(lines: &str) -> Bench {
    Bench::with(Settings::from_text(lines, "a test").expect("valid"))
}

fn tcp() -> Peer {
    let addr = SocketAddr::from(([192, 0, 2, 1], 4711));
    Peer::Tcp { addr, laddr: addr, fd: 9 }
}

/// The limits of a server that was told to have none.
const NO_LIMITS: &str = "proto-max-bulk-len 9223372036854775807\n\
    client-query-buffer-limit 9223372036854775807";

/// Memory of all clients, as an authenticated client sees it.
fn client_bytes(bench: &mut Bench) -> u64 {
    let asker = bench.client();
    bench.call(asker, "AUTH secret");
    let info = bench.call(asker, "INFO memory");
    bench.broker.disconnect(asker, CloseReason::PeerClosed, bench.now);
    let line = info.lines().find_map(|line| line.strip_prefix("mem_clients_normal:"));
    line.expect("a line of INFO").parse().expect("a number")
}

/// A request in the form that programs use.
fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Announcing a huge argument overflows no sum, and reserves no memory.
#[test]
fn cve_2021_21309_a_huge_argument_is_only_announced() {
    for length in ["9223372036854775807", "9223372036854775806", "4294967296", "4294967295"] {
        let mut bench = bench(NO_LIMITS);
        let client = bench.client();
        let before = client_bytes(&mut bench);
        for part in ["*3\r\n$3\r\nSET\r\n$1\r\nk\r\n", &format!("${length}\r\n"), "some of it"] {
            bench.broker.receive(client, part.as_bytes(), bench.now);
            bench.settle();
        }
        assert_eq!(bench.owed(client), "");
        assert!(client_bytes(&mut bench) - before < 100_000);
    }
    for length in ["9223372036854775808", "18446744073709551617", "-1"] {
        let mut bench = bench(NO_LIMITS);
        let client = bench.client();
        let refusal = bench.call(client, &format!("*2\r\n$4\r\nECHO\r\n${length}"));
        assert_eq!(refusal, "-ERR Protocol error: invalid bulk length\r\n");
    }
}

/// The table of LCS has the product of both lengths: it is refused before it is made.
#[test]
fn cve_2021_29477_and_32625_the_table_of_lcs_is_limited() {
    let mut bench = bench("");
    let client = bench.client();
    let long = "x".repeat(20_000_000);
    for key in ["a", "b"] {
        let set = request(&[b"SET", key.as_bytes(), long.as_bytes()]);
        bench.broker.receive(client, &set, bench.now);
        bench.settle();
        assert_eq!(bench.owed(client), "+OK\r\n");
    }
    for form in ["", " LEN", " IDX"] {
        let refusal = bench.call(client, &format!("LCS a b{form}"));
        assert!(refusal.starts_with("-ERR Insufficient memory"), "{refusal}");
    }
    assert_eq!(bench.call(client, "SET a abc\r\nSET b xbc"), "+OK\r\n+OK\r\n");
    assert_eq!(bench.call(client, "LCS a b"), "$2\r\nbc\r\n");
}

/// A stranger cannot make the server reserve memory with a few bytes, on however many connections.
#[test]
fn cve_2021_32675_strangers_reserve_no_memory() {
    let mut bench = bench("requirepass secret");
    let before = client_bytes(&mut bench);
    let clients: Vec<_> = (0..1000).map(|_| bench.client_at(tcp())).collect();
    for &client in &clients {
        bench.broker.receive(client, b"*10\r\n$16384\r\n", bench.now);
    }
    bench.settle();
    let held = client_bytes(&mut bench) - before;
    assert!(held < 2_000_000, "{held} bytes");
    for (input, what) in [("*11\r\n", "multibulk"), ("*1\r\n$16385\r\n", "bulk")] {
        let client = bench.client_at(tcp());
        bench.broker.receive(client, input.as_bytes(), bench.now);
        bench.settle();
        let expected = format!("-ERR Protocol error: unauthenticated {what} length\r\n");
        assert_eq!(bench.owed(client), expected);
    }
    // An authenticated client reserves none by a count either.
    let known = bench.client_at(tcp());
    assert_eq!(bench.call(known, "AUTH secret"), "+OK\r\n");
    let before = client_bytes(&mut bench);
    bench.broker.receive(known, b"*2147483647\r\n$1\r\nx\r\n", bench.now);
    bench.settle();
    assert!(client_bytes(&mut bench) - before < 100_000);
}

/// Our own reply parser believes no count either.
#[test]
fn cve_2021_32762_a_huge_count_of_replies_is_only_announced() {
    for header in ["*9223372036854775807", "*4294967296", "%4611686018427387904", "~2147483647"] {
        let mut parser = ReplyParser::default();
        parser.feed(format!("{header}\r\n:1\r\n").as_bytes());
        assert!(matches!(parser.next_reply(), Ok(None) | Err(_)), "{header}");
    }
    let mut parser = ReplyParser::default();
    parser.feed(b"$9223372036854775807\r\nx");
    assert!(matches!(parser.next_reply(), Ok(None) | Err(_)));
}

/// Sums of an offset and a length do not overflow, whatever the limit is.
fn check_lengths(lines: &str) {
    let mut bench = bench(lines);
    let client = bench.client();
    let too_long = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
    for offset in [i64::MAX, i64::MAX - 1] {
        assert_eq!(bench.call(client, &format!("SETRANGE k {offset} xx")), too_long);
    }
    assert_eq!(bench.call(client, "SETRANGE k -1 x"), "-ERR offset is out of range\r\n");
    assert_eq!(
        bench.call(client, "SETRANGE k 9223372036854775808 x"),
        "-ERR value is not an integer or out of range\r\n"
    );
    assert_eq!(bench.call(client, "EXISTS k"), ":0\r\n");
    for (start, end) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (i64::MIN, i64::MIN)] {
        assert!(bench.call(client, &format!("GETRANGE k {start} {end}")).starts_with("$0\r\n"));
        assert_eq!(bench.call(client, &format!("LRANGE q {start} {end}")), "*0\r\n");
    }
}

#[test]
fn cve_2021_41099_lengths_of_strings_do_not_overflow() {
    check_lengths(NO_LIMITS);
}

#[test]
fn cve_2022_35977_offsets_do_not_overflow() {
    check_lengths("");
    let mut bench = bench("");
    let client = bench.client();
    let limit = 512 << 20;
    let too_long = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
    assert_eq!(bench.call(client, &format!("SETRANGE k {limit} x")), too_long);
    assert_eq!(bench.call(client, "SET k 12345\r\nSETRANGE k 5 6"), "+OK\r\n:6\r\n");
    assert_eq!(bench.call(client, "RPUSH l 2 1"), ":2\r\n");
    let (least, most) = (i64::MIN, i64::MAX);
    for (start, count, sorted) in [
        (most, most, 0),
        (most, least, 0),
        (least, most, 2),
        (least, least, 2),
        (1, most, 1),
        (0, 0, 0),
    ] {
        for order in ["", " BY nosort", " BY nosort DESC"] {
            let reply = bench.call(client, &format!("SORT l{order} LIMIT {start} {count}"));
            assert!(reply.starts_with(&format!("*{sorted}\r\n")), "{start} {count}: {reply}");
        }
    }
}

/// Every command that takes a pattern, with a pattern and a name it is matched with.
fn match_everywhere(bench: &mut Bench, pattern: &str, name: &str) {
    let client = bench.client();
    let words: [&[&str]; 8] = [
        &["SET", name, "x"],
        &["KEYS", pattern],
        &["SCAN", "0", "MATCH", pattern],
        &["COMMAND", "LIST", "FILTERBY", "PATTERN", pattern],
        &["CONFIG", "GET", pattern],
        &["PUBSUB", "CHANNELS", pattern],
        &["PSUBSCRIBE", pattern],
        &["PUNSUBSCRIBE", pattern],
    ];
    for words in words {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        bench.broker.receive(client, &request(&words), bench.now);
        bench.settle();
        let reply = bench.owed(client);
        assert!(!reply.is_empty() && !reply.starts_with('-'), "{}", &reply[..reply.len().min(200)]);
    }
    let other = bench.client();
    let publish = request(&[b"PUBLISH", name.as_bytes(), b"x"]);
    bench.broker.receive(other, &publish, bench.now);
    bench.settle();
    assert_eq!(bench.owed(other), ":0\r\n");
}

/// A matcher that tries every way to share a text among the stars would not come to an end.
#[test]
fn cve_2022_36021_many_stars_take_no_exponential_time() {
    let mut bench = bench("");
    match_everywhere(&mut bench, &format!("{}b", "*a".repeat(500)), &"a".repeat(2000));
    match_everywhere(&mut bench, &format!("{}b", "a*?*".repeat(300)), &"a".repeat(2000));
}

/// A matcher that calls itself for each star would use up the stack.
#[test]
fn cve_2024_31228_a_long_pattern_uses_no_stack() {
    let mut bench = bench("");
    for part in ["*", "*a", "?", "[a-b]", "\\a", "[^b"] {
        match_everywhere(&mut bench, &part.repeat(200_000), "aaaa");
    }
}

/// A number of keys in a request is believed by nobody.
#[test]
fn cve_2023_36824_a_wrong_number_of_keys_is_an_error() {
    let mut bench = bench("");
    let client = bench.client();
    let counts = [
        "0",
        "-1",
        "3",
        "2147483648",
        "4294967297",
        "9223372036854775807",
        "9223372036854775808",
        "x",
    ];
    for count in counts {
        for question in ["GETKEYS", "GETKEYSANDFLAGS"] {
            for command in [format!("LMPOP {count} k LEFT"), format!("BLMPOP 0 {count} k LEFT")] {
                let reply = bench.call(client, &format!("COMMAND {question} {command}"));
                assert!(reply.starts_with("-ERR "), "{question} {command}: {reply}");
                let reply = bench.call(client, &command);
                assert!(reply.starts_with("-ERR "), "{command}: {reply}");
            }
        }
    }
    // Nor does any command with as few arguments as there may be.
    for name in tidegate::command_names() {
        for args in ["", " a", " 1 a", " 9 a", " a 1 b 2", " 0 2 a b"] {
            bench.call(client, &format!("COMMAND GETKEYS {name}{args}"));
        }
    }
    assert_eq!(
        bench.call(client, "COMMAND GETKEYS LMPOP 2 a b LEFT"),
        "*2\r\n$1\r\na\r\n$1\r\nb\r\n"
    );
}

/// Buffers that grow and shrink are counted as they are. `settle` checks the sums.
#[test]
fn cve_2023_41056_buffers_are_counted_as_they_are() {
    let mut bench = bench("");
    let before = client_bytes(&mut bench);
    for size in [1, 1_000, 16_384, 16_385, 65_536, 300_000, 5_000_000] {
        let client = bench.client();
        let value = vec![b'x'; size];
        let bytes = request(&[b"SET", b"k", &value]);
        for part in bytes.chunks((size / 7).max(3)) {
            bench.broker.receive(client, part, bench.now);
            bench.settle();
        }
        assert_eq!(bench.owed(client), "+OK\r\n");
        bench.broker.receive(client, &bytes[..bytes.len() - 1], bench.now);
        bench.settle();
        assert!(client_bytes(&mut bench) - before >= size as u64, "it is held and counted");
        bench.broker.disconnect(client, CloseReason::PeerClosed, bench.now);
        bench.broker.check_invariants();
        assert_eq!(client_bytes(&mut bench), before);
    }
}

/// Replies to a stranger that does not read do not pile up.
#[test]
fn cve_2025_21605_replies_to_a_stranger_do_not_pile_up() {
    let mut bench = bench("requirepass secret\nunauthenticated-errors-max 0");
    let stranger = bench.client_at(tcp());
    for _ in 0..100 {
        bench.broker.receive(stranger, "PING\r\n".repeat(1000).as_bytes(), bench.now);
        bench.settle();
    }
    assert_eq!(bench.broker.next_closing(), Some((stranger, CloseReason::OutputLimit)));
    let owed = bench.owed(stranger).len();
    assert!((17 * 1024..17 * 1024 + 2 * NO_AUTH.len()).contains(&owed), "{owed} bytes");
}

/// The path of a file to check may be of any length.
#[test]
fn cve_2025_27151_a_long_path_is_an_error() {
    for command in ["check", "repair"] {
        for length in [255, 1024, 4096, 100_000] {
            let path = format!("/{}", "x".repeat(length));
            let output =
                Command::new(env!("CARGO_BIN_EXE_tidegate")).args([command, &path]).output();
            let output = output.expect("it runs");
            assert!(output.status.code().is_some_and(|code| code > 0), "{length}: {output:?}");
        }
    }
}

/// Connections that end before they are accepted, or break the protocol, starve nobody.
#[cfg(target_os = "linux")]
#[test]
fn cve_2025_48367_broken_connections_starve_nobody() {
    let process = Process::start(&["--requirepass", "secret"]);
    let mut worker = process.client();
    assert_eq!(worker.ask("AUTH secret"), "+OK");
    process.pause();
    let mut newcomers = Vec::new();
    for number in 0..100 {
        let mut broken = process.client();
        if number % 2 == 0 {
            broken.send("*x\r\n");
        }
        // Closing it sends a reset instead of an orderly end.
        let linger = Some(Duration::ZERO);
        SockRef::from(broken.stream.get_ref()).set_linger(linger).expect("an option");
        drop(broken);
        if number % 10 == 0 {
            newcomers.push(process.client());
        }
    }
    process.signal("CONT");
    for newcomer in &mut newcomers {
        assert_eq!(newcomer.ask("AUTH secret"), "+OK");
    }
    assert_eq!(worker.ask("PING"), "+PONG");
}

/// No error that repeats a client's words lets them pass for a reply of its own.
#[test]
fn cve_2025_67733_errors_contain_no_further_reply() {
    let settings = "enable-debug-command yes";
    let evil: &[u8] = b"x\r\n+INJECTED\r\n:1\r\n\0\n+INJECTED\n";
    let names: Vec<String> = tidegate::command_names().collect();
    let mut checked = 0;
    let named = names.iter().map(String::as_str).chain(["x\r\n+INJECTED\r\n"]);
    for name in named {
        let words: Vec<&[u8]> = name.split(' ').map(str::as_bytes).collect();
        for count in 0..6usize {
            for first in [evil, b"1", b"0"] {
                // A command may pause the others, or end the server.
                let mut bench = bench(settings);
                let client = bench.client();
                let mut words = words.clone();
                words.extend((count > 0).then_some(first));
                words.extend(std::iter::repeat_n(evil, count.saturating_sub(1)));
                bench.broker.receive(client, &request(&words), bench.now);
                bench.settle();
                let owed = bench.owed(client);
                let mut parser = ReplyParser::default();
                parser.feed(owed.as_bytes());
                while let Some(reply) = parser.next_reply().expect("a reply") {
                    assert_ne!(reply, Reply::Simple(b"INJECTED".to_vec()), "{name}: {owed}");
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 2000, "{checked} replies");
    let mut bench = bench(settings);
    let client = bench.client();
    bench.broker.receive(client, &request(&[b"DEBUG", b"ERROR", evil]), bench.now);
    assert_eq!(bench.owed(client).matches("\r\n").count(), 1);
}

/// A client may be closed at any moment of a wait: while its call runs again, by what it is given, or
/// before.
#[test]
fn cve_2026_23479_a_waiting_client_is_closed_while_it_is_served() {
    let mut bench = bench(
        "client-output-buffer-limit normal 1000 0 0\nqueue-policy p r max-length 1 overflow block",
    );
    let (full, next, killed, producer) =
        (bench.client(), bench.client(), bench.client(), bench.client());
    for waiter in [full, killed, next] {
        bench.broker.receive(waiter, b"BLPOP q 0\r\nPING\r\nBLPOP q 0\r\n", bench.now);
        bench.settle();
    }
    bench.broker.close(killed, CloseReason::Killed);
    // The first message is too large for the first waiter; the second one goes to the one behind.
    let large = format!("RPUSH q {} small", "x".repeat(2000));
    assert_eq!(bench.call(producer, &large), ":2\r\n");
    assert_eq!(bench.broker.next_closing(), Some((killed, CloseReason::Killed)));
    assert_eq!(bench.broker.next_closing(), Some((full, CloseReason::OutputLimit)));
    assert_eq!(bench.owed(next), "*2\r\n$1\r\nq\r\n$5\r\nsmall\r\n+PONG\r\n");
    for (client, reason) in [(killed, CloseReason::Killed), (full, CloseReason::OutputLimit)] {
        bench.broker.disconnect(client, reason, bench.now);
        bench.broker.check_invariants();
    }
    // Producers that wait, likewise, with one that is closed by the pop that makes room for it.
    let (first, second) = (bench.client(), bench.client());
    assert_eq!(bench.call(producer, "RPUSH r a"), ":1\r\n");
    for waiting in [first, second] {
        assert_eq!(bench.call(waiting, "RPUSH r b"), "");
    }
    bench.broker.close(first, CloseReason::Killed);
    assert_eq!(bench.call(producer, "LPOP r"), "$1\r\na\r\n");
    assert_eq!(bench.owed(second), ":1\r\n");
    bench.broker.disconnect(first, CloseReason::Killed, bench.now);
    bench.broker.check_invariants();
}

/// Empty requests leave nothing behind that the next request could meet, wherever the bytes are split.
#[test]
fn cve_2026_27623_empty_requests_leave_nothing_behind() {
    let empty = ["*0\r\n", "*-1\r\n", "\r\n", "\n", "  \r\n", "\"\"\r\n"];
    let next = ["*1\r\n$4\r\nPING\r\n", "PING\r\n", "*2\r\n$4\r\nPING\r\n$0\r\n\r\n"];
    for before in empty {
        for after in next {
            let input = [before, after, before, before, after].concat();
            let whole = {
                let mut bench = bench("");
                let client = bench.client();
                bench.broker.receive(client, input.as_bytes(), bench.now);
                bench.settle();
                bench.owed(client)
            };
            assert!(!whole.is_empty());
            for cut in 0..input.len() {
                let mut bench = bench("");
                let client = bench.client();
                for part in [&input[..cut], &input[cut..]] {
                    bench.broker.receive(client, part.as_bytes(), bench.now);
                    bench.settle();
                }
                assert_eq!(bench.owed(client), whole, "{input:?} cut at {cut}");
            }
        }
    }
    for input in ["*0\r\n*0\r\n*1\r\n$x\r\n", "*0\r\n$4\r\n", "*-5\r\n*2\r\nx\r\n"] {
        let mut bench = bench("");
        let client = bench.client();
        bench.broker.receive(client, input.as_bytes(), bench.now);
        bench.settle();
        assert!(bench.owed(client).starts_with("-ERR "), "{input:?}");
    }
}

/// A command closes connections whose bytes were announced in the same turn, before and behind its own.
#[cfg(target_os = "linux")]
#[test]
fn cve_2026_56684_and_81934_plain_connections_with_pending_input_are_closed() {
    let process = Process::start(&[]);
    let mut clients: Vec<Client> = (0..9).map(|_| process.client()).collect();
    let ids: Vec<String> = clients
        .iter_mut()
        .map(|client| client.ask("CLIENT ID").trim_start_matches(':').to_owned())
        .collect();
    process.pause();
    // The ones in the middle close all others and finally themselves; all have much to say.
    let kills = |skipped: usize| {
        let others = ids.iter().enumerate().filter(move |(index, _)| *index != skipped);
        others.map(|(_, id)| format!("CLIENT KILL ID {id} SKIPME no\r\n")).collect::<String>()
    };
    for (index, client) in clients.iter_mut().enumerate() {
        let more = "ECHO more\r\n".repeat(1000);
        let input = match index {
            4 | 5 => {
                format!("{}{more}CLIENT KILL ID {} SKIPME no\r\n{more}", kills(index), ids[index])
            }
            _ => more,
        };
        client.stream.get_mut().write_all(input.as_bytes()).expect("it is taken");
    }
    process.signal("CONT");
    for client in clients {
        client.rest();
    }
    let mut other = process.client();
    assert_eq!(other.ask("PING"), "+PONG");
    assert!(other.info("clients").contains("connected_clients:1\r\n"));
}

/// The names of tests in a text, with what follows the number of the CVE cut off.
fn tests_named(text: &str) -> BTreeSet<String> {
    let names = text.split("cve_").skip(1).map(|rest| {
        let is_of_number = |c: char| c.is_ascii_digit() || c == '_' || "and".contains(c);
        let end = rest.find(|c| !is_of_number(c)).unwrap_or(rest.len());
        rest[..end].trim_end_matches(|c: char| !c.is_ascii_digit()).to_owned()
    });
    names.filter(|name| !name.is_empty()).collect()
}

/// `docs/security.md` names the tests that there are, and no others.
#[test]
fn the_page_on_security_names_these_tests() {
    let read = |path: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::read_to_string(path).expect("a file of this repository")
    };
    let page = read("docs/security.md");
    let sources = [
        "tests/security.rs",
        "tests/security_values.rs",
        "tests/scripting.rs",
        "tests/security_users.rs",
        "tests/server_tls.rs",
        "src/server/unix_socket.rs",
    ]
    .map(read)
    .concat();
    let functions: Vec<&str> =
        sources.lines().filter(|line| line.trim_start().starts_with("fn cve_")).collect();
    assert_eq!(tests_named(&page), tests_named(&functions.join("\n")));
    // Each row has three cells, and each CVE one row.
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| CVE-")).collect();
    let ids: BTreeSet<&str> = rows.iter().filter_map(|row| row.split(' ').nth(1)).collect();
    assert!(ids.len() == rows.len() && rows.len() > 50, "{} rows", rows.len());
    assert!(rows.iter().all(|row| row.matches(" | ").count() == 2), "{rows:#?}");
}
