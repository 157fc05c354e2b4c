//! What the broker says about itself and its queues: INFO, and pages of QUEUE STATS.

use super::text::printable;
use std::collections::HashMap;
use std::time::Duration;
use tidegate::Reply;

/// The sections of INFO that are shown.
pub const SECTIONS: [&str; 5] = ["server", "clients", "memory", "persistence", "stats"];

/// The fields of INFO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    fields: HashMap<String, String>,
}

impl Info {
    /// Reads the text of INFO.
    pub fn parse(text: &[u8]) -> Info {
        let text = String::from_utf8_lossy(text);
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), printable(value.as_bytes())));
        Info { fields: pairs.collect() }
    }

    /// A field as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// A field as a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// Whether a field is 1.
    pub fn is_on(&self, name: &str) -> bool {
        self.text(name) == Some("1")
    }
}

/// A queue as one row of QUEUE STATS shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The name, printable.
    pub name: String,
    /// The name of its policy, printable.
    pub policy: Option<String>,
    /// Messages that are ready.
    pub length: u64,
    /// How long the oldest message has waited, where that is known.
    pub oldest_age_ms: Option<u64>,
    /// Messages that are delivered and not acknowledged.
    pub in_flight: u64,
    /// Messages that are not ready yet.
    pub delayed: u64,
    /// Consumers that wait for a message.
    pub consumers: u64,
    /// Producers that wait for capacity.
    pub producers: u64,
    /// `none`, `read`, `write` or `all`.
    pub paused: String,
    /// Messages stored so far; only counted under a policy.
    pub pushed: Option<u64>,
    /// Messages delivered so far, likewise.
    pub delivered: Option<u64>,
}

/// A page of QUEUE STATS.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// The cursor of the next page; `None` behind the last one.
    pub next: Option<Vec<u8>>,
    /// The queues.
    pub rows: Vec<Row>,
}

impl Page {
    /// Reads a reply. `None` if it has another shape. Fields may come in any order, and more may come.
    pub fn parse(reply: &Reply) -> Option<Page> {
        let [cursor, names, rows] = reply.items()? else { return None };
        let cursor = cursor.bytes()?;
        let names: Vec<&[u8]> = names.items()?.iter().map(Reply::bytes).collect::<Option<_>>()?;
        let at = |name: &str| names.iter().position(|other| *other == name.as_bytes());
        let places = Places {
            name: at("name")?,
            length: at("length")?,
            policy: at("policy"),
            oldest_age_ms: at("oldest-age-ms"),
            in_flight: at("in-flight"),
            delayed: at("delayed"),
            consumers: at("consumers-waiting"),
            producers: at("producers-waiting"),
            paused: at("paused"),
            pushed: at("pushed"),
            delivered: at("delivered"),
        };
        let rows = rows.items()?.iter().map(|row| places.row(row.items()?));
        let next = (cursor != b"0").then(|| cursor.to_vec());
        Some(Page { next, rows: rows.collect::<Option<_>>()? })
    }
}

/// The places of the fields in a row.
struct Places {
    name: usize,
    length: usize,
    policy: Option<usize>,
    oldest_age_ms: Option<usize>,
    in_flight: Option<usize>,
    delayed: Option<usize>,
    consumers: Option<usize>,
    producers: Option<usize>,
    paused: Option<usize>,
    pushed: Option<usize>,
    delivered: Option<usize>,
}

impl Places {
    fn row(&self, fields: &[Reply]) -> Option<Row> {
        let number = |at: Option<usize>| u64::try_from(fields.get(at?)?.integer()?).ok();
        let text = |at: Option<usize>| Some(printable(fields.get(at?)?.bytes()?));
        let policy = text(self.policy);
        // Without a policy nothing is counted, and the counts are zero.
        let count = |at| policy.as_ref().and_then(|_| number(at));
        Some(Row {
            name: text(Some(self.name))?,
            length: number(Some(self.length))?,
            oldest_age_ms: number(self.oldest_age_ms),
            in_flight: number(self.in_flight).unwrap_or(0),
            delayed: number(self.delayed).unwrap_or(0),
            consumers: number(self.consumers).unwrap_or(0),
            producers: number(self.producers).unwrap_or(0),
            paused: text(self.paused).unwrap_or_default(),
            pushed: count(self.pushed),
            delivered: count(self.delivered),
            policy,
        })
    }
}

