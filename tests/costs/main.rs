//! The cost of an operation grows with what it returns or changes, never with its square, nor with all
//! keys, clients or policies. Each runs with N and with ten times as much of what it must not depend on.
//! Allocations, steps of work and recorded bytes are counted; no clock is read.
//!
//! `world.rs` runs an operation and counts; the other files have the operations.

mod constant;
mod linear;
mod snapshots;
mod streams;
mod world;

use world::cost;

const N: usize = 400;
/// Allowed difference in allocations and steps that do not depend on N: growing vectors, runs of stamps,
/// nodes of an ordered map.
const SLACK: u64 = 40;
const RECORDED_SLACK: u64 = 300;
/// A chunk that a snapshot shares has as many deliveries at the least, and costs so many allocations.
const CHUNK: usize = 64;
const CHUNK_ALLOCATIONS: u64 = 3;
/// Of these allocations. A chunk that is copied takes some kilobytes, and each end of a list has one.
const CHUNK_BYTES: u64 = 256;
const COPIED_BYTES: u64 = 32 * 1024;

#[test]
fn constant_costs_do_not_grow_with_n() {
    for operation in
        constant::OPERATIONS.iter().chain(snapshots::WHILE_SAVED).chain(streams::CONSTANT)
    {
        let (few, many) = (cost(operation, N), cost(operation, 10 * N));
        let told = format!("{}: {few:?} with {N}, {many:?} with ten times that", operation.name);
        assert!(many.allocations <= few.allocations + SLACK, "{told}");
        assert!(many.steps <= few.steps + SLACK, "{told}");
        assert!(many.recorded <= few.recorded + RECORDED_SLACK, "{told}");
    }
}

#[test]
fn a_snapshot_costs_something_for_each_chunk() {
    let chunks = (9 * N / CHUNK) as u64;
    for operation in snapshots::BY_CHUNK {
        let (few, many) = (cost(operation, N), cost(operation, 10 * N));
        let told = format!("{}: {few:?} with {N}, {many:?} with ten times that", operation.name);
        let allocations = few.allocations + chunks * CHUNK_ALLOCATIONS + SLACK;
        assert!(many.allocations <= allocations, "{told}");
        assert!(many.bytes <= few.bytes + chunks * CHUNK_BYTES + COPIED_BYTES, "{told}");
        assert!(many.steps <= few.steps + SLACK, "{told}");
        assert!(many.recorded <= few.recorded + RECORDED_SLACK, "{told}");
    }
}

#[test]
fn costs_for_n_messages_grow_with_n_and_not_its_square() {
    for operation in linear::OPERATIONS.iter().chain(streams::LINEAR) {
        let (few, many) = (cost(operation, N), cost(operation, 10 * N));
        let told = format!("{}: {few:?} with {N}, {many:?} with ten times that", operation.name);
        assert!(many.allocations <= 13 * few.allocations + SLACK, "{told}");
        assert!(many.steps <= 13 * few.steps + SLACK, "{told}");
        assert!(many.recorded <= 13 * few.recorded + RECORDED_SLACK, "{told}");
    }
}
