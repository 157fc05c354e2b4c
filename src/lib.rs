pub mod broker;
mod channels;
mod clients;
pub mod clock;
mod command;
mod commands;
mod deadlines;
pub mod glob;
mod host;
mod keyspace;
pub mod queue;
pub mod resp;
#[path = "settings_stub.rs"]
pub mod settings;
mod slowlog;
mod state;
mod stats;

pub use broker::Broker;
pub use clients::{ClientId, CloseReason, Peer};
pub use host::{Host, NoHost};
pub use state::ShutdownRequest;
