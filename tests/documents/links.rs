//! Links lead somewhere, and every page is linked.

use super::{Document, paths, root};
use libtest_mimic::Failed;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Links to other sites are not followed.
pub fn lead_somewhere() -> Result<(), Failed> {
    let mut broken = Vec::new();
    for document in paths().iter().map(Document::read) {
        for target in targets(&document) {
            if !exists(&document, &target) {
                broken.push(format!("{}: {target}", document.path.display()));
            }
        }
    }
    for (file, page) in pages_named() {
        if !root().join(&page).is_file() {
            broken.push(format!("{}: {page}", file.display()));
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(format!("broken links: {broken:#?}").into()) }
}

pub fn every_page_is_linked() -> Result<(), Failed> {
    for path in ["README.md", "docs/README.md"] {
        let document = Document::read(path);
        let links = targets(&document);
        let linked: BTreeSet<PathBuf> =
            links.iter().filter_map(|link| file(&document, link)).collect();
        for page in paths().into_iter().filter(|page| page.starts_with("docs")) {
            if page != document.path && !linked.contains(&page) {
                return Err(format!("{path} has no link to {}", page.display()).into());
            }
        }
    }
    Ok(())
}

/// The targets of the links in a document, except those to other sites.
fn targets(document: &Document) -> Vec<String> {
    let text = document.prose().collect::<Vec<_>>().join("\n");
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

/// The file that a link names, relative to the repository.
fn file(document: &Document, target: &str) -> Option<PathBuf> {
    let name = target.split('#').next().unwrap_or_default();
    if name.is_empty() {
        return Some(document.path.clone());
    }
    let mut path = PathBuf::new();
    for part in document.path.parent()?.join(name).components() {
        match part {
            Component::ParentDir if !path.pop() => return None,
            Component::ParentDir => {}
            part => path.push(part),
        }
    }
    Some(path)
}

fn exists(document: &Document, target: &str) -> bool {
    let Some(path) = file(document, target) else { return false };
    match target.split_once('#') {
        None => root().join(path).exists(),
        Some((_, anchor)) => {
            root().join(&path).is_file() && anchors(&Document::read(path)).contains(anchor)
        }
    }
}

/// The anchors of a document's headings, as GitHub and others make them.
fn anchors(document: &Document) -> BTreeSet<String> {
    let headings = document.prose().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The pages that documents, sources and tests name as `docs/….md`, with the files that do.
fn pages_named() -> Vec<(PathBuf, String)> {
    let mut files: Vec<PathBuf> = paths().iter().map(|path| root().join(path)).collect();
    let mut folders: Vec<PathBuf> = ["src", "tests", "benches", "examples"].map(in_root).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let mut named = Vec::new();
    for file in files {
        // Not all files of tests are text.
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for (at, _) in text.match_indices("docs/") {
            let is_of_name = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
            let rest = text[at..].split(|c| !is_of_name(c)).next().unwrap_or_default();
            let is_ours = !text[..at].ends_with(|c: char| is_of_name(c));
            if let Some(end) = rest.find(".md").filter(|_| is_ours) {
                named.push((file.clone(), rest[..end + ".md".len()].to_owned()));
            }
        }
    }
    assert!(named.len() > 10, "only {} pages are named", named.len());
    named
}

fn in_root(name: &str) -> PathBuf {
    Path::new(root()).join(name)
}
