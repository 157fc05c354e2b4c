//! The example `flash_sale` over time: requests that arrive, the queue, and what workers take.

use super::svg::{Anchor, HEADING, LABEL, MARGIN, NOTE, Picture, TITLE, WIDTH};
use crate::measurements::{Measurements, with_commas};

const LEFT: f64 = MARGIN + 40.0;
const RIGHT: f64 = WIDTH - MARGIN - 12.0;
/// The top of each panel, and its height.
const ARRIVALS: [f64; 2] = [124.0, 100.0];
const WAITING: [f64; 2] = [288.0, 110.0];
const ENDS: [f64; 2] = [468.0, 150.0];
const HEIGHT: f64 = 656.0;
const SECOND_MS: f64 = 1000.0;
/// Rows are this far apart, each in the middle of a tick.
const TICK_MS: f64 = 100.0;
/// Between two bars.
const GAP: f64 = 1.5;

/// A moment of the sale; counts are since the start.
struct Row {
    ms: f64,
    accepted: f64,
    refused: f64,
    waiting: f64,
    sold: f64,
    told_sold_out: f64,
    too_late: f64,
}

/// A chart of the picture, whose scales end with these values.
struct Panel {
    top: f64,
    height: f64,
    max: f64,
    ms_max: f64,
}

impl Panel {
    fn x(&self, ms: f64) -> f64 {
        LEFT + ms / self.ms_max * (RIGHT - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - value / self.max)
    }

    fn draw(&self, picture: &mut Picture, marks: &[f64]) {
        for mark in marks {
            let class = if *mark == 0.0 { "axis" } else { "grid" };
            picture.line(class, [LEFT, self.y(*mark)], [RIGHT, self.y(*mark)]);
            let at = [LEFT - 8.0, self.y(*mark) + 4.0];
            picture.text(NOTE, at, Anchor::End, &with_commas(*mark));
        }
        let seconds = (self.ms_max / SECOND_MS).floor() as usize;
        for second in 0..=seconds {
            let x = self.x(second as f64 * SECOND_MS);
            picture.line("axis", [x, self.y(0.0)], [x, self.y(0.0) + 4.0]);
            let name = if second == 0 { "0 s".to_owned() } else { second.to_string() };
            picture.text(NOTE, [x, self.y(0.0) + 17.0], Anchor::Middle, &name);
        }
    }

    /// Areas of parts, one above the other.
    fn areas(&self, picture: &mut Picture, rows: &[Row], parts: &[Part]) {
        let mut sums = vec![0.0; rows.len()];
        for (class, count) in parts {
            let at = |row: &Row, sum: f64| [self.x(row.ms), self.y(sum)];
            let mut points: Vec<_> =
                rows.iter().zip(&sums).map(|(row, sum)| at(row, *sum)).collect();
            points.insert(0, [self.x(0.0), self.y(0.0)]);
            for (row, sum) in rows.iter().zip(&mut sums).rev() {
                *sum += count(row);
                assert!(*sum <= self.max, "{sum} needs a longer axis");
            }
            points.extend(rows.iter().zip(&sums).rev().map(|(row, sum)| at(row, *sum)));
            picture.area(class, &points);
        }
    }

    /// A bar for each row: what was added since the row before, one part above the other.
    fn bars(&self, picture: &mut Picture, rows: &[Row], parts: &[Part]) {
        for (at, row) in rows.iter().enumerate() {
            let (left, right) = (self.x(at as f64 * TICK_MS), self.x((at + 1) as f64 * TICK_MS));
            let mut sum = 0.0;
            for (class, count) in parts {
                let former = at.checked_sub(1).map_or(0.0, |at| count(&rows[at]));
                let added = count(row) - former;
                let (top, bottom) = (self.y(sum + added), self.y(sum));
                if added > 0.0 {
                    picture.rect(class, [left, top], [right - left - GAP, bottom - top]);
                }
                sum += added;
            }
            assert!(sum <= self.max, "{sum} needs a longer axis");
        }
    }
}

