"""Keys and commands of a redis-server that a replica of ours does not know: it never diverges in silence."""

import time

from contents import begin_replicating, contents, differences, replicas, wait_until_caught_up
from data import fill, incompressible
from nodes import wait_until
from suite import Check, called, main

FUNCTION = "#!lua name=lib\nredis.register_function('f', function(keys, args) return 1 end)"
# Types that the programs may have one day; the checks find out which they have.
TYPES = {
    b"hash": ("HSET", "alien", "field", "value"),
    b"set": ("SADD", "alien", "member"),
    b"zset": ("ZADD", "alien", 1, "member"),
    b"stream": ("XADD", "alien", "*", "field", "value"),
}


def unknown_type(node):
    """One that a node does not have; none if it has all."""
    for kind, words in TYPES.items():
        if not has_command(node, words[0]):
            return kind.decode(), words
    return None


def has_command(node, name):
    return any(name.lower() == listed.decode() for listed in node.raw("COMMAND LIST")[0])


def said(node, *texts):
    log = node.log.read_text(errors="replace")
    return all(text in log for text in texts)


def unknown_type_in_a_full_sync(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    if not (found := unknown_type(replica)):
        return
    kind, words = found
    primary.ask(*words)
    replica.client(3).rpush("old", *range(100))
    before = contents(replica)
    begin_replicating(primary, replica)
    wait_until("the log names key and type", lambda: said(replica, "alien", kind))
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
    if not (found := unknown_type(replica)):
        return
    _, words = found
    begin_replicating(primary, replica)
    wait_until_caught_up(primary, replica)
    primary.client().rpush("queue", "before")
    primary.ask(*words)
    primary.client().rpush("queue", "after")
    wait_until("the log names the command", lambda: said(replica, words[0]))
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
    if not unknown_type(replica):
        return
    fill_aliens(primary, bench.rng)
    fill(primary, bench.rng, 100_000)
    begin_replicating(primary, replica)
    wait_until_caught_up(primary, replica, 60)
    expect_all_but_aliens(primary, replica)
    primary.ask("HSET", "alien too", "field", "value")
    primary.client().rpush("queue", "after it")
    primary.ask("FUNCTION", "DELETE", "lib")
    wait_until_caught_up(primary, replica)
    expect_all_but_aliens(primary, replica)
    assert replicas(primary)[0]["state"] == "online"


def expect_all_but_aliens(primary, replica):
    expected, found = contents(primary), contents(replica)
    expected = {key: value for key, value in expected.items() if value[0] in (b"list", b"string")}
    found = {key: value for key, value in found.items() if value[0] in (b"list", b"string")}
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
    # A valkey-server does not send such a hash to a replica that does not say it knows them.
    if node.program.version >= (7, 4, 0) and not node.program.is_valkey:
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
            name = f"{judge.label} to {programs.ours.label}: {called(call)}"
            yield Check(name, call, [judge, programs.ours])


main("unsupported", checks)
