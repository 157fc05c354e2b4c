//! `tidegate check` and `tidegate repair`: diagnosis and repair of append files while no broker runs.
//! `check` also takes a file in Redis' binary format.

use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tidegate::broker::RdbSummary;
use tidegate::journal::files::DiskDirectory;
use tidegate::journal::scan::FileEnd;
use tidegate::journal::{LoadError, dump_file, inspect};

/// All files are whole.
const WHOLE: u8 = 0;
/// The end of the last file is torn: a start would cut it off.
const TORN: u8 = 1;
/// They cannot be loaded.
const DAMAGED: u8 = 2;
/// The check or repair itself failed.
const FAILED: u8 = 3;

/// Reports the state of the files.
pub fn check(path: &Path) -> ExitCode {
    if path.is_file() {
        return check_dump(path);
    }
    let (directory, prefix) = match open(path) {
        Ok(opened) => opened,
        Err(text) => return fail(&text),
    };
    let bar = bar();
    let findings = inspect::check(directory, &prefix, &mut |done, total| show(&bar, done, total));
    bar.finish_and_clear();
    let findings = match findings {
        Ok(findings) => findings,
        Err(error) => return report(&error),
    };
    for file in &findings.files {
        let kind = if file.chain.is_some() { "verified" } else { "without checksums" };
        let FileEnd { entry, kept, batches, rdb_bytes, .. } = file;
        match kept - rdb_bytes {
            0 if *kept > 0 => println!("{}: {rdb_bytes} bytes in Redis' binary format", entry.name),
            bytes => println!("{}: {bytes} bytes {kind}, {batches} batches", entry.name),
        }
    }
    if let Some(problem) = findings.problem {
        return report(&problem);
    }
    if let Some(code) = report_left_out(&findings.left_out) {
        return code;
    }
    match findings.files.iter().find(|file| file.torn > 0) {
        None => {
            println!("whole: {} bytes", findings.total_bytes);
            ExitCode::from(WHOLE)
        }
        Some(file) => {
            println!(
                "torn: {}: {} bytes from byte {} on: {}. The next start saves them in a separate file \
                 and continues from there",
                file.entry.name, file.torn, file.kept, file.reason
            );
            ExitCode::from(TORN)
        }
    }
}

/// Reports the state of a file in Redis' binary format.
fn check_dump(path: &Path) -> ExitCode {
    let bar = bar();
    let checked = dump_file::check(path, &mut |done, total| show(&bar, done, total));
    bar.finish_and_clear();
    match checked {
        Err(error) => report(&error),
        Ok((bytes, summary)) => report_left_out(&summary).unwrap_or_else(|| {
            println!("whole: {bytes} bytes, {} keys", summary.keys);
            ExitCode::from(WHOLE)
        }),
    }
}

/// Reports what keeps whole files from being loaded, if anything does.
fn report_left_out(summary: &RdbSummary) -> Option<ExitCode> {
    let &RdbSummary { left_out, left_out_functions, .. } = summary;
    if left_out == 0 && left_out_functions == 0 {
        return None;
    }
    println!(
        "whole, but there are {left_out} values of types that are not supported, and {left_out_functions} \
         function libraries: they are loaded without these, with replica-ignore-unsupported-keys yes"
    );
    Some(ExitCode::from(DAMAGED))
}

/// Cuts off what cannot be loaded.
pub fn repair(path: &Path) -> ExitCode {
    if path.is_file() {
        return fail(&format!("{}: only append files can be repaired", path.display()));
    }
    let (directory, prefix) = match open(path) {
        Ok(opened) => opened,
        Err(text) => return fail(&text),
    };
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let bar = bar();
    let mut progress = |done, total| show(&bar, done, total);
    let repaired = inspect::repair(directory, &prefix, &stamp.to_string(), &mut progress);
    bar.finish_and_clear();
    match repaired {
        Err(error) => fail(&error.to_string()),
        Ok(repair) if repair.aside.is_empty() => {
            println!("whole: {} bytes, nothing to repair", repair.kept_bytes);
            ExitCode::from(WHOLE)
        }
        Ok(repair) => {
            for (name, bytes) in &repair.aside {
                println!("cut off: {bytes} bytes, now in {name}");
            }
            let (lost, kept) = (repair.lost_batches, repair.kept_bytes);
            println!("lost: {lost} whole batches of changes, and everything incomplete");
            println!("kept: {kept} bytes, which can be loaded");
            ExitCode::from(WHOLE)
        }
    }
}

/// Opens and locks the directory; also returns the prefix of its file names. It may be the broker's
/// directory, if the append files within it have their usual name.
fn open(path: &Path) -> Result<(Arc<DiskDirectory>, String), String> {
    let found = [path.to_path_buf(), path.join("appendonlydir")]
        .into_iter()
        .find(|path| has_manifest(path));
    let nothing =
        || format!("{}: expected a directory with a manifest of append files", path.display());
    let directory = DiskDirectory::open(&found.ok_or_else(nothing)?).map_err(|e| e.to_string())?;
    match inspect::prefix_of(&directory).map_err(|error| error.to_string())? {
        Some(prefix) => Ok((Arc::new(directory), prefix)),
        None => Err(format!("{}: expected one manifest, got several", directory.path().display())),
    }
}

/// Checked before locking, which creates a file.
fn has_manifest(path: &Path) -> bool {
    let entries = path.read_dir().into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name());
    names.any(|name| name.to_string_lossy().ends_with(".manifest"))
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    // The bar is hidden if standard error is no terminal. The template is a constant.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left")
    {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, done: u64, total: u64) {
    bar.set_length(total);
    bar.set_position(done);
}

/// Reports an error in the files themselves.
fn report(error: &LoadError) -> ExitCode {
    if let LoadError::Io { .. } = error {
        return fail(&error.to_string());
    }
    println!("damaged: {error}");
    ExitCode::from(DAMAGED)
}

fn fail(text: &str) -> ExitCode {
    eprintln!("tidegate: {text}");
    ExitCode::from(FAILED)
}
