//! A listpack that is accepted has the same elements from its end as from its beginning.

use tidegate::rdb::listpack::read;
use tidegate::rdb::packed::Packed;

const HEADER_BYTES: usize = 6;

/// The number of elements, found from the end: each has its length behind it.
fn count_from_end(bytes: &[u8]) -> usize {
    let mut end = bytes.len() - 1;
    let mut count = 0;
    while end > HEADER_BYTES {
        let (mut length, mut shift, mut own) = (0, 0, 0);
        loop {
            let byte = bytes[end - 1 - own];
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            own += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        end -= own + length;
        count += 1;
    }
    assert_eq!(end, HEADER_BYTES);
    count
}

/// A listpack, whose length is corrected.
pub fn check(data: &[u8]) {
    let mut bytes = data.to_vec();
    if let Some(length) = bytes.first_chunk_mut() {
        *length = (data.len() as u32).to_le_bytes();
    }
    let (mut count, mut length) = (0, 0);
    let found = read(&bytes, |element| {
        count += 1;
        length += element.len();
        Ok::<(), ()>(())
    });
    // A number is longer as text.
    assert!(length <= 20 * bytes.len());
    match found {
        Ok(()) => assert_eq!(count_from_end(&bytes), count),
        Err(error) => assert!(matches!(error, Packed::Damaged(_))),
    }
    let mut left = count;
    let refused = read(&bytes, |_| {
        left -= 1;
        if left == 0 { Err(()) } else { Ok(()) }
    });
    assert!(count == 0 || refused == Err(Packed::Refused(())));
}
