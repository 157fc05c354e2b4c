//! What bytes go over, with TLS or without.

use std::io::{Read, Write};

/// A connection that waits for bytes, up to a time limit.
pub trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}
