//! The protocol of a connection. Everything that the loop asks the broker, or tells it, for a connection
//! goes through here, in matches over all protocols.

use crate::broker::{Broker, BusyServer};
use crate::client_id::ClientId;
use crate::clients::Outbox;
use crate::clients::{CloseReason, Peer};
use crate::clock::Now;
use crate::http::{Http, Refused};
use crate::resp::{Output, Protocol};

/// What is served at a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Redis' protocol.
    Resp,
    /// HTTP.
    Http,
}

/// The protocol's side of a connection, between its transport and the broker.
#[derive(Debug)]
pub(super) enum Speaker {
    /// A client with Redis' protocol, which the broker itself interprets.
    Resp(ClientId),
    /// An HTTP connection, which has a client of the broker.
    Http(Box<Http>),
}

/// The output for a peer: of the broker's client, or of the protocol before it.
pub(super) enum Pending<'a> {
    Outbox(&'a mut Outbox),
    Output(&'a mut Output),
}

impl Pending<'_> {
    /// All pending output. Not all of it may be sent.
    #[inline]
    pub(super) fn owed(&self) -> &Output {
        match self {
            Pending::Outbox(outbox) => outbox.owed(),
            Pending::Output(output) => output,
        }
    }

    /// The first `count` bytes were sent.
    #[inline]
    pub(super) fn advance(&mut self, count: usize) {
        match self {
            Pending::Outbox(outbox) => outbox.advance(count),
            Pending::Output(output) => {
                output.advance(count);
            }
        }
    }

    /// Whether there is none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.owed().is_empty()
    }
}

impl Speaker {
    /// Begins with a peer. `slot` is the slot of its connection.
    pub(super) fn begin(
        broker: &mut Broker,
        service: Service,
        slot: usize,
        peer: Peer,
        now: Now,
    ) -> Speaker {
        if service == Service::Http
            && let Some(http) = Http::begin(broker, slot, peer.clone(), now)
        {
            return Speaker::Http(Box::new(http));
        }
        let is_in_process = matches!(peer, Peer::InProcess);
        let id = broker.connect(slot, peer, now);
        if is_in_process && let Some(output) = broker.outbox(id) {
            output.set_protocol(Protocol::Resp3);
        }
        Speaker::Resp(id)
    }

    /// The connection's client of the broker.
    #[inline]
    pub(super) fn client(&self) -> ClientId {
        match self {
            Speaker::Resp(id) => *id,
            Speaker::Http(http) => http.client(),
        }
    }

    /// Whether it is this client of the broker. The slot may have belonged to another client.
    #[inline]
    pub(super) fn is_client(&self, id: ClientId) -> bool {
        self.client() == id
    }

    /// Whether it speaks HTTP: only then it may have work, output and times of which the broker does not
    /// know.
    #[inline]
    pub(super) fn is_http(&self) -> bool {
        match self {
            Speaker::Resp(_) => false,
            Speaker::Http(_) => true,
        }
    }

    /// The peer's certificate has this common name.
    pub(super) fn identify(
        &mut self,
        broker: &mut Broker,
        certificate_name: Option<Box<str>>,
        now: Now,
    ) {
        broker.set_certificate_name(self.client(), certificate_name, now);
    }

    /// The peer is not served: it is told why.
    pub(super) fn deny(&mut self, broker: &mut Broker, why: Refused) {
        match self {
            Speaker::Resp(id) => broker.deny(*id, refusal_text(why)),
            Speaker::Http(http) => http.deny(broker, why),
        }
    }

    /// Whether it accepts more input now.
    #[inline]
    pub(super) fn wants_input(&self, broker: &Broker) -> bool {
        match self {
            Speaker::Resp(id) => broker.wants_input(*id),
            Speaker::Http(http) => http.wants_input(broker),
        }
    }

    /// Whether input is only read to be discarded.
    pub(super) fn discards_input(&self) -> bool {
        match self {
            Speaker::Resp(_) => false,
            Speaker::Http(http) => http.discards_input(),
        }
    }

    /// Whether there is something to do without further input.
    #[inline]
    pub(super) fn has_work(&self, broker: &Broker) -> bool {
        match self {
            Speaker::Resp(_) => false,
            Speaker::Http(http) => http.has_work(broker),
        }
    }

    /// Does that, in the stage of a turn in which commands run.
    pub(super) fn go_on(&mut self, broker: &mut Broker, now: Now, server: &mut dyn BusyServer) {
        match self {
            Speaker::Resp(_) => {}
            Speaker::Http(http) => http.go_on(broker, now, server),
        }
    }

    /// Whether a command waits for a message or for anything else.
    #[inline]
    pub(super) fn is_blocked(&self, broker: &Broker) -> bool {
        broker.is_blocked(self.client())
    }

    /// Bytes have arrived, but stay in the socket because a command waits.
    pub(super) fn input_waits(&mut self, broker: &mut Broker) {
        match self {
            Speaker::Resp(id) => broker.input_waits(*id),
            // Its messages have receipts, so that it does not matter who shares the connection.
            Speaker::Http(_) => {}
        }
    }

