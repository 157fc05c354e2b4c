//! Rates of the usual commands beside redis-server: a panel for each pipeline, with a scale of its own.

use super::svg::{
    Anchor, HEADING, INSIDE, LABEL, MARGIN, NOTE, Picture, STRONG, TITLE, VALUE, WIDTH,
};
use crate::measurements::{Measurements, with_commas};
use std::fmt::Write;

const OURS: &str = "Tidegate";
const LIMIT: &str = "bare loop";
const COMMANDS: &[&str] = &["RPUSH", "LPOP", "PUBLISH", "SET", "GET"];
/// A pipeline, and the marks of the axis.
const PANELS: &[(usize, &[f64])] = &[
    (1, &[0.0, 100.0, 200.0]),
    (16, &[0.0, 1_000.0, 2_000.0, 3_000.0]),
    (100, &[0.0, 10_000.0, 20_000.0]),
];

const TOP: f64 = 132.0;
const BAR: f64 = 14.0;
const BAR_STEP: f64 = 16.0;
/// Between the groups of two commands.
const GROUP_GAP: f64 = 16.0;
const NAMES_WIDTH: f64 = 78.0;
const PANEL_STEP: f64 = (WIDTH - 2.0 * MARGIN - NAMES_WIDTH + 20.0) / 3.0;
/// The longest bar, and the right end of the ratios. A bar that is nearly as long has its value between.
const LONGEST: f64 = 156.0;
const RATIOS: f64 = 203.0;

pub fn draw(data: &Measurements) -> Picture {
    let servers = data.versions_of("redis-server");
    assert!(servers.len() <= 2, "there are colours for two of {servers:?}");
    let group = BAR_STEP * (servers.len() + 1) as f64 + GROUP_GAP;
    let bottom = TOP + group * COMMANDS.len() as f64 - GROUP_GAP / 2.0;
    let mut picture = Picture::new(
        bottom + 78.0,
        "Throughput of Tidegate and redis-server",
        &description(data, &servers),
    );
    picture.text(TITLE, [MARGIN, 34.0], Anchor::Start, "Thousands of operations per second");
    let conditions = "requests one at a time or in a pipeline; 50 connections, messages of 64 bytes, a core for each server";
    picture.text(NOTE, [MARGIN, 54.0], Anchor::Start, conditions);
    legend(&mut picture, &servers);
    for (at, command) in COMMANDS.iter().enumerate() {
        let middle = TOP + group * at as f64 + (group - GROUP_GAP) / 2.0;
        picture.text(HEADING, [MARGIN, middle + 4.0], Anchor::Start, command);
    }
    for (at, (pipeline, marks)) in PANELS.iter().enumerate() {
        let left = MARGIN + NAMES_WIDTH + PANEL_STEP * at as f64;
        let rows: Vec<_> = COMMANDS.iter().map(|name| row(data, name, *pipeline)).collect();
        let limits = rows.iter().filter_map(|row| data.figure(row, LIMIT));
        let scale = LONGEST / limits.fold(0.0, f64::max);
        axis(&mut picture, [left, bottom], scale, marks);
        let heading = match pipeline {
            1 => "one at a time".to_owned(),
            more => format!("{more} at a time"),
        };
        picture.text(HEADING, [left, TOP - 12.0], Anchor::Start, &heading);
        picture.text(NOTE, [left + RATIOS, TOP - 12.0], Anchor::End, "ratio");
        for (at, row) in rows.into_iter().enumerate() {
            bars(&mut picture, data, row, &servers, [left, TOP + group * at as f64], scale);
        }
    }
    let days = data.days(
        PANELS
            .iter()
            .flat_map(|(pipeline, _)| COMMANDS.iter().map(move |name| row(data, name, *pipeline))),
    );
    let note =
        "ratio: Tidegate's rate divided by that of the other server. The three scales differ.";
    picture.text(NOTE, [MARGIN, bottom + 44.0], Anchor::Start, note);
    let note = format!("Measured on {days}: {}.", data.machine());
    picture.text(NOTE, [MARGIN, bottom + 61.0], Anchor::Start, &note);
    picture
}

