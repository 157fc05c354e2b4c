use super::*;
use crate::resp::{DoubleBuffer, Output, Protocol};
use proptest::prelude::*;

/// Everything the encoder can write.
fn replies() -> impl Strategy<Value = Reply> {
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    let text = "[ -~]{0,20}".prop_map(String::into_bytes);
    let leaf = prop_oneof![
        text.clone().prop_map(Reply::Simple),
        text.prop_map(Reply::Error),
        any::<i64>().prop_map(Reply::Integer),
        bytes.clone().prop_map(Reply::Bulk),
        Just(Reply::Null),
        any::<f64>().prop_filter("equal to itself", |f| !f.is_nan()).prop_map(Reply::Double),
        bytes.prop_map(Reply::Verbatim),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..6);
        prop_oneof![
            items.clone().prop_map(Reply::Array),
            items.clone().prop_map(Reply::Set),
            items.prop_map(Reply::Push),
            prop::collection::vec((inner.clone(), inner), 0..4).prop_map(Reply::Map),
        ]
    })
}

/// A text that is a whole reply can be read in place, wherever the bytes are split.
#[test]
fn texts_are_read_in_place() {
    let all = b":1\r\n$3\r\na\r\n\r\n$0\r\n\r\n$-1\r\n*1\r\n$1\r\nx\r\n$1\r\ny\r\n";
    for piece in 1..=all.len() {
        let mut parser = ReplyParser::default();
        let mut got = Vec::new();
        for bytes in all.chunks(piece) {
            parser.feed(bytes);
            loop {
                if let Some(text) = parser.next_text() {
                    got.push(format!("in place {}", text.escape_ascii()));
                } else if let Some(reply) = parser.next_reply().expect("replies") {
                    got.push(format!("{reply:?}"));
                } else {
                    break;
                }
            }
        }
        let expected = [
            "Integer(1)",
            "in place a\\r\\n",
            "in place ",
            "Null",
            "Array([Bulk([120])])",
            "in place y",
        ];
        assert_eq!(got, expected, "in pieces of {piece}");
        assert!(parser.is_empty() && parser.release().is_some());
    }
    let mut wrong = ReplyParser::default();
    wrong.feed(b"$1\r\nabc");
    assert_eq!(wrong.next_text(), None);
    assert_eq!(wrong.next_reply(), Err(ReplyError::TextEnd));
}

fn write(output: &mut Output, reply: &Reply) {
    match reply {
        Reply::Simple(text) => output.simple(str::from_utf8(text).expect("it is ASCII")),
        Reply::Error(text) => output.error(text),
        Reply::Integer(number) => output.integer(*number),
        Reply::Bulk(bytes) => output.bulk(bytes),
        Reply::Null => output.null(),
        Reply::Double(number) => output.double(*number),
        Reply::Verbatim(text) => output.verbatim(text),
        Reply::Array(items) => output.array(items.len()),
        Reply::Set(items) => output.set(items.len()),
        Reply::Push(items) => output.push(items.len()),
        Reply::Map(pairs) => output.map(pairs.len()),
        Reply::Boolean(_) | Reply::BigNumber(_) => unreachable!("the encoder has none"),
    }
    reply.items().into_iter().flatten().for_each(|item| write(output, item));
    if let Reply::Map(pairs) = reply {
        pairs.iter().flat_map(|(key, value)| [key, value]).for_each(|item| write(output, item));
    }
}

/// The same reply in version 2.
fn in_version_2(reply: Reply) -> Reply {
    match reply {
        Reply::Double(number) => Reply::Bulk(DoubleBuffer::default().format(number).to_vec()),
        Reply::Verbatim(text) => Reply::Bulk(text),
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => {
            Reply::Array(items.into_iter().map(in_version_2).collect())
        }
        Reply::Map(pairs) => {
            let flat = pairs.into_iter().flat_map(|(key, value)| [key, value]);
            Reply::Array(flat.map(in_version_2).collect())
        }
        other => other,
    }
}

