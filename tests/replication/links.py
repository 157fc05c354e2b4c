"""Links that break, stall and are slow, and nodes that stop for a while."""

import time

from contents import (
    begin_replicating,
    expect_same,
    replicas,
    replicate,
    wait_until_caught_up,
)
from data import fill_bulk, incompressible
from nodes import expect_error, wait_until
from suite import of_pairs

TIMEOUT = ["--repl-timeout", "3"]


def linked(bench, primary_program, replica_program, *settings):
    """A primary and its replica behind a link, in sync."""
    primary, replica = bench.node(primary_program, *settings), bench.node(replica_program, *settings)
    link = bench.link(primary)
    replicate(primary, replica, link.port)
    return primary, replica, link


def wait_until_down(primary, replica):
    wait_until("the replica sees it", lambda: replica.info()["master_link_status"] == "down")
    wait_until("the primary sees it", lambda: primary.info()["connected_slaves"] == 0)


def expect_syncs(primary, full, partial):
    stats = primary.info("stats")
    found = stats["sync_full"], stats["sync_partial_ok"]
    assert found == (full, partial), f"full and partial syncs: expected {full, partial}, got {found}"


def cut_within_the_backlog(bench, primary_program, replica_program):
    primary, replica, link = linked(bench, primary_program, replica_program)
    for cut in range(1, 4):
        link.refuse()
        wait_until_down(primary, replica)
        for number in range(300):
            primary.client(number % 4).rpush("queue", f"{cut} {number}")
        link.accept()
        expect_same(primary, replica)
        expect_syncs(primary, 1, cut)


def cut_under_load(bench, primary_program, replica_program):
    """At any byte of the stream, from large commands to small ones."""
    primary, replica, link = linked(bench, primary_program, replica_program)
    for _ in range(5):
        link.stall_after_bytes = bench.rng.randrange(1, 200_000)
        for number in range(200):
            size = bench.rng.choice([0, 10, 1000, 5000])
            primary.client(number % 3).rpush("queue", bench.rng.randbytes(size))
        link.cut()
        link.resume()
        wait_until_caught_up(primary, replica)
    expect_same(primary, replica)
    assert primary.info("stats")["sync_full"] == 1
    assert primary.info("stats")["sync_partial_ok"] >= 5


def cut_beyond_the_backlog(bench, primary_program, replica_program):
    settings = ["--repl-backlog-size", "64kb"]
    primary, replica, link = linked(bench, primary_program, replica_program, *settings)
    refused = primary.info("stats")["sync_partial_err"]
    link.refuse()
    wait_until_down(primary, replica)
    for _ in range(200):
        primary.client(2).rpush("queue", incompressible(bench.rng, 10_000))
    link.accept()
    expect_same(primary, replica)
    expect_syncs(primary, 2, 0)
    assert primary.info("stats")["sync_partial_err"] == refused + 1


def delayed_and_in_pieces(bench, primary_program, replica_program):
    primary, replica, link = linked(bench, primary_program, replica_program)
    link.delay_s = 0.03
    link.piece_bytes = 7
    client = primary.client()
    for number in range(50):
        with client.pipeline() as transaction:
            transaction.rpush("queue", number, "x" * number).incr("number").execute()
    expect_same(primary, replica)
    expect_syncs(primary, 1, 0)


def silent_beyond_the_timeout(bench, primary_program, replica_program):
    primary, replica, link = linked(bench, primary_program, replica_program, *TIMEOUT)
    link.is_stalled = True
    wait_until_down(primary, replica)
    primary.client().rpush("queue", "meanwhile")
    link.resume()
    expect_same(primary, replica)
    expect_syncs(primary, 1, 1)


def replica_stopped_beyond_the_timeout(bench, primary_program, replica_program):
    primary, replica, _ = linked(bench, primary_program, replica_program, *TIMEOUT)
    replica.pause()
    try:
        gone = lambda: primary.info()["connected_slaves"] == 0
        wait_until("the primary closes the connection", gone)
        primary.client().rpush("queue", *range(100))
    finally:
        replica.resume()
    expect_same(primary, replica)
    expect_syncs(primary, 1, 1)


def primary_stopped_beyond_the_timeout(bench, primary_program, replica_program):
    primary, replica, _ = linked(bench, primary_program, replica_program, *TIMEOUT)
    primary.pause()
    try:
        is_down = lambda: replica.info()["master_link_status"] == "down"
        wait_until("the replica gives the link up", is_down)
        assert replica.info()["master_link_down_since_seconds"] >= 0
        assert replica.client().get("written") == b"once"
    finally:
        primary.resume()
    primary.client().rpush("queue", *range(100))
    expect_same(primary, replica)
    expect_syncs(primary, 1, 1)


