//! The request parser gives the same result however the bytes are split.

use tidegate::resp::{Limits, Parsed, ProtocolError, RequestParser};

type Requests = Vec<Vec<Vec<u8>>>;

/// Number of digits for a `~`, if the flags say so: nearly the maximum of a line.
const LONG: usize = 65_530;

/// Two bytes for limits and for a seed of the cuts, then a client's input.
pub fn check(data: &[u8]) {
    let [flags, seed, input @ ..] = data else { return };
    let bulk_bytes_max = if flags & 2 == 0 { 512 << 20 } else { 1 << 20 };
    let limits = Limits { bulk_bytes_max, is_unauthenticated: flags & 1 == 1 };
    let mut input = input.to_vec();
    // Size of the first piece: single bytes matter only near the limit.
    let mut first = 1;
    if flags & 4 != 0
        && let Some(at) = input.iter().position(|&byte| byte == b'~')
    {
        input.splice(at..=at, std::iter::repeat_n(b'1', LONG));
        first = LONG;
    }
    let input = input.as_slice();
    let whole = parse(input, limits, |_| usize::MAX);
    assert_eq!(whole, parse(input, limits, |at| if at == 0 { first } else { 1 }), "by bytes");
    let mut state = u64::from(*seed) + 1;
    let odd = parse(input, limits, |at| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040);
        if at == 0 { first } else { 1 + (state >> 60) as usize }
    });
    assert_eq!(whole, odd, "in pieces of 1 to 16 bytes");
    let cut = usize::from(*seed) * input.len() / 256;
    let halves = parse(input, limits, |at| if at == 0 { cut.max(1) } else { usize::MAX });
    assert_eq!(whole, halves, "cut at {cut}");
    assert_eq!(whole, parse_each_afresh(input, limits), "each by a parser of its own");
}

/// The requests, the error after them, and the number of bytes of an incomplete request; `size` gives
/// the length of the piece at a position.
fn parse(
    input: &[u8],
    limits: Limits,
    mut size: impl FnMut(usize) -> usize,
) -> (Requests, Option<ProtocolError>, usize) {
    let mut parser = RequestParser::default();
    let mut requests = Vec::new();
    let (mut start, mut given) = (0, 0);
    while given < input.len() {
        given += size(given).clamp(1, input.len() - given);
        loop {
            let buffer = &input[start..given];
            match parser.parse(buffer, limits) {
                Ok(Parsed::Request { end }) => {
                    assert!(0 < end && end <= buffer.len());
                    let request = parser.request(buffer);
                    assert!(request.len() > 0, "a request has a name");
                    let copy = request.to_owned();
                    assert!(copy.as_request().args().eq(request.args()), "a copy is the same");
                    requests.push(request.args().map(<[u8]>::to_vec).collect());
                    start += end;
                }
                Ok(Parsed::Nothing { end }) => {
                    assert!(0 < end && end <= buffer.len());
                    start += end;
                }
                Ok(Parsed::Incomplete) => break,
                Err(error) => return (requests, Some(error), 0),
            }
        }
    }
    (requests, None, input.len() - start)
}

/// As `parse`, with a new parser for each request.
fn parse_each_afresh(mut input: &[u8], limits: Limits) -> (Requests, Option<ProtocolError>, usize) {
    let mut requests = Vec::new();
    loop {
        let mut parser = RequestParser::default();
        match parser.parse(input, limits) {
            Ok(Parsed::Request { end }) => {
                requests.push(parser.request(input).args().map(<[u8]>::to_vec).collect());
                input = &input[end..];
            }
            Ok(Parsed::Nothing { end }) => input = &input[end..],
            Ok(Parsed::Incomplete) => return (requests, None, input.len()),
            Err(error) => return (requests, Some(error), 0),
        }
    }
}
