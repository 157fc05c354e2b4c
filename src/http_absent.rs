//! In the place of `http`, in a build without it: there is no connection with HTTP.

use crate::broker::{Broker, BusyServer};
use crate::client_id::ClientId;
use crate::clients::Peer;
use crate::clock::Now;
use crate::resp::Output;

/// A connection that there cannot be.
#[derive(Debug)]
pub(crate) enum Http {}

/// Why a peer does not become a client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refused {
    Full,
    Protected,
}

pub(crate) fn refusal(_: Refused) -> Vec<u8> {
    Vec::new()
}

impl Http {
    pub(crate) fn begin(_: &mut Broker, _: usize, _: Peer, _: Now) -> Option<Http> {
        None
    }

    pub(crate) fn client(&self) -> ClientId {
        match *self {}
    }

    pub(crate) fn wants_input(&self, _: &Broker) -> bool {
        match *self {}
    }

    pub(crate) fn discards_input(&self) -> bool {
        match *self {}
    }

    pub(crate) fn has_work(&self, _: &Broker) -> bool {
        match *self {}
    }

    pub(crate) fn receive(&mut self, _: &mut Broker, _: &[u8], _: Now, _: &mut dyn BusyServer) {
        match *self {}
    }

    pub(crate) fn go_on(&mut self, _: &mut Broker, _: Now, _: &mut dyn BusyServer) {
        match *self {}
    }

    pub(crate) fn pull(&mut self, _: &mut Broker, _: Now) -> usize {
        match *self {}
    }

    pub(crate) fn has_more(&self, _: &Broker) -> bool {
        match *self {}
    }

    pub(crate) fn output(&mut self) -> &mut Output {
        match *self {}
    }

    pub(crate) fn has_output(&self) -> bool {
        match *self {}
    }

    pub(crate) fn sent(&mut self, _: &mut Broker, _: usize, _: Now) {
        match *self {}
    }

    pub(crate) fn deny(&mut self, _: &mut Broker, _: Refused) {
        match *self {}
    }

    pub(crate) fn due_us(&self, _: &Broker) -> Option<u64> {
        match *self {}
    }

    pub(crate) fn tick(&mut self, _: &mut Broker, _: Now) {
        match *self {}
    }
}
