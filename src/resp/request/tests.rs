use super::*;
use proptest::prelude::*;

const LIMITS: Limits = Limits { bulk_bytes_max: 512 << 20, is_unauthenticated: false };

/// The requests, and the error after them, with the bytes in pieces of these sizes.
fn parse_in_pieces(
    input: &[u8],
    mut sizes: impl Iterator<Item = usize>,
) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
    let mut parser = RequestParser::default();
    let mut buffer = Vec::new();
    let mut requests = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(rest.len()).clamp(1, rest.len());
        buffer.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
        loop {
            match parser.parse(&buffer, LIMITS) {
                Ok(Parsed::Request { end }) => {
                    let request = parser.request(&buffer);
                    requests.push(request.args_from(0).map(<[u8]>::to_vec).collect());
                    buffer.drain(..end);
                }
                Ok(Parsed::Nothing { end }) => drop(buffer.drain(..end)),
                Ok(Parsed::Incomplete) => break,
                Err(error) => return (requests, Some(error)),
            }
        }
    }
    (requests, None)
}

/// The same with a new parser for each request.
fn parse_each_afresh(mut input: &[u8]) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
    let mut requests = Vec::new();
    loop {
        let mut parser = RequestParser::default();
        match parser.parse(input, LIMITS) {
            Ok(Parsed::Request { end }) => {
                assert!(!parser.repeats_name());
                requests.push(parser.request(input).args().map(<[u8]>::to_vec).collect());
                input = &input[end..];
            }
            Ok(Parsed::Nothing { end }) => input = &input[end..],
            Ok(Parsed::Incomplete) => return (requests, None),
            Err(error) => return (requests, Some(error)),
        }
    }
}

fn parse_whole(input: &[u8]) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
    parse_in_pieces(input, std::iter::empty())
}

#[test]
fn arrays_and_lines() {
    let (requests, error) = parse_whole(
        b"*2\r\n$4\r\nLLEN\r\n$1\r\nq\r\nPING\r\n*0\r\n*-1\r\n\r\nECHO 'a b'\n*1\r\n$0\r\n\r\n",
    );
    assert_eq!(error, None);
    let expected: &[&[&[u8]]] = &[&[b"LLEN", b"q"], &[b"PING"], &[b"ECHO", b"a b"], &[b""]];
    assert_eq!(requests, expected);
}

/// For each of these requests, whether it was found to repeat the previous one's name.
fn repeats_name<const N: usize>(requests: [&str; N]) -> [bool; N] {
    let mut parser = RequestParser::default();
    requests.map(|request| {
        let found = parser.parse(request.as_bytes(), LIMITS);
        assert_eq!(found, Ok(Parsed::Request { end: request.len() }), "{request}");
        parser.repeats_name()
    })
}

#[test]
fn a_repeated_name_is_noticed_if_all_but_the_last_argument_is_repeated() {
    let push = "*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$1\r\na\r\n";
    let longer = "*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$3\r\nabc\r\n";
    let elsewhere = "*3\r\n$5\r\nRPUSH\r\n$1\r\nr\r\n$1\r\na\r\n";
    let two = "*4\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$1\r\na\r\n$1\r\nb\r\n";
    let (ping, exec) = ("*1\r\n$4\r\nPING\r\n", "*1\r\n$4\r\nEXEC\r\n");
    let line = "PING\r\n";
    let long_key = format!("*2\r\n$4\r\nLPOP\r\n$70\r\n{}\r\n", "k".repeat(70));
    let long_middle = format!("*3\r\n$5\r\nRPUSH\r\n$70\r\n{}\r\n$1\r\na\r\n", "k".repeat(70));

    assert_eq!(repeats_name([push, push, longer, push]), [false, true, true, true]);
    assert_eq!(repeats_name([push, elsewhere, two, push]), [false; 4]);
    assert_eq!(repeats_name([push, line, push, push]), [false, false, false, true]);
    assert_eq!(repeats_name([ping, exec, &long_key, &long_key]), [false, false, false, true]);
    // Too long to be remembered.
    assert_eq!(repeats_name([&long_middle, &long_middle]), [false; 2]);
}