def replica_above_the_output_limit(bench, primary_program, replica_program):
    limit = ["--client-output-buffer-limit", "replica", "4mb", "0", "0", "--repl-backlog-size", "1mb"]
    primary, replica, _ = linked(bench, primary_program, replica_program, *limit)
    replica.pause()
    try:
        message = incompressible(bench.rng, 100_000)

        def has_gone():
            primary.client().rpush("queue", message)
            primary.client().ltrim("queue", -50, -1)
            return primary.info()["connected_slaves"] == 0

        wait_until("the primary closes the connection", has_gone, pause_s=0)
        # What is held for a replica is not held for ever.
        memory = primary.info("memory")["used_memory"]
        assert memory < 60_000_000, f"{memory} bytes are held"
    finally:
        replica.resume()
    expect_same(primary, replica, timeout_s=60)
    assert primary.info("stats")["sync_full"] == 2


def full_sync_over_a_slow_link_takes_no_memory(bench, primary_program, replica_program):
    limit = ["--client-output-buffer-limit", "replica", "4mb", "0", "0", "--repl-backlog-size", "1mb"]
    primary, replica = bench.node(primary_program, *limit), bench.node(replica_program)
    fill_bulk(primary, bench.rng, 60)
    before = primary.info("memory")["used_memory"]
    link = bench.link(primary)
    link.stall_after_bytes = 1_000_000
    begin_replicating(primary, replica, link.port)
    wait_until("the full sync is under way", lambda: link.is_stalled)
    # Long enough for all to be read that is ever read ahead.
    for _ in range(200):
        assert primary.client().ping()
        time.sleep(0.01)
    grown = primary.info("memory")["used_memory"] - before
    assert grown < 20_000_000, f"{grown} bytes are held for a replica that does not read"
    link.resume()
    expect_same(primary, replica, timeout_s=60)
    assert primary.info("stats")["sync_full"] == 1


def silent_in_the_middle_of_a_full_sync(bench, primary_program, replica_program):
    primary = bench.node(primary_program, *TIMEOUT)
    replica = bench.node(replica_program, *TIMEOUT)
    fill_bulk(primary, bench.rng, 30)
    link = bench.link(primary)
    link.stall_after_bytes = 2_000_000
    begin_replicating(primary, replica, link.port)
    wait_until("the full sync is under way", lambda: link.is_stalled)
    wait_until("the primary gives up", lambda: not replicas(primary))
    # Others are served meanwhile.
    assert primary.client().ping()
    link.resume()
    expect_same(primary, replica, timeout_s=60)


def cut_in_the_middle_of_a_full_sync(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    fill_bulk(primary, bench.rng, 20)
    replica.client().set("old", "data")
    link = bench.link(primary)
    for bytes_through in (1, 100, 1_000_000, 10_000_000):
        link.stall_after_bytes = bytes_through
        begin_replicating(primary, replica, link.port)
        wait_until("the full sync is under way", lambda: link.is_stalled)
        assert replica.client().get("old") == b"data"
        link.refuse()
        link.resume()
        link.accept()
        replica.ask("REPLICAOF", "NO", "ONE")
    begin_replicating(primary, replica, link.port)
    expect_same(primary, replica)


def many_connections_that_send_nothing_useful(bench, primary_program, replica_program):
    """Half a handshake, an unknown option, a replica that leaves at once: the primary goes on."""
    primary, replica, _ = linked(bench, primary_program, replica_program)
    for words, error in [
        (("REPLCONF", "listening-port", "no number"), "not an integer"),
        (("REPLCONF", "unknown", "option"), "Unrecognized REPLCONF option"),
        (("REPLCONF", "capa"), "syntax error"),
        (("PSYNC", "?", "no number"), "not an integer"),
        (("PSYNC", "?"), "wrong number of arguments"),
    ]:
        expect_error(error, primary.ask, *words)
    for _ in range(20):
        client = primary.client(0, single_connection_client=True)
        client.execute_command("REPLCONF", "listening-port", "1")
        client.connection.send_command("PSYNC", "?", "-1")
        client.close()
    primary.client().rpush("queue", "x")
    expect_same(primary, replica)
    wait_until("those are gone", lambda: primary.info()["connected_slaves"] == 1)


CALLS = [
    cut_within_the_backlog,
    cut_under_load,
    cut_beyond_the_backlog,
    delayed_and_in_pieces,
    silent_beyond_the_timeout,
    replica_stopped_beyond_the_timeout,
    primary_stopped_beyond_the_timeout,
    replica_above_the_output_limit,
    full_sync_over_a_slow_link_takes_no_memory,
    silent_in_the_middle_of_a_full_sync,
    cut_in_the_middle_of_a_full_sync,
    many_connections_that_send_nothing_useful,
]


def checks(programs):
    return of_pairs(programs, *CALLS)
