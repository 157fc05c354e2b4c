//! Makes the host provide memory before a server needs it.
//!
//! The host of a virtual machine takes free memory back, and provides it again at the first touch of
//! each page. Where that happens it dominates the cost of a growing queue or file (writing a file of 4
//! GB ran at 0.5 GB/s, and at 2.3 GB/s when the same pages were reused at once), and it affects
//! whichever server runs first after a pause. So the pages are touched before each turn, for all servers
//! alike.

use std::hint::black_box;

/// More than any server takes in a turn of a few seconds.
const BYTES: usize = 1 << 30;

/// Makes the host provide memory, and frees it for the next server.
pub fn ask_for_it() {
    black_box(vec![1_u8; BYTES]);
}
