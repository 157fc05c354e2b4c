//! A ziplist that is accepted has the same elements from its end as from its beginning.

use tidegate::rdb::packed::Packed;
use tidegate::rdb::ziplist::read;

const HEADER_BYTES: usize = 10;

/// The number of elements, found from the last one: each begins with the length of the one before.
fn count_from_end(bytes: &[u8]) -> usize {
    let number = |at: usize| {
        u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
    };
    let mut at = number(4);
    if at == bytes.len() - 1 {
        return 0;
    }
    let mut count = 1;
    while at > HEADER_BYTES {
        at -= if bytes[at] == 0xfe { number(at + 1) } else { usize::from(bytes[at]) };
        count += 1;
    }
    assert_eq!(at, HEADER_BYTES);
    count
}

/// A ziplist, whose length is corrected.
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
}
