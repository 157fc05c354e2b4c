"""Queues under policies through a promotion: what is in flight returns, and nothing is lost."""

from contents import expect_same, replicate, wait_until_caught_up
from governed import in_flight, info, pairs, policies, set_policy
from nodes import expect_error, wait_until
from suite import Check, called

LONG_MS = 600_000
EXPLICIT = ["delivery", "at-least-once", "acknowledge", "explicit"]


def in_sync(bench, primary_program, replica_program, *policies_to_set):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    for name, pattern, *options in policies_to_set:
        set_policy(primary.client(), name, pattern, *options)
    replicate(primary, replica)
    return primary, replica


def promote(primary, replica):
    wait_until_caught_up(primary, replica)
    primary.kill()
    replica.ask("REPLICAOF", "NO", "ONE")
    assert replica.info()["role"] == "master"
    return replica.client()


def pop(client, key, *options):
    """Receipts and messages."""
    reply = client.execute_command("QUEUE", "POP", 1, key, *options)
    return [(entry[0], entry[1]) for entry in reply[1]] if reply else []


def acknowledge(client, key, *receipts):
    assert client.execute_command("QUEUE", "ACK", key, "IDS", len(receipts), *receipts) == len(receipts)


def peek(client, key):
    return [pairs(entry) for entry in client.execute_command("QUEUE", "PEEK", key, "COUNT", 100)]


def policies_are_replicated(bench, ours, other):
    primary, replica = in_sync(bench, ours, other, ("before", "b*", "max-length", 5))
    client = primary.client()
    set_policy(client, "after", "a*", "priority", 3, "message-ttl-ms", LONG_MS, *EXPLICIT)
    set_policy(client, "gone", "g*", "max-length", 1)
    client.execute_command("QUEUE", "POLICY", "DEL", "gone")
    wait_until_caught_up(primary, replica)
    assert policies(replica.client()) == policies(client) and len(policies(client)) == 2
    client = promote(primary, replica)
    assert len(policies(client)) == 2
    client.rpush("b", 1, 2, 3, 4, 5)
    expect_error("QUEUEFULL", client.rpush, "b", 6)


def what_is_in_flight_returns(bench, ours, other):
    primary, replica = in_sync(bench, ours, other, ("work", "jobs", *EXPLICIT))
    client = primary.client(0, single_connection_client=True)
    client.rpush("jobs", *range(100))
    taken = pop(client, "jobs", "COUNT", 10, "LEASE", LONG_MS) + pop(client, "jobs", "COUNT", 5)
    acknowledge(client, "jobs", *[receipt for receipt, _ in taken[:3]])
    client.execute_command("QUEUE", "NACK", "jobs", "IDS", 1, taken[3][0])
    # Delivered twice.
    assert pop(client, "jobs", "LEASE", LONG_MS)[0][1] == b"3"
    expect_same(primary, replica)
    # A replica delivers nothing.
    expect_error("read only", pop, replica.client(), "jobs")
    promoted = promote(primary, replica)
    ready = lambda: promoted.lrange("jobs", 0, -1)
    wait_until("all return", lambda: len(ready()) == 97)
    assert [*map(int, ready())] == [*range(3, 100)]
    assert info(promoted, "jobs")["in-flight"] == 0 and in_flight(promoted, "jobs") == []
    deliveries = {entry["message"]: entry["deliveries"] for entry in peek(promoted, "jobs")}
    found = [deliveries[b"%d" % number] for number in (3, 4, 14, 15)]
    assert found == [2, 1, 1, 0], found
    # A receipt of the old primary says nothing to the new one.
    assert promoted.execute_command("QUEUE", "ACK", "jobs", "IDS", 1, taken[4][0]) == 0
    receipt, message = pop(promoted, "jobs")[0]
    assert message == b"3" and receipt not in [old for old, _ in taken]
    acknowledge(promoted, "jobs", receipt)


def what_is_delayed_stays_delayed(bench, ours, other):
    policy = ("later", "later", *EXPLICIT, "retry-delay-ms", LONG_MS)
    primary, replica = in_sync(bench, ours, other, policy)
    client = primary.client(0, single_connection_client=True)
    client.execute_command("QUEUE", "PUSH", "later", "DELAY", LONG_MS, "MESSAGES", 2, "a", "b")
    client.execute_command("QUEUE", "PUSH", "later", "DELAY", 1500, "MESSAGES", 1, "soon")
    client.rpush("later", "fails")
    client.execute_command("QUEUE", "NACK", "later", "IDS", 1, pop(client, "later")[0][0])
    assert info(client, "later")["delayed"] == 4
    promoted = promote(primary, replica)
    assert info(promoted, "later")["delayed"] in (3, 4)
    wait_until("one is due", lambda: promoted.lrange("later", 0, -1) == [b"soon"])
    assert info(promoted, "later")["delayed"] == 3


