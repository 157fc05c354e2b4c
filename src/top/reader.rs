//! Reads samples from a broker, and connects again after a failure.

use super::connection::{Connection, Failure};
use super::reading::{Info, Page, SECTIONS, Sample};
use super::target::Target;
use std::time::Instant;

/// Queues that one request visits. The broker is busy with it for far less than a millisecond.
const PAGE_QUEUES: &str = "200";
/// Pages of one sample at most: ten thousand queues. If there are more, the next sample continues there.
const PAGES_MAX: usize = 50;

/// What reads samples.
pub struct Reader {
    target: Target,
    pattern: Option<String>,
    began: Instant,
    connection: Option<Connection>,
    /// Where the next page begins; `None` for the first page.
    cursor: Option<Vec<u8>>,
}

impl Reader {
    /// Reads from a broker, only queues whose names match the pattern.
    pub fn new(target: Target, pattern: Option<String>) -> Reader {
        Reader { target, pattern, began: Instant::now(), connection: None, cursor: None }
    }

    /// The next sample. After a failure the next one begins with a new connection.
    ///
    /// # Errors
    /// A failure that says what to do, if we know.
    pub fn read(&mut self) -> Result<Sample, Failure> {
        let is_first = self.connection.is_none();
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.target)
                .map_err(|failure| explained(failure, &self.target))?,
        };
        if is_first {
            self.cursor = None;
        }
        let mut sample = Sample { is_first, ..Sample::default() };
        self.fill(&mut connection, &mut sample)
            .map_err(|failure| explained(failure, &self.target))?;
        self.connection = Some(connection);
        Ok(sample)
    }

    fn fill(&mut self, connection: &mut Connection, sample: &mut Sample) -> Result<(), Failure> {
        let info = connection.ask(&[&["INFO"], &SECTIONS[..]].concat())?;
        sample.info = Info::parse(info.bytes().unwrap_or_default());
        sample.at = self.began.elapsed();
        for _ in 0..PAGES_MAX {
            let reply = match connection.ask(&self.request()) {
                Err(Failure::Refused(reason)) if reason.starts_with("LOADING ") => {
                    sample.notice = Some("the broker is loading its append files".to_owned());
                    return Ok(());
                }
                reply => reply?,
            };
            let page = Page::parse(&reply).ok_or_else(|| {
                Failure::Refused("expected a page of queues as the reply to QUEUE STATS".to_owned())
            })?;
            sample.rows.extend(page.rows);
            self.cursor = page.next;
            if self.cursor.is_none() {
                sample.ends_round = true;
                break;
            }
        }
        Ok(())
    }

    fn request(&self) -> Vec<Vec<u8>> {
        let cursor = self.cursor.clone().unwrap_or_else(|| b"0".to_vec());
        let mut words = vec![b"QUEUE".to_vec(), b"STATS".to_vec(), cursor];
        words.extend([b"COUNT".to_vec(), PAGE_QUEUES.as_bytes().to_vec()]);
        let pattern = self.pattern.as_ref().map(|pattern| pattern.as_bytes().to_vec());
        words.extend(pattern.into_iter().flat_map(|pattern| [b"MATCH".to_vec(), pattern]));
        words
    }
}

