//! Published faults of Redis and Valkey in commands on values, tried here. `docs/security.md` lists them.

mod broker_support;

use broker_support::Bench;

fn bench() -> Bench {
    Bench::new()
}

#[test]
fn cve_2023_28425_msetnx_may_name_a_key_twice() {
    let mut bench = bench();
    let client = bench.client();
    assert_eq!(bench.call(client, "MSETNX a 1 b 2 a 3"), ":1\r\n");
    assert_eq!(bench.call(client, "MGET a b"), "*2\r\n$1\r\n3\r\n$1\r\n2\r\n");
    assert_eq!(bench.call(client, "MSETNX c 1 c 2 a 3"), ":0\r\n");
    assert_eq!(bench.call(client, "EXISTS c"), ":0\r\n");
    assert_eq!(bench.call(client, "MSET a 1 a 2\r\nGET a"), "+OK\r\n$1\r\n2\r\n");
}

#[test]
fn cve_2023_28856_no_number_becomes_invalid() {
    let mut bench = bench();
    let client = bench.client();
    assert_eq!(bench.call(client, "HSET h f 1.5"), ":1\r\n");
    for increment in ["+inf", "-inf", "nan", "1e99999", "0x", "1e"] {
        let reply = bench.call(client, &format!("HINCRBYFLOAT h f {increment}\r\nHGETALL h"));
        assert!(reply.starts_with("-ERR value is ") || reply.starts_with("-ERR increment "));
        assert!(reply.ends_with("\r\n*2\r\n$1\r\nf\r\n$3\r\n1.5\r\n"), "{increment}: {reply}");
    }
    let invalid = "-ERR increment would produce NaN or Infinity\r\n";
    let not_a_number = "-ERR value is not a valid float\r\n";
    assert_eq!(bench.call(client, "SET f 1.5"), "+OK\r\n");
    for increment in ["+inf", "-inf", "inf", "Infinity"] {
        assert_eq!(bench.call(client, &format!("INCRBYFLOAT f {increment}")), invalid);
    }
    for increment in ["nan", "1e99999", "-1e99999", "0x", "1e", "\"1 \""] {
        assert_eq!(
            bench.call(client, &format!("INCRBYFLOAT f {increment}")),
            not_a_number,
            "{increment}"
        );
    }
    assert_eq!(bench.call(client, "GET f"), "$3\r\n1.5\r\n");
    let max = i64::MAX;
    assert_eq!(bench.call(client, &format!("SET n {max}")), "+OK\r\n");
    let overflow = "-ERR increment or decrement would overflow\r\n";
    assert_eq!(bench.call(client, "INCR n"), overflow);
    assert_eq!(
        bench.call(client, &format!("DECRBY n {}", i64::MIN)),
        "-ERR decrement would overflow\r\n"
    );
    assert_eq!(bench.call(client, "GET n"), format!("$19\r\n{max}\r\n"));
}

/// Nor is so much memory reserved as a count asks for.
#[test]
fn cve_2023_25155_and_22458_counts_of_random_elements_do_not_overflow() {
    let mut bench = bench();
    let client = bench.client();
    assert_eq!(
        bench.call(client, "SADD s a b\r\nHSET h a 1 b 2\r\nZADD z 1 a 2 b"),
        ":2\r\n:2\r\n:2\r\n"
    );
    let half = i64::MAX / 2;
    for count in [i64::MIN, i64::MIN + 1, -half - 1, -half, -1_000_000_000_000] {
        for request in ["SRANDMEMBER s", "HRANDFIELD h", "ZRANDMEMBER z"] {
            let reply = bench.call(client, &format!("{request} {count}"));
            assert!(reply.starts_with("-ERR value is out of range"), "{request} {count}: {reply}");
        }
        for request in [
            format!("HRANDFIELD h {count} WITHVALUES"),
            format!("ZRANDMEMBER z {count} WITHSCORES"),
        ] {
            let reply = bench.call(client, &request);
            assert!(reply.starts_with("-ERR value is out of range"), "{request}: {reply}");
        }
    }
    for request in ["SRANDMEMBER s", "HRANDFIELD h", "ZRANDMEMBER z"] {
        let reply = bench.call(client, &format!("{request} {}", i64::MAX));
        assert!(reply.starts_with("*2\r\n"), "{request}: {reply}");
    }
    let reply = bench.call(client, &format!("SPOP s {}", i64::MAX));
    assert!(reply.starts_with("*2\r\n"), "{reply}");
}

#[test]
fn cve_2022_35951_and_31144_claims_do_not_overflow() {
    let mut bench = bench();
    let client = bench.client();
    assert_eq!(bench.call(client, "XADD x 1-1 f v\r\nXGROUP CREATE x g 0"), "$3\r\n1-1\r\n+OK\r\n");
    assert!(bench.call(client, "XREADGROUP GROUP g c STREAMS x >").contains("1-1"));
    assert_eq!(bench.call(client, "XDEL x 1-1"), ":1\r\n");
    let count_is = "-ERR COUNT must be > 0\r\n";
    for count in [i64::MAX, i64::MAX - 1, 1 << 62, i64::MIN, -1, 0] {
        let reply = bench.call(client, &format!("XAUTOCLAIM x g d 0 0 COUNT {count}"));
        assert!(
            reply == count_is || reply.starts_with("*3\r\n") || reply.starts_with("-ERR value is"),
            "{reply}"
        );
    }
    // What was deleted is reported once, and no longer pending.
    assert!(bench.call(client, "XAUTOCLAIM x g d 0 0 COUNT 1000").ends_with("*1\r\n$3\r\n1-1\r\n"));
    assert_eq!(bench.call(client, "XPENDING x g"), "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n");
}
