"""MIGRATE from and to servers of other programs."""

import threading
import time

from nodes import HOST, expect_error, outcome, wait_until
from suite import of_pairs

TIMEOUT_MS = 5000


def migrate(source, target, key, *options, db=0, port=None, timeout_ms=TIMEOUT_MS):
    port = port or target.port
    return source.ask("MIGRATE", HOST, port, key, db, timeout_ms, *options)


def one_key(bench, source_program, target_program):
    source, target = bench.node(source_program), bench.node(target_program)
    ours, theirs = source.client(), target.client(3)
    messages = [f"message {number}" for number in range(20_000)]
    for first in range(0, len(messages), 1000):
        ours.rpush("queue", *messages[first : first + 1000])
    ours.pexpire("queue", 50_000)
    ours.set("text", "x" * 300_000)
    assert migrate(source, target, "queue", db=3) == b"OK"
    assert not ours.exists("queue")
    assert theirs.lrange("queue", 0, -1) == [message.encode() for message in messages]
    assert 30_000 < theirs.pttl("queue") <= 50_000
    assert migrate(source, target, "text", "COPY") == b"OK"
    assert ours.get("text") == target.client().get("text") == b"x" * 300_000
    # Both have it now.
    expect_error("Target instance replied with error: BUSYKEY", migrate, source, target, "text")
    assert ours.exists("text")
    assert migrate(source, target, "text", "REPLACE") == b"OK"
    assert not ours.exists("text") and target.client().pttl("text") == -1
    assert migrate(source, target, "none") == b"NOKEY"


def several_keys(bench, source_program, target_program):
    source, target = bench.node(source_program), bench.node(target_program)
    names = [f"queue {number}" for number in range(50)]
    for name in names:
        source.client().rpush(name, name, "x")
    target.client().set("queue 7", "in the way")
    replied = outcome(migrate, source, target, "", "KEYS", "none", *names)
    assert "Target instance replied with error: BUSYKEY" in str(replied), replied
    # All others have moved.
    assert source.client().keys() == [b"queue 7"]
    assert target.client().dbsize() == 50
    assert migrate(source, target, "", "REPLACE", "KEYS", *names) == b"OK"
    assert source.client().dbsize() == 0
    assert all(target.client().lrange(name, 0, -1) == [name.encode(), b"x"] for name in names)
    assert migrate(source, target, "", "KEYS", *names) == b"NOKEY"


def passwords(bench, source_program, target_program):
    source, target = bench.node(source_program), bench.node(target_program)
    target.ask("CONFIG", "SET", "requirepass", "secret")
    target.client().execute_command("AUTH", "secret")
    target.ask("ACL", "SETUSER", "mover", "on", ">word", "~*", "+@all")
    source.client().mset({"a": 1, "b": 2, "c": 3})
    expect_error("NOAUTH", migrate, source, target, "a")
    expect_error("WRONGPASS", migrate, source, target, "a", "AUTH", "wrong")
    assert source.client().get("a") == b"1"
    assert migrate(source, target, "a", "AUTH", "secret") == b"OK"
    assert migrate(source, target, "", "AUTH2", "mover", "word", "KEYS", "b", "c") == b"OK"
    assert source.client().dbsize() == 0
    assert target.client().mget("a", "b", "c") == [b"1", b"2", b"3"]
    source.ask("CONFIG", "SET", "slowlog-log-slower-than", "0")
    source.client().set("d", 4)
    assert migrate(source, target, "d", "AUTH", "secret") == b"OK"
    assert "secret" not in str(source.client().slowlog_get(20)) and "d" in str(source.client().slowlog_get(20))


