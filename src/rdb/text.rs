//! Reads strings in all their forms.

use super::error::Problem;
use super::format::{FORM_INT_8, FORM_INT_16, FORM_INT_32, FORM_LZF};
use super::length::{Cursor, Length, Stop};
use super::lzf;
use std::fmt::{self, Debug, Formatter};

/// A larger buffer is not kept for the next string.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Memory for strings that do not stand in the input as they are.
pub(super) struct Buffers {
    digits: itoa::Buffer,
    decompressed: Vec<u8>,
}

impl Debug for Buffers {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers").finish_non_exhaustive()
    }
}

impl Default for Buffers {
    fn default() -> Buffers {
        Buffers { digits: itoa::Buffer::new(), decompressed: Vec::new() }
    }
}

impl Buffers {
    /// Takes a string. It is part of the input, or of the buffers until the next one is read.
    #[inline]
    pub(super) fn string<'s, 'a: 's>(
        &'s mut self,
        cursor: &mut Cursor<'a>,
    ) -> Result<&'s [u8], Stop> {
        match cursor.length_or_form()? {
            Length::Of(length) => cursor.take(length),
            Length::Form(form) => self.in_form(form, cursor),
        }
    }

    fn in_form(&mut self, form: u8, cursor: &mut Cursor<'_>) -> Result<&[u8], Stop> {
        let number = match form {
            FORM_INT_8 => i8::from_le_bytes(cursor.array()?).into(),
            FORM_INT_16 => i16::from_le_bytes(cursor.array()?).into(),
            FORM_INT_32 => i32::from_le_bytes(cursor.array()?),
            FORM_LZF => return self.decompressed(cursor),
            other => return Err(Problem::StringForm(other).into()),
        };
        Ok(self.digits.format(number).as_bytes())
    }

    fn decompressed(&mut self, cursor: &mut Cursor<'_>) -> Result<&[u8], Stop> {
        let (compressed_length, length) = (cursor.length()?, cursor.length()?);
        if !lzf::can_become(compressed_length, length) {
            return Err(Problem::Compressed.into());
        }
        let compressed = cursor.take(compressed_length)?;
        if self.decompressed.capacity() > KEPT_BYTES_MAX {
            self.decompressed = Vec::new();
        }
        let length = usize::try_from(length).map_err(|_| Problem::Compressed)?;
        lzf::decompress(compressed, length, &mut self.decompressed).ok_or(Problem::Compressed)?;
        Ok(&self.decompressed)
    }
}

/// Takes the beginning of a string, and returns how many bytes of it follow.
pub(super) fn bytes_of_string(cursor: &mut Cursor<'_>) -> Result<u64, Stop> {
    match cursor.length_or_form()? {
        Length::Of(length) => Ok(length),
        Length::Form(FORM_INT_8) => Ok(1),
        Length::Form(FORM_INT_16) => Ok(2),
        Length::Form(FORM_INT_32) => Ok(4),
        Length::Form(FORM_LZF) => {
            let compressed = cursor.length()?;
            cursor.length()?;
            Ok(compressed)
        }
        Length::Form(other) => Err(Problem::StringForm(other).into()),
    }
}