/// What was read at one time.
#[derive(Debug, Default)]
pub struct Sample {
    /// The time since the program began.
    pub at: Duration,
    /// Whether it is the first one of a connection: counters may have begun anew.
    pub is_first: bool,
    /// INFO.
    pub info: Info,
    /// The next queues.
    pub rows: Vec<Row>,
    /// Whether all queues have been read once more.
    pub ends_round: bool,
    /// Why there are no queues now.
    pub notice: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate::ReplyParser;

    /// A page as it is sent: one queue under a policy, one without.
    const PAGE: &str = "*3\r\n$1\r\n7\r\n*13\r\n$4\r\nname\r\n$6\r\npolicy\r\n$6\r\nlength\r\n$5\r\nbytes\r\n\
        $13\r\noldest-age-ms\r\n$9\r\nin-flight\r\n$7\r\ndelayed\r\n$17\r\nconsumers-waiting\r\n\
        $17\r\nproducers-waiting\r\n$6\r\npaused\r\n$13\r\npaused-for-ms\r\n$6\r\npushed\r\n\
        $9\r\ndelivered\r\n*2\r\n\
        *13\r\n$1\r\nq\r\n$1\r\np\r\n:1\r\n:1\r\n:250\r\n:2\r\n:3\r\n:4\r\n:5\r\n$4\r\nread\r\n_\r\n:20\r\n:19\r\n\
        *13\r\n$2\r\n\x1bc\r\n$-1\r\n:7\r\n$-1\r\n$-1\r\n:0\r\n:0\r\n:0\r\n:0\r\n$4\r\nnone\r\n$-1\r\n:0\r\n:0\r\n";

    fn reply(text: &str) -> Reply {
        let mut parser = ReplyParser::default();
        parser.feed(text.as_bytes());
        parser.next_reply().expect("a reply").expect("whole")
    }

    #[test]
    fn a_page_is_read_by_the_names_of_its_fields() {
        let page = Page::parse(&reply(PAGE)).expect("a page");
        assert_eq!(page.next.as_deref(), Some(&b"7"[..]));
        let governed = Row {
            name: "q".into(),
            policy: Some("p".into()),
            length: 1,
            oldest_age_ms: Some(250),
            in_flight: 2,
            delayed: 3,
            consumers: 4,
            producers: 5,
            paused: "read".into(),
            pushed: Some(20),
            delivered: Some(19),
        };
        let plain =
            Row { name: "\\x1bc".into(), length: 7, paused: "none".into(), ..Row::default() };
        assert_eq!(page.rows, [governed, plain]);
        // Another order, and nothing but what is needed.
        let page = Page::parse(&reply(
            "*3\r\n$1\r\n0\r\n*2\r\n+length\r\n+name\r\n*1\r\n*2\r\n:3\r\n+x\r\n",
        ));
        let row = Row { name: "x".into(), length: 3, ..Row::default() };
        assert_eq!(page, Some(Page { next: None, rows: vec![row] }));
    }

    #[test]
    fn another_reply_is_no_page() {
        for text in [
            "+OK\r\n",
            "*2\r\n$1\r\n0\r\n*0\r\n",
            "*3\r\n$1\r\n0\r\n*1\r\n+name\r\n*0\r\n",
            "*3\r\n$1\r\n0\r\n*2\r\n+name\r\n+length\r\n*1\r\n*1\r\n+x\r\n",
            "*3\r\n$1\r\n0\r\n*2\r\n+name\r\n+length\r\n*1\r\n*2\r\n+x\r\n:-3\r\n",
            "*3\r\n:0\r\n*2\r\n+name\r\n:1\r\n*0\r\n",
        ] {
            assert_eq!(Page::parse(&reply(text)), None, "{text:?}");
        }
    }

    #[test]
    fn info_has_numbers_and_texts() {
        let info = Info::parse(
            b"# Server\r\ntidegate_version:0.1.0\r\nloading:1\r\nx:\x1b[\r\n\r\nport:7\r\n",
        );
        assert_eq!(info.text("tidegate_version"), Some("0.1.0"));
        assert_eq!((info.number("port"), info.number("tidegate_version")), (Some(7), None));
        assert!(info.is_on("loading") && !info.is_on("nothing"));
        assert_eq!(info.text("x"), Some("\\x1b["));
    }
}
