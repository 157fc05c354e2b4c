//! The figures as metrics: one list of all families, and their text.

use super::figure::{Each, Figure, Kind, Unit, Value};
use super::histograms::{HISTOGRAMS, HistogramFigure};
use super::reading::Reading;
use super::{
    EACH_CHANNEL_POLICY, EACH_COMMAND, EACH_DATABASE, EACH_ERROR, EACH_QUEUE, EACH_QUEUE_COUNTS,
    all,
};
use crate::exposition::{Exposition, MetricType, PREFIX};
use std::fmt::{self, Write};

/// A family of metrics.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Without the prefix of all.
    pub name: &'static str,
    pub kind: MetricType,
    /// The label that distinguishes its samples; none if it has one sample.
    pub label: Option<&'static str>,
    /// One sentence of explanation.
    pub help: &'static str,
}

/// The version, in a label.
pub static BUILD_INFO: Family = Family {
    name: "build_info",
    kind: MetricType::Info,
    label: Some("version"),
    help: "The version of Tidegate.",
};

/// How many queues there are.
pub static QUEUES_KNOWN: Family = Family {
    name: "queues",
    kind: MetricType::Gauge,
    label: None,
    help: "Queues that the user of this request may see.",
};

/// How many queues have metrics of their own.
pub static QUEUES_SHOWN: Family = Family {
    name: "queues_shown",
    kind: MetricType::Gauge,
    label: None,
    help: "Of these queues, those with metrics of their own: the longest.",
};

impl Family {
    /// Begins the family; its samples follow.
    pub fn begin(&self, out: &mut Exposition<'_>) {
        out.family(self.name, self.kind, self.help);
    }

    /// Writes the family with its only sample.
    pub fn write(&self, out: &mut Exposition<'_>, value: impl fmt::Display) {
        self.begin(out);
        out.sample(self.name, &[], value);
    }
}

impl<R> Figure<R> {
    /// The figure as a metric; none if it is not one.
    pub fn family(&self, label: Option<&'static str>) -> Option<Family> {
        let kind = match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge | Kind::Text => MetricType::Gauge,
        };
        let &Figure { metric: name, help, .. } = self;
        (!name.is_empty()).then_some(Family { name, kind, label, help })
    }
}

impl HistogramFigure {
    fn family(&self) -> Family {
        let &HistogramFigure { metric: name, help, .. } = self;
        Family { name, kind: MetricType::Histogram, label: None, help }
    }
}

/// All families, in the order of the texts.
pub fn families() -> Vec<Family> {
    fn each<T>(figures: &'static [Each<T>], label: &'static str) -> impl Iterator<Item = Family> {
        figures.iter().filter_map(move |figure| figure.family(Some(label)))
    }
    let mut found = vec![BUILD_INFO];
    found.extend(all().filter_map(|figure| figure.family(None)));
    found.extend(HISTOGRAMS.iter().map(HistogramFigure::family));
    found.extend(each(EACH_COMMAND, "command"));
    found.extend(each(EACH_ERROR, "code"));
    found.extend(each(EACH_DATABASE, "db"));
    found.extend(each(EACH_CHANNEL_POLICY, "policy"));
    found.extend([QUEUES_KNOWN, QUEUES_SHOWN]);
    found.extend(each(EACH_QUEUE, "queue"));
    found.extend(each(EACH_QUEUE_COUNTS, "queue"));
    found
}

/// All families as a Markdown table.
pub fn metrics_markdown() -> String {
    let mut text = String::from("| metric | type | label | what it is |\n|---|---|---|---|\n");
    for Family { name, kind, label, help } in families() {
        let label = label.map(|label| format!("`{label}`")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `{PREFIX}{name}` | {} | {label} | {help} |", kind.word());
    }
    text
}

/// Writes the version, the figures of the whole broker, and the histograms.
pub(crate) fn write_all(out: &mut Exposition<'_>, reading: &Reading<'_>) {
    BUILD_INFO.begin(out);
    out.sample(BUILD_INFO.name, &[("version", env!("CARGO_PKG_VERSION"))], 1);
    for figure in all() {
        let Some(family) = figure.family(None) else { continue };
        if let Some(number) = number(figure.unit, &(figure.read)(reading)) {
            family.write(out, number);
        }
    }
    HISTOGRAMS.iter().for_each(|histogram| write_histogram(out, histogram, reading));
}

/// Writes figures of several things, each thing with its name as the value of `label`.
pub(crate) fn write_each<'a, T: 'a, N: AsRef<str>>(
    out: &mut Exposition<'_>,
    figures: &'static [Each<T>],
    label: &'static str,
    things: impl Iterator<Item = (N, &'a T)>,
) {
    let things: Vec<(N, &T)> = things.collect();
    for figure in figures {
        let Some(family) = figure.family(Some(label)) else { continue };
        family.begin(out);
        for (name, thing) in &things {
            if let Some(number) = number(figure.unit, &(figure.read)(thing)) {
                out.sample(family.name, &[(label, name.as_ref())], number);
            }
        }
    }
}

fn write_histogram(out: &mut Exposition<'_>, figure: &HistogramFigure, reading: &Reading<'_>) {
    let family = figure.family();
    family.begin(out);
    let per_unit = figure.unit.per_base_unit();
    let counts = (figure.read)(reading);
    let bucket = format!("{}_bucket", family.name);
    for (border, below) in counts.borders() {
        // As OpenMetrics has it, with a decimal point.
        let border = format!("{:?}", border as f64 / per_unit);
        out.sample(&bucket, &[("le", &border)], below);
    }
    out.sample(&bucket, &[("le", "+Inf")], counts.total());
    out.sample(&format!("{}_sum", family.name), &[], counts.sum() as f64 / per_unit);
    out.sample(&format!("{}_count", family.name), &[], counts.total());
}

/// A value as a metric; none if it is not known.
fn number(unit: Unit, value: &Value<'_>) -> Option<f64> {
    let number = match value {
        Value::Count(count) => *count as f64,
        Value::Signed(number) => *number as f64,
        Value::Part(part) => *part,
        Value::Seconds(us) => *us as f64 / 1e6,
        Value::Text(text) => f64::from(is_yes(text.as_bytes())),
        Value::Unknown => return None,
    };
    Some(number / unit.per_base_unit())
}

/// What a text means that is shown as 1 or 0.
pub fn is_yes(text: &[u8]) -> bool {
    !matches!(text, b"err" | b"none")
}
