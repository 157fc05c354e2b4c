"""Full syncs: what a replica gets of the data that is there, and of what happens meanwhile."""

import threading
import time

from contents import begin_replicating, expect_same, replicate, wait_until_caught_up
from data import fill, fill_bulk, incompressible
from nodes import wait_until
from suite import IS_LONG, Check, of_pairs

HUGE_BYTES = 100_000_000 if IS_LONG else 20_000_000
BULK_MB = 30


def data_of_every_kind(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    fill(primary, bench.rng, HUGE_BYTES)
    # What the replica had is gone afterwards.
    replica.client(9).rpush("of the replica", "x")
    replicate(primary, replica)
    expect_same(primary, replica, timeout_s=60)
    assert primary.info("stats")["sync_full"] == 1
    # The stream goes on with the whole data, too.
    primary.client(3).rpush("queue", "more")
    primary.client().lpop("many", 50_000)
    expect_same(primary, replica)


# What a redis-server can do in another way.
OTHER_SETTINGS = {
    "without compression and checksum": (["--rdbcompression", "no", "--rdbchecksum", "no"], []),
    "through a file, so that the length is known": (["--repl-diskless-sync", "no"], []),
    "loaded from the socket": ([], ["--repl-diskless-load", "swapdb"]),
}


def other_settings(bench, primary_program, replica_program, primary_settings, replica_settings):
    primary = bench.node(primary_program, *primary_settings)
    replica = bench.node(replica_program, *replica_settings)
    fill(primary, bench.rng, 1_000_000)
    replica.client(9).rpush("of the replica", "x")
    replicate(primary, replica)
    expect_same(primary, replica)
    primary.client(3).rpush("queue", "more")
    expect_same(primary, replica)


def load_meanwhile(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    fill_bulk(primary, bench.rng, BULK_MB)
    link = bench.link(primary)
    link.stall_after_bytes = 1_000_000
    begin_replicating(primary, replica, link.port)
    wait_until("the full sync is under way", lambda: link.is_stalled)
    client = primary.client(5)
    for number in range(3000):
        client.rpush(f"queue {number % 7}", number)
        client.set("newest", number)
    primary.client().delete("bulk 0", "bulk 1")
    primary.client().lpop("bulk 2", 30)
    primary.client().rename("bulk 3", "renamed")
    link.resume()
    load = Load(primary)
    try:
        wait_until_caught_up(primary, replica, timeout_s=60)
    finally:
        load.end()
    expect_same(primary, replica)
    assert primary.info("stats")["sync_full"] == 1


class Load:
    """A client that pushes and pops until it is told to end."""

    def __init__(self, node):
        self.client = node.client(6, client_name="load")
        self.must_end = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        number = 0
        while not self.must_end.is_set():
            number += 1
            self.client.rpush("load", number, number)
            self.client.lmove("load", "moved", "LEFT", "RIGHT")
            time.sleep(0.001)

    def end(self):
        self.must_end.set()
        self.thread.join(timeout=30)
        self.client.close()


def one_queue_larger_than_the_output_limit(bench, primary_program, replica_program):
    limit = ["--client-output-buffer-limit", "replica", "8mb", "0", "0", "--repl-backlog-size", "1mb"]
    primary, replica = bench.node(primary_program, *limit), bench.node(replica_program)
    for _ in range(20):
        primary.client().rpush("queue", *[incompressible(bench.rng, 1000) for _ in range(1000)])
    replicate(primary, replica)
    expect_same(primary, replica)
    assert primary.info("stats")["sync_full"] == 1


def two_replicas_at_once(bench, primary_program, replica_program):
    primary = bench.node(primary_program, "--repl-diskless-sync-delay", "1")
    fill_bulk(primary, bench.rng, 10)
    replicas = [bench.node(replica_program) for _ in range(2)]
    for replica in replicas:
        begin_replicating(primary, replica)
    for replica in replicas:
        wait_until_caught_up(primary, replica)
    primary.client().rpush("queue", "for both")
    for replica in replicas:
        expect_same(primary, replica)
    assert primary.info()["connected_slaves"] == 2
    assert primary.info("stats")["sync_full"] == 2


def byte_by_byte(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    primary.client().rpush("queue", *range(300))
    primary.client().set("binary", bytes(range(256)))
    link = bench.link(primary)
    link.piece_bytes = 1
    replicate(primary, replica, link.port)
    with primary.client().pipeline() as transaction:
        transaction.rpush("queue", "a", "b\r\n").set("binary", "$5\r\n").lpop("queue")
        transaction.execute()
    expect_same(primary, replica)


def old_or_new_data_and_nothing_between(bench, primary_program, replica_program):
    """What a client of the replica sees while it syncs: the old data, an error, the new data."""
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    fill_bulk(primary, bench.rng, BULK_MB)
    replica.client().set("old", "data")
    link = bench.link(primary)
    link.stall_after_bytes = 5_000_000
    begin_replicating(primary, replica, link.port)
    wait_until("the full sync is under way", lambda: link.is_stalled)
    assert replica.client().get("old") == b"data"
    seen = set()

    def has_new_data():
        try:
            seen.add(replica.client().dbsize())
        except Exception as error:
            assert "is loading the dataset" in str(error), error
        return BULK_MB + 1 in seen

    link.resume()
    wait_until("the new data", has_new_data, pause_s=0)
    assert seen <= {1, BULK_MB + 1}, seen
    expect_same(primary, replica)


CALLS = [
    data_of_every_kind,
    load_meanwhile,
    one_queue_larger_than_the_output_limit,
    two_replicas_at_once,
    byte_by_byte,
    old_or_new_data_and_nothing_between,
]


def checks(programs):
    yield from of_pairs(programs, *CALLS)
    for name, (of_primary, of_replica) in OTHER_SETTINGS.items():
        for primary, replica in programs.pairs():
            if (primary if of_primary else replica).is_redis:
                full_name = f"{primary.label} to {replica.label}: {name}"
                yield Check(full_name, other_settings, [primary, replica, of_primary, of_replica])
