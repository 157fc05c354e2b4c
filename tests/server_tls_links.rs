//! TLS of the real program's connections to other servers: of a replica to its primary, of MIGRATE to its target.

mod server_support;
mod tls_support;

use server_support::{Client, Directory, Process, free_port};
use std::fs;
use tls_support::Authority;

/// A server with certificates of an authority.
struct Node {
    directory: Directory,
    process: Process,
    client: Client,
    tls_port: u16,
}

impl Node {
    fn start(name: &str, authority: &Authority, more: &[&str]) -> Node {
        let directory = Directory::new(name);
        fs::write(directory.join("ca.crt"), &authority.pem).expect("a file");
        for name in ["server", "client"] {
            authority.issue(name).write(&directory.join(""), name);
        }
        let (tls_port, port) = (free_port(), free_port().to_string());
        let dir = directory.join("").display().to_string();
        let (bind, files) = (
            ["--bind", "127.0.0.1", "--port", &port, "--tls-port", &tls_port.to_string()],
            ["--tls-cert-file", "server.crt", "--tls-key-file", "server.key", "--dir", &dir],
        );
        let more = [&["--tls-ca-cert-file", "ca.crt"], more].concat();
        let process = Process::start_with(&[&bind[..], &files, &more].concat());
        let client = process.client();
        Node { directory, process, client, tls_port }
    }

    fn follow(&mut self, primary: &Node) {
        let request = format!("REPLICAOF 127.0.0.1 {}", primary.tls_port);
        assert_eq!(self.client.ask(&request), "+OK");
    }

    /// Asks until the reply begins like this.
    fn await_reply(&mut self, request: &str, beginning: &str) {
        while !self.client.ask(request).starts_with(beginning) {}
    }
}

#[test]
fn a_replica_follows_its_primary() {
    for version in ["TLSv1.2", "TLSv1.3"] {
        let authority = Authority::new();
        let mut primary = Node::start("tls-primary", &authority, &["--tls-protocols", version]);
        assert_eq!(primary.client.ask("RPUSH queue before"), ":1");
        let mut replica = Node::start("tls-replica", &authority, &["--tls-replication", "yes"]);
        replica.follow(&primary);
        replica.await_reply("LLEN queue", ":1");
        // More than a record.
        let long = "x".repeat(60_000);
        assert_eq!(primary.client.ask(&format!("RPUSH queue {long}")), ":2");
        assert_eq!(primary.client.ask("WAIT 1 0"), ":1");
        assert_eq!(replica.client.ask("LLEN queue"), ":2");
        let info = primary.client.info("replication");
        let expected = format!("slave0:ip=127.0.0.1,port={},state=online", replica.tls_port);
        assert!(info.contains(&expected), "{info}");
    }
}

#[test]
fn a_replica_shows_its_own_certificate_if_it_has_one() {
    let authority = Authority::new();
    let mut primary = Node::start("tls-own-primary", &authority, &["--loglevel", "verbose"]);
    assert_eq!(primary.client.ask("RPUSH queue before"), ":1");
    let own = ["--tls-client-cert-file", "client.crt", "--tls-client-key-file", "client.key"];
    let more = [&["--tls-replication", "yes"][..], &own].concat();
    let mut replica = Node::start("tls-own-replica", &authority, &more);
    replica.follow(&primary);
    replica.await_reply("LLEN queue", ":1");
    assert_eq!(primary.client.ask("CLIENT KILL TYPE replica"), ":1");
    primary.process.line_with("with the certificate of client");
    // All of it may change while it follows.
    let error = replica.client.ask("CONFIG SET tls-client-cert-file server.crt");
    assert!(error.contains("client.key: it is not the key of the certificate in "), "{error}");
    let error = replica.client.ask("CONFIG SET tls-client-key-file \"\"");
    assert!(error.contains("tls-client-key-file: expected a PEM file with the key of "), "{error}");
    let error = replica.client.ask("CONFIG SET tls-ca-cert-file \"\" tls-auth-clients no");
    assert!(error.contains("expected the authorities of other servers' certificates"), "{error}");
    assert_eq!(primary.client.ask("RPUSH queue after"), ":2");
    assert_eq!(primary.client.ask("WAIT 1 0"), ":1");
}

#[test]
fn strangers_are_not_followed_and_strange_replicas_not_served() {
    let (authority, other) = (Authority::new(), Authority::new());
    let mut primary = Node::start("tls-strange-primary", &other, &["--tls-auth-clients", "no"]);
    assert_eq!(primary.client.ask("RPUSH queue secret"), ":1");
    let mut replica = Node::start("tls-strange-replica", &authority, &["--tls-replication", "yes"]);
    replica.follow(&primary);
    let line = replica.process.line_with("the peer's certificate is not accepted");
    assert!(line.contains("TLS handshake failed"), "{line}");
    replica.process.line_with("the connection ended before the primary had answered");
    assert_eq!(replica.client.ask("EXISTS queue"), ":0");
    // The replica learns to know the authority, but not the primary that of the replica.
    fs::write(replica.directory.join("ca.crt"), &other.pem).expect("a file");
    assert_eq!(primary.client.ask("CONFIG SET tls-auth-clients yes"), "+OK");
    assert_eq!(replica.client.ask("CONFIG SET tls-ca-cert-file ca.crt"), "+OK");
    primary.process.line_with("the peer's certificate is not accepted");
    other.issue("server").write(&replica.directory.join(""), "server");
    replica.process.signal("HUP");
    replica.process.line_with("read the TLS certificates again");
    replica.await_reply("LLEN queue", ":1");
}

#[test]
fn a_key_is_migrated() {
    let authority = Authority::new();
    let mut target = Node::start("tls-target", &authority, &[]);
    let mut source = Node::start("tls-source", &authority, &["--tls-cluster", "yes"]);
    assert_eq!(source.client.ask("RPUSH queue a b"), ":2");
    let request = format!("MIGRATE 127.0.0.1 {} queue 0 30000", target.tls_port);
    assert_eq!(source.client.ask(&request), "+OK");
    assert_eq!(source.client.ask("EXISTS queue"), ":0");
    assert_eq!(target.client.ask("LLEN queue"), ":2");
    assert_eq!(source.client.ask("RPUSH queue c"), ":1");
    // Without TLS it does not understand the target, and nothing is lost.
    assert_eq!(source.client.ask("CONFIG SET tls-cluster no"), "+OK");
    let error = source.client.ask(&request);
    assert!(error.starts_with("-IOERR error or timeout"), "{error}");
    assert_eq!(source.client.ask("LLEN queue"), ":1");
}
