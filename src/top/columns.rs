//! The columns of the table: what each shows, and how it sorts.

use super::queues::Queue;
use super::text;
use std::cmp::Ordering;

/// A column.
pub struct Column {
    /// For `--sort` and the head of the screen; in upper case the head of the column.
    pub name: &'static str,
    /// The key that sorts by it.
    pub key: char,
    /// Columns of the terminal.
    pub width: usize,
    /// Columns of a lower rank are left out first, where the screen is too narrow.
    pub rank: u8,
    /// Whether the text begins at the left. Numbers end at the right.
    pub is_text: bool,
    /// What the screen shows.
    pub shown: fn(&Queue) -> String,
    /// What a script reads: whole numbers in the smallest unit.
    pub plain: fn(&Queue) -> String,
    /// The order in which people look at it first.
    pub order: fn(&Queue, &Queue) -> Ordering,
}

/// The column of a count.
macro_rules! count {
    ($name:literal, $key:literal, $width:literal, $rank:literal, $field:ident) => {
        Column {
            name: $name,
            key: $key,
            width: $width,
            rank: $rank,
            is_text: false,
            shown: |queue| queue.row.$field.to_string(),
            plain: |queue| queue.row.$field.to_string(),
            order: |a, b| b.row.$field.cmp(&a.row.$field),
        }
    };
}

/// The column of a rate.
macro_rules! rate {
    ($name:literal, $key:literal, $rank:literal, $field:ident) => {
        Column {
            name: $name,
            key: $key,
            width: 8,
            rank: $rank,
            is_text: false,
            shown: |queue| queue.rates.$field.map_or_else(unknown, text::rate),
            plain: |queue| queue.rates.$field.map_or_else(unknown, |rate| format!("{rate:.1}")),
            order: |a, b| descending(a.rates.$field, b.rates.$field),
        }
    };
}

/// The column of a text.
macro_rules! text {
    ($name:literal, $key:literal, $width:literal, $rank:literal, $read:expr) => {
        Column {
            name: $name,
            key: $key,
            width: $width,
            rank: $rank,
            is_text: true,
            shown: |queue| $read(queue).to_owned(),
            plain: |queue| word($read(queue)),
            order: |a, b| empty_last($read(a), $read(b)),
        }
    };
}

/// All columns, from left to right. The first is as wide as the screen allows.
pub const ALL: &[Column] = &[
    Column {
        name: "name",
        key: 'n',
        width: 20,
        rank: 12,
        is_text: true,
        shown: |queue| queue.row.name.clone(),
        plain: |queue| word(&queue.row.name),
        order: |a, b| a.row.name.cmp(&b.row.name),
    },
    count!("length", 'l', 10, 11, length),
    rate!("in", 'i', 10, stored),
    rate!("out", 'o', 9, delivered),
    rate!("net", 't', 8, net),
    Column {
        name: "oldest",
        key: 'a',
        width: 7,
        rank: 7,
        is_text: false,
        shown: |queue| queue.row.oldest_age_ms.map_or_else(unknown, text::time_ms),
        plain: |queue| queue.row.oldest_age_ms.map_or_else(unknown, |ms| ms.to_string()),
        order: |a, b| b.row.oldest_age_ms.cmp(&a.row.oldest_age_ms),
    },
    count!("in-flight", 'f', 9, 6, in_flight),
    count!("delayed", 'd', 8, 3, delayed),
    count!("consumers", 'c', 9, 5, consumers),
    count!("producers", 'p', 9, 2, producers),
    text!("paused", 'u', 6, 4, paused),
    text!("policy", 'y', 14, 1, policy),
];

/// Sorted by length at first: what is longest needs attention.
pub const DEFAULT: usize = 1;

/// The column of this name.
pub fn find(name: &str) -> Option<usize> {
    ALL.iter().position(|column| column.name == name)
}

impl Column {
    /// The head of the column.
    pub fn head(&self) -> String {
        match self.name {
            "in" | "out" | "net" => format!("{}/S", self.name.to_uppercase()),
            name => name.to_uppercase(),
        }
    }
}

fn paused(queue: &Queue) -> &str {
    Some(queue.row.paused.as_str()).filter(|paused| *paused != "none").unwrap_or_default()
}

fn policy(queue: &Queue) -> &str {
    queue.row.policy.as_deref().unwrap_or_default()
}

/// What is not known.
fn unknown() -> String {
    "-".to_owned()
}

/// A text as one word, so that a script finds the columns.
fn word(text: &str) -> String {
    match text {
        "" => unknown(),
        text => text.replace(char::is_whitespace, "\\x20"),
    }
}

fn descending(a: Option<f64>, b: Option<f64>) -> Ordering {
    let value = |rate: Option<f64>| rate.unwrap_or(f64::NEG_INFINITY);
    value(b).total_cmp(&value(a))
}

fn empty_last(a: &str, b: &str) -> Ordering {
    a.is_empty().cmp(&b.is_empty()).then_with(|| a.cmp(b))
}
