//! Everything that the broker counts and measures about itself, in tables by subject. INFO, MEMORY STATS,
//! QUEUE INFO and the metrics show these figures, each in its own order and under its own names.
//!
//! A figure is a row: its name, its name as a metric, its kind (counter, gauge or text), its unit, a sentence
//! of help, and how to compute it from the state. A value that needs a walk over all keys or clients is no figure.
//! Figures of each of several things, such as each command, are in separate tables whose names begin
//! with `EACH`.

mod acknowledgement;
mod channels;
mod clients;
mod commands;
mod figure;
mod files;
mod histograms;
mod keys;
mod memory;
mod metrics;
mod queues;
mod reading;
mod replication;
mod server;
#[cfg(test)]
mod tests;

pub use channels::EACH_CHANNEL_POLICY;
pub use commands::{EACH_COMMAND, EACH_ERROR};
pub use figure::{Each, Figure, FromBroker, Kind, Unit, Value};
pub use histograms::{HISTOGRAMS, HistogramFigure};
pub use keys::{DatabaseSize, EACH_DATABASE, EACH_DATABASE_BYTES};
pub use metrics::{
    BUILD_INFO, Family, QUEUES_KNOWN, QUEUES_SHOWN, families, is_yes, metrics_markdown,
};
pub(crate) use metrics::{write_all, write_each};
pub use queues::{EACH_QUEUE, EACH_QUEUE_COUNTS, QUEUE_SUMS, QUEUES};
pub use reading::Reading;

/// The figures of the whole broker.
static TABLES: &[&[Figure]] = &[
    server::FIGURES,
    clients::FIGURES,
    commands::FIGURES,
    memory::FIGURES,
    keys::FIGURES,
    QUEUES,
    QUEUE_SUMS,
    channels::FIGURES,
    files::FIGURES,
    replication::FIGURES,
    acknowledgement::FIGURES,
];

/// The figures of the whole broker, in the order of the tables.
pub fn all() -> impl Iterator<Item = &'static Figure> {
    TABLES.iter().copied().flatten()
}

/// The figure of this name, looked up at compile time: an unknown name does not compile.
pub(crate) const fn named(name: &str) -> &'static Figure {
    let mut table = 0;
    while table < TABLES.len() {
        let figures = TABLES[table];
        let mut row = 0;
        while row < figures.len() {
            if is_same(figures[row].name, name) {
                return &figures[row];
            }
            row += 1;
        }
        table += 1;
    }
    panic!("there is no figure of this name")
}

/// `==` for compile time.
const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}