fn row<'a>(data: &'a Measurements, command: &str, pipeline: usize) -> &'a Vec<String> {
    let (work, column) = (data.column("work"), data.column("pipeline"));
    let is_it = |row: &&Vec<String>| row[work] == command && row[column] == pipeline.to_string();
    let found = data.rows.iter().find(is_it);
    found.unwrap_or_else(|| panic!("throughput.csv has no row for {command} at {pipeline}"))
}

/// The class of a server's bars.
fn class(at: usize) -> &'static str {
    ["newer", "older"][at]
}

fn legend(picture: &mut Picture, servers: &[&str]) {
    let mut entries = vec![("ours", OURS)];
    entries.extend(servers.iter().enumerate().map(|(at, server)| (class(at), *server)));
    let x = picture.legend([MARGIN, 84.0], &entries);
    picture.line("mark", [x + 5.0, 73.0], [x + 5.0, 87.0]);
    let limit = "bare loop, which only answers: the limit that sockets set";
    picture.text(LABEL, [x + 14.0, 84.0], Anchor::Start, limit);
}

fn axis(picture: &mut Picture, [left, bottom]: [f64; 2], scale: f64, marks: &[f64]) {
    for mark in marks {
        let x = left + mark * scale;
        let class = if *mark == 0.0 { "axis" } else { "grid" };
        picture.line(class, [x, TOP - 4.0], [x, bottom]);
        picture.text(NOTE, [x, bottom + 16.0], Anchor::Middle, &with_commas(*mark));
    }
}

/// The bars of one command, from this corner.
fn bars(
    picture: &mut Picture,
    data: &Measurements,
    row: &[String],
    servers: &[&str],
    [left, top]: [f64; 2],
    scale: f64,
) {
    let ours = data.figure(row, OURS).expect("our own rate");
    picture.rect("ours", [left, top], [ours * scale, BAR]);
    let end = left + ours * scale - 5.0;
    picture.text(INSIDE, [end, top + 11.0], Anchor::End, &with_commas(ours));
    if let Some(limit) = data.figure(row, LIMIT) {
        let x = left + limit * scale;
        picture.line("mark", [x, top - 2.0], [x, top + BAR + 2.0]);
    }
    for (at, server) in servers.iter().enumerate() {
        let top = top + BAR_STEP * (at + 1) as f64;
        let Some(theirs) = data.figure(row, server) else {
            picture.text(NOTE, [left + 5.0, top + 11.0], Anchor::Start, "not measured");
            continue;
        };
        picture.rect(class(at), [left, top], [theirs * scale, BAR]);
        let (x, value) = (left + theirs * scale + 5.0, with_commas(theirs));
        picture.text(VALUE, [x, top + 11.0], Anchor::Start, &value);
        let ratio = format!("{:.2}×", ours / theirs);
        picture.text(STRONG, [left + RATIOS, top + 11.0], Anchor::End, &ratio);
    }
}

fn description(data: &Measurements, servers: &[&str]) -> String {
    let mut text =
        "Tidegate's thousands of operations per second, and how many times as fast it is:"
            .to_owned();
    for (pipeline, _) in PANELS {
        write!(text, " With {pipeline} at a time:").expect("a string");
        for command in COMMANDS {
            let row = row(data, command, *pipeline);
            let ours = data.figure(row, OURS).expect("our own rate");
            write!(text, " {command} {}", with_commas(ours)).expect("a string");
            for server in servers {
                if let Some(theirs) = data.figure(row, server) {
                    write!(text, ", {:.2} times {server}", ours / theirs).expect("a string");
                }
            }
            text.push(';');
        }
        text.pop();
        text.push('.');
    }
    text
}
