//! `--write DIRECTORY`: rows go into data files as well, from which pictures and tables of the documents
//! are made. Rows that are not measured again stay. A file about other servers or another machine is not
//! touched.

use crate::measurements::{MEASURED, Measurements};
use crate::servers::Kind;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const OPTION: &str = "--write";

/// A data file, without its rows.
pub struct File {
    name: &'static str,
    about: &'static str,
    /// The columns that identify a row.
    names: &'static [&'static str],
    decimals: usize,
}

pub const THROUGHPUT: File = File {
    name: "throughput",
    about: "Thousands of operations per second, medians; 50 connections, 64-byte messages unless named",
    names: &["work", "pipeline"],
    decimals: 1,
};
pub const MEMORY: File = File {
    name: "memory",
    about: "Resident bytes per message of 64 bytes, pushed one by one, to each queue in turn",
    names: &["queues", "messages in each"],
    decimals: 1,
};

/// Where data files are; nowhere unless asked for.
pub struct DataFiles {
    directory: Option<PathBuf>,
}

impl DataFiles {
    /// Splits the option from the other arguments.
    pub fn split_from(mut args: Vec<String>) -> (DataFiles, Vec<String>) {
        let Some(at) = args.iter().position(|arg| arg == OPTION) else {
            return (DataFiles { directory: None }, args);
        };
        let directory = args.drain(at..).take(2).nth(1);
        let directory = PathBuf::from(directory.expect("a directory behind --write"));
        assert!(directory.is_dir(), "expected a directory: {}", directory.display());
        (DataFiles { directory: Some(directory) }, args)
    }

    /// Puts a row in place of the older one with the same names.
    pub fn add(&self, file: &File, names: &[String], kinds: &[Kind], figures: &[f64]) {
        let Some(directory) = &self.directory else { return };
        let measured = [output_of("date", &["+%F"])];
        let (mut columns, mut row) = (Vec::new(), [names, &measured].concat());
        for (kind, figure) in kinds.iter().zip(figures).filter(|(kind, _)| **kind != Kind::Valkey) {
            columns.push(kind.name_and_version());
            row.push(format!("{figure:.0$}", file.decimals));
        }
        let names = file.names.iter().chain(&[MEASURED]).map(|name| (*name).to_owned());
        let columns = names.chain(columns).collect();
        let mut data = Measurements { comments: file.comments(), columns, rows: vec![row] };
        let path = directory.join(format!("{}.csv", file.name));
        if let Ok(older) = fs::read_to_string(&path) {
            let is_same = Measurements::parse(&older).is_ok_and(|older| data.keep_from(&older));
            let path = path.display();
            assert!(
                is_same,
                "{path} is about other servers than {:?}, or another machine; delete it to begin anew",
                data.columns
            );
        }
        fs::write(&path, data.to_text()).expect("the data file can be written");
    }
}

impl File {
    fn comments(&self) -> Vec<String> {
        vec![
            self.about.to_owned(),
            "Written by `cargo bench --bench versus -- --write docs/pictures`".to_owned(),
            Measurements::machine_comment(&machine()),
        ]
    }
}

/// The processor, the cores and the system, in a few words.
fn machine() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> = processors
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map(|(_, model)| model.trim())
        .collect();
    let release = output_of("uname", &["-r"]);
    let release: Vec<&str> = release.split('.').take(2).collect();
    // Commas separate cells.
    let model = models.first().unwrap_or(&"unknown processor").replace(',', "");
    format!("{model}, {} cores, Linux {}", models.len(), release.join("."))
}

/// What a program of the system prints.
fn output_of(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().expect("a program of every system");
    String::from_utf8(output.stdout).expect("a text").trim_end().to_owned()
}
