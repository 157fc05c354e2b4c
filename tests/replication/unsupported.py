"""Keys and commands of a redis-server that a replica of ours does not know: it never diverges in silence."""

import time

from contents import begin_replicating, contents, differences, replicas, wait_until_caught_up
from data import fill, incompressible
from nodes import wait_until
from suite import Check, called

FUNCTION = "#!lua name=lib\nredis.register_function('f', function(keys, args) return 1 end)"
# A type and a command that this project does not have.
ALIEN_HASH = [
    ("HSET", "alien", "field", "value"),
    ("HEXPIRE", "alien", 3600, "FIELDS", 1, "field"),
]
ALIEN_COMMAND = ("SETBIT", "alien", 7, 1)


def has_expiring_fields(node):
    """A valkey-server does not send such a hash to a replica that does not say it knows them."""
    return node.program.version >= (7, 4, 0) and not node.program.is_valkey


def said(node, *texts):
    log = node.log.read_text(errors="replace")
    return all(text in log for text in texts)


def unknown_type_in_a_full_sync(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    for words in ALIEN_HASH:
        primary.ask(*words)
    replica.client(3).rpush("old", *range(100))
    before = contents(replica)
    begin_replicating(primary, replica)
    wait_until("the log names key and type", lambda: said(replica, "alien", "hash"))
    assert replica.info()["master_link_status"] == "down"
    assert contents(replica) == before
    # It tries no more until it is told to.
    stopped = replica.info()["master_link_stopped"]
    assert "alien" in str(stopped), stopped
    primary.client().delete("alien")
    assert replica.raw(f"REPLICAOF 127.0.0.1 {primary.port}")[0].startswith(b"OK")
    wait_until_caught_up(primary, replica, 60)
    assert contents(primary) == contents(replica)


def unknown_command_in_the_stream(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    begin_replicating(primary, replica)
    wait_until_caught_up(primary, replica)
    primary.client().rpush("queue", "before")
    primary.ask(*ALIEN_COMMAND)
    primary.client().rpush("queue", "after")
    wait_until("the log names the command", lambda: said(replica, ALIEN_COMMAND[0]))
    wait_until("it has stopped", lambda: replica.info()["master_link_status"] == "down")
    assert replica.client().lrange("queue", 0, -1) == [b"before"]
    # It tries no more until it is told to.
    stopped = replica.info()["master_link_stopped"]
    assert "alien" in str(stopped), stopped
    primary.client().delete("alien")
    assert replica.raw(f"REPLICAOF 127.0.0.1 {primary.port}")[0].startswith(b"OK")
    wait_until_caught_up(primary, replica, 60)
    assert contents(primary) == contents(replica)


def unsupported_keys_are_ignored_if_told(bench, primary_program, replica_program):
    """All encodings that there are, between keys that are supported."""
    primary = bench.node(primary_program)
    replica = bench.node(replica_program, "--replica-ignore-unsupported-keys", "yes")
    fill_aliens(primary, bench.rng)
    fill(primary, bench.rng, 100_000)
    begin_replicating(primary, replica)
    wait_until_caught_up(primary, replica, 60)
    expect_all_but_aliens(primary, replica)
    primary.ask(*ALIEN_COMMAND)
    primary.client().rpush("queue", "after it")
    primary.ask("FUNCTION", "DELETE", "lib")
    wait_until_caught_up(primary, replica)
    expect_all_but_aliens(primary, replica)
    assert replicas(primary)[0]["state"] == "online"


def expect_all_but_aliens(primary, replica):
    expected, found = contents(primary), contents(replica)
    aliens = [b"alien", b"hash 1000"] if has_expiring_fields(primary) else [b"alien"]
    expected = {(db, key): value for (db, key), value in expected.items() if key not in aliens}
    different = differences(expected, found)
    assert not different, "\n".join(different)


def fill_aliens(node, rng):
    client = node.client()
    for count in (1, 10, 1000):
        words = [f"word {number}" for number in range(count)]
        client.hset(f"hash {count}", mapping={word: word * 3 for word in words})
        client.sadd(f"set {count}", *words)
        client.sadd(f"set of integers {count}", *(number * 100_000 for number in range(count)))
        client.zadd(f"zset {count}", {word: number / 7 for number, word in enumerate(words)})
        client.zadd(f"zset of limits {count}", {"a": float("inf"), "b": float("-inf"), "c": 0})
        for word in words:
            client.xadd(f"stream {count}", {"field": word})
    client.hset("hash with long values", "field", incompressible(rng, 100_000))
    client.expire("hash 10", 1000)
    client.pfadd("hyperloglog", "a", "b")
    client.setbit("bitmap", 100_000, 1)
    client.geoadd("places", (13.4, 52.5, "Berlin"))
    client.xgroup_create("stream 10", "group", id="0")
    client.xreadgroup("group", "consumer", {"stream 10": ">"}, count=3)
    node.ask("FUNCTION", "LOAD", FUNCTION)
    if has_expiring_fields(node):
        node.ask("HPEXPIREAT", "hash 1000", int(time.time() * 1000) + 600_000, "FIELDS", 1, "word 7")


CALLS = [
    unknown_type_in_a_full_sync,
    unknown_command_in_the_stream,
    unsupported_keys_are_ignored_if_told,
]


def checks(programs):
    if programs.ours.is_redis:
        return
    for judge in programs.judges:
        for call in CALLS:
            # Of Redis 7.0 every type is known.
            if call is unknown_type_in_a_full_sync and (judge.version < (7, 4) or judge.is_valkey):
                continue
            name = f"{judge.label} to {programs.ours.label}: {called(call)}"
            yield Check(name, call, [judge, programs.ours])
