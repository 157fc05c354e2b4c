"""Expiry on a replica: only the primary removes a key, but nobody sees one that has expired."""

import time

from contents import expect_same, replicate
from nodes import wait_until
from suite import of_pairs

SOON_MS = 800


def keys_expire_on_both(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    client = primary.client()
    client.set("before the sync", "x", px=SOON_MS)
    client.rpush("list before the sync", "x")
    client.pexpire("list before the sync", SOON_MS)
    replicate(primary, replica)
    client.set("after the sync", "x", px=SOON_MS)
    client.rpush("list after the sync", "x")
    client.pexpire("list after the sync", SOON_MS)
    client.set("stays", "x", ex=1000)
    wait_until("the keys expire", lambda: client.dbsize() == 2)
    wait_until("the replica hears of it", lambda: replica.client().dbsize() == 2)
    expect_same(primary, replica)


def an_expired_key_is_not_shown_and_not_removed(bench, primary_program, replica_program):
    """While the primary is stopped it cannot say that a key has expired."""
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    client, reader = primary.client(), replica.client()
    replicate(primary, replica)
    client.set("string", "x", px=SOON_MS)
    client.rpush("list", "x")
    client.pexpireat("list", client.pexpiretime("string"))
    due_ms = client.pexpiretime("string")
    wait_until("the replica has them", lambda: reader.exists("string", "list") == 2 or is_over(due_ms))
    primary.pause()
    try:
        wait_until("the time is over", lambda: is_over(due_ms))
        assert reader.get("string") is None
        assert reader.lrange("list", 0, -1) == []
        assert reader.exists("string", "list") == 0
        assert reader.type("list") == b"none"
        assert reader.pttl("string") == -2
        assert [*reader.scan_iter()] == [b"written"]
        assert reader.keys() == [b"written"]
        # They are only hidden.
        assert reader.dbsize() == 3
    finally:
        primary.resume()
    wait_until("the primary removes them", lambda: reader.dbsize() == 1)
    expect_same(primary, replica)


def is_over(due_ms):
    return time.time() * 1000 > due_ms + 2


def a_promoted_replica_removes_what_has_expired(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    replicate(primary, replica)
    primary.client().set("string", "x", px=SOON_MS)
    wait_until("the replica has it", lambda: replica.client().dbsize() == 2)
    primary.kill()
    replica.ask("REPLICAOF", "NO", "ONE")
    wait_until("it removes the key", lambda: replica.client().dbsize() == 1)


CALLS = [
    keys_expire_on_both,
    an_expired_key_is_not_shown_and_not_removed,
    a_promoted_replica_removes_what_has_expired,
]


def checks(programs):
    return of_pairs(programs, *CALLS)
