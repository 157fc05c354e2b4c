//! The queues' own metrics: the longest queues of all pages of QUEUE STATS.

use crate::exposition::Exposition;
use crate::figures::{
    EACH_QUEUE, EACH_QUEUE_COUNTS, Each, Family, QUEUES_KNOWN, QUEUES_SHOWN, is_yes,
};
use crate::keyspace::QueueSummary;
use crate::resp::Reply;
use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, HashMap};
use std::fmt::Write as _;
use thiserror::Error;

/// The label of the metrics.
const LABEL: &str = "queue";
/// The column with the name.
const NAME: &str = "name";
/// The column by which the longest are chosen.
const LENGTH: &str = "length";

/// A reply that is not a page of QUEUE STATS.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("expected a page of QUEUE STATS with the columns that are metrics")]
pub(crate) struct NotAPage;

/// A queue's length and its name. The longest is the largest; among equals, the first by name.
type Rank = (i64, Reverse<Box<[u8]>>);

/// The queues seen so far. The longest are kept, so that memory, the text and what the collector stores have a
/// limit, however many queues there are.
#[derive(Debug)]
pub(crate) struct Survey {
    shown_max: usize,
    known: u64,
    /// The shortest of the longest first.
    longest: BinaryHeap<Reverse<Rank>>,
    /// Their values by name, in the order of `figures`; `None` if not known. An iteration may return a queue
    /// twice, and a series that is there twice would be an error.
    values: HashMap<Box<[u8]>, Vec<Option<f64>>>,
}

/// The figures of a queue that are metrics.
fn figures() -> impl Iterator<Item = (&'static Each<QueueSummary>, Family)> {
    let all = EACH_QUEUE.iter().chain(EACH_QUEUE_COUNTS);
    all.filter_map(|figure| Some((figure, figure.family(Some(LABEL))?)))
}

impl Survey {
    /// Shows at most this many queues.
    pub(crate) fn new(shown_max: usize) -> Survey {
        Survey { shown_max, known: 0, longest: BinaryHeap::new(), values: HashMap::new() }
    }

    /// Adds a page. Returns the cursor of the next one; none after the last.
    ///
    /// # Errors
    /// It is another reply.
    pub(crate) fn add_page(&mut self, page: &Reply) -> Result<Option<Vec<u8>>, NotAPage> {
        let Some([cursor, Reply::Array(columns), Reply::Array(rows)]) = page.items() else {
            return Err(NotAPage);
        };
        let column = |name: &str| {
            let is_it = |column: &Reply| column.bytes() == Some(name.as_bytes());
            columns.iter().position(is_it).ok_or(NotAPage)
        };
        let (name_at, length_at) = (column(NAME)?, column(LENGTH)?);
        let places = figures().map(|(figure, _)| Ok((column(figure.name)?, figure)));
        let places = places.collect::<Result<Vec<_>, NotAPage>>()?;
        for row in rows {
            let cells = row.items().filter(|cells| cells.len() == columns.len()).ok_or(NotAPage)?;
            let name = cells[name_at].bytes().ok_or(NotAPage)?;
            let length = cells[length_at].integer().ok_or(NotAPage)?;
            if self.admit(name, length) {
                let values = places.iter().map(|(at, figure)| number(figure, &cells[*at]));
                self.values.insert(name.into(), values.collect());
            }
        }
        let cursor = cursor.bytes().ok_or(NotAPage)?;
        Ok((cursor != b"0").then(|| cursor.to_vec()))
    }

    /// Counts a queue. Returns whether it is one of the longest so far; it may have displaced another.
    fn admit(&mut self, name: &[u8], length: i64) -> bool {
        if self.values.contains_key(name) {
            return false;
        }
        self.known += 1;
        let rank = (length, Reverse(name.into()));
        if self.longest.len() >= self.shown_max {
            match self.longest.peek_mut() {
                Some(shortest) if shortest.0 < rank => {
                    self.values.remove(&shortest.0.1.0);
                    PeekMut::pop(shortest);
                }
                _ => return false,
            }
        }
        self.longest.push(Reverse(rank));
        true
    }

