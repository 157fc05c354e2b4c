//! The messages of one measurement. Each has a number, to check that every message was delivered exactly
//! once.

pub const MESSAGE_BYTES: usize = 64;

pub type Message = [u8; MESSAGE_BYTES];

#[derive(Default)]
pub struct Tally {
    /// Whether no more messages are made.
    is_over: bool,
    /// Whether each message was delivered, by its number.
    is_delivered: Vec<bool>,
    confirmed: usize,
    delivered: usize,
    acknowledged: usize,
}

impl Tally {
    /// The next message, while there are any: its number, as text with leading zeros.
    pub fn make(&mut self) -> Option<Message> {
        if self.is_over {
            return None;
        }
        let mut message = [b'0'; MESSAGE_BYTES];
        let mut number = self.is_delivered.len();
        for digit in message.iter_mut().rev() {
            if number == 0 {
                break;
            }
            *digit += (number % 10) as u8;
            number /= 10;
        }
        self.is_delivered.push(false);
        Some(message)
    }

    /// The broker has confirmed this many more messages.
    pub fn confirm(&mut self, messages: usize) {
        self.confirmed += messages;
        assert!(self.confirmed <= self.is_delivered.len(), "more confirmations than messages");
    }

    pub fn deliver(&mut self, message: &[u8]) {
        assert_eq!(message.len(), MESSAGE_BYTES, "a message of another length");
        let text = std::str::from_utf8(message).expect("a message of digits");
        let number: usize = text.parse().expect("a message that is a number");
        let is_delivered = self.is_delivered.get_mut(number).expect("a message that was made");
        assert!(!*is_delivered, "message {number} came twice");
        *is_delivered = true;
        self.delivered += 1;
    }

    /// This many more messages are acknowledged.
    pub fn acknowledge(&mut self, messages: usize) {
        self.acknowledged += messages;
        assert!(self.acknowledged <= self.delivered, "more acknowledged than delivered");
    }

    pub fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// No more messages are made from now on.
    pub fn end(&mut self) {
        self.is_over = true;
    }

    /// Whether all messages are confirmed, delivered and acknowledged.
    pub fn is_settled(&self) -> bool {
        let made = self.is_delivered.len();
        [self.confirmed, self.delivered, self.acknowledged].iter().all(|count| *count == made)
    }
}
