//! Append files that no manifest names, left by a process killed before it saved the manifest. They are
//! not loaded. Empty ones are removed at the start.

use super::batch::Sealer;
use super::files::Directory;
use super::manifest::Manifest;
use log::{info, warn};
use std::io::{self, Read};

/// Removes files that the manifest does not name and that have only our opening. Others stay, and the
/// log names them. The manifest must be durable: an older one may name more.
pub(super) fn remove_strays(directory: &dyn Directory, prefix: &str, manifest: &Manifest) {
    // If the directory cannot be listed, everything stays.
    for name in directory.list().unwrap_or_default() {
        if !is_append_file(prefix, &name) || manifest.names(&name) {
            continue;
        }
        match is_opening_alone(directory, &name) {
            Ok(true) => match directory.remove(&name) {
                Ok(()) => info!("{name}: no manifest names it, and it is empty: removed"),
                Err(error) => warn!("{name}: cannot be removed: {error}"),
            },
            Ok(false) => warn!("{name}: no manifest names it: it is not loaded and not needed"),
            Err(error) => warn!("{name}: cannot be read: {error}"),
        }
    }
}

/// Whether this could be the name of one of our files.
fn is_append_file(prefix: &str, name: &str) -> bool {
    let behind = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
    let number = behind.and_then(|rest| {
        [".incr.aof", ".base.aof"].iter().find_map(|kind| rest.strip_suffix(kind))
    });
    number.is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Whether the file has only the opening of a new file of this name.
fn is_opening_alone(directory: &dyn Directory, name: &str) -> io::Result<bool> {
    let (_, opening) = Sealer::begin(name);
    let mut found = Vec::new();
    directory.read(name, 0)?.take(opening.len() as u64 + 1).read_to_end(&mut found)?;
    Ok(found == opening)
}

#[cfg(test)]
mod tests {
    use super::super::files::write_all;
    use super::super::manifest::Entry;
    use super::super::memory::MemoryDirectory;
    use super::*;

    #[test]
    fn only_what_is_ours_and_empty_is_removed() {
        let directory = MemoryDirectory::new();
        let write = |name: &str, bytes: &[u8]| {
            write_all(&*directory.create(name).expect("a file"), bytes, 0).expect("written");
        };
        let opening = |name: &str| Sealer::begin(name).1;
        let with_data = |name: &str| {
            let (mut sealer, mut bytes) = Sealer::begin(name);
            let mut batch = b"*1\r\n$8\r\nFLUSHALL\r\n".to_vec();
            sealer.seal(&mut batch, 0);
            bytes.extend(batch);
            bytes
        };
        let named = ["a.1.incr.aof", "a.2.incr.aof"];
        named.iter().for_each(|name| write(name, &opening(name)));
        for removed in ["a.3.incr.aof", "a.12.incr.aof", "a.1.base.aof"] {
            write(removed, &opening(removed));
        }
        write("a.4.incr.aof", &with_data("a.4.incr.aof"));
        write("a.5.incr.aof", &[opening("a.5.incr.aof"), b"*".to_vec()].concat());
        write("a.6.incr.aof", &opening("a.6.incr.aof")[..92]);
        // From Redis, or another program.
        write("a.7.incr.aof", b"");
        for other in ["a.8.incr.aof.torn-1", "a.x.incr.aof", "a..incr.aof", "b.1.incr.aof"] {
            write(other, &opening(other));
        }
        // Under another file's name.
        write("a.9.incr.aof", &opening("a.8.incr.aof"));
        let mut expected = directory.list().expect("names");
        expected.retain(|name| {
            !["a.3.incr.aof", "a.12.incr.aof", "a.1.base.aof"].contains(&name.as_str())
        });

        let entry = |name: &str, seq| Entry { name: name.to_string(), seq, is_checked: true };
        let manifest = Manifest {
            history: vec![entry(named[0], 1)],
            increments: vec![entry(named[1], 2)],
            ..Manifest::default()
        };
        remove_strays(&directory, "a", &manifest);
        assert_eq!(directory.list().expect("names"), expected);
    }
}
