//! A directory with every kind of content, to be damaged.

use super::world::{World, contents, read};
use tidegate::broker::Contents;
use tidegate::journal::files::Directory;
use tidegate::journal::memory::MemoryDirectory;

/// A directory with every kind of content, closed in order; returns its data too.
pub fn small_directory() -> (MemoryDirectory, Contents) {
    let (directory, states) = small_directory_with_history();
    (directory, states.last().cloned().unwrap_or_default())
}

/// The same, with all its past states.
pub fn small_directory_with_history() -> (MemoryDirectory, Vec<Contents>) {
    let mut world = World::new(MemoryDirectory::new(), "appendfsync no").expect("a new directory");
    assert!(world.turn(0, "RPUSH q first second\r\nSELECT 1\r\nRPUSH other x\r\n"));
    assert!(world.turn(0, "BGREWRITEAOF\r\n"));
    world.rest();
    assert!(world.turn(0, "LPOP other\r\nSELECT 0\r\nLPUSH q zero\r\n"));
    assert!(world.turn(1, "MULTI\r\nRPUSH q last\r\nPEXPIRE q 100000\r\nEXEC\r\n"));
    let states = world.states.clone();
    (world.close(), states)
}

pub fn files(directory: &MemoryDirectory) -> Vec<(String, Vec<u8>)> {
    let names = directory.list().expect("names").into_iter();
    names.map(|name| (name.clone(), read(directory, &name))).collect()
}

pub fn error_of(files: Vec<(String, Vec<u8>)>) -> String {
    let directory = MemoryDirectory::with_files(files.clone());
    let error = contents(&directory, "").expect_err("it must not load");
    assert_eq!(self::files(&directory), files, "nothing is changed: {error}");
    error.to_string()
}