/// The colour of a part, and its count in a row.
type Part = (&'static str, fn(&Row) -> f64);

pub fn draw(data: &Measurements) -> Picture {
    let rows = read(data);
    let last = rows.last().expect("a sale");
    let limit = data.figure(&data.rows[0], "waiting at most").expect("a limit");
    let mut picture = Picture::new(HEIGHT, "A flash sale over time", &description(last, limit));
    picture.text(TITLE, [MARGIN, 34.0], Anchor::Start, "A flash sale");
    for (comment, y) in data.comments.iter().zip([54.0, 71.0]) {
        picture.text(NOTE, [MARGIN, y], Anchor::Start, comment);
    }
    let panel = |[top, height]: [f64; 2], max| Panel { top, height, max, ms_max: last.ms };
    let sent = |row: &Row| row.accepted + row.refused;
    let most = rows.windows(2).map(|pair| sent(&pair[1]) - sent(&pair[0])).fold(500.0, f64::max);
    draw_arrivals(&mut picture, &rows, &panel(ARRIVALS, most));
    draw_waiting(&mut picture, &rows, &panel(WAITING, limit * 1.1), limit);
    draw_ends(&mut picture, &rows, &panel(ENDS, last.accepted.max(1500.0)));
    picture
}

fn read(data: &Measurements) -> Vec<Row> {
    let row = |row: &Vec<String>| {
        let figure = |name| data.figure(row, name).expect("a count");
        Row {
            ms: figure("ms"),
            accepted: figure("accepted"),
            refused: figure("refused"),
            waiting: figure("waiting"),
            sold: figure("sold"),
            told_sold_out: figure("told sold out"),
            too_late: figure("too late"),
        }
    };
    data.rows.iter().map(row).collect()
}

/// The name of a panel, and at the right its colours, with their counts.
fn heading(picture: &mut Picture, panel: &Panel, text: &str, legend: &[(&str, &str, f64)]) {
    let y = panel.top - 18.0;
    picture.text(HEADING, [MARGIN, y], Anchor::Start, text);
    let names = legend.iter().map(|(_, name, count)| format!("{name}: {}", with_commas(*count)));
    let names: Vec<String> = names.collect();
    let colours = legend.iter().map(|(class, ..)| *class);
    let entries: Vec<_> = colours.zip(names.iter().map(String::as_str)).collect();
    picture.legend_until([RIGHT, y], &entries);
}

fn draw_arrivals(picture: &mut Picture, rows: &[Row], panel: &Panel) {
    let last = rows.last().expect("a sale");
    let legend = [("ours", "accepted", last.accepted), ("older", "refused at once", last.refused)];
    heading(picture, panel, "Arriving, per tenth of a second", &legend);
    panel.draw(picture, &[0.0, 250.0, 500.0]);
    panel.bars(picture, rows, &[("ours", |row| row.accepted), ("older", |row| row.refused)]);
}

fn draw_waiting(picture: &mut Picture, rows: &[Row], panel: &Panel, limit: f64) {
    heading(picture, panel, "Waiting in the queue", &[]);
    panel.draw(picture, &[0.0, 500.0, 1000.0]);
    panel.areas(picture, rows, &[("light", |row| row.waiting)]);
    let [left, right] = [panel.x(0.0), panel.x(panel.ms_max)];
    picture.line("mark dashed", [left, panel.y(limit)], [right, panel.y(limit)]);
    let text = format!("limit: max-length {limit}");
    picture.text(NOTE, [RIGHT, panel.y(limit) - 7.0], Anchor::End, &text);
}

fn draw_ends(picture: &mut Picture, rows: &[Row], panel: &Panel) {
    let last = rows.last().expect("a sale");
    let legend = [
        ("ours", "got an item", last.sold),
        ("light", "told that none is left", last.told_sold_out),
        ("warm", "waited too long", last.too_late),
    ];
    heading(picture, panel, "Accepted so far, and done", &legend);
    panel.draw(picture, &[0.0, 500.0, 1000.0, 1500.0]);
    let not_done: fn(&Row) -> f64 =
        |row| row.accepted - row.sold - row.told_sold_out - row.too_late;
    let parts: &[Part] = &[
        ("ours", |row| row.sold),
        ("light", |row| row.told_sold_out),
        ("warm", |row| row.too_late),
        ("pale", not_done),
    ];
    panel.areas(picture, rows, parts);
    let row = &rows[rows.len() / 3];
    let middle = panel.y(row.accepted - not_done(row) / 2.0);
    let text = "waiting or with a worker";
    picture.text(LABEL, [panel.x(row.ms), middle + 4.0], Anchor::Middle, text);
}

fn description(last: &Row, limit: f64) -> String {
    let Row { ms, accepted, refused, sold, told_sold_out, too_late, .. } = last;
    let count = |number: &f64| with_commas(*number);
    format!(
        "{} requests arrive within two seconds. The queue holds at most {}, so {} are refused at once and \
         {} are accepted. Workers handle them at an even rate until {:.1} s: {} get an item, {} learn that \
         nothing is left. {} waited for longer than two seconds and are dead-lettered.",
        count(&(accepted + refused)),
        count(&limit),
        count(refused),
        count(accepted),
        ms / SECOND_MS,
        count(sold),
        count(told_sold_out),
        count(too_late)
    )
}
