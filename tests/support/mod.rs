//! Transcripts: their text, and the drivers that they are played against.

pub mod driver;
pub mod in_process;
pub mod pattern;
pub mod player;
pub mod reply;
pub mod socket;
pub mod transcript;
pub mod words;
