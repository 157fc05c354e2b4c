//! LCS: the longest common subsequence of two strings.
//! <https://redis.io/docs/latest/commands/lcs/>

use super::look_up;
use crate::engine::Arg::{One, OptionalNamed, OptionalWord};
use crate::engine::Group::String;
use crate::engine::uses::READ_VALUE;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::{Output, Request};
use crate::value::StringValue;

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("lcs", -3, lcs).group(String).since("7.0.0").read_only().keys(1, 1, READ_VALUE)
        .args(&[One("key1"), One("key2"), OptionalWord("LEN"), OptionalWord("IDX"),
            OptionalNamed("MINMATCHLEN", "min-match-len"), OptionalWord("WITHMATCHLEN")])
        .cost("O(N*M) where N and M are the lengths of the strings")
        .says("Finds the longest common subsequence of two strings."),
];

/// The options of LCS.
#[derive(Default)]
struct Options {
    /// LEN: reply only with the length.
    length: bool,
    /// IDX: reply with the positions of the parts.
    positions: bool,
    /// MINMATCHLEN: leave out shorter parts.
    shortest: i64,
    /// WITHMATCHLEN: include the length of each part.
    with_lengths: bool,
}

fn lcs(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let (one, other) = (args.required()?, args.required()?);
    let (one, other) = (string_at(ctx, one)?, string_at(ctx, other)?);
    let mut options = Options::default();
    while args.left() > 0 {
        if args.takes("idx") {
            options.positions = true;
        } else if args.takes("len") {
            options.length = true;
        } else if args.takes("withmatchlen") {
            options.with_lengths = true;
        } else if args.takes("minmatchlen") {
            options.shortest = args.integer()?.max(0);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if options.length && options.positions {
        return Err(CommandError::text(
            "ERR If you want both the length and indexes, please just use IDX.",
        ));
    }
    let cells = (one.len() as u64 + 1).checked_mul(other.len() as u64 + 1);
    let bytes = cells.and_then(|cells| cells.checked_mul(size_of::<u32>() as u64));
    if bytes.is_none_or(|bytes| bytes > ctx.state.settings.proto_max_bulk_bytes) {
        return Err(CommandError::text(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    // Each cell counts as one compared message.
    ctx.state.keyspace.work.looked_at(one.len().saturating_mul(other.len()));
    let lengths = Lengths::of(&one, &other);
    let len = lengths.at(one.len(), other.len()) as usize;
    if options.length {
        ctx.reply.count(len);
    } else if options.positions {
        reply_positions(ctx.reply, &lengths.parts(&one, &other), len, &options);
    } else {
        let parts = lengths.parts(&one, &other);
        let common: Vec<u8> = parts
            .iter()
            .rev()
            .flat_map(|part| &one[part.one..part.one + part.len])
            .copied()
            .collect();
        ctx.reply.bulk(&common);
    }
    Ok(())
}

fn string_at(ctx: &mut Context<'_>, key: &[u8]) -> Result<Vec<u8>, CommandError> {
    let found = look_up::<StringValue>(ctx.state, ctx.db, key)
        .map_err(|_| CommandError::text("ERR The specified keys must contain string values"))?;
    Ok(found.map(|string| string.with(<[u8]>::to_vec)).unwrap_or_default())
}

/// The lengths of the longest common subsequences of all prefixes of both strings.
struct Lengths {
    cells: Vec<u32>,
    /// Cells in a row.
    width: usize,
}

/// A contiguous part of both strings.
struct Part {
    /// Its start in each string.
    one: usize,
    other: usize,
    len: usize,
}

impl Lengths {
    fn of(one: &[u8], other: &[u8]) -> Lengths {
        let width = other.len() + 1;
        let mut cells = vec![0; (one.len() + 1) * width];
        for (i, byte) in one.iter().enumerate() {
            let (above, row) = cells[i * width..(i + 2) * width].split_at_mut(width);
            for (j, other_byte) in other.iter().enumerate() {
                row[j + 1] = match byte == other_byte {
                    true => above[j] + 1,
                    false => above[j + 1].max(row[j]),
                };
            }
        }
        Lengths { cells, width }
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.cells[i * self.width + j]
    }

    /// Returns the parts of the longest common subsequence, the last first.
    fn parts(&self, one: &[u8], other: &[u8]) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let (mut i, mut j) = (one.len(), other.len());
        while i > 0 && j > 0 {
            if one[i - 1] == other[j - 1] {
                (i, j) = (i - 1, j - 1);
                match parts.last_mut() {
                    Some(part) if part.one == i + 1 && part.other == j + 1 => {
                        *part = Part { one: i, other: j, len: part.len + 1 };
                    }
                    _ => parts.push(Part { one: i, other: j, len: 1 }),
                }
            } else if self.at(i - 1, j) > self.at(i, j - 1) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        parts
    }
}

fn reply_positions(reply: &mut Output, parts: &[Part], len: usize, options: &Options) {
    let shown = || parts.iter().filter(|part| part.len as i64 >= options.shortest);
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(shown().count());
    for part in shown() {
        reply.array(2 + usize::from(options.with_lengths));
        for begin in [part.one, part.other] {
            reply.array(2);
            reply.count(begin);
            reply.count(begin + part.len - 1);
        }
        if options.with_lengths {
            reply.count(part.len);
        }
    }
    reply.bulk(b"len");
    reply.count(len);
}
