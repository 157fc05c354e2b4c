//! In the place of `tls`, in a build without it.

use super::stream::Stream;
use super::target::TlsOptions;
use std::net::TcpStream;

/// Refuses.
///
/// # Errors
/// Always.
pub fn wrap(_: TcpStream, _: &str, _: &TlsOptions) -> Result<Box<dyn Stream>, String> {
    Err("this build has no TLS; build it with the feature `tls`".to_owned())
}
