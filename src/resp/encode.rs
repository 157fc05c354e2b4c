//! Commands as clients send them, for append files and for replicas.

/// From this size on an argument is long.
const LONG_BYTES: usize = 1 << 20;

/// Extra capacity after a long argument, for its end and the batch it may be in: otherwise the buffer
/// would grow for that, copying everything.
const SPARE_BYTES: usize = 4096;

/// Appends a command: an array of bulk strings.
#[inline]
pub fn write_command<'a, A>(out: &mut Vec<u8>, args: A)
where
    A: IntoIterator<Item = &'a [u8], IntoIter: ExactSizeIterator>,
{
    let args = args.into_iter();
    write_header(out, b'*', args.len());
    for arg in args {
        write_arg(out, arg);
    }
}

/// Appends the beginning of a command; its `count` arguments follow by [`write_arg`].
#[inline]
pub fn write_header(out: &mut Vec<u8>, kind: u8, count: usize) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends one argument.
#[inline]
pub fn write_arg(out: &mut Vec<u8>, arg: &[u8]) {
    write_header(out, b'$', arg.len());
    if arg.len() >= LONG_BYTES {
        out.reserve(arg.len() + SPARE_BYTES);
    }
    out.extend_from_slice(arg);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        let mut out = Vec::new();
        write_command(&mut out, [&b"RPUSH"[..], b"jobs", b""]);
        assert_eq!(out, b"*3\r\n$5\r\nRPUSH\r\n$4\r\njobs\r\n$0\r\n\r\n");
    }
}
