//! The printed table: a row for each measurement, a column for each server.

use crate::rate::Rate;
use crate::servers::Kind;
use std::sync::atomic::{AtomicBool, Ordering};

/// Width of the names' column.
pub const NAME_WIDTH: usize = 48;
/// Marks a rate that the generator limited.
const MARK: &str = "*";

/// Whether a rate was marked, so that the mark must be explained.
static IS_MARKED: AtomicBool = AtomicBool::new(false);

pub fn print_head(title: &str, kinds: &[Kind]) {
    println!("\n{title}; in brackets the ratio to redis-server");
    print!("{:<NAME_WIDTH$}", "work");
    kinds.iter().for_each(|kind| print!("{:>22}", kind.name()));
    println!();
}

pub fn print_row(name: &str, kinds: &[Kind], values: &[f64], decimals: usize) {
    let values: Vec<_> = values.iter().map(|value| (*value, "")).collect();
    print_marked(name, kinds, &values, decimals);
}

/// A row of rates; those that say less about the server than about the generator are marked.
pub fn print_rates(name: &str, kinds: &[Kind], rates: &[Rate], decimals: usize) {
    let values: Vec<_> = rates.iter().map(|rate| (rate.thousands, mark(rate))).collect();
    print_marked(name, kinds, &values, decimals);
}

/// The mark of a rate; `print_footnote` explains it.
pub fn mark(rate: &Rate) -> &'static str {
    if !rate.server_had_time_to_spare() {
        return "";
    }
    IS_MARKED.store(true, Ordering::Relaxed);
    MARK
}

/// Explains the mark, if a rate has it.
pub fn print_footnote() {
    if IS_MARKED.load(Ordering::Relaxed) {
        println!("\n{MARK} the server had time to spare: the generator was the limit");
    }
}

fn print_marked(name: &str, kinds: &[Kind], values: &[(f64, &str)], decimals: usize) {
    let redis = kinds.iter().position(|kind| *kind == Kind::Redis).map(|at| values[at].0);
    print!("{name:<NAME_WIDTH$}");
    for (value, mark) in values {
        let ratio = redis.map(|redis| format!(" ({:.2})", value / redis)).unwrap_or_default();
        print!("{:>22}", format!("{value:.decimals$}{mark}{ratio}"));
    }
    println!();
}
