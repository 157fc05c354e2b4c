"""Nodes that are killed or restarted, also in the middle of a full sync."""

from contents import (
    begin_replicating,
    contents,
    expect_same,
    replicate,
    wait_until_caught_up,
)
from data import fill_bulk
from nodes import wait_until
from suite import of_pairs

ON_DISK = ["--appendonly", "yes", "--appendfsync", "no"]


def keeps_its_place(program):
    """The settings with which a program remembers its offset over an orderly restart: a redis-server does so
    in its RDB file alone."""
    return ["--save", "3600", "1"] if program.is_redis else ON_DISK


def replica_killed_in_the_middle_of_a_full_sync(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    fill_bulk(primary, bench.rng, 20)
    link = bench.link(primary)
    for bytes_through in (100_000, 3_000_000, 15_000_000):
        link.stall_after_bytes = bytes_through
        begin_replicating(primary, replica, link.port)
        wait_until("the full sync is under way", lambda: link.is_stalled)
        replica.kill()
        link.resume()
        primary.client().rpush("queue", bytes_through)
        replica.start()
    replicate(primary, replica)
    expect_same(primary, replica)


def primary_killed_in_the_middle_of_a_full_sync(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program, *ON_DISK), bench.node(replica_program)
    fill_bulk(primary, bench.rng, 20)
    replica.client().set("old", "data")
    link = bench.link(primary)
    for bytes_through in (100_000, 15_000_000):
        link.stall_after_bytes = bytes_through
        begin_replicating(primary, replica, link.port)
        wait_until("the full sync is under way", lambda: link.is_stalled)
        primary.kill()
        link.resume()
        link.cut()
        # The old data stays until the new is there.
        assert replica.client().get("old") == b"data"
        primary.start()
        replica.ask("REPLICAOF", "NO", "ONE")
        assert replica.client().get("old") == b"data"
    begin_replicating(primary, replica, link.port)
    expect_same(primary, replica)


def replica_killed_and_restarted(bench, primary_program, replica_program):
    primary = bench.node(primary_program)
    replica = bench.node_to_start(replica_program, *ON_DISK, "--replicaof", "127.0.0.1", primary.port)
    replica.start()
    primary.client().rpush("queue", *range(1000))
    for _ in range(2):
        wait_until_caught_up(primary, replica)
        replica.kill()
        primary.client().rpush("queue", "meanwhile")
        replica.start()
        expect_same(primary, replica)


def replica_restarted_continues(bench, primary_program, replica_program):
    primary = bench.node(primary_program)
    settings = [*keeps_its_place(replica_program), "--replicaof", "127.0.0.1", primary.port]
    replica = bench.node(replica_program, *settings)
    primary.client(3).rpush("queue", *range(1000))
    wait_until_caught_up(primary, replica)
    replica.stop()
    primary.client().rpush("queue", "meanwhile")
    replica.start()
    expect_same(primary, replica)
    stats = primary.info("stats")
    found = stats["sync_full"], stats["sync_partial_ok"]
    assert found == (1, 1), f"full and partial syncs: {found}"


def primary_killed_and_restarted(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program, *ON_DISK), bench.node(replica_program)
    replicate(primary, replica)
    run_ids = set()
    for number in range(2):
        primary.client().rpush("queue", *range(1000))
        wait_until_caught_up(primary, replica)
        run_ids.add(primary.info("server")["run_id"])
        primary.kill()
        primary.start()
        primary.client().rpush("queue", "after the restart")
        expect_same(primary, replica)
        assert primary.client().llen("queue") == (number + 1) * 1001
    run_ids.add(primary.info("server")["run_id"])
    assert len(run_ids) == 3, run_ids


def primary_restarted_continues(bench, primary_program, replica_program):
    primary = bench.node(primary_program, *keeps_its_place(primary_program))
    replica = bench.node(replica_program)
    replicate(primary, replica)
    primary.client(3).rpush("queue", *range(1000))
    wait_until_caught_up(primary, replica)
    primary.stop()
    primary.start()
    primary.client().rpush("queue", "after the restart")
    expect_same(primary, replica)
    stats = primary.info("stats")
    found = stats["sync_full"], stats["sync_partial_ok"]
    assert found == (0, 1), f"full and partial syncs: {found}"


def empty_primary_does_not_wipe_its_replica(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    primary.client(2).rpush("queue", *range(1000))
    replicate(primary, replica)
    expect_same(primary, replica)
    before = contents(replica)
    link = bench.link(primary)
    replica.ask("REPLICAOF", "127.0.0.1", link.port)
    wait_until_caught_up(primary, replica)
    primary.kill()
    primary.start()
    connected = link.connections
    # It is asked more than once.
    wait_until("the replica tries again", lambda: link.connections >= connected + 2)
    assert contents(replica) == before
    # A client that writes does not know what was there before.
    primary.client().rpush("queue", "written to")
    connected = link.connections
    wait_until("the replica tries again", lambda: link.connections >= connected + 2)
    assert contents(replica) == before
    assert replica.info()["master_link_status"] == "down"
    primary.config("replica-safe-restart", "no")
    expect_same(primary, replica)
    assert contents(replica) != before


CALLS = [
    replica_killed_in_the_middle_of_a_full_sync,
    primary_killed_in_the_middle_of_a_full_sync,
    replica_killed_and_restarted,
    replica_restarted_continues,
    primary_killed_and_restarted,
    primary_restarted_continues,
]
OF_OURS = [empty_primary_does_not_wipe_its_replica]


def checks(programs):
    yield from of_pairs(programs, *CALLS)
    for check in of_pairs(programs, *OF_OURS):
        if not check.arguments[0].is_redis:
            yield check
