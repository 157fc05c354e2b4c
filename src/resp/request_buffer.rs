//! A request that is put together argument by argument, in buffers that are used again.

use super::request::{Arg, Request};

/// Arguments in one buffer. Emptied and filled again, it allocates nothing.
#[derive(Debug, Default)]
pub struct RequestBuffer {
    bytes: Vec<u8>,
    args: Vec<Arg>,
}

/// A larger buffer is given back when it is emptied.
const KEPT_BYTES_MAX: usize = 64 * 1024;

impl RequestBuffer {
    /// Removes all arguments.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.args.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.args.shrink_to(KEPT_BYTES_MAX / size_of::<Arg>());
    }

    /// Adds an argument.
    #[inline]
    pub fn push(&mut self, arg: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(arg);
        self.args.push(Arg::new(start, self.bytes.len()));
    }

    /// The number of arguments.
    pub fn len(&self) -> usize {
        self.args.len()
    }

    /// Whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        self.args.is_empty()
    }

    /// The request. There must be an argument: the name of the command.
    pub fn as_request(&self) -> Request<'_> {
        Request::new(&self.bytes, &self.args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_put_together_again_and_again() {
        let mut buffer = RequestBuffer::default();
        for words in [&["get", "k"][..], &["set", "", "value"], &["ping"]] {
            buffer.clear();
            assert!(buffer.is_empty());
            words.iter().for_each(|word| buffer.push(word.as_bytes()));
            let request = buffer.as_request();
            assert_eq!(buffer.len(), words.len());
            assert!(request.args().eq(words.iter().map(|word| word.as_bytes())));
        }
    }
}