def errors(bench, source_program, target_program):
    source, target = bench.node(source_program), bench.node(target_program)
    source.client().set("key", "x")
    expect_error("error or timeout", source.ask, "MIGRATE", HOST, "1", "key", 0, 500)
    expect_error("Target instance replied with error: ERR DB index", source.ask, "MIGRATE", HOST, target.port, "key", 99, 500)
    expect_error("syntax error", migrate, source, target, "key", "AUTH")
    expect_error("syntax error", migrate, source, target, "key", "AUTH2", "user")
    expect_error("syntax error", migrate, source, target, "key", "MOVE")
    expect_error("not an integer", source.ask, "MIGRATE", HOST, "1", "key", "x", 500)
    expect_error("not an integer", source.ask, "MIGRATE", HOST, "1", "key", 0, "y")
    must_be_empty = "When using MIGRATE KEYS option, the key argument must be set to the empty string"
    expect_error(must_be_empty, migrate, source, target, "key", "KEYS", "key")
    link = bench.link(target)
    link.is_stalled = True
    begun = time.monotonic()
    expect_error("error or timeout", source.ask, "MIGRATE", HOST, link.port, "key", 0, 500)
    assert time.monotonic() - begun < 10
    assert source.client().get("key") == b"x"


def others_go_on(bench, source_program, target_program):
    """Redis blocks; ours serves others, and removes nothing that has changed meanwhile."""
    if source_program.is_redis:
        return
    source, target = bench.node(source_program), bench.node(target_program)
    link = bench.link(target)
    source.client().rpush("queue", "a", "b")
    source.client().rpush("other", "c")
    link.is_stalled = True
    replies = []

    def call():
        client = source.client(0, client_name="mover")
        words = ["MIGRATE", HOST, link.port, "", 0, 20_000, "KEYS", "queue", "other"]
        replies.append(outcome(client.execute_command, *words))

    mover = threading.Thread(target=call)
    mover.start()
    wait_until("it waits", lambda: source.info("clients")["blocked_clients"] == 1)
    assert source.client().lpush("elsewhere", 1) == 1
    # The first key is sent once the target has answered what came before it.
    link.piece_bytes = 1
    link.delay_s = 0.05
    link.is_stalled = False
    wait_until("a key is sent", lambda: link.delivered >= len(b"+OK\r\n"))
    assert source.client().rpush("queue", "late") == 3
    mover.join(timeout=30)
    assert "has changed while it was sent" in str(replies[0]), replies
    assert source.client().lrange("queue", 0, -1) == [b"a", b"b", b"late"]
    assert target.client().lrange("queue", 0, -1) == [b"a", b"b"]
    assert not source.client().exists("other") and target.client().llen("other") == 1


def a_queue_under_a_policy(bench, source_program, target_program):
    """What is in flight or delayed stays."""
    if source_program.is_redis:
        return
    policy = "work jobs* delivery at-least-once acknowledge explicit"
    source, target = bench.node(source_program, "--queue-policy", policy), bench.node(target_program)
    client = source.client(0, client_name="worker")
    client.rpush("jobs", "a", "b", "c", "d")
    assert client.lpop("jobs") == b"a"
    source.ask("QUEUE", "PUSH", "jobs", "DELAY", 60_000, "MESSAGES", 1, "later")
    assert migrate(source, target, "jobs") == b"OK"
    assert target.client().lrange("jobs", 0, -1) == [b"b", b"c", b"d"]
    assert source.client().llen("jobs") == 0
    assert client.execute_command("QUEUE", "NACK", "jobs") == 1
    assert source.client().lrange("jobs", 0, -1) == [b"a"]


def replicas_hear_of_it(bench, source_program, target_program):
    source, target = bench.node(source_program), bench.node(target_program)
    replica = bench.node(source_program)
    replica.ask("REPLICAOF", HOST, source.port)
    source.client().rpush("queue", "a")
    source.client().set("text", "b")
    wait_until("it follows", lambda: replica.client().dbsize() == 2)
    assert migrate(source, target, "", "KEYS", "queue", "text") == b"OK"
    wait_until("the keys are gone there, too", lambda: replica.client().dbsize() == 0)
    expect_error("You can't write against a read only replica", replica.ask, "MIGRATE", HOST, 1, "x", 0, 9)


CALLS = [
    one_key,
    several_keys,
    passwords,
    errors,
    others_go_on,
    a_queue_under_a_policy,
    replicas_hear_of_it,
]


def checks(programs):
    return of_pairs(programs, *CALLS)
