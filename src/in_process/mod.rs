//! In-process clients: typed calls, and a broker without a server for such clients.

mod calls;
mod delivered;
mod local;
mod local_journal;

pub use calls::{Calls, ClientError, Message};
pub use delivered::{Delivered, ReceiptCalls};
pub use local::{LocalBroker, LocalClient};

pub(crate) use calls::{encode, message_of, pop_wait_words};
pub(crate) use delivered::{delivered_of, pop_words};
