//! The rows about TLS: rates over encrypted connections, and the memory of idle ones.

use crate::generator::Generator;
use crate::line::Line;
use crate::process;
use crate::rate::{self, Rate};
use crate::scratch::Scratch;
use crate::servers::{Kind, Server};
use crate::table::{print_head, print_rates, print_row};
use crate::tls_support::{Authority, client_config};
use crate::workload::{CONNECTIONS, Workload, pop, push};
use crate::{from_environment, seconds};
use rustls::ClientConfig;
use std::net::SocketAddr;
use std::sync::Arc;

const RATES: [Workload; 6] = [
    push("TLS: RPUSH, pipeline 1", 64, 1),
    pop("TLS: LPOP, pipeline 1", 1, 1_000_000),
    push("TLS: RPUSH, pipeline 16", 64, 16),
    pop("TLS: LPOP, pipeline 16", 16, 5_000_000),
    push("TLS: RPUSH, pipeline 100", 64, 100),
    pop("TLS: LPOP, pipeline 100", 100, 20_000_000),
];
const IDLE: &str = "TLS: idle connection of 5,000";
const IDLE_CONNECTIONS: usize = 5_000;
/// Connections before these, so that what the first ones allocate does not count.
const FIRST_CONNECTIONS: usize = 100;

/// A server that also listens with TLS.
struct Encrypted {
    server: Server,
    address: SocketAddr,
}

/// The certificate of all servers.
struct Certificates {
    directory: Scratch,
    config: Arc<ClientConfig>,
}

impl Certificates {
    fn new() -> Certificates {
        let (authority, directory) = (Authority::new(), Scratch::new());
        authority.issue("server").write(directory.path(), "server");
        Certificates { directory, config: client_config(&authority, None) }
    }

    fn start(&self, kind: Kind) -> Encrypted {
        let [address] = process::free_addresses();
        let file = |name: &str| self.directory.path().join(name).display().to_string();
        let words = [
            ["--tls-port".to_owned(), address.port().to_string()],
            ["--tls-cert-file".to_owned(), file("server.crt")],
            ["--tls-key-file".to_owned(), file("server.key")],
            ["--tls-auth-clients".to_owned(), "no".to_owned()],
        ];
        Encrypted { server: Server::start(kind, &words.concat()), address }
    }
}

pub fn run(kinds: &[Kind], is_wanted: impl Fn(&str) -> bool) {
    // The others that we compare with are built without TLS.
    let has_tls = |kind: &Kind| [Kind::Tidegate, Kind::Redis].contains(kind);
    let kinds: Vec<Kind> = kinds.iter().copied().filter(has_tls).collect();
    let rows: Vec<&Workload> = RATES.iter().filter(|row| is_wanted(row.name)).collect();
    if rows.is_empty() && !is_wanted(IDLE) {
        return;
    }
    let certificates = Certificates::new();
    if !rows.is_empty() {
        print_head("with TLS: thousands of operations a second", &kinds);
    }
    for workload in rows {
        let mut servers: Vec<Encrypted> =
            kinds.iter().map(|kind| certificates.start(*kind)).collect();
        let rates = rate::in_turns(from_environment("ROUNDS", 5), &mut servers, |encrypted| {
            measure_once(workload, encrypted, &certificates.config)
        });
        print_rates(workload.name, &kinds, &rates, 0);
    }
    if is_wanted(IDLE) {
        print_head("with TLS: resident bytes", &kinds);
        let measure = |kind: &Kind| bytes_per_connection(&certificates, *kind);
        let values: Vec<f64> = kinds.iter().map(measure).collect();
        print_row(IDLE, &kinds, &values, 0);
    }
}

fn measure_once(
    workload: &Workload,
    encrypted: &mut Encrypted,
    config: &Arc<ClientConfig>,
) -> Rate {
    let Encrypted { server, address } = encrypted;
    server.prepare(workload, seconds());
    let pipelines = vec![workload.pipeline(server.lines_per_reply(workload))];
    let mut generator = Generator::connect_with(*address, CONNECTIONS, pipelines, Some(config));
    let rate = Rate::of(server.process(), || generator.run(seconds()));
    server.check(workload, generator.finish());
    rate
}

fn bytes_per_connection(certificates: &Certificates, kind: Kind) -> f64 {
    let Encrypted { server, address } = certificates.start(kind);
    let connect = |_| Line::connect(address, Some(&certificates.config));
    let _first: Vec<Line> = (0..FIRST_CONNECTIONS).map(connect).collect();
    let before = server.process().resident_bytes();
    let _connections: Vec<Line> = (0..IDLE_CONNECTIONS).map(connect).collect();
    (server.process().resident_bytes() - before) / IDLE_CONNECTIONS as f64
}
