//! A place in a replication stream.

use super::words::number;
use crate::key::DbIndex;
use crate::resp::Request;

/// A place in a replication stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPlace {
    /// The id of the stream.
    pub id: Vec<u8>,
    /// The bytes of the stream before.
    pub offset: u64,
    /// The database that it has selected; `None` if it selects one before its next change.
    pub db: Option<DbIndex>,
}

impl StreamPlace {
    /// The words of its note.
    pub(super) fn words(&self) -> [Vec<u8>; 4] {
        let StreamPlace { id, offset, db } = self;
        let numbers = [offset.to_string(), db.unwrap_or(0).to_string()].map(String::into_bytes);
        let [offset, db] = numbers;
        [b"stream".to_vec(), id.clone(), offset, db]
    }

    /// Reads the words of a note.
    pub(super) fn read(request: &Request<'_>) -> Option<StreamPlace> {
        let id = request.get(2)?.to_vec();
        let db = Some(number(request.get(4)?)?);
        Some(StreamPlace { id, offset: number(request.get(3)?)?, db })
    }
}
