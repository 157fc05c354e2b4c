//! Bytes of memory for each message, for few long queues and many short ones.

use super::svg::{Anchor, LABEL, MARGIN, NOTE, Picture, STRONG, TITLE, VALUE, WIDTH};
use crate::measurements::{Measurements, with_commas};
use std::fmt::Write;

const OURS: &str = "Tidegate";
const MESSAGE_BYTES: f64 = 64.0;
const MARKS: &[f64] = &[0.0, 20.0, 40.0, 60.0, 80.0, 100.0, 120.0];

const TOP: f64 = 124.0;
const BAR: f64 = 14.0;
const BAR_STEP: f64 = 16.0;
const GROUP_GAP: f64 = 16.0;
const GROUP: f64 = 2.0 * BAR_STEP + GROUP_GAP;
const NAMES_WIDTH: f64 = 180.0;
/// The bytes at the right end of the axis.
const BYTES_MAX: f64 = 135.0;
const SCALE: f64 = (WIDTH - 2.0 * MARGIN - NAMES_WIDTH) / BYTES_MAX;
const LEFT: f64 = MARGIN + NAMES_WIDTH;

pub fn draw(data: &Measurements) -> Picture {
    // The older one is in the table.
    let redis = data.versions_of("redis-server").into_iter().next().expect("a redis-server");
    let bottom = TOP + GROUP * data.rows.len() as f64 - GROUP_GAP / 2.0;
    let mut picture = Picture::new(
        bottom + 66.0,
        "Memory of a message in Tidegate and redis-server",
        &description(data, redis),
    );
    let title = "Bytes of memory per message of 64 bytes";
    picture.text(TITLE, [MARGIN, 34.0], Anchor::Start, title);
    let conditions =
        "resident memory, with everything that a queue and its key take; less is better";
    picture.text(NOTE, [MARGIN, 54.0], Anchor::Start, conditions);
    let servers = [("ours", OURS), ("newer", redis)];
    picture.legend([MARGIN, 84.0], &servers);
    for mark in MARKS {
        let x = LEFT + mark * SCALE;
        let class = if *mark == 0.0 { "axis" } else { "grid" };
        picture.line(class, [x, TOP - 8.0], [x, bottom]);
        picture.text(NOTE, [x, bottom + 16.0], Anchor::Middle, &with_commas(*mark));
    }
    let x = LEFT + MESSAGE_BYTES * SCALE;
    picture.line("mark dashed", [x, TOP - 12.0], [x, bottom]);
    picture.text(NOTE, [x, TOP - 18.0], Anchor::Middle, "the message itself");
    for (at, row) in data.rows.iter().enumerate() {
        let top = TOP + GROUP * at as f64;
        let middle = top + (GROUP - GROUP_GAP) / 2.0;
        picture.text(LABEL, [MARGIN, middle + 4.0], Anchor::Start, &shape(data, row));
        for (at, (class, server)) in servers.iter().enumerate() {
            let bytes = data.figure(row, server);
            bar(&mut picture, class, top + BAR_STEP * at as f64, bytes);
        }
    }
    let note = format!(
        "Pushed one by one, to each queue in turn. Measured on {}: {}.",
        data.days(data.rows.iter()),
        data.machine()
    );
    picture.text(NOTE, [MARGIN, bottom + 46.0], Anchor::Start, &note);
    picture
}

fn bar(picture: &mut Picture, class: &str, top: f64, bytes: Option<f64>) {
    let Some(bytes) = bytes else {
        return picture.text(NOTE, [LEFT + 5.0, top + 11.0], Anchor::Start, "not measured");
    };
    assert!(bytes < BYTES_MAX, "{bytes} bytes need a longer axis");
    picture.rect(class, [LEFT, top], [bytes * SCALE, BAR]);
    let x = LEFT + MESSAGE_BYTES * SCALE;
    picture.line("cut", [x, top], [x, top + BAR]);
    let font = if class == "ours" { STRONG } else { VALUE };
    let at = [LEFT + bytes * SCALE + 5.0, top + 11.0];
    picture.text(font, at, Anchor::Start, &with_commas(bytes));
}

/// The number of queues and of messages in each, in words.
fn shape(data: &Measurements, row: &[String]) -> String {
    let count = |column| data.figure(row, column).expect("a count");
    let (queues, messages) = (count("queues"), count("messages in each"));
    let word = if queues == 1.0 { "queue" } else { "queues" };
    format!("{} {word} of {}", with_commas(queues), with_commas(messages))
}

fn description(data: &Measurements, redis: &str) -> String {
    let mut text = "Resident bytes for each message of 64 bytes.".to_owned();
    for row in &data.rows {
        write!(text, " {}:", shape(data, row)).expect("a string");
        for server in [OURS, redis] {
            if let Some(bytes) = data.figure(row, server) {
                write!(text, " {server} {},", with_commas(bytes)).expect("a string");
            }
        }
        text.pop();
        text.push('.');
    }
    text
}