def lives_and_dead_letters(bench, ours, other):
    primary, replica = in_sync(
        *[bench, ours, other],
        ("brief", "brief", "message-ttl-ms", 1500, "dead-letter", "dead:{queue}"),
        ("work", "jobs", *EXPLICIT, "delivery-limit", 1, "dead-letter", "dead:{queue}"),
        ("short", "short", "max-length", 2, "overflow", "dead-letter", "dead-letter", "dead:{queue}"),
    )
    client = primary.client(0, single_connection_client=True)
    client.rpush("brief", "x", "y")
    client.rpush("jobs", "fails", "fatal", "stays")
    taken = pop(client, "jobs", "COUNT", 2)
    client.execute_command("QUEUE", "NACK", "jobs", "IDS", 1, taken[0][0])
    client.execute_command("QUEUE", "NACK", "jobs", "IDS", 1, taken[1][0], "FATAL")
    client.rpush("short", 1, 2, 3)
    wait_until("they are there", lambda: client.llen("dead:jobs") == 2 and client.llen("dead:short") == 1)
    expect_same(primary, replica)
    before = [facts(peek(client, f"dead:{queue}")) for queue in ("jobs", "short")]
    promoted = promote(primary, replica)
    after = [facts(peek(promoted, f"dead:{queue}")) for queue in ("jobs", "short")]
    assert before == after, f"{before} {after}"
    wait_until("the lives end", lambda: promoted.llen("dead:brief") == 2)
    assert facts(peek(promoted, "dead:brief"))[0][1:] == (b"brief", b"expired")
    assert promoted.lrange("jobs", 0, -1) == [b"stays"]


def facts(entries):
    return [(entry["message"], entry["from"], entry["reason"]) for entry in entries]


def duplicates_are_known(bench, ours, other):
    primary, replica = in_sync(bench, ours, other, ("once", "once", "dedup-window-ms", LONG_MS))
    primary.client().rpush("once", "a", "b", "a")
    promoted = promote(primary, replica)
    assert promoted.rpush("once", "b", "c", "a") == 3
    assert promoted.lrange("once", 0, -1) == [b"a", b"b", b"c"]


def nothing_is_lost_at_random(bench, ours, other):
    primary, replica = in_sync(bench, ours, other, ("work", "q*", *EXPLICIT))
    rng = bench.rng
    client = primary.client(0, single_connection_client=True)
    pushed, done, held = set(), set(), []
    for step in range(3000):
        kind = rng.random()
        queue = f"q{rng.randrange(3)}"
        if kind < 0.4:
            message = b"%d" % step
            client.execute_command(rng.choice(["RPUSH", "LPUSH"]), queue, message)
            pushed.add(message)
        elif kind < 0.7:
            lease = ["LEASE", LONG_MS] if rng.random() < 0.5 else []
            held += [(queue, *taken) for taken in pop(client, queue, "COUNT", rng.randrange(1, 4), *lease)]
        elif held:
            queue, receipt, message = held.pop(rng.randrange(len(held)))
            if kind < 0.9:
                acknowledge(client, queue, receipt)
                done.add(message)
            else:
                options = rng.choice([[], ["SILENT"], ["DELAY", 100]])
                client.execute_command("QUEUE", "NACK", queue, "IDS", 1, receipt, *options)
        if step == 1500:
            replica.ask("REPLICAOF", "NO", "ONE")
            replicate(primary, replica)
    promoted = promote(primary, replica)
    found = lambda: [message for n in range(3) for message in promoted.lrange(f"q{n}", 0, -1)]
    wait_until("all return", lambda: len(found()) >= len(pushed - done))
    there = found()
    assert len(there) == len({*there}), "a message is there twice"
    assert {*there} == pushed - done, f"{ {*there} ^ (pushed - done) }"


def a_redis_server_has_every_message(bench, ours, redis_server):
    primary, replica = in_sync(bench, ours, redis_server, ("work", "jobs", *EXPLICIT))
    client = primary.client(0, single_connection_client=True)
    client.rpush("jobs", *range(10))
    taken = pop(client, "jobs", "COUNT", 4)
    acknowledge(client, "jobs", taken[0][0])
    client.execute_command("QUEUE", "PUSH", "jobs", "DELAY", LONG_MS, "MESSAGES", 1, "later")
    wait_until_caught_up(primary, replica)
    reader = replica.client()
    found = [reader.lrange(key, 0, -1) for key in ("jobs", "jobs:inflight", "jobs:delayed")]
    expected = [[b"4", b"5", b"6", b"7", b"8", b"9"], [b"1", b"2", b"3"], [b"later"]]
    assert [found[0], sorted(found[1]), found[2]] == expected, found


CALLS = [
    policies_are_replicated,
    what_is_in_flight_returns,
    what_is_delayed_stays_delayed,
    lives_and_dead_letters,
    duplicates_are_known,
    nothing_is_lost_at_random,
]


def checks(programs):
    if programs.ours.is_redis:
        return
    for call in CALLS:
        yield Check(called(call), call, [programs.ours, programs.ours])
    for judge in programs.judges:
        name = f"{called(a_redis_server_has_every_message)}: {judge.label}"
        yield Check(name, a_redis_server_has_every_message, [programs.ours, judge])
