//! Operations on streams.

use crate::world::{Operation, World};

/// Their cost does not depend on N.
pub const CONSTANT: &[Operation] = &[
    Operation {
        name: "XADD beside many entries",
        before: World::fill_stream,
        act: |world, _| world.ask("XADD s * f v"),
    },
    Operation {
        name: "XADD with a trim beside many entries",
        before: World::fill_stream,
        act: |world, n| {
            world.ask(&format!("XADD s MAXLEN {n} * f v"));
            world.ask(&format!("XADD s MAXLEN ~ {n} * f v"));
        },
    },
    Operation {
        name: "reading the end of a long stream",
        before: World::fill_stream,
        act: |world, n| {
            world.ask(&format!("XREAD STREAMS s {}", n - 1));
            world.ask("XREVRANGE s + - COUNT 2");
            world.ask(&format!("XRANGE s {} + COUNT 2", n / 2));
        },
    },
    Operation {
        name: "a delivery and its acknowledgement beside many pending entries",
        before: World::pend,
        act: |world, _| {
            world.ask("XADD s * f v");
            world.ask("XREADGROUP GROUP g c COUNT 1 STREAMS s >");
            world.ask("XACK s g 5-0");
        },
    },
    Operation {
        name: "a claim beside many pending entries",
        before: World::pend,
        act: |world, n| {
            world.ask(&format!("XCLAIM s g d 0 {}", n / 2));
            world.ask(&format!("XAUTOCLAIM s g d 0 {} COUNT 2", n / 3));
            world.ask("XPENDING s g - + 3");
        },
    },
    Operation {
        name: "an entry for which many consumers of a group wait",
        before: |world, n| {
            world.ask("XGROUP CREATE s g $ MKSTREAM");
            world.let_wait(n, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
        },
        act: |world, _| world.ask("XADD s * f v"),
    },
    Operation {
        name: "a delivery beside many groups and consumers",
        before: |world, n| {
            world.ask("XADD s 1 f v");
            for number in 0..n {
                world.ask(&format!("XGROUP CREATE s g{number} 0"));
                world.ask(&format!("XGROUP CREATECONSUMER s g0 c{number}"));
            }
        },
        act: |world, _| {
            world.ask("XREADGROUP GROUP g0 c1 STREAMS s >");
            world.ask("XGROUP CREATE s other $");
            world.ask("XGROUP DELCONSUMER s g0 c2");
        },
    },
    Operation {
        name: "facts about a stream with many entries and pending ones",
        before: World::pend,
        act: |world, _| {
            world.ask("XINFO STREAM s");
            world.ask("XINFO GROUPS s");
            world.ask("XPENDING s g");
        },
    },
];

/// Their cost grows with N.
pub const LINEAR: &[Operation] = &[
    Operation {
        name: "reading a stream",
        before: World::fill_stream,
        act: |world, _| world.ask("XRANGE s - +"),
    },
    Operation {
        name: "delivering a stream",
        before: |world, n| {
            world.fill_stream(n);
            world.ask("XGROUP CREATE s g 0");
        },
        act: |world, _| world.ask("XREADGROUP GROUP g c STREAMS s >"),
    },
    Operation {
        name: "delivering a stream again",
        before: World::pend,
        act: |world, _| {
            world.ask("XREADGROUP GROUP g c STREAMS s 0");
            world.ask("XAUTOCLAIM s g d 0 0 COUNT 100000");
            world.ask("XGROUP DELCONSUMER s g d");
        },
    },
    Operation {
        name: "deleting a stream",
        before: World::pend,
        act: |world, _| {
            world.ask("XTRIM s MAXLEN 7");
            world.ask("DEL s");
        },
    },
];
