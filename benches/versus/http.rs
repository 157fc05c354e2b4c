//! The rows about HTTP: messages of 64 bytes over connections that stay open, beside the same work in
//! Redis' protocol, and beside an nginx that gives a constant response to the same requests: what HTTP costs
//! on one core at the least.

use crate::generator::Generator;
use crate::process::{self, Process};
use crate::rate::{self, Rate};
use crate::scratch::Scratch;
use crate::servers::{Kind, Server};
use crate::workload::{CONNECTIONS, Pipeline, Workload, pop, push};
use crate::{from_environment, measure_once, seconds, table};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;

const ROWS: [(&str, Workload); 6] = [
    ("HTTP: POST, pipeline 1", push("RPUSH", 64, 1)),
    ("HTTP: GET, pipeline 1", pop("LPOP", 1, 1_000_000)),
    ("HTTP: POST, pipeline 16", push("RPUSH", 64, 16)),
    ("HTTP: GET, pipeline 16", pop("LPOP", 16, 5_000_000)),
    ("HTTP: POST, pipeline 100", push("RPUSH", 64, 100)),
    ("HTTP: GET, pipeline 100", pop("LPOP", 100, 20_000_000)),
];

/// A column of the table. The others are compared with the first.
enum Column {
    Http { server: Server, address: SocketAddr },
    Resp(Server),
    Nginx { process: Process, address: SocketAddr, _scratch: Scratch },
}

pub fn run(is_wanted: impl Fn(&str) -> bool) {
    // "http" chooses all.
    let is_wanted = |name: &str| is_wanted(name) || is_wanted(&name.to_lowercase());
    let rows: Vec<_> = ROWS.iter().filter(|(name, _)| is_wanted(name)).collect();
    if rows.is_empty() {
        return;
    }
    println!("\nthousands of requests a second; in brackets the ratio of HTTP to it");
    print!("{:<width$}", "work", width = table::NAME_WIDTH);
    let has_nginx = is_nginx_installed();
    let names = ["HTTP", "RPUSH, LPOP", "nginx"];
    names[..if has_nginx { 3 } else { 2 }].iter().for_each(|name| print!("{name:>22}"));
    println!();
    for (name, workload) in rows {
        let [address] = process::free_addresses();
        let words = ["--http-port".to_owned(), address.port().to_string()];
        let server = Server::start(Kind::Tidegate, &words);
        let mut columns = vec![
            Column::Http { server, address },
            Column::Resp(Server::start(Kind::Tidegate, &[])),
        ];
        if has_nginx {
            columns.push(start_nginx());
        }
        let rates = rate::in_turns(from_environment("ROUNDS", 5), &mut columns, |column| {
            column.measure(workload)
        });
        print!("{name:<width$}", width = table::NAME_WIDTH);
        for (at, rate) in rates.iter().enumerate() {
            let ratio = match at {
                0 => String::new(),
                _ => format!(" ({:.2})", rates[0].thousands / rate.thousands),
            };
            print!("{:>22}", format!("{:.0}{}{ratio}", rate.thousands, table::mark(rate)));
        }
        println!();
    }
}

impl Column {
    fn measure(&mut self, workload: &Workload) -> Rate {
        match self {
            Column::Http { server, address } => {
                // The queue of a push may be empty, that of a pop has a message that the first request takes.
                server.prepare(workload, seconds());
                let mut generator = load(*address, workload);
                let rate = Rate::of(server.process(), || generator.run(seconds()));
                server.check(workload, generator.finish() + 1);
                rate
            }
            Column::Resp(server) => measure_once(workload, server, seconds(), || ()),
            Column::Nginx { process, address, .. } => {
                let mut generator = load(*address, workload);
                Rate::of(process, || generator.run(seconds()))
            }
        }
    }
}

/// A generator that sends the requests of the work over HTTP, after one request that shows how many lines a
/// response has.
fn load(address: SocketAddr, workload: &Workload) -> Generator {
    let method = if workload.message_bytes.is_some() { "POST" } else { "GET" };
    let mut request =
        format!("{method} /queues/queue HTTP/1.1\r\nHost: {address}\r\n").into_bytes();
    match workload.message_bytes {
        Some(bytes) => {
            write!(request, "Content-Length: {bytes}\r\n\r\n").expect("memory takes it");
            request.resize(request.len() + bytes, b'm');
        }
        None => request.extend_from_slice(b"\r\n"),
    }
    let pipeline = Pipeline {
        bytes: request.repeat(workload.pipeline),
        requests: workload.pipeline,
        lines: workload.pipeline * lines_of_response(address, &request),
    };
    Generator::connect(address, CONNECTIONS, vec![pipeline])
}

/// Sends a request; returns the number of line ends in its response, which must report success.
fn lines_of_response(address: SocketAddr, request: &[u8]) -> usize {
    let mut connection = process::connect(address);
    connection.write_all(request).expect("the server reads");
    let mut reader = BufReader::new(connection);
    let (mut lines, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("the server answers");
        assert!(lines > 0 || line.starts_with("HTTP/1.1 20"), "{line}");
        lines += 1;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the whole body");
    lines + body.iter().filter(|byte| **byte == b'\n').count()
}

fn is_nginx_installed() -> bool {
    let quiet = std::process::Stdio::null;
    let version = std::process::Command::new("nginx").arg("-v").stderr(quiet()).status();
    version.is_ok()
}

/// One process that gives all requests the same response, and writes no log of them.
fn start_nginx() -> Column {
    let ([address], scratch) = (process::free_addresses(), Scratch::new());
    let directory = scratch.path().display();
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {directory}/{name}; "))
        .concat();
    let config = format!(
        "daemon off; master_process off; worker_processes 1; pid {directory}/pid; error_log /dev/null; \
         events {{ worker_connections 1024; }} \
         http {{ {paths} access_log off; keepalive_requests 1000000000; \
         server {{ listen {address}; location / {{ \
         default_type application/json; return 200 '{{\"length\":1}}\\n'; }} }} }}"
    );
    let file = scratch.path().join("nginx.conf");
    std::fs::write(&file, config).expect("a file");
    let mut command = Process::command("nginx");
    let mut process = Process::start(command.arg("-c").arg(&file).arg("-p").arg(scratch.path()));
    process.wait_until_it_accepts(address);
    Column::Nginx { process, address, _scratch: scratch }
}
