//! The tables of `docs/benchmarks.md` that are made from the data files in `docs/pictures`.

use super::data;
use crate::measurements::{Measurements, with_commas};

const OURS: &str = "Tidegate";
const REDIS: &str = "redis-server";

/// Rates; behind each Redis the ratio of our rate to it.
pub fn throughput_table() -> String {
    let data = data("throughput");
    let mut servers = data.versions_of(REDIS);
    servers.reverse();
    let mut head = vec!["work", OURS];
    servers.iter().for_each(|server| head.extend([server, "ratio"]));
    head.push("bare loop");
    let (work, pipeline) = (data.column("work"), data.column("pipeline"));
    let rows = data.rows.iter().map(|row| {
        let rate = |server: &str| data.figure(row, server);
        let mut cells =
            vec![format!("{}, pipeline {}", row[work], row[pipeline]), cell(rate(OURS))];
        for server in &servers {
            let ratio = rate(OURS).zip(rate(server)).map(|(ours, theirs)| ours / theirs);
            let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
            cells.extend([cell(rate(server)), ratio]);
        }
        cells.push(cell(rate("bare loop")));
        cells
    });
    table(&head, rows)
}

/// Bytes of memory for each message.
pub fn memory_table() -> String {
    let data = data("memory");
    let mut servers = data.versions_of(REDIS);
    servers.reverse();
    let head = [&["queues", "messages in each", OURS], &servers[..]].concat();
    let rows = data.rows.iter().map(|row| cells(&data, row, &head));
    table(&head, rows)
}

fn cells(data: &Measurements, row: &[String], columns: &[&str]) -> Vec<String> {
    columns.iter().map(|column| cell(data.figure(row, column))).collect()
}

/// Empty where nothing was measured.
fn cell(figure: Option<f64>) -> String {
    figure.map_or_else(String::new, with_commas)
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| {
        let cells = cells
            .iter()
            .map(|cell| if cell.is_empty() { " |".to_owned() } else { format!(" {cell} |") });
        format!("|{}\n", cells.collect::<String>())
    };
    let names: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    let rule = format!("|{}\n", "---|".repeat(head.len()));
    let rows: String = rows.map(|cells| line(&cells)).collect();
    line(&names) + &rule + &rows
}