/// All replies in bytes that come in pieces of these lengths, and the error at their end.
fn parsed(bytes: &[u8], cuts: &[usize]) -> (Vec<Reply>, Option<ReplyError>) {
    let mut parser = ReplyParser::new(1 << 20);
    let (mut found, mut at) = (Vec::new(), 0);
    let mut cuts = cuts.iter().cycle();
    while at < bytes.len() {
        let end = (at + cuts.next().unwrap_or(&1)).min(bytes.len());
        parser.feed(&bytes[at..end]);
        at = end;
        loop {
            match parser.next_reply() {
                Ok(Some(reply)) => found.push(reply),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        all in prop::collection::vec(replies(), 1..5),
        cuts in prop::collection::vec(1usize..50, 1..5),
    ) {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let mut output = Output::new(protocol);
            all.iter().for_each(|reply| write(&mut output, reply));
            let expected = all.clone().into_iter().map(|reply| match protocol {
                Protocol::Resp2 => in_version_2(reply),
                Protocol::Resp3 => reply,
            });
            prop_assert_eq!(parsed(&output.take_all(), &cuts), (expected.collect(), None));
        }
    }

    /// Any bytes mean the same in one piece and in many.
    #[test]
    fn any_bytes_are_read_alike_however_they_are_cut(
        words in prop::collection::vec("[-+:$!=*~>%|_#,(0-9tfa\r\n]{0,4}(\r\n)?", 0..12),
        cuts in prop::collection::vec(1usize..5, 1..5),
    ) {
        let bytes = words.concat().into_bytes();
        let (at_once, error) = parsed(&bytes, &[usize::MAX / 2]);
        prop_assert_eq!(parsed(&bytes, &cuts), (at_once, error));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        parsed(&bytes, &[7]);
    }
}

#[test]
fn what_other_servers_send() {
    let bytes = b"#t\r\n#f\r\n:+5\r\n(123\r\n,inf\r\n!5\r\nERR x\r\n|1\r\n+a\r\n:1\r\n_\r\n*-1\r\n";
    let expected = vec![
        Reply::Boolean(true),
        Reply::Boolean(false),
        Reply::Integer(5),
        Reply::BigNumber(b"123".to_vec()),
        Reply::Double(f64::INFINITY),
        Reply::Error(b"ERR x".to_vec()),
        Reply::Null,
        Reply::Null,
    ];
    assert_eq!(parsed(bytes, &[1]), (expected, None));
}

#[test]
fn what_is_no_reply() {
    let line = |text: &[u8]| ReplyError::Line(text.to_vec());
    let deep = b"*1\r\n".repeat(DEPTH_MAX + 1);
    let cases: &[(&[u8], ReplyError)] = &[
        (b"hello\r\n", ReplyError::Type(b'h')),
        (b":1x\r\n", line(b"1x")),
        (b":1\n", line(b"1\n")),
        (b"$-2\r\n", line(b"-2")),
        (b"#x\r\n", line(b"x")),
        (b"=2\r\nab\r\n", line(b"ab")),
        (b"$1\r\nabc", ReplyError::TextEnd),
        (b"$1048577\r\n", ReplyError::Length(1 << 20)),
        (b"*349526\r\n", ReplyError::Length((1 << 20) / 3)),
        (&deep, ReplyError::Depth),
    ];
    for (bytes, error) in cases {
        assert_eq!(parsed(bytes, &[1000]), (vec![], Some(error.clone())), "{bytes:?}");
    }
}

/// No server makes a client exceed its limit: neither with an endless line nor with many items.
#[test]
fn a_long_reply_ends_at_the_limit() {
    let mut parser = ReplyParser::new(1000);
    parser.feed(&[b'+'; 1001]);
    assert_eq!(parser.next_reply(), Err(ReplyError::Length(1000)));
    let mut parser = ReplyParser::new(1000);
    parser.feed(b"*300\r\n");
    parser.feed(&b"+abcd\r\n".repeat(300));
    assert_eq!(parser.next_reply(), Err(ReplyError::Length(1000)));
}
