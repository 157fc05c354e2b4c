//! Clients that must authenticate and have not: their time, their errors, their number, and the wait of
//! an AUTH after wrong passwords. Without sockets, at a time that the test decides.

mod broker_support;

use broker_support::Bench;
use std::net::SocketAddr;
use std::time::Duration;
use tidegate::settings::Settings;
use tidegate::{ClientId, CloseReason, Peer, PeerCredentials};

const NO_AUTH: &str = "-NOAUTH Authentication required.\r\n";
const WRONG: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
const OK: &str = "+OK\r\n";
const NOTHING: &str = "";

fn bench(lines: &str) -> Bench {
    let text = format!("requirepass secret\n{lines}");
    Bench::with(Settings::from_text(&text, "a test").expect("valid"))
}

fn tcp(ip: &str) -> Peer {
    let addr = SocketAddr::new(ip.parse().expect("an address"), 4711);
    Peer::Tcp { addr, laddr: addr, fd: 9 }
}

fn closed(bench: &mut Bench) -> Vec<(ClientId, CloseReason)> {
    std::iter::from_fn(|| bench.broker.next_closing()).collect()
}

/// A figure of INFO, asked by a client that is authenticated.
fn figure(bench: &mut Bench, name: &str) -> u64 {
    let asker = bench.client();
    bench.call(asker, "AUTH secret");
    let info = bench.call(asker, "INFO everything");
    bench.broker.disconnect(asker, CloseReason::PeerClosed, bench.now);
    let line = info.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.expect("a line of INFO").parse().expect("a number")
}

#[test]
fn a_stranger_is_closed_exactly_at_its_deadline() {
    let mut bench = bench("unauthenticated-timeout 5");
    let stranger = bench.client_at(tcp("192.0.2.1"));
    bench.advance(Duration::from_secs(1));
    let known = bench.client_at(tcp("192.0.2.1"));
    assert_eq!(bench.call(known, "AUTH secret"), OK);
    assert_eq!(bench.broker.next_deadline(bench.now), Some(Duration::from_secs(4)));
    // What it says in between gains it no time.
    assert_eq!(bench.call(stranger, "PING"), NO_AUTH);
    bench.advance(Duration::from_micros(3_999_999));
    assert_eq!(closed(&mut bench), []);
    bench.advance(Duration::from_micros(1));
    assert_eq!(closed(&mut bench), [(stranger, CloseReason::AuthTimeout)]);
    bench.broker.disconnect(stranger, CloseReason::AuthTimeout, bench.now);
    assert_eq!(bench.broker.next_deadline(bench.now), None, "the other one stays");
    assert_eq!(figure(&mut bench, "unauthenticated_timeout_disconnections"), 1);
    assert_eq!(figure(&mut bench, "unauthenticated_clients"), 0);
}

#[test]
fn a_deadline_of_zero_never_comes() {
    let mut bench = bench("unauthenticated-timeout 0");
    let stranger = bench.client_at(tcp("192.0.2.1"));
    assert_eq!(bench.broker.next_deadline(bench.now), None);
    bench.advance(Duration::from_secs(1_000_000));
    assert_eq!(bench.call(stranger, "AUTH secret"), OK);
}

#[test]
fn the_deadline_changes_with_its_setting() {
    let mut bench = bench("unauthenticated-timeout 0");
    let admin = bench.client();
    let stranger = bench.client_at(tcp("192.0.2.1"));
    assert_eq!(bench.call(admin, "AUTH secret"), OK);
    bench.advance(Duration::from_secs(10));
    assert_eq!(bench.call(admin, "CONFIG SET unauthenticated-timeout 11"), OK);
    assert_eq!(bench.broker.next_deadline(bench.now), Some(Duration::from_secs(1)));
    assert_eq!(bench.call(admin, "CONFIG SET unauthenticated-timeout 9"), OK);
    bench.settle();
    assert_eq!(closed(&mut bench), [(stranger, CloseReason::AuthTimeout)]);
}

/// RESET makes a stranger of a client, whose time begins then.
#[test]
fn a_client_may_become_a_stranger_again() {
    let mut bench = bench("unauthenticated-timeout 5\nunauthenticated-errors-max 2");
    let client = bench.client_at(tcp("192.0.2.1"));
    assert_eq!(
        bench.call(client, "PING\r\nAUTH secret\r\nPING"),
        [NO_AUTH, OK, "+PONG\r\n"].concat()
    );
    bench.advance(Duration::from_secs(100));
    // Errors before it do not count.
    let replies = bench.call(client, "NOSUCH\r\nNOSUCH\r\nNOSUCH\r\nRESET\r\nPING");
    assert!(replies.ends_with(&["+RESET\r\n", NO_AUTH].concat()), "{replies}");
    assert_eq!(bench.broker.next_deadline(bench.now), Some(Duration::from_secs(5)));
    bench.advance(Duration::from_secs(5));
    assert_eq!(closed(&mut bench), [(client, CloseReason::AuthTimeout)]);
}