/// A refusal, with what to do about it.
fn explained(failure: Failure, target: &Target) -> Failure {
    let Failure::Refused(reason) = &failure else { return failure };
    let code = reason.split(' ').next().unwrap_or_default();
    let advice = match code {
        "NOAUTH" => "give --user and --pass, a URL, or the variable REDISCLI_AUTH".to_owned(),
        "WRONGPASS" => "is it the right --user and --pass?".to_owned(),
        "NOPERM" => {
            let user = target.user.as_deref().unwrap_or("default");
            format!("this needs: ACL SETUSER {user} +info +queue|stats %R~*")
        }
        "ERR" if reason.contains("unknown ") => {
            "this is no Tidegate, or one that has no QUEUE STATS yet".to_owned()
        }
        _ => return failure,
    };
    Failure::Refused(format!("{reason} ({advice})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    const EMPTY_PAGE: &str = "*3\r\n$1\r\n0\r\n*2\r\n+name\r\n+length\r\n*0\r\n";
    const INFO: &str = "$16\r\nloading:0\r\na:1\r\n\r\n";

    /// A broker that gives these replies, and then closes. It returns the requests.
    fn answering(replies: &[&'static str]) -> (Target, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let mut target = Target::default();
        target.address.set_port(&port.to_string()).expect("a port");
        let replies = replies.to_vec();
        let serve = move || {
            let stream = listener.accept().expect("a client").0;
            stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
            let mut stream = BufReader::new(stream);
            let answer = |reply: &&str| {
                let mut line = || {
                    let mut line = String::new();
                    stream.read_line(&mut line).expect("a line");
                    line.trim_end().to_owned()
                };
                let count: usize = line()[1..].parse().expect("the number of words");
                let words: Vec<String> = (0..count).map(|_| (line(), line()).1).collect();
                stream.get_mut().write_all(reply.as_bytes()).expect("the client reads");
                words.join(" ")
            };
            replies.iter().map(answer).collect()
        };
        (target, thread::spawn(serve))
    }

    fn failure(replies: &[&'static str]) -> String {
        let (target, _server) = answering(replies);
        let failure = Reader::new(target, None).read().expect_err("a failure");
        assert!(matches!(failure, Failure::Refused(_)), "{failure:?}");
        failure.reason().to_owned()
    }

    #[test]
    fn pages_are_read_to_their_end() {
        let page = "*3\r\n$2\r\n17\r\n*2\r\n+name\r\n+length\r\n*1\r\n*2\r\n+a\r\n:5\r\n";
        let (mut target, server) =
            answering(&["+OK\r\n", "+OK\r\n", "+OK\r\n", INFO, page, EMPTY_PAGE, INFO, EMPTY_PAGE]);
        (target.user, target.password, target.db) = (Some("u".into()), Some("p".into()), 2);
        let mut reader = Reader::new(target, Some("a*".to_owned()));
        let sample = reader.read().expect("a sample");
        assert!(sample.is_first && sample.ends_round && sample.notice.is_none());
        assert_eq!(sample.rows.iter().map(|row| row.length).collect::<Vec<_>>(), [5]);
        assert_eq!(sample.info.number("a"), Some(1));
        let sample = reader.read().expect("another sample");
        assert!(!sample.is_first && sample.rows.is_empty());
        let info = "INFO server clients memory persistence stats";
        let expected = [
            "AUTH u p",
            "SELECT 2",
            "CLIENT SETNAME tidegate-top",
            info,
            "QUEUE STATS 0 COUNT 200 MATCH a*",
            "QUEUE STATS 17 COUNT 200 MATCH a*",
            info,
            "QUEUE STATS 0 COUNT 200 MATCH a*",
        ];
        assert_eq!(server.join().expect("the server"), expected);
        // It is gone now, and so is its port.
        let lost = reader.read().expect_err("closed");
        assert_eq!(lost, Failure::Lost("the broker has closed the connection".to_owned()));
        let lost = reader.read().expect_err("nobody listens");
        assert!(lost.reason().starts_with("cannot connect to 127.0.0.1:"), "{lost:?}");
    }

    #[test]
    fn a_sample_has_a_limited_number_of_pages() {
        let page = "*3\r\n$1\r\n9\r\n*2\r\n+name\r\n+length\r\n*0\r\n";
        let replies = [&["+OK\r\n", INFO][..], &[page; PAGES_MAX], &[INFO, EMPTY_PAGE]].concat();
        let (target, server) = answering(&replies);
        let mut reader = Reader::new(target, None);
        assert!(!reader.read().expect("a part").ends_round);
        assert!(reader.read().expect("the rest").ends_round);
        let requests = server.join().expect("the server");
        assert_eq!(requests.last().map(String::as_str), Some("QUEUE STATS 9 COUNT 200"));
    }

    #[test]
    fn refusals_say_what_to_do() {
        let noauth = failure(&["-NOAUTH Authentication required.\r\n", "-NOAUTH x\r\n"]);
        assert_eq!(
            noauth,
            "NOAUTH x (give --user and --pass, a URL, or the variable REDISCLI_AUTH)"
        );
        let noperm = failure(&["+OK\r\n", INFO, "-NOPERM no permissions\r\n"]);
        assert!(noperm.ends_with("(this needs: ACL SETUSER default +info +queue|stats %R~*)"));
        for reply in
            ["-ERR unknown command 'QUEUE', with\r\n", "-ERR unknown subcommand 'STATS'\r\n"]
        {
            let error = failure(&["+OK\r\n", INFO, reply]);
            assert!(error.ends_with("(this is no Tidegate, or one that has no QUEUE STATS yet)"));
        }
        let other = failure(&["+OK\r\n", INFO, "+PONG\r\n"]);
        assert!(other.starts_with("expected a page of queues"), "{other}");
    }

    #[test]
    fn while_the_broker_loads_there_is_info() {
        let loading = "-LOADING Redis is loading the dataset in memory\r\n";
        let (target, _server) = answering(&[loading, INFO, loading]);
        let sample = Reader::new(target, None).read().expect("a sample");
        assert!(sample.notice.is_some() && !sample.ends_round);
    }
}
