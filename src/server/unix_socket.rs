//! The file of the Unix socket. Clients can connect only after its permissions are set; it replaces the
//! file of a dead broker, and is removed at the end.

use super::error::ServerError;
use crate::clients::PeerCredentials;
use mio::net::{UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};

/// Our socket file. Dropping this value removes it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode, to recognize the file.
    identity: (u64, u64),
}

/// Listens at `path`.
pub(super) fn listen(
    path: &Path,
    mode: Option<u32>,
    backlog: i32,
) -> Result<(UnixListener, SocketFile), ServerError> {
    remove_stale(path)?;
    bind(path, mode, backlog).map_err(|source| listen_error(path, source))
}

fn bind(path: &Path, mode: Option<u32>, backlog: i32) -> io::Result<(UnixListener, SocketFile)> {
    let (socket, file) = make(path, mode)?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok((UnixListener::from_std(StdUnixListener::from(socket)), file))
}

/// Makes the socket and its file, to which nobody can connect yet. So the umask's permissions are never
/// used.
fn make(path: &Path, mode: Option<u32>) -> io::Result<(Socket, SocketFile)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let metadata = fs::symlink_metadata(path)?;
    let file = SocketFile { path: path.to_owned(), identity: (metadata.dev(), metadata.ino()) };
    if let Some(mode) = mode {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok((socket, file))
}

/// The process that connected, as it was then: none where the operating system does not say.
pub(super) fn credentials(stream: &UnixStream) -> Option<PeerCredentials> {
    #[cfg(target_os = "linux")]
    if let Ok(peer) = rustix::net::sockopt::socket_peercred(stream) {
        let (pid, uid, gid) =
            (peer.pid.as_raw_nonzero().get(), peer.uid.as_raw(), peer.gid.as_raw());
        return Some(PeerCredentials { pid, uid, gid });
    }
    let _ = stream;
    None
}

/// What is wrong with the path, as far as it shows without a socket.
pub(super) fn check(path: &Path) -> Result<(), ServerError> {
    SockAddr::unix(path).map_err(|error| listen_error(path, error))?;
    if !has_socket(path)? {
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        fs::metadata(directory.unwrap_or(Path::new("."))).map_err(|e| listen_error(path, e))?;
    }
    Ok(())
}

/// Whether there is a socket, which may be that of a dead broker.
fn has_socket(path: &Path) -> Result<bool, ServerError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => Ok(true),
        Ok(_) => Err(ServerError::NotASocket { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(listen_error(path, error)),
    }
}

/// Removes the socket of a broker that ended without doing so. Other files stay.
fn remove_stale(path: &Path) -> Result<(), ServerError> {
    if !has_socket(path)? {
        return Ok(());
    }
    match probe(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| listen_error(path, error))
        }
        // A living broker with a full queue answers WouldBlock.
        Ok(()) => Err(ServerError::SocketInUse { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Err(ServerError::SocketInUse { path: path.to_owned() })
        }
        Err(error) => Err(listen_error(path, error)),
    }
}

fn probe(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

fn listen_error(path: &Path, source: io::Error) -> ServerError {
    ServerError::Listen { address: path.display().to_string(), source }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another broker may have replaced the file.
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            log::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In Redis, a client could connect before the permissions of the socket were set.
    #[test]
    fn cve_2023_45145_nobody_connects_before_the_permissions_are_set() {
        let name = format!("tidegate-permissions-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let (socket, file) = make(&path, Some(0o600)).expect("a socket");
        let mode = fs::symlink_metadata(&path).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let refused = probe(&path).expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        socket.listen(1).expect("it listens");
        probe(&path).expect("now it does");
        drop(file);
        assert!(!path.exists());
    }
}
