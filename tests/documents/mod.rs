//! The documents of this repository, as the tests read them.

pub mod benchmarks;
pub mod dialogues;
pub mod links;
pub mod pictures;

use crate::measurements::Measurements;
use std::fs;
use std::path::{Path, PathBuf};

/// A document in Markdown.
pub struct Document {
    /// Its path within the repository.
    pub path: PathBuf,
    pub text: String,
}

impl Document {
    pub fn read(path: impl AsRef<Path>) -> Document {
        let path = path.as_ref().to_owned();
        let text = fs::read_to_string(root().join(&path));
        Document { text: text.unwrap_or_else(|e| panic!("{}: {e}", path.display())), path }
    }

    /// Its blocks of code in a language.
    pub fn blocks(&self, language: &str) -> impl Iterator<Item = &str> {
        let fence = format!("\n```{language}\n");
        let starts: Vec<usize> =
            self.text.match_indices(&fence).map(|(at, _)| at + fence.len()).collect();
        starts.into_iter().map(|start| {
            let rest = &self.text[start..];
            &rest[..rest.find("\n```").expect("the block ends") + 1]
        })
    }

    /// Its lines outside blocks of code.
    pub fn prose(&self) -> impl Iterator<Item = &str> {
        let mut is_code = false;
        self.text.lines().filter(move |line| {
            let is_fence = line.starts_with("```");
            is_code ^= is_fence;
            !is_code && !is_fence
        })
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A data file of `docs/pictures`.
pub fn data(name: &str) -> Measurements {
    let path = root().join(format!("docs/pictures/{name}.csv"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Measurements::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The paths of README and the others beside it, and of the pages in `docs`.
pub fn paths() -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for folder in ["", "docs"] {
        let entries = fs::read_dir(root().join(folder)).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let paths_here = names.map(|name| Path::new(folder).join(name));
        paths.extend(paths_here.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    paths.sort();
    paths
}
