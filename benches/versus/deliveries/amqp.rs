//! The part of AMQP 0.9.1 that a producer and a consumer need: frames, arguments of methods, and the
//! dialogue that opens a connection with one channel.

use std::io::{Read, Write};
use std::net::TcpStream;

/// Class and number of a method.
pub type Method = (u16, u16);

const CONNECTION_START: Method = (10, 10);
const CONNECTION_START_OK: Method = (10, 11);
const CONNECTION_TUNE: Method = (10, 30);
const CONNECTION_TUNE_OK: Method = (10, 31);
const CONNECTION_OPEN: Method = (10, 40);
const CONNECTION_OPEN_OK: Method = (10, 41);
const CHANNEL_OPEN: Method = (20, 10);
const CHANNEL_OPEN_OK: Method = (20, 11);
const QUEUE_DECLARE: Method = (50, 10);
const QUEUE_DECLARE_OK: Method = (50, 11);
const BASIC_QOS: Method = (60, 10);
const BASIC_QOS_OK: Method = (60, 11);
const BASIC_CONSUME: Method = (60, 20);
const BASIC_CONSUME_OK: Method = (60, 21);
const BASIC_PUBLISH: Method = (60, 40);
pub const BASIC_DELIVER: Method = (60, 60);
pub const BASIC_ACK: Method = (60, 80);
const CONFIRM_SELECT: Method = (85, 10);
const CONFIRM_SELECT_OK: Method = (85, 11);

const METHOD: u8 = 1;
pub const HEADER: u8 = 2;
pub const BODY: u8 = 3;
const FRAME_END: u8 = 0xCE;
/// The type, the channel and the length precede the content of a frame; an end byte follows.
const FRAME_HEAD_BYTES: usize = 7;

/// Channel 0 is the connection itself.
const CONNECTION: u16 = 0;
const CHANNEL: u16 = 1;

/// The flag of a message's properties for the delivery mode.
const HAS_DELIVERY_MODE: u16 = 1 << 12;

/// A received frame.
pub struct Frame<'a> {
    kind: u8,
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first received frame and its size, once it is complete.
    pub fn first(incoming: &'a [u8]) -> Option<(Frame<'a>, usize)> {
        let length = payload_bytes(incoming.first_chunk()?);
        let payload = incoming.get(FRAME_HEAD_BYTES..FRAME_HEAD_BYTES + length)?;
        let end = *incoming.get(FRAME_HEAD_BYTES + length)?;
        assert_eq!(end, FRAME_END, "the end of a frame");
        Some((Frame { kind: incoming[0], payload }, FRAME_HEAD_BYTES + length + 1))
    }

    /// The arguments, if it is this method; panics on another one.
    pub fn arguments(&self, method: Method) -> Arguments<'a> {
        assert_eq!(self.kind, METHOD, "another frame than a method");
        let mut arguments = Arguments { bytes: self.payload };
        let got = (arguments.u16(), arguments.u16());
        assert_eq!(got, method, "another method: {}", String::from_utf8_lossy(self.payload));
        arguments
    }

    /// Its content, if it is of this kind.
    pub fn content(&self, kind: u8) -> &'a [u8] {
        assert_eq!(self.kind, kind, "another frame than was expected");
        self.payload
    }
}

fn payload_bytes(head: &[u8; FRAME_HEAD_BYTES]) -> usize {
    u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize
}

/// Reads the arguments of a method.
pub struct Arguments<'a> {
    bytes: &'a [u8],
}

impl<'a> Arguments<'a> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.bytes.split_first_chunk().expect("an argument");
        self.bytes = rest;
        *taken
    }

    pub fn u8(&mut self) -> u8 {
        u8::from_be_bytes(self.take())
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.take())
    }

    pub fn short_text(&mut self) -> &'a [u8] {
        let length = usize::from(self.u8());
        let (text, rest) = self.bytes.split_at(length);
        self.bytes = rest;
        text
    }
}

/// Adds a frame with the payload that `write` adds.
fn frame(kind: u8, channel: u16, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.push(kind);
    out.extend(channel.to_be_bytes());
    out.extend([0; 4]);
    write(out);
    let length = (out.len() - begin - FRAME_HEAD_BYTES) as u32;
    out[begin + 3..begin + FRAME_HEAD_BYTES].copy_from_slice(&length.to_be_bytes());
    out.push(FRAME_END);
}

fn method(channel: u16, (class, number): Method, out: &mut Vec<u8>, arguments: &[&[u8]]) {
    frame(METHOD, channel, out, |out| {
        out.extend(class.to_be_bytes());
        out.extend(number.to_be_bytes());
        arguments.iter().for_each(|argument| out.extend_from_slice(argument));
    });
}

fn short_text(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short text");
    [&[length], text.as_bytes()].concat()
}

fn long_text(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
}

/// An unused field, and an empty table.
const RESERVED: &[u8] = &[0; 2];
const EMPTY_TABLE: &[u8] = &[0; 4];

