//! Messages with receipts, for typed calls.

use super::calls::{Calls, ClientError, count_of};
use crate::resp::Reply;
use std::time::Duration;

/// The longest lease of QUEUE POP and QUEUE TOUCH: ten years.
const LEASE_MAX_MS: u128 = 3650 * 24 * 3600 * 1000;

/// A message with its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The number of the delivery, which acknowledges it. It is never reused.
    pub receipt: u64,
    /// The message.
    pub message: Vec<u8>,
    /// How often the message has been delivered, this time included.
    pub deliveries: u64,
    /// How long it has waited since it was ready for the first time.
    pub waited: Duration,
}

/// Calls for queues under a policy with `delivery at-least-once`, for all in-process clients.
pub trait ReceiptCalls: Calls {
    /// Pops the first message of a queue with its receipt (QUEUE POP), if there is one. It returns to the
    /// queue at the end of the lease, or, without one, when this client is dropped.
    ///
    /// # Errors
    /// As [`call`](Calls::call).
    fn pop_with_receipt(
        &mut self,
        queue: impl AsRef<[u8]>,
        lease: Option<Duration>,
    ) -> Result<Option<Delivered>, ClientError> {
        delivered_of(self.call(&pop_words(queue.as_ref(), lease, None))?)
    }

    /// Acknowledges a message (QUEUE ACK). Returns whether it was in flight with this receipt.
    ///
    /// # Errors
    /// As [`call`](Calls::call).
    fn acknowledge(&mut self, queue: impl AsRef<[u8]>, receipt: u64) -> Result<bool, ClientError> {
        has_one(self.call(&words_for("ACK", queue.as_ref(), receipt))?)
    }

    /// Returns a message to its queue (QUEUE NACK). Returns whether it was in flight with this receipt.
    ///
    /// # Errors
    /// As [`call`](Calls::call).
    fn return_message(
        &mut self,
        queue: impl AsRef<[u8]>,
        receipt: u64,
    ) -> Result<bool, ClientError> {
        has_one(self.call(&words_for("NACK", queue.as_ref(), receipt))?)
    }

    /// Begins the lease of a message anew (QUEUE TOUCH). Returns whether it is in flight with this receipt;
    /// otherwise the work should stop.
    ///
    /// # Errors
    /// As [`call`](Calls::call).
    fn touch(
        &mut self,
        queue: impl AsRef<[u8]>,
        receipt: u64,
        lease: Option<Duration>,
    ) -> Result<bool, ClientError> {
        let mut words = words_for("TOUCH", queue.as_ref(), receipt);
        words.extend(lease.into_iter().flat_map(|lease| [b"LEASE".to_vec(), millis(lease)]));
        has_one(self.call(&words)?)
    }
}

impl<C: Calls> ReceiptCalls for C {}

/// A QUEUE POP of one message with this lease. `wait`: up to this time, or for ever.
pub(crate) fn pop_words(
    queue: &[u8],
    lease: Option<Duration>,
    wait: Option<Option<Duration>>,
) -> Vec<Vec<u8>> {
    let mut words = vec![b"QUEUE".to_vec(), b"POP".to_vec(), b"1".to_vec(), queue.to_vec()];
    words.extend(lease.into_iter().flat_map(|lease| [b"LEASE".to_vec(), millis(lease)]));
    let wait = wait.map(|timeout| timeout.map_or(b"0".to_vec(), millis));
    words.extend(wait.into_iter().flat_map(|ms| [b"BLOCK".to_vec(), ms]));
    words
}

/// Whole milliseconds, at least one.
fn millis(time: Duration) -> Vec<u8> {
    time.as_millis().clamp(1, LEASE_MAX_MS).to_string().into_bytes()
}

fn words_for(command: &str, queue: &[u8], receipt: u64) -> Vec<Vec<u8>> {
    let receipt = receipt.to_string().into_bytes();
    let command = command.as_bytes().to_vec();
    vec![b"QUEUE".to_vec(), command, queue.to_vec(), b"IDS".to_vec(), b"1".to_vec(), receipt]
}

fn has_one(reply: Reply) -> Result<bool, ClientError> {
    count_of(reply).map(|count| count > 0)
}

/// The message in the reply of a QUEUE POP of one message.
pub(crate) fn delivered_of(reply: Reply) -> Result<Option<Delivered>, ClientError> {
    if reply == Reply::Null {
        return Ok(None);
    }
    read(&reply).map(Some).ok_or(ClientError::Unexpected(reply))
}

fn read(reply: &Reply) -> Option<Delivered> {
    let [_, deliveries] = reply.items()? else { return None };
    let [delivery] = deliveries.items()? else { return None };
    let [receipt, message, deliveries, waited_ms] = delivery.items()? else { return None };
    let number = |reply: &Reply| u64::try_from(reply.integer()?).ok();
    Some(Delivered {
        receipt: std::str::from_utf8(receipt.bytes()?).ok()?.parse().ok()?,
        message: message.bytes()?.to_vec(),
        deliveries: number(deliveries)?,
        waited: Duration::from_millis(number(waited_ms)?),
    })
}