#[test]
fn errors_are_those_of_redis() {
    let long = "1".repeat(LINE_BYTES_MAX + 1);
    let cases: &[(String, &str)] = &[
        ("*x\r\n".into(), "invalid multibulk length"),
        ("*2147483648\r\n".into(), "invalid multibulk length"),
        ("*1\r\n:1\r\n".into(), "expected '$', got ':'"),
        ("*1\r\n$-1\r\n".into(), "invalid bulk length"),
        ("*1\r\n$03\r\n".into(), "invalid bulk length"),
        ("*1\r\n$536870913\r\n".into(), "invalid bulk length"),
        ("ECHO \"a\r\n".into(), "unbalanced quotes in request"),
        (format!("*{long}"), "too big mbulk count string"),
        (format!("*1\r\n${long}"), "too big bulk count string"),
        (long, "too big inline request"),
    ];
    for (input, expected) in cases {
        let (_, error) = parse_whole(input.as_bytes());
        assert_eq!(error.expect(expected).to_string(), *expected);
    }
}

#[test]
fn a_line_too_long_is_refused_however_it_is_cut() {
    let digits = "1".repeat(LINE_BYTES_MAX - 1);
    for (start, end) in [("11", "\r\n"), ("*1", "\r\n"), ("*1\r\n$1", "\r\n"), ("ab", "\n")] {
        let input = format!("{start}{digits}{end}");
        let whole = parse_whole(input.as_bytes());
        assert!(whole.1.as_ref().is_some_and(|error| error.to_string().starts_with("too big")));
        assert_eq!(parse_in_pieces(input.as_bytes(), std::iter::repeat(1000)), whole);
    }
}

#[test]
fn strangers_may_send_little() {
    let limits = Limits { is_unauthenticated: true, ..LIMITS };
    let parse = |input: &[u8]| RequestParser::default().parse(input, limits);
    assert_eq!(parse(b"*11\r\n"), Err(ProtocolError::StrangerArgCount));
    assert_eq!(parse(b"*1\r\n$16385\r\n"), Err(ProtocolError::StrangerBulkLength));
    assert_eq!(parse(b"*10\r\n$16384\r\n"), Ok(Parsed::Incomplete));
}

#[test]
fn memory_follows_bytes_received_not_lengths_announced() {
    let mut parser = RequestParser::default();
    assert_eq!(parser.parse(b"*2147483647\r\n$536870912\r\nx", LIMITS), Ok(Parsed::Incomplete));
    assert_eq!(parser.memory_bytes(), 0);
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12),
        // Either any arguments, or those of typical pipelined requests.
        prop_oneof![
            prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..5),
            prop::collection::vec("[ab]{0,2}|[c]{30}".prop_map(String::into_bytes), 1..4),
        ]
        .prop_map(|args| {
            let mut out = format!("*{}\r\n", args.len()).into_bytes();
            for arg in args {
                out.extend(format!("${}\r\n", arg.len()).bytes());
                out.extend(arg);
                out.extend(b"\r\n");
            }
            out
        }),
        "[a-z \"'\\\\\r]{0,20}\r\n".prop_map(String::into_bytes),
        "[*$][0-9-]{0,5}\r\n".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_split_gives_the_same_requests(
        input in input(),
        sizes in prop::collection::vec(1usize..9, 0..300),
    ) {
        let whole = parse_whole(&input);
        prop_assert_eq!(&whole, &parse_each_afresh(&input));
        prop_assert_eq!(&whole, &parse_in_pieces(&input, std::iter::repeat(1)));
        prop_assert_eq!(&whole, &parse_in_pieces(&input, sizes.into_iter()));
    }
}
