//! The cost of single parts: the parser, the queue, patterns. `cargo bench --bench parts`. Each bench
//! checks its result before it times. `broker.rs` measures the whole broker, `versus` the server beside
//! others.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use tidegate::glob::glob_matches;
use tidegate::queue::{End, Queue};
use tidegate::resp::{Limits, Parsed, RequestParser, write_command};

/// Requests in one pipeline.
const PIPELINE: usize = 100;
/// Messages in the queue for reading.
const MESSAGES: usize = 100_000;

fn main() {
    divan::main();
}

/// Parses all requests of a buffer; returns their number of arguments.
fn parse_all(parser: &mut RequestParser, mut buffer: &[u8]) -> usize {
    let mut args = 0;
    while !buffer.is_empty() {
        match parser.parse(buffer, Limits::NONE) {
            Ok(Parsed::Request { end }) => {
                args += parser.request(buffer).len();
                buffer = &buffer[end..];
            }
            other => panic!("expected a whole request, got {other:?}"),
        }
    }
    args
}

fn parse_requests_of_three(bencher: Bencher, pipeline: &[u8]) {
    let mut parser = RequestParser::default();
    assert_eq!(parse_all(&mut parser, pipeline), 3 * PIPELINE);
    bencher
        .counter(ItemsCount::new(PIPELINE))
        .bench_local(|| parse_all(&mut parser, black_box(pipeline)));
}

#[divan::bench(args = [64, 1024])]
fn parse_pipeline_of_pushes(bencher: Bencher, size: usize) {
    let mut pipeline = Vec::new();
    for _ in 0..PIPELINE {
        write_command(&mut pipeline, [&b"RPUSH"[..], b"queue", &vec![b'm'; size]]);
    }
    parse_requests_of_three(bencher, &pipeline);
}

#[divan::bench]
fn parse_inline(bencher: Bencher) {
    let pipeline = b"RPUSH queue \"a message\"\r\n".repeat(PIPELINE);
    parse_requests_of_three(bencher, &pipeline);
}

/// A megabyte in pieces of 16 KiB must not be parsed again with each piece.
#[divan::bench]
fn parse_large_message_in_pieces(bencher: Bencher) {
    let mut request = Vec::new();
    write_command(&mut request, [&b"RPUSH"[..], b"queue", &vec![b'm'; 1 << 20]]);
    let parse = |parser: &mut RequestParser| {
        let pieces = (0..request.len()).step_by(16 * 1024).skip(1);
        for end in pieces {
            let parsed = parser.parse(&request[..end], Limits::NONE);
            assert_eq!(parsed, Ok(Parsed::Incomplete));
        }
        parser.parse(&request, Limits::NONE)
    };
    let mut parser = RequestParser::default();
    assert_eq!(parse(&mut parser), Ok(Parsed::Request { end: request.len() }));
    bencher.counter(BytesCount::new(request.len())).bench_local(|| parse(black_box(&mut parser)));
}

fn filled(messages: usize, size: usize) -> Queue {
    let mut queue = Queue::new();
    for number in 0..messages {
        let mut message = vec![b'm'; size];
        message[..8].copy_from_slice(&(number as u64).to_be_bytes());
        queue.push(End::Back, &message);
    }
    queue
}

/// A push at the back and a pop at the front of a queue that is neither empty nor tiny.
#[divan::bench(args = [64, 1024])]
fn queue_push_and_pop(bencher: Bencher, size: usize) {
    let mut queue = filled(1_000, size);
    let message = vec![b'm'; size];
    let first = queue.get(0).map(<[u8]>::to_vec);
    assert_eq!(queue.pop(End::Front, <[u8]>::to_vec), first);
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        queue.push(End::Back, black_box(&message));
        queue.pop(End::Front, <[u8]>::len)
    });
}

/// The messages of an LRANGE of a hundred in the middle of a long queue.
#[divan::bench]
fn queue_range_in_the_middle(bencher: Bencher) {
    let queue = filled(MESSAGES, 64);
    let range = |queue: &Queue| {
        queue
            .iter_from(MESSAGES / 2)
            .take(100)
            .map(|message| usize::from(message[7]))
            .sum::<usize>()
    };
    let numbers = (MESSAGES / 2..).take(100).map(|number| number & 0xff);
    assert_eq!(range(&queue), numbers.sum::<usize>());
    bencher.counter(ItemsCount::new(100_usize)).bench_local(|| range(black_box(&queue)));
}

/// A message in the middle: segments before it are skipped, not walked.
#[divan::bench]
fn queue_index_in_the_middle(bencher: Bencher) {
    let queue = filled(MESSAGES, 64);
    let message = queue.get(MESSAGES / 2).expect("it is in the middle");
    assert_eq!(message[..8], (MESSAGES as u64 / 2).to_be_bytes());
    bencher.bench_local(|| queue.get(black_box(MESSAGES / 2)).map(<[u8]>::len));
}

#[divan::bench(args = ["news.*", "*.sport", "news.[a-z]*.?port"])]
fn match_pattern(bencher: Bencher, pattern: &str) {
    let channel = b"news.europe.sport";
    assert!(glob_matches(pattern.as_bytes(), channel));
    bencher.bench_local(|| glob_matches(black_box(pattern.as_bytes()), black_box(channel)));
}
