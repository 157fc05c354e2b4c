//! The Redis serialization protocol, versions 2 and 3: parses requests, writes replies, and parses
//! replies for clients.
//!
//! Specification: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

mod double;
mod encode;
mod inline;
mod number;
mod number_text;
mod output;
mod protocol;
mod reply;
mod reply_parser;
mod request;
mod request_buffer;

/// The version of Redis whose commands and replies these are. Clients choose their features by it.
pub const REDIS_VERSION: &str = "7.2.4";

pub use double::{DoubleBuffer, parse_double, parse_double_behind_spaces, parse_double_leniently};
pub use encode::{write_arg, write_command, write_header};
pub use inline::{UnbalancedQuotes, split_quoted};
pub use number::parse_integer;
pub(crate) use number_text::write_g;
pub use output::{BULK_FRAME_BYTES, Output, OutputMark, Taken};
pub use protocol::Protocol;
pub use reply_parser::{Reply, ReplyError, ReplyParser};
pub use request::{Arg, Args, Limits, OwnedRequest, Parsed, ProtocolError, Request, RequestParser};
pub use request_buffer::RequestBuffer;
