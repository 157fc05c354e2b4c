//! All that the broker counts and measures of itself, in tables by subject. INFO and MEMORY STATS show
//! these figures; they say in which order and under which names.
//!
//! A figure is a row: its name, whether it is a counter, a gauge or a text, its unit, a sentence of help, and
//! how it is found from the state. What walks all keys or all clients is no figure. Figures that each of
//! several things has, such as each command, stand in a table of their own whose name begins with `EACH`.

mod channels;
mod clients;
mod commands;
mod figure;
mod files;
mod keys;
mod memory;
mod queues;
mod reading;
mod server;
#[cfg(test)]
mod tests;

pub use channels::EACH_CHANNEL_POLICY;
pub use commands::{EACH_COMMAND, EACH_ERROR};
pub use figure::{Each, Figure, FromBroker, Kind, Unit, Value};
pub use keys::{DatabaseSize, EACH_DATABASE, EACH_DATABASE_BYTES};
pub use queues::FIGURES as QUEUES;
pub use reading::Reading;

/// The figures of the whole broker.
static TABLES: &[&[Figure]] = &[
    server::FIGURES,
    clients::FIGURES,
    commands::FIGURES,
    memory::FIGURES,
    keys::FIGURES,
    queues::FIGURES,
    channels::FIGURES,
    files::FIGURES,
];

/// The figures of the whole broker, in the order of the tables.
pub fn all() -> impl Iterator<Item = &'static Figure> {
    TABLES.iter().copied().flatten()
}

/// The figure of this name. It is looked up while the program is compiled: a name that no table has is an
/// error there.
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

/// `==`, which does not run while the program is compiled.
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