/// Where no password is needed any more, nobody is closed for not having given one.
#[test]
fn without_a_password_there_are_no_strangers() {
    let mut bench = bench("unauthenticated-timeout 5\nunauthenticated-clients-max 1");
    let admin = bench.client();
    let (silent, talker) = (bench.client_at(tcp("192.0.2.1")), bench.client_at(tcp("192.0.2.2")));
    assert_eq!(bench.call(admin, "AUTH secret"), OK);
    assert_eq!(bench.call(admin, "CONFIG SET requirepass \"\""), OK);
    assert_eq!(bench.call(talker, "PING"), "+PONG\r\n");
    assert_eq!(bench.broker.displace_stranger(), None);
    bench.advance(Duration::from_secs(5));
    assert_eq!(closed(&mut bench), []);
    assert_eq!(bench.broker.next_deadline(bench.now), None);
    // With a password again, they are strangers as soon as they say something.
    assert_eq!(bench.call(admin, "CONFIG SET requirepass other"), OK);
    assert_eq!(bench.call(silent, "PING"), NO_AUTH);
    assert_eq!(bench.broker.next_deadline(bench.now), Some(Duration::from_secs(5)));
}

#[test]
fn a_stranger_is_closed_after_its_last_error() {
    let mut bench = bench("unauthenticated-errors-max 3");
    let (a, b) = (bench.client_at(tcp("192.0.2.1")), bench.client_at(tcp("192.0.2.1")));
    // In one packet and in several, whatever the errors are.
    assert_eq!(
        bench.call(a, "PING\r\nAUTH wrong\r\nNOSUCH\r\nPING\r\nAUTH secret").lines().count(),
        3
    );
    assert_eq!(closed(&mut bench), [(a, CloseReason::AuthErrors)]);
    for _ in 0..2 {
        assert_eq!(bench.call(b, "PING"), NO_AUTH);
    }
    assert_eq!(closed(&mut bench), []);
    assert_eq!(bench.call(b, "PING"), NO_AUTH);
    assert_eq!(closed(&mut bench), [(b, CloseReason::AuthErrors)]);
    for id in [a, b] {
        bench.broker.disconnect(id, CloseReason::AuthErrors, bench.now);
    }
    // Before it is closed it may still authenticate, and then it may make any number of errors.
    let c = bench.client_at(tcp("192.0.2.1"));
    bench.call(c, "PING\r\nPING");
    assert_eq!(bench.call(c, "AUTH secret"), OK);
    for _ in 0..10 {
        assert!(bench.call(c, "NOSUCH").starts_with("-ERR unknown"));
    }
    assert_eq!(closed(&mut bench), []);
    assert_eq!(figure(&mut bench, "unauthenticated_errors_disconnections"), 2);
}

#[test]
fn without_a_limit_errors_are_not_counted() {
    let mut bench = bench("unauthenticated-errors-max 0");
    let stranger = bench.client_at(tcp("192.0.2.1"));
    for _ in 0..1000 {
        assert_eq!(bench.call(stranger, "PING"), NO_AUTH);
    }
    assert_eq!(closed(&mut bench), []);
}

/// The newest connections are kept: a pool that connects anew is not locked out by those that came
/// before it and say nothing.
#[test]
fn the_longest_unauthenticated_makes_place() {
    let mut bench = bench("unauthenticated-clients-max 2");
    let first = bench.client_at(tcp("192.0.2.1"));
    let known = bench.client_at(tcp("192.0.2.1"));
    assert_eq!(bench.call(known, "AUTH secret"), OK);
    let second = bench.client_at(tcp("192.0.2.1"));
    assert_eq!(bench.broker.displace_excess_stranger(), None);
    let third = bench.client_at(tcp("192.0.2.1"));
    assert_eq!(bench.broker.displace_excess_stranger(), Some(first));
    assert_eq!(bench.broker.displace_excess_stranger(), None);
    assert_eq!(closed(&mut bench), [(first, CloseReason::Displaced)]);
    assert_eq!(bench.owed(first), "-ERR max number of unauthenticated clients reached\r\n");
    bench.broker.disconnect(first, CloseReason::Displaced, bench.now);
    // Above maxclients the server asks for a place, however few there are.
    assert_eq!(bench.broker.displace_stranger(), Some(second));
    assert_eq!(bench.call(third, "AUTH secret"), OK);
    assert_eq!(bench.broker.displace_stranger(), None, "nobody else is a stranger");
    assert_eq!(figure(&mut bench, "unauthenticated_clients_displaced"), 1);
}