/// Adds the frames that publish a message to a queue.
pub fn publish(queue: &str, is_persistent: bool, message: &[u8], out: &mut Vec<u8>) {
    // To the default exchange, to which each queue is bound by its name.
    let arguments = [RESERVED, &short_text(""), &short_text(queue), &[0]];
    method(CHANNEL, BASIC_PUBLISH, out, &arguments);
    frame(HEADER, CHANNEL, out, |out| {
        out.extend(BASIC_PUBLISH.0.to_be_bytes());
        out.extend(0_u16.to_be_bytes());
        out.extend((message.len() as u64).to_be_bytes());
        out.extend(HAS_DELIVERY_MODE.to_be_bytes());
        out.push(if is_persistent { 2 } else { 1 });
    });
    frame(BODY, CHANNEL, out, |out| out.extend_from_slice(message));
}

/// Adds an acknowledgement of a delivery; with `and_before`, of earlier ones too.
pub fn acknowledge(delivery: u64, and_before: bool, out: &mut Vec<u8>) {
    method(CHANNEL, BASIC_ACK, out, &[&delivery.to_be_bytes(), &[u8::from(and_before)]]);
}

/// A connection with an open channel, before it joins the loop: each request waits for its reply.
pub struct Dialogue {
    stream: TcpStream,
}

impl Dialogue {
    pub fn open(stream: TcpStream) -> Dialogue {
        let mut dialogue = Dialogue { stream };
        dialogue.send(b"AMQP\0\x00\x09\x01");
        dialogue.expect(CONNECTION_START, |_| ());
        // The default user of each new server, allowed from its own machine.
        let login =
            [EMPTY_TABLE, &short_text("PLAIN"), &long_text("\0guest\0guest"), &short_text("en_US")];
        dialogue.call(CONNECTION, CONNECTION_START_OK, &login);
        let limits = dialogue.expect(CONNECTION_TUNE, |limits| (limits.u16(), limits.u32()));
        let (channels, frame_bytes) = limits;
        let no_heartbeat = [0; 2];
        let limits = [&channels.to_be_bytes()[..], &frame_bytes.to_be_bytes(), &no_heartbeat];
        dialogue.call(CONNECTION, CONNECTION_TUNE_OK, &limits);
        let host = [&short_text("/")[..], &short_text(""), &[0]];
        dialogue.call(CONNECTION, CONNECTION_OPEN, &host);
        dialogue.expect(CONNECTION_OPEN_OK, |_| ());
        dialogue.call(CHANNEL, CHANNEL_OPEN, &[&short_text("")]);
        dialogue.expect(CHANNEL_OPEN_OK, |_| ());
        dialogue
    }

    /// Declares the queue; returns its number of waiting messages and of consumers.
    pub fn declare(&mut self, queue: &str, is_durable: bool) -> (u32, u32) {
        let flags = [u8::from(is_durable) << 1];
        let arguments = [RESERVED, &short_text(queue), &flags, EMPTY_TABLE];
        self.call(CHANNEL, QUEUE_DECLARE, &arguments);
        self.expect(QUEUE_DECLARE_OK, |queue| {
            queue.short_text();
            (queue.u32(), queue.u32())
        })
    }

    /// Turns on publisher confirms.
    pub fn confirm(mut self) -> TcpStream {
        self.call(CHANNEL, CONFIRM_SELECT, &[&[0]]);
        self.expect(CONFIRM_SELECT_OK, |_| ());
        self.stream
    }

    /// Starts consuming, with this prefetch.
    pub fn consume(mut self, queue: &str, prefetch: u16) -> TcpStream {
        let any_bytes = [0; 4];
        self.call(CHANNEL, BASIC_QOS, &[&any_bytes, &prefetch.to_be_bytes(), &[0]]);
        self.expect(BASIC_QOS_OK, |_| ());
        let arguments = [RESERVED, &short_text(queue), &short_text(""), &[0], EMPTY_TABLE];
        self.call(CHANNEL, BASIC_CONSUME, &arguments);
        self.expect(BASIC_CONSUME_OK, |_| ());
        self.stream
    }

    fn call(&mut self, channel: u16, name: Method, arguments: &[&[u8]]) {
        let mut request = Vec::new();
        method(channel, name, &mut request, arguments);
        self.send(&request);
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// Waits for a method, and reads its arguments.
    fn expect<T>(&mut self, method: Method, read: impl FnOnce(&mut Arguments<'_>) -> T) -> T {
        // Only one frame is read, since the rest belongs to the loop.
        let mut bytes = vec![0; FRAME_HEAD_BYTES];
        self.stream.read_exact(&mut bytes).expect("the server answers");
        let length = payload_bytes(bytes.first_chunk().expect("the head"));
        bytes.resize(FRAME_HEAD_BYTES + length + 1, 0);
        self.stream.read_exact(&mut bytes[FRAME_HEAD_BYTES..]).expect("the whole frame");
        let (frame, _) = Frame::first(&bytes).expect("a whole frame");
        read(&mut frame.arguments(method))
    }
}
