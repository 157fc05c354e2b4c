//! TLS on the connections of listeners (`accepting.rs`) and to other servers (`connecting.rs`).
//!
//! The library (rustls) is used without its own buffers: it decrypts in place and encrypts into a buffer
//! that it is given. All connections share these ([`Buffers`](super::transfer::Buffers)), so an idle one
//! has none. What a connection keeps is bounded: a part of a record that has arrived, plaintext for which
//! the reader had no place, records that the socket has not accepted.

mod accepting;
mod certificate;
mod ciphers;
mod config;
mod connecting;
mod der;
mod files;
mod key;
mod offer;
mod probe;
mod session;
mod sessions;

pub(super) use config::Configuration;
pub use probe::{TlsProbe, TlsProbes};
pub(super) use session::Tls;

#[cfg(test)]
mod tests;