/// They are part of the program, which needs no password to do what it wants.
#[test]
fn clients_of_this_program_are_no_strangers() {
    let mut bench =
        bench("unauthenticated-timeout 1\nunauthenticated-errors-max 1\nauth-delay-after 0");
    let client = bench.client();
    assert_eq!(
        bench.call(client, "PING\r\nAUTH wrong\r\nAUTH wrong"),
        [NO_AUTH, WRONG, WRONG].concat()
    );
    bench.advance(Duration::from_secs(100));
    assert_eq!(bench.broker.displace_stranger(), None);
    assert_eq!(bench.call(client, "AUTH secret"), OK);
}

/// A stranger's memory is bounded, whatever it sends and does not read.
#[test]
fn a_stranger_takes_little_memory() {
    let mut bench = bench("unauthenticated-errors-max 0");
    let mut held_max = 0;
    let (before, request) = (figure(&mut bench, "mem_clients_normal"), b"*10\r\n".to_vec());
    let argument = [b"$16384\r\n", &[b'x'; 16_384][..], b"\r\n"].concat();
    let whole = [request, argument.repeat(9), b"$16384\r\n".to_vec()].concat();
    for input in
        [whole, vec![b'x'; 64 * 1024], b"PING\r\n".repeat(100_000), b"AUTH x\r\n".repeat(9_000)]
    {
        let stranger = bench.client_at(tcp("192.0.2.1"));
        for part in input.chunks(16 * 1024) {
            // As the server does: a client that waits or closes is not read.
            if bench.broker.wants_input(stranger) {
                bench.broker.receive(stranger, part, bench.now);
                bench.settle();
            }
        }
        held_max = held_max.max(figure(&mut bench, "mem_clients_normal") - before);
        bench.broker.disconnect(stranger, CloseReason::PeerClosed, bench.now);
    }
    assert!((100_000..300_000).contains(&held_max), "{held_max} bytes");
}

#[test]
fn after_wrong_passwords_auth_waits() {
    let mut bench = bench("auth-delay-after 2");
    let (a, b) = (bench.client_at(tcp("192.0.2.1")), bench.client_at(tcp("192.0.2.1")));
    let other = bench.client_at(tcp("192.0.2.2"));
    for _ in 0..3 {
        assert_eq!(bench.call(a, "AUTH wrong"), WRONG);
    }
    // Now a wrong and a right password wait, and what follows them; other commands do not.
    assert_eq!(bench.call(a, "PING\r\nAUTH wrong\r\nPING"), NO_AUTH);
    assert_eq!(bench.call(b, "HELLO 2 AUTH default secret\r\nPING"), NOTHING);
    assert!(!bench.broker.wants_input(a), "its socket is not read meanwhile");
    assert_eq!(bench.call(other, "AUTH wrong\r\nAUTH secret"), [WRONG, OK].concat());
    assert_eq!(bench.broker.next_deadline(bench.now), Some(Duration::from_millis(100)));
    bench.advance(Duration::from_micros(99_999));
    assert_eq!([bench.owed(a), bench.owed(b)], [NOTHING, NOTHING]);
    bench.advance(Duration::from_micros(1));
    assert_eq!(bench.owed(a), [WRONG, NO_AUTH].concat());
    assert!(bench.owed(b).ends_with("+PONG\r\n"));
    assert!(bench.broker.wants_input(a));
    // Each further one makes the next wait twice as long, and a right one changes nothing.
    for ms in [200, 400, 800, 1000, 1000] {
        assert_eq!(bench.call(a, "AUTH wrong"), NOTHING);
        assert_eq!(bench.broker.next_deadline(bench.now), Some(Duration::from_millis(ms)), "{ms}");
        bench.advance(Duration::from_millis(ms));
        assert_eq!(bench.owed(a), WRONG);
    }
    assert_eq!(bench.call(a, "AUTH secret"), NOTHING);
    bench.advance(Duration::from_secs(1));
    assert_eq!(bench.owed(a), OK);
    assert_eq!(figure(&mut bench, "auth_delayed"), 8);
    assert_eq!(figure(&mut bench, "acl_access_denied_auth"), 10);
    assert_eq!(figure(&mut bench, "auth_delay_addresses"), 2);
    // After a quiet minute all is forgotten.
    bench.advance(Duration::from_secs(60));
    assert_eq!(bench.call(a, "AUTH wrong"), WRONG);
    assert_eq!(figure(&mut bench, "auth_delay_addresses"), 1);
}

