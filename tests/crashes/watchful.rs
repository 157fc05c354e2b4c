//! A directory that checks the order of operations, where a power failure would only sometimes reveal a
//! mistake.

use super::world::PREFIX;
use std::io::{self, Read};
use std::sync::Arc;
use tidegate::journal::files::{AppendFile, Directory};
use tidegate::journal::manifest::manifest_name;
use tidegate::journal::memory::MemoryDirectory;

pub struct Watchful(pub MemoryDirectory);

impl Watchful {
    /// Before a manifest is replaced, everything the new one names must be durable.
    fn check_manifest(&self, from: &str) -> io::Result<()> {
        let mut text = String::new();
        self.0.read(from, 0)?.read_to_string(&mut text)?;
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let is_data =
                words.windows(2).any(|pair| pair == ["type", "b"] || pair == ["type", "i"]);
            let name = words.get(1).copied().unwrap_or_default();
            assert!(
                !is_data || self.0.has_durable_name(name),
                "a manifest names {name}, which a loss of power may take"
            );
        }
        Ok(())
    }
}

impl Directory for Watchful {
    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        self.0.create(name)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        self.0.open(name)
    }

    fn read(&self, name: &str, from: u64) -> io::Result<Box<dyn Read + Send>> {
        self.0.read(name, from)
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        self.0.length(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        if to == manifest_name(PREFIX) {
            self.check_manifest(from)?;
        }
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}
