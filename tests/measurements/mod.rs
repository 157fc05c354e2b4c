//! A data file of `docs/pictures`: comments, the names of the columns, and rows of figures. The bench
//! `versus` writes such files, and the tests of documents draw pictures and make tables from them.

// Each user needs a part of this.
#![allow(dead_code)]

use std::collections::BTreeSet;

/// The column with the day on which a row was measured.
pub const MEASURED: &str = "measured";
/// Begins the comment that describes the machine.
const MACHINE: &str = "Machine: ";

/// The content of a data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurements {
    pub comments: Vec<String>,
    pub columns: Vec<String>,
    /// A cell for each column; an empty one was not measured.
    pub rows: Vec<Vec<String>>,
}

impl Measurements {
    /// Reads a data file; the error says what was expected.
    pub fn parse(text: &str) -> Result<Measurements, String> {
        let mut lines = text.lines().peekable();
        let mut comments = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with('#')) {
            comments.push(line.trim_start_matches('#').trim().to_owned());
        }
        let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
        let columns = cells(lines.next().ok_or("expected a line with the names of the columns")?);
        let rows: Vec<_> = lines.map(cells).collect();
        match rows.iter().find(|row| row.len() != columns.len()) {
            Some(row) => Err(format!("expected {} cells: {row:?}", columns.len())),
            None => Ok(Measurements { comments, columns, rows }),
        }
    }

    pub fn to_text(&self) -> String {
        let comments = self.comments.iter().map(|comment| format!("# {comment}\n"));
        let lines = std::iter::once(&self.columns).chain(&self.rows);
        let lines = lines.map(|cells| cells.join(",") + "\n");
        comments.chain(lines).collect()
    }

    /// Adds the rows of an older file that were not measured again. A row is identified by its cells
    /// before the day. False if the older file is about other servers or another machine; then nothing
    /// is added.
    pub fn keep_from(&mut self, older: &Measurements) -> bool {
        if older.columns != self.columns || older.comments != self.comments {
            return false;
        }
        let names = self.columns.iter().position(|column| column == MEASURED).unwrap_or(0);
        let mut newer = std::mem::take(&mut self.rows);
        for row in &older.rows {
            let again = newer.iter().position(|other| other[..names] == row[..names]);
            self.rows.push(again.map_or_else(|| row.clone(), |at| newer.remove(at)));
        }
        self.rows.append(&mut newer);
        true
    }

    /// The position of a column.
    pub fn column(&self, name: &str) -> usize {
        let at = self.columns.iter().position(|column| column == name);
        at.unwrap_or_else(|| panic!("no column {name} among {:?}", self.columns))
    }

    /// The names of the columns that begin with this, the newest version first.
    pub fn versions_of(&self, program: &str) -> Vec<&str> {
        let columns = self.columns.iter().map(String::as_str);
        let mut versions: Vec<&str> =
            columns.filter(|column| column.starts_with(program)).collect();
        let numbers = |name: &str| -> Vec<u32> {
            name[program.len()..].trim().split('.').filter_map(|part| part.parse().ok()).collect()
        };
        versions.sort_by_key(|name| std::cmp::Reverse(numbers(name)));
        versions
    }

    /// A figure; none if it was not measured.
    pub fn figure(&self, row: &[String], column: &str) -> Option<f64> {
        let cell = &row[self.column(column)];
        let parse = || cell.parse().unwrap_or_else(|_| panic!("expected a number: {cell}"));
        (!cell.is_empty()).then(parse)
    }

    pub fn machine(&self) -> &str {
        self.comments.iter().find_map(|comment| comment.strip_prefix(MACHINE)).unwrap_or_default()
    }

    /// The comment that `machine` reads.
    pub fn machine_comment(machine: &str) -> String {
        format!("{MACHINE}{machine}")
    }

    /// The days on which these rows were measured, in words.
    pub fn days<'a>(&self, rows: impl Iterator<Item = &'a Vec<String>>) -> String {
        let at = self.column(MEASURED);
        let days: BTreeSet<&str> = rows.map(|row| row[at].as_str()).collect();
        let mut months: Vec<(String, Vec<&str>)> = Vec::new();
        for (day, month) in days.into_iter().map(day_and_month) {
            match months.last_mut() {
                Some((last, days)) if *last == month => days.push(day),
                _ => months.push((month, vec![day])),
            }
        }
        let months =
            months.into_iter().map(|(month, days)| format!("{} {month}", days.join(" and ")));
        months.collect::<Vec<_>>().join(" and ")
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A day such as `2026-11-29`, as `29` and `November 2026`.
fn day_and_month(day: &str) -> (&str, String) {
    let parts: Vec<&str> = day.split('-').collect();
    let month = parts.get(1).and_then(|month| month.parse::<usize>().ok());
    match (&parts[..], month.and_then(|month| MONTHS.get(month.checked_sub(1)?))) {
        ([year, _, day], Some(month)) => (day.trim_start_matches('0'), format!("{month} {year}")),
        _ => panic!("expected a day such as 2026-11-29: {day}"),
    }
}

/// A number as documents write it, with commas between thousands.
pub fn with_commas(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