#[test]
fn a_wait_ends_with_its_client() {
    let mut bench = bench("auth-delay-after 0\nunauthenticated-timeout 1\nauth-delay-max-ms 2000");
    let failing = bench.client_at(tcp("192.0.2.1"));
    for ms in [0, 100, 200, 400, 800] {
        bench.send(failing, "AUTH wrong");
        bench.advance(Duration::from_millis(ms));
    }
    closed(&mut bench);
    let clients: Vec<ClientId> = (0..3).map(|_| bench.client_at(tcp("192.0.2.1"))).collect();
    let admin = bench.client();
    for &id in &clients {
        assert_eq!(bench.call(id, "AUTH secret"), NOTHING);
    }
    assert_eq!(bench.call(admin, "AUTH secret"), OK);
    let number = clients[1].number();
    // It does not wait for anything that CLIENT UNBLOCK could end.
    assert_eq!(bench.call(admin, &format!("CLIENT UNBLOCK {number}")), ":0\r\n");
    assert_eq!(bench.call(admin, &format!("CLIENT KILL ID {number}")), ":1\r\n");
    bench.broker.disconnect(clients[0], CloseReason::PeerClosed, bench.now);
    bench.broker.disconnect(clients[1], CloseReason::Killed, bench.now);
    bench.broker.check_invariants();
    closed(&mut bench);
    // The time of a stranger goes on while its AUTH waits.
    bench.advance(Duration::from_secs(1));
    assert_eq!(closed(&mut bench), [(clients[2], CloseReason::AuthTimeout)]);
}

#[test]
fn without_a_largest_wait_nothing_waits() {
    let mut bench = bench("auth-delay-after 0\nauth-delay-max-ms 0\nunauthenticated-errors-max 0");
    let client = bench.client_at(tcp("192.0.2.1"));
    for _ in 0..100 {
        assert_eq!(bench.call(client, "AUTH wrong"), WRONG);
    }
    assert_eq!(bench.call(client, "AUTH secret"), OK);
}

/// All clients of a Unix socket have the same path, so their users are told apart.
#[test]
fn users_of_the_unix_socket_are_told_apart() {
    let mut bench = bench("auth-delay-after 0");
    let unix = |uid: Option<u32>| Peer::Unix {
        path: std::path::Path::new("/tmp/s").into(),
        fd: 5,
        credentials: uid.map(|uid| PeerCredentials { pid: 7, uid, gid: 8 }),
    };
    let (guesser, same) = (bench.client_at(unix(Some(1000))), bench.client_at(unix(Some(1000))));
    let (other, unknown) = (bench.client_at(unix(Some(1001))), bench.client_at(unix(None)));
    assert_eq!(bench.call(guesser, "AUTH wrong"), WRONG);
    assert_eq!(bench.call(unknown, "AUTH wrong"), WRONG);
    assert_eq!(bench.call(same, "AUTH secret"), NOTHING);
    assert_eq!(bench.call(other, "AUTH secret"), OK);
    assert_eq!(bench.call(unknown, "AUTH secret"), OK);
    assert!(bench.call(other, "CLIENT INFO").ends_with(" lib-ver= pid=7 uid=1001 gid=8\n\r\n"));
    assert!(bench.call(unknown, "CLIENT INFO").ends_with(" lib-ver=\n\r\n"));
}

/// Also for those who are in already and guess further passwords.
#[test]
fn an_authenticated_client_waits_as_well() {
    let mut bench = bench("auth-delay-after 0");
    let client = bench.client_at(tcp("192.0.2.1"));
    assert_eq!(bench.call(client, "AUTH secret\r\nAUTH wrong"), [OK, WRONG].concat());
    assert_eq!(bench.call(client, "AUTH secret\r\nPING"), NOTHING);
    bench.advance(Duration::from_millis(100));
    assert_eq!(bench.owed(client), [OK, "+PONG\r\n"].concat());
    // The wait is over for one request only.
    assert_eq!(bench.call(client, "AUTH secret"), NOTHING);
    bench.advance(Duration::from_millis(100));
    assert_eq!(bench.owed(client), OK);
}

/// EXEC cannot wait, and could try any number of passwords at once.
#[test]
fn a_transaction_tries_no_more_passwords_than_need_no_wait() {
    let mut bench = bench("auth-delay-after 2");
    let client = bench.client_at(tcp("192.0.2.1"));
    assert_eq!(bench.call(client, "AUTH secret"), OK);
    let guesses = "AUTH wrong\r\n".repeat(50);
    bench.send(
        client,
        &format!("MULTI\r\n{guesses}AUTH secret\r\nHELLO 2 AUTH default secret\r\nEXEC"),
    );
    let replies = bench.owed(client);
    assert_eq!(replies.matches(WRONG).count(), 3);
    assert_eq!(replies.matches("-ERR too many wrong passwords").count(), 49, "{replies}");
    assert_eq!(figure(&mut bench, "acl_access_denied_auth"), 3);
    // Outside it may wait.
    assert_eq!(bench.call(client, "AUTH secret"), NOTHING);
    bench.advance(Duration::from_millis(100));
    assert_eq!(bench.owed(client), OK);
}
