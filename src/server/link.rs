//! Connections to other servers, such as that to the primary of a replica: made here, and then connections like any
//! other.

use super::Server;
use super::connection::Connection;
use super::socket::Socket;
use super::speaker::Speaker;
use super::tls::Tls;
use super::transport::Transport;
use crate::broker::Broker;
use crate::client_id::ClientId;
use crate::clients::Peer;
use crate::clock::Now;
use mio::net::TcpStream;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

impl Server {
    /// Connects to the primary, if the broker wants it.
    pub(super) fn connect_to_primary(&mut self) {
        if let Some(primary) = self.broker.wanted_link(self.sockets.now)
            && let Err(error) = self.resolver.begin(&primary, &self.handle.waker)
        {
            self.broker.link_failed(&error.to_string(), self.sockets.now);
        }
        let connected = match self.resolver.take() {
            Some(Ok(address)) => self.connect_link(address),
            Some(Err(error)) => Err(error),
            None => Ok(()),
        };
        if let Err(error) = connected {
            self.broker.link_failed(&error.to_string(), self.sockets.now);
        }
    }

    /// Begins a connection. An event says when it is made, or has failed.
    fn connect_link(&mut self, address: SocketAddr) -> io::Result<()> {
        if !self.broker.awaits_link() {
            // The role has changed meanwhile.
            return Ok(());
        }
        let has_tls = self.broker.settings().tls.replication;
        self.connect_out(address, has_tls, |broker, slot, peer, now| {
            Some(broker.link_connected(slot, peer, now))
        })
    }

    /// Begins a connection to another server. `enter` makes the broker's client for it, unless nobody wants it any
    /// more.
    pub(super) fn connect_out(
        &mut self,
        address: SocketAddr,
        has_tls: bool,
        enter: impl FnOnce(&mut Broker, usize, Peer, Now) -> Option<ClientId>,
    ) -> io::Result<()> {
        let stream = TcpStream::connect(address)?;
        let laddr = stream.local_addr().unwrap_or(address);
        let peer = Peer::Tcp { addr: address, laddr, fd: stream.as_raw_fd() };
        let socket = Socket::Tcp(stream);
        let mut transport = match has_tls {
            false => Transport::Plain(socket),
            true => Transport::Tls(Box::new(Tls::connect(socket, address.ip(), &self.tls)?)),
        };
        transport.tune(self.broker.settings().tcp_keepalive_s);
        let slot = self.sockets.connections.vacant_key();
        let token = self.sockets.token(slot);
        transport.register(self.sockets.poll.registry(), token)?;
        transport.register_full(self.sockets.poll.registry(), token)?;
        let Some(id) = enter(&mut self.broker, slot, peer, self.sockets.now) else { return Ok(()) };
        let mut connection = Connection::new(Speaker::Resp(id), transport);
        connection.is_writable = false;
        let inserted = self.sockets.connections.insert(connection);
        assert_eq!(inserted, slot, "the broker knows the connection by another slot");
        self.sockets.begin_handshake(&self.broker, slot);
        Ok(())
    }
}
