//! Metrics as text for Prometheus and other collectors: its text format 0.0.4, and OpenMetrics 1.0.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>
//!
//! Both formats have families of samples, each with a type and a help. They differ in the names of
//! families, in a few types, and in the last line.

use std::fmt;
use std::io::Write as _;

/// The format of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`
    Prometheus,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics,
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    /// It only increases. The name ends with `_total`.
    Counter,
    /// It increases and decreases.
    Gauge,
    /// Its samples are in buckets.
    Histogram,
    /// Its labels say something; the value is 1. The name ends with `_info`.
    Info,
}

impl MetricType {
    /// The end of the names of its samples that OpenMetrics leaves out of the family's name.
    fn suffix(self) -> &'static str {
        match self {
            MetricType::Counter => "_total",
            MetricType::Info => "_info",
            MetricType::Gauge | MetricType::Histogram => "",
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::Info => "info",
        }
    }
}

/// All names begin with this.
pub(crate) const PREFIX: &str = "tidegate_";

/// The last line of OpenMetrics.
const END: &[u8] = b"# EOF\n";

/// A text of metrics while it is written. Writing to memory cannot fail.
pub struct Exposition<'a> {
    text: &'a mut Vec<u8>,
    format: Format,
}

impl<'a> Exposition<'a> {
    /// Goes on with a text, which may be empty, and may have been ended.
    pub fn of(text: &'a mut Vec<u8>, format: Format) -> Exposition<'a> {
        if text.ends_with(END) {
            text.truncate(text.len() - END.len());
        }
        Exposition { text, format }
    }

    /// Begins a family; its samples follow. `help` has no line end and no backslash.
    pub fn family(&mut self, name: &str, kind: MetricType, help: &str) {
        let (family, word) = match self.format {
            Format::Prometheus if kind == MetricType::Info => (name, "gauge"),
            Format::Prometheus => (name, kind.word()),
            Format::OpenMetrics => (name.strip_suffix(kind.suffix()).unwrap_or(name), kind.word()),
        };
        let _ = writeln!(self.text, "# HELP {PREFIX}{family} {help}");
        let _ = writeln!(self.text, "# TYPE {PREFIX}{family} {word}");
    }

    /// Writes a sample with these labels.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl fmt::Display) {
        self.text.extend_from_slice(PREFIX.as_bytes());
        self.text.extend_from_slice(name.as_bytes());
        for (number, (label, text)) in labels.iter().enumerate() {
            self.text.push(if number == 0 { b'{' } else { b',' });
            let _ = write!(self.text, "{label}=\"{}\"", LabelValue(text));
        }
        if !labels.is_empty() {
            self.text.push(b'}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// Writes a family with one sample, without labels.
    pub fn single(&mut self, name: &str, kind: MetricType, help: &str, value: impl fmt::Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// Ends the text.
    pub fn end(self) {
        if self.format == Format::OpenMetrics {
            self.text.extend_from_slice(END);
        }
    }
}

/// The value of a label, as both formats write it.
struct LabelValue<'a>(&'a str);

impl fmt::Display for LabelValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['\\', '"', '\n']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'\n' => "\\n",
                b'"' => "\\\"",
                _ => "\\\\",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format, write: impl FnOnce(&mut Exposition<'_>)) -> String {
        let mut text = Vec::new();
        let mut exposition = Exposition::of(&mut text, format);
        write(&mut exposition);
        exposition.end();
        String::from_utf8(text).expect("text")
    }

    #[test]
    fn the_formats_name_families_differently() {
        let write = |out: &mut Exposition<'_>| {
            out.single("pushed_total", MetricType::Counter, "Messages.", 7);
            out.family("build_info", MetricType::Info, "The version.");
            out.sample("build_info", &[("version", "1"), ("os", "a\"b\\c\nd")], 1);
            out.single("age_seconds", MetricType::Gauge, "An age.", 0.25);
        };
        let labels = r#"{version="1",os="a\"b\\c\nd"} 1"#;
        assert_eq!(
            written(Format::Prometheus, write),
            format!(
                "# HELP tidegate_pushed_total Messages.\n# TYPE tidegate_pushed_total counter\n\
                 tidegate_pushed_total 7\n\
                 # HELP tidegate_build_info The version.\n# TYPE tidegate_build_info gauge\n\
                 tidegate_build_info{labels}\n\
                 # HELP tidegate_age_seconds An age.\n# TYPE tidegate_age_seconds gauge\n\
                 tidegate_age_seconds 0.25\n"
            )
        );
        assert_eq!(
            written(Format::OpenMetrics, write),
            format!(
                "# HELP tidegate_pushed Messages.\n# TYPE tidegate_pushed counter\n\
                 tidegate_pushed_total 7\n\
                 # HELP tidegate_build The version.\n# TYPE tidegate_build info\n\
                 tidegate_build_info{labels}\n\
                 # HELP tidegate_age_seconds An age.\n# TYPE tidegate_age_seconds gauge\n\
                 tidegate_age_seconds 0.25\n# EOF\n"
            )
        );
    }

    #[test]
    fn a_text_that_was_ended_goes_on() {
        let mut text = Vec::new();
        for name in ["a", "b"] {
            let mut exposition = Exposition::of(&mut text, Format::OpenMetrics);
            exposition.sample(name, &[], 1);
            exposition.end();
        }
        assert_eq!(text, b"tidegate_a 1\ntidegate_b 1\n# EOF\n");
    }
}