    /// Passes bytes to the broker.
    #[inline(always)]
    pub(super) fn receive(
        &mut self,
        broker: &mut Broker,
        bytes: &[u8],
        now: Now,
        server: &mut dyn BusyServer,
    ) {
        match self {
            Speaker::Resp(id) => broker.receive_while(*id, bytes, now, server),
            Speaker::Http(http) => http.receive(broker, bytes, now, server),
        }
    }

    /// Takes it out of its connection, where its client is left.
    #[inline(always)]
    pub(super) fn lend(&mut self) -> Speaker {
        match self {
            Speaker::Resp(id) => Speaker::Resp(*id),
            Speaker::Http(http) => {
                let client = Speaker::Resp(http.client());
                std::mem::replace(self, client)
            }
        }
    }

    /// Prepares output, in the stage of a turn in which it is sent; returns how many bytes may be. Replies
    /// that wait for a sync are excluded.
    #[inline]
    pub(super) fn prepare(&mut self, broker: &mut Broker, now: Now) -> usize {
        match self {
            Speaker::Resp(id) => broker.sendable(*id),
            Speaker::Http(http) => http.pull(broker, now),
        }
    }

    /// Whether there is more to send than `prepare` has returned.
    #[inline]
    pub(super) fn has_more(&self, broker: &Broker) -> bool {
        match self {
            Speaker::Resp(_) => false,
            Speaker::Http(http) => http.has_more(broker),
        }
    }

    /// Whether anything may be sent.
    pub(super) fn has_sendable(&self, broker: &Broker) -> bool {
        broker.sendable(self.client()) > 0 || self.has_own_output()
    }

    /// Whether there is output that the broker does not know of.
    #[inline]
    pub(super) fn has_own_output(&self) -> bool {
        match self {
            Speaker::Resp(_) => false,
            Speaker::Http(http) => http.has_output(),
        }
    }

    /// Whether the peer has not got everything.
    pub(super) fn is_owed(&self, broker: &mut Broker) -> bool {
        self.has_own_output()
            || broker.outbox(self.client()).is_some_and(|outbox| !outbox.is_empty())
    }

    /// The output for the peer. Take from it, then call `sent`.
    #[inline]
    pub(super) fn pending<'a>(&'a mut self, broker: &'a mut Broker) -> Option<Pending<'a>> {
        match self {
            Speaker::Resp(id) => broker.outbox(*id).map(Pending::Outbox),
            Speaker::Http(http) => Some(Pending::Output(http.output())),
        }
    }

    /// That many bytes of the output were sent; no more could be.
    #[inline]
    pub(super) fn sent(&mut self, broker: &mut Broker, bytes: usize, now: Now) {
        match self {
            Speaker::Resp(id) => broker.flushed(*id, bytes, now),
            Speaker::Http(http) => http.sent(broker, bytes, now),
        }
    }

    /// When something is due that the broker does not know of.
    pub(super) fn due_us(&self, broker: &Broker) -> Option<u64> {
        match self {
            Speaker::Resp(_) => None,
            Speaker::Http(http) => http.due_us(broker),
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, broker: &mut Broker, now: Now) {
        match self {
            Speaker::Resp(_) => {}
            Speaker::Http(http) => http.tick(broker, now),
        }
    }

    /// The connection is to be closed: no more of its commands run.
    pub(super) fn close(&mut self, broker: &mut Broker, reason: CloseReason) {
        broker.close(self.client(), reason);
    }

    /// The connection is closed; releases what was kept for it.
    pub(super) fn closed(&mut self, broker: &mut Broker, reason: CloseReason, now: Now) {
        broker.disconnect(self.client(), reason, now);
    }
}

/// What a client with Redis' protocol is told that is not served, in Redis' words.
pub(super) fn refusal_text(why: Refused) -> &'static str {
    match why {
        Refused::Full => MAX_CLIENTS_TEXT,
        Refused::Protected => PROTECTED_TEXT,
    }
}

const MAX_CLIENTS_TEXT: &str = "-ERR max number of clients reached\r\n";
const PROTECTED_TEXT: &str = "-DENIED Redis is running in protected mode because protected mode \
    is enabled and no password is set for the default user. In this mode connections are only \
    accepted from the loopback interface. If you want to connect from external computers to Redis \
    you may adopt one of the following solutions: 1) Just disable protected mode sending the \
    command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis \
    from the same host the server is running, however MAKE SURE Redis is not publicly accessible \
    from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) \
    Alternatively you can just disable the protected mode by editing the Redis configuration \
    file, and setting the protected mode option to 'no', and then restarting the server. 3) If \
    you started the server manually just for testing, restart it with the '--protected-mode no' \
    option. 4) Setup a an authentication password for the default user. NOTE: You only need to do \
    one of the above things in order for the server to start accepting connections from the \
    outside.\r\n";
