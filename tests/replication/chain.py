"""Chains of three, and promotions: who continues where."""

from contents import (
    contents,
    differences,
    expect_same,
    replicate,
    wait_until_caught_up,
)
from nodes import wait_until
from suite import Check, called


def chained(bench, programs):
    first, middle, last = (bench.node(program) for program in programs)
    first.client(4).rpush("queue", *range(100))
    replicate(first, middle)
    assert last.ask("REPLICAOF", "127.0.0.1", middle.port) in (True, b"OK")
    wait_until_caught_up(middle, last)
    return first, middle, last


def expect_all_the_same(first, middle, last):
    expect_same(first, middle)
    wait_until_caught_up(middle, last)
    different = differences(contents(first), contents(last))
    assert not different, "\n".join(different)
    assert first.info()["master_replid"] == last.info()["master_replid"]


def stream_through_the_middle(bench, *programs):
    first, middle, last = chained(bench, programs)
    heard = last.client().pubsub()
    heard.subscribe("news")
    assert heard.get_message(timeout=10)["type"] == "subscribe"
    client = first.client()
    for number in range(200):
        with client.pipeline() as transaction:
            transaction.rpush("queue", number).incr("number").publish("news", number).execute()
        first.client(7).set("string", number, ex=1000)
    expect_all_the_same(first, middle, last)
    assert heard.get_message(timeout=10)["data"] == b"0"
    heard.close()
    # A full sync in the middle of the chain goes on to its end.
    middle.ask("REPLICAOF", "NO", "ONE")
    middle.client(2).set("only here", "x")
    wait_until_caught_up(middle, last)
    assert last.client(2).get("only here") == b"x"
    replicate(first, middle)
    expect_all_the_same(first, middle, last)
    assert last.client(2).get("only here") is None


def promotion_of_the_middle(bench, *programs):
    first, middle, last = chained(bench, programs)
    first.client().rpush("queue", *range(100))
    expect_all_the_same(first, middle, last)
    old_id = first.info()["master_replid"]
    full_syncs = middle.info("stats")["sync_full"]
    first.kill()
    middle.ask("REPLICAOF", "NO", "ONE")
    info = middle.info()
    assert info["role"] == "master"
    assert info["master_replid2"] == old_id and info["master_replid"] != old_id, info
    assert 0 < info["second_repl_offset"] <= info["master_repl_offset"] + 1, info
    middle.client().rpush("queue", "after the promotion")
    expect_same(middle, last)
    stats = middle.info("stats")
    assert stats["sync_full"] == full_syncs, "the last needed a full sync"
    assert stats["sync_partial_ok"] >= 1
    assert last.info()["master_replid"] == info["master_replid"]
    # The old one returns as a replica of the new one, and loses what only it had.
    first.start()
    first.client().set("stale", "x")
    assert first.ask("REPLICAOF", "127.0.0.1", middle.port) in (True, b"OK")
    expect_same(middle, first)
    expect_same(middle, last)
    assert first.client().get("stale") is None


def promotion_of_one_of_two(bench, *programs):
    """The other replica and the demoted primary continue with the promoted one."""
    first, second, third = (bench.node(program) for program in programs)
    first.client().rpush("queue", *range(100))
    replicate(first, second)
    replicate(first, third)
    # A ping that only one of them has got would be a difference of offsets.
    first.config("repl-ping-replica-period", 3600)
    first.client().rpush("queue", *range(100))
    wait_until_caught_up(first, second)
    wait_until_caught_up(first, third)
    second.ask("REPLICAOF", "NO", "ONE")
    second.client().rpush("queue", "of the second")
    assert third.ask("REPLICAOF", "127.0.0.1", second.port) in (True, b"OK")
    expect_same(second, third)
    stats = second.info("stats")
    assert (stats["sync_full"], stats["sync_partial_ok"]) == (0, 1), stats
    assert first.ask("REPLICAOF", "127.0.0.1", second.port) in (True, b"OK")
    expect_same(second, first)
    wait_until("both are replicas", lambda: second.info()["connected_slaves"] == 2)


CALLS = [stream_through_the_middle, promotion_of_the_middle, promotion_of_one_of_two]


def checks(programs):
    ours, judges = programs.ours, programs.judges
    chains = [
        (ours, ours, ours),
        *[(judge, ours, judge) for judge in judges],
        *[(ours, judge, ours) for judge in judges],
        (programs.redis_7, ours, programs.redis_8),
        (programs.redis_7, ours, programs.valkey),
    ]
    for chain in dict.fromkeys(chains):
        labels = ", ".join(program.label for program in chain)
        for call in CALLS:
            if all(after.loads_rdb_of(before) for before, after in steps(call, chain)):
                yield Check(f"{labels}: {called(call)}", call, list(chain))


def steps(call, chain):
    """Who may have to load what whom sends."""
    first, middle, last = chain
    yield from [(first, middle), (middle, last), (middle, first)]
    if call is promotion_of_one_of_two:
        yield first, last
