//! Any bytes, in any pieces: what comes back is a sequence of whole responses, the same however the bytes
//! are split, and little is kept.

use tidegate::{Broker, HttpProbe, NoHost, Now, Peer, Settings};

const HEAD_BYTES_MAX: usize = 1024;
const BODY_BYTES_MAX: usize = 4096;
/// Turns until a connection must be at rest.
const TURNS_MAX: usize = 10_000;

/// What a user may not do here: read what depends on how bytes arrive, or on the process.
const DENIED: &str =
    "-@admin -@dangerous -client -memory -metrics -latency -slowlog -command -acl|genpass";

struct Site {
    broker: Broker,
    http: HttpProbe,
    now: Now,
    /// What the peer got.
    got: Vec<u8>,
    is_open: bool,
}

impl Site {
    fn new(flags: u8) -> Site {
        let mut lines = format!(
            "http-header-bytes-max {HEAD_BYTES_MAX}\nhttp-headers-max 16\nhttp-body-bytes-max {BODY_BYTES_MAX}\n\
             http-pipeline-max 4\nhttp-push-paths \"/queue jobs\"\n\
             queue-policy p q* delivery at-least-once acknowledge explicit\n\
             queue-policy b b* max-length 1 overflow block\n\
             user alice on >a ~a* &a* +@all {DENIED}\n"
        );
        let password = if flags & 1 == 0 { "nopass" } else { ">p" };
        lines += &format!("user default on {password} ~* &* +@all {DENIED}\n");
        if flags & 2 != 0 {
            lines += "http-allowed-origins *\nhttp-hosts *\n";
        }
        let settings = Settings::from_text(&lines, "test").expect("settings");
        let now = Now::default();
        let mut broker = Broker::new(settings, 7, Box::new(NoHost), now);
        let addr = ([127, 0, 0, 1], 9).into();
        let http = HttpProbe::connect(&mut broker, 0, Peer::Tcp { addr, laddr: addr, fd: 3 }, now);
        Site { broker, http, now, got: Vec::new(), is_open: true }
    }

    /// Runs turns until nothing happens without input or time.
    fn come_to_rest(&mut self) {
        for _ in 0..TURNS_MAX {
            self.broker.settle(self.now);
            while self.broker.next_resumed().is_some() {}
            while self.broker.next_dirty(self.now).is_some() {}
            let bytes = self.http.turn(&mut self.broker, self.now);
            self.got.extend_from_slice(&bytes);
            assert!(self.http.request_bytes() <= HEAD_BYTES_MAX + BODY_BYTES_MAX + 2048 + 512);
            while let Some((id, reason)) = self.broker.next_closing() {
                self.broker.disconnect(id, reason, self.now);
                self.is_open = false;
            }
            if !self.is_open
                || bytes.is_empty()
                    && !self.http.has_work(&self.broker)
                    && !self.broker.has_backlog()
            {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    /// Sends bytes in pieces, and lets time pass when something waits.
    fn send(&mut self, mut bytes: &[u8], mut piece: impl FnMut() -> usize) {
        while self.is_open && !bytes.is_empty() {
            let (now, later) = bytes.split_at(piece().clamp(1, 2048).min(bytes.len()));
            if self.http.receive(&mut self.broker, now, self.now) {
                bytes = later;
            } else {
                // A long poll is followed by requests that are not read.
                let Some(wait) = self.broker.next_deadline(self.now) else { return };
                self.pass_us(wait.as_micros() as u64 + 1);
            }
            self.come_to_rest();
        }
        // What was read before a long poll is answered behind it.
        while self.is_open
            && self.http.is_waiting()
            && let Some(wait) = self.broker.next_deadline(self.now)
        {
            self.pass_us(wait.as_micros() as u64 + 1);
            self.come_to_rest();
        }
    }

    fn pass_us(&mut self, us: u64) {
        self.now = self.now.plus_us(us);
    }
}

/// A byte of flags, one for the sizes of pieces, then what the peer sends.
pub fn check(data: &[u8]) {
    let [flags, seed, bytes @ ..] = data else { return };
    let mut whole = Site::new(*flags);
    whole.come_to_rest();
    whole.send(bytes, || usize::MAX);
    let mut split = Site::new(*flags);
    let mut random = u64::from(*seed);
    split.send(bytes, || {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match seed % 4 {
            0 => 1,
            1 => 1 + (random >> 61) as usize,
            _ => 1 + (random >> 56) as usize,
        }
    });
    assert_eq!(
        without_permissions(&whole.got).escape_ascii().to_string(),
        without_permissions(&split.got).escape_ascii().to_string(),
        "{}",
        bytes.escape_ascii()
    );
    assert_eq!(whole.is_open, split.is_open);
    // A response to HEAD has the length of a body that does not come.
    let has_head = bytes.windows(4).any(|word| word == b"HEAD");
    if !has_head {
        whole_responses(&without_permissions(&whole.got));
    }
    whole.broker.check_invariants();
    split.broker.check_invariants();
}

/// Whether a client waits for the permission to send its body is seen from how its bytes arrive.
fn without_permissions(got: &[u8]) -> Vec<u8> {
    const PERMISSION: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    let (mut rest, mut kept) = (got, Vec::with_capacity(got.len()));
    while let Some((first, behind)) = rest.split_first() {
        match rest.strip_prefix(PERMISSION) {
            Some(behind) => rest = behind,
            None => {
                kept.push(*first);
                rest = behind;
            }
        }
    }
    kept
}

/// Panics on anything but responses, each complete.
fn whole_responses(mut rest: &[u8]) {
    while !rest.is_empty() {
        let end =
            rest.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("the end of a head");
        let head = str::from_utf8(&rest[..end]).expect("a head is text");
        rest = &rest[end + 4..];
        let mut lines = head.split("\r\n");
        let first = lines.next().expect("a line");
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status: u16 = status.and_then(|digits| digits.parse().ok()).expect("a status");
        assert!((200..600).contains(&status), "{first}");
        let (mut length, mut is_stream, mut is_json) = (None, false, false);
        for line in lines {
            let (name, value) =
                line.split_once(": ").unwrap_or_else(|| panic!("{line:?} in {head:?}"));
            assert!(
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
                "{line:?}"
            );
            assert!(!value.contains(['\r', '\n', '\0']), "{line:?}");
            match name {
                "Content-Length" => {
                    assert!(length.replace(value.parse::<usize>().expect("a length")).is_none());
                }
                "Content-Type" if value == "text/event-stream" => is_stream = true,
                "Content-Type" if value == "application/json" => is_json = true,
                _ => {}
            }
        }
        if is_stream {
            assert_eq!((status, length), (200, None));
            return events(rest);
        }
        assert_eq!(length.is_none(), status == 204, "{head}");
        let (body, behind) = rest.split_at_checked(length.unwrap_or(0)).expect("a whole body");
        rest = behind;
        if is_json {
            let text = str::from_utf8(body).expect("JSON is text");
            assert!(text.starts_with('{') && text.ends_with("}\n"), "{text:?}");
        }
    }
}

fn events(stream: &[u8]) {
    let text = str::from_utf8(stream).expect("events are text");
    assert!(text.ends_with("\n\n"), "{text:?}");
    for line in text.lines().filter(|line| !line.is_empty()) {
        let is_known = [":", "data: ", "event: "].iter().any(|start| line.starts_with(start));
        assert!(is_known, "{line:?}");
    }
}
