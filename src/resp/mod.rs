//! The Redis serialization protocol, versions 2 and 3: requests in, replies out.
//!
//! Specification: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

mod encode;
mod inline;
mod lanes;
mod number;
mod output;
mod reply;
mod request;

pub use encode::{write_arg, write_command, write_header};
pub use inline::{UnbalancedQuotes, split_quoted};
pub use number::parse_integer;
pub use output::{Output, OutputMark};
pub use reply::Protocol;
pub use request::{Arg, Limits, OwnedRequest, Parsed, ProtocolError, Request, RequestParser};