    /// Writes how many queues there are and how many are shown, and the metrics of these, the longest first.
    pub(crate) fn write(self, out: &mut Exposition<'_>) {
        QUEUES_KNOWN.write(out, self.known);
        QUEUES_SHOWN.write(out, self.longest.len());
        let rows = self.longest.into_sorted_vec();
        let rows = rows.iter().map(|Reverse((_, Reverse(name)))| name);
        let rows: Vec<(String, &Vec<Option<f64>>)> =
            rows.filter_map(|name| Some((distinct_text(name), self.values.get(name)?))).collect();
        for (at, (_, family)) in figures().enumerate() {
            family.begin(out);
            for (label, values) in &rows {
                if let Some(value) = values[at] {
                    out.sample(family.name, &[(LABEL, label)], value);
                }
            }
        }
    }
}

/// The value of a figure as it is in a reply, in the unit of metrics; none if it is not known.
fn number(figure: &Each<QueueSummary>, cell: &Reply) -> Option<f64> {
    match cell {
        Reply::Integer(number) => Some(*number as f64 / figure.unit.per_base_unit()),
        _ => Some(f64::from(is_yes(cell.bytes()?))),
    }
}

/// Returns bytes as text, such that different bytes are different texts. Bytes that are no UTF-8 become
/// `\xff`. So do control characters, with which no program is likely to deal well; and a backslash in
/// front of what looks like one of these.
fn distinct_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut valid = chunk.valid();
        while let Some(c) = valid.chars().next() {
            let behind = &valid[c.len_utf8()..];
            if c.is_control() || (c == '\\' && behind.starts_with('x')) {
                valid[..c.len_utf8()].bytes().for_each(|byte| push_hex(&mut text, byte));
            } else {
                text.push(c);
            }
            valid = behind;
        }
        chunk.invalid().iter().for_each(|byte| push_hex(&mut text, *byte));
    }
    text
}

