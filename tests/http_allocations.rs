//! A message that comes and goes over HTTP costs no allocation of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tidegate::{Server, Settings};

/// Those of all threads: the server has one of its own.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: the system's allocator does all of it; counting does not touch the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MESSAGES: usize = 4_000;
/// Buffers that are freed once in a while, and made anew.
const ALLOCATIONS_MAX: u64 = MESSAGES as u64 / 10;

#[test]
fn a_message_over_http_costs_no_allocation() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = free.expect("a free port").port();
    let settings = format!("port 0\nbind 127.0.0.1\nhttp-port {port}\nhttp-bind 127.0.0.1");
    let settings = Settings::from_text(&settings, "the test's settings").expect("valid settings");
    let server = Server::bind(settings).expect("it listens");
    let address = server.http_addrs()[0];
    let server = server.spawn().expect("a thread");

    let mut connection = TcpStream::connect(address).expect("the server listens");
    connection.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    connection.set_nodelay(true).expect("nodelay");
    let message = "m".repeat(64);
    let host = "Host: localhost\r\nUser-Agent: a test\r\nAccept: */*";
    // The queue keeps these, so that all responses are alike, and the queue is there all the time.
    let messages = format!("{message}\n").repeat(1000);
    let length = messages.len();
    let fill = format!(
        "POST /queues/jobs HTTP/1.1\r\n{host}\r\nContent-Type: application/x-ndjson\r\n\
         Content-Length: {length}\r\n\r\n{messages}"
    );
    connection.write_all(fill.as_bytes()).expect("the server reads");
    read_until(&mut connection, "{\"length\":1000}\n");
    let pair = format!(
        "POST /queues/jobs HTTP/1.1\r\n{host}\r\nContent-Length: 64\r\n\r\n{message}\
         GET /queues/jobs HTTP/1.1\r\n{host}\r\n\r\n"
    );
    connection.write_all(pair.as_bytes()).expect("the server reads");
    let responses = read_until(&mut connection, &message);
    assert!(responses.starts_with(b"HTTP/1.1 202 "), "{}", responses.escape_ascii());

    for pairs_at_once in [1, 16, 50] {
        let requests = pair.repeat(pairs_at_once);
        let mut got = vec![0; pairs_at_once * responses.len()];
        let mut ask = || {
            connection.write_all(requests.as_bytes()).expect("the server reads");
            connection.read_exact(&mut got).expect("the server answers");
            assert!(got.chunks(responses.len()).all(|pair| pair == responses));
        };
        ask();
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        (0..MESSAGES / pairs_at_once).for_each(|_| ask());
        let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
        assert!(
            allocations <= ALLOCATIONS_MAX,
            "{allocations} allocations for {MESSAGES} messages, {pairs_at_once} at once"
        );
    }
    server.stop().expect("it stops");
}

fn read_until(connection: &mut TcpStream, end: &str) -> Vec<u8> {
    let (mut got, mut piece) = (Vec::new(), [0; 1000]);
    while !got.ends_with(end.as_bytes()) {
        let read = connection.read(&mut piece).expect("the server answers");
        assert!(read > 0, "the server has closed the connection");
        got.extend_from_slice(&piece[..read]);
    }
    got
}