fn push_hex(text: &mut String, byte: u8) {
    // Writing to a string cannot fail.
    let _ = write!(text, "\\x{byte:02x}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::Format;
    use proptest::prelude::*;

    fn bulk(bytes: impl AsRef<[u8]>) -> Reply {
        Reply::Bulk(bytes.as_ref().to_vec())
    }

    /// A page with all columns of QUEUE STATS; what is not a name or a length is 1,500.
    fn page(cursor: &str, queues: &[(&[u8], i64)]) -> Reply {
        let fields = EACH_QUEUE.iter().chain(EACH_QUEUE_COUNTS).map(|figure| figure.name);
        let names: Vec<&str> = std::iter::once(NAME).chain(fields).collect();
        let row = |(name, length): &(&[u8], i64)| {
            let cell = |column: &&str| match *column {
                NAME => bulk(name),
                LENGTH => Reply::Integer(*length),
                "policy" => Reply::Null,
                "bytes" if *length == 0 => Reply::Null,
                "paused" => bulk(if *length > 5 { "read" } else { "none" }),
                _ => Reply::Integer(1500),
            };
            Reply::Array(names.iter().map(cell).collect())
        };
        let rows = queues.iter().map(row).collect();
        Reply::Array(vec![
            bulk(cursor),
            Reply::Array(names.iter().map(bulk).collect()),
            Reply::Array(rows),
        ])
    }

    fn text_of(survey: Survey, format: Format) -> String {
        let mut text = Vec::new();
        let mut out = Exposition::of(&mut text, format);
        survey.write(&mut out);
        out.end();
        String::from_utf8(text).expect("text")
    }

    /// The queues shown, as `name length`, in their order.
    fn lengths(survey: Survey) -> Vec<String> {
        let text = text_of(survey, Format::Prometheus);
        let rows =
            text.lines().filter_map(|line| line.strip_prefix("tidegate_queue_length{queue=\""));
        rows.map(|row| row.replace("\"}", "")).collect()
    }

    #[test]
    fn pages_become_series() {
        let mut survey = Survey::new(10);
        assert_eq!(
            survey.add_page(&page("7", &[(b"jobs", 3), (b"empty", 0)])),
            Ok(Some(b"7".to_vec()))
        );
        assert_eq!(survey.add_page(&page("0", &[(b"we\"ird\n", 9)])), Ok(None));
        let text = text_of(survey, Format::Prometheus);
        for line in [
            "tidegate_queues 3",
            "tidegate_queues_shown 3",
            "# HELP tidegate_queue_length Ready messages.",
            "# TYPE tidegate_queue_length gauge",
            "tidegate_queue_length{queue=\"jobs\"} 3",
            "tidegate_queue_length{queue=\"we\\\"ird\\\\x0a\"} 9",
            "tidegate_queue_oldest_age_seconds{queue=\"jobs\"} 1.5",
            "tidegate_queue_bytes{queue=\"jobs\"} 1500",
            "tidegate_queue_paused{queue=\"jobs\"} 0",
            "tidegate_queue_paused{queue=\"we\\\"ird\\\\x0a\"} 1",
            "# TYPE tidegate_queue_pushed_total counter",
            "tidegate_queue_timed_out_total{queue=\"jobs\"} 1500",
        ] {
            assert!(text.lines().any(|own| own == line), "{line}\n{text}");
        }
        assert!(!text.contains("tidegate_queue_bytes{queue=\"empty\"}"), "not known");
        let text = text_of(Survey::new(1), Format::OpenMetrics);
        assert!(text.contains("# TYPE tidegate_queue_pushed counter\n"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn the_longest_are_kept_and_none_twice() {
        let queues: &[(&[u8], i64)] = &[(b"a", 1), (b"d", 5), (b"b", 5), (b"c", 5), (b"e", 7)];
        let mut survey = Survey::new(3);
        for queue in queues {
            assert_eq!(survey.add_page(&page("1", &[*queue])), Ok(Some(b"1".to_vec())));
        }
        assert_eq!(survey.add_page(&page("0", &[(b"e", 8)])), Ok(None));
        assert_eq!(survey.known, 5);
        assert_eq!(lengths(survey), ["e 7", "b 5", "c 5"]);
        let mut survey = Survey::new(0);
        assert_eq!(survey.add_page(&page("0", queues)), Ok(None));
        let text = text_of(survey, Format::Prometheus);
        assert!(
            text.contains("\ntidegate_queues 5\n") && text.contains("\ntidegate_queues_shown 0\n")
        );
    }

    #[test]
    fn other_replies_are_refused() {
        let mut survey = Survey::new(3);
        let short_row = |mut page: Reply| {
            if let Reply::Array(items) = &mut page {
                items[2] = Reply::Array(vec![Reply::Array(vec![bulk("q")])]);
            }
            page
        };
        for reply in [
            Reply::Null,
            Reply::Error(b"NOPERM".to_vec()),
            Reply::Array(vec![bulk("0"), Reply::Array(vec![bulk("name")]), Reply::Array(vec![])]),
            Reply::Array(vec![bulk("0"), Reply::Array(vec![])]),
            short_row(page("0", &[])),
        ] {
            assert_eq!(survey.add_page(&reply), Err(NotAPage), "{reply:?}");
        }
        assert_eq!(survey.known, 0);
    }

    #[test]
    fn bytes_become_readable_text() {
        for (bytes, expected) in [
            (&b"jobs:1"[..], "jobs:1"),
            ("größe".as_bytes(), "größe"),
            (b"a\xffb\xc3", "a\\xffb\\xc3"),
            (b"a\nb\0", "a\\x0ab\\x00"),
            (b"C:\\dir", "C:\\dir"),
            (b"\\xff", "\\x5cxff"),
            ("\u{85}".as_bytes(), "\\xc2\\x85"),
        ] {
            assert_eq!(distinct_text(bytes), expected);
        }
    }

    proptest! {
        /// The text can be turned back into the bytes.
        #[test]
        fn different_bytes_are_different_texts(
            bytes in prop::collection::vec(
                prop_oneof![any::<u8>(), Just(b'\\'), Just(b'x'), Just(b'f'), Just(0xc3)], 0..20
            ),
        ) {
            let text = distinct_text(&bytes);
            let mut rest = text.as_bytes();
            let mut back = Vec::new();
            while let Some((&first, behind)) = rest.split_first() {
                let (byte, behind) = match behind {
                    [b'x', high, low, behind @ ..] if first == b'\\' => {
                        let digits = String::from_utf8(vec![*high, *low]).expect("digits");
                        (u8::from_str_radix(&digits, 16).expect("a number"), behind)
                    }
                    _ => (first, behind),
                };
                back.push(byte);
                rest = behind;
            }
            prop_assert_eq!(back, bytes);
            prop_assert!(!text.contains(char::is_control));
        }
    }
}
