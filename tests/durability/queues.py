"""Queues under policies when the server is killed with messages in flight, delayed ones, and TTLs: all of it
continues where it was.

    queues.py --server COMMAND …
"""

import argparse
import contextlib
import os
import random
import sys
import time
from collections import Counter

import redis

from bench import called, on_a_bench
from governed import (
    Pusher,
    Taker,
    expect_order,
    in_flight,
    info,
    judge,
    policies,
    set_policy,
)
from report import Report, note
from server import wait_until
from workers import Crew

AT_LEAST_ONCE = ["delivery", "at-least-once", "acknowledge", "next-pop"]


def now_ms(client):
    seconds, microseconds = client.time()
    return seconds * 1000 + microseconds / 1000


def begin_rewrite(server):
    """Does not wait for its end."""
    with server.client() as client, contextlib.suppress(redis.ResponseError):
        # One that has begun by itself will do.
        client.bgrewriteaof()


def expect_list(client, key, letters):
    """The messages of a list, each a letter."""
    found = b"".join(client.lrange(key, 0, -1)).decode()
    assert found == letters, f"expected {letters!r} in {key}, got {found!r}"


# Policies.


def policies_are_there(bench, policy):
    server = bench.tidegate(policy=policy)
    settings = ["--queue-policy", *"fixed fixed max-length 5 ; changed c* max-length 6".split()]
    server.start(*settings)
    with server.client() as client:
        set_policy(client, "changed", "c*", "max-length", 7)
        set_policy(client, "bytes", b"\0\r\n\xff*", "priority", -3, "message-ttl-ms", 1)
        set_policy(
            *[client, "all", "jobs", "priority", 9, "max-length", 4, "max-length-bytes", 100_000],
            *["overflow", "dead-letter", "message-ttl-ms", 100_000, "delay-ms", 5],
            *["delivery", "at-least-once", "acknowledge", "explicit", "ack-timeout-ms", 90_000],
            *["delivery-limit", 3, "dead-letter", "{queue}:dead"],
        )
        set_policy(client, "gone", "x")
        client.execute_command("QUEUE", "POLICY", "DEL", "gone")
        client.execute_command("QUEUE", "POLICY", "DEL", "fixed")
        before = policies(client)
    names = [found["name"] for found in before]
    assert names == [b"all", b"changed", b"bytes"], names
    for is_rewritten in (False, True, False):
        if is_rewritten:
            server.rewrite()
        server.kill()
        server.start(*settings)
        with server.client() as client:
            assert policies(client) == before, policies(client)
    with server.client() as client:
        client.execute_command("QUEUE", "POLICY", "DEL", "all")
    server.kill()
    server.start(*settings)
    with server.client() as client:
        assert policies(client) == before[1:], policies(client)


# Messages in flight.


class Model:
    """The expected content of a queue. Messages are numbers and are popped from the head only: so the queue
    is always in their order, whatever comes back."""

    def __init__(self, server, rng):
        self.server = server
        self.rng = rng
        self.next = 0
        self.waiting = set()
        self.deliveries = Counter()
        self.begin()

    def begin(self):
        """After a start: messages in flight wait again."""
        self.hands = {self.server.client(): [] for _ in range(4)}
        self.boss = self.server.client()

    def push(self):
        count = self.rng.randrange(1, 8)
        numbers = range(self.next, self.next + count)
        self.next += count
        self.boss.rpush("jobs", *numbers)
        self.waiting.update(numbers)

    def pop(self):
        client, hand = self.rng.choice([*self.hands.items()])
        count = self.rng.randrange(1, 6)
        if self.rng.random() < 0.5:
            messages = client.lpop("jobs", count)
        else:
            reply = client.blmpop(0.01, 1, "jobs", direction="LEFT", count=count)
            messages = reply and reply[1]
        expected = sorted(self.waiting)[:count]
        assert [int(message) for message in messages or []] == expected
        hand[:] = expected
        self.waiting.difference_update(expected)
        self.deliveries.update(expected)

    def acknowledge(self):
        self.give("ACK")

    def return_some(self):
        self.waiting.update(self.give("NACK"))

    def give(self, command):
        client, hand = self.rng.choice([*self.hands.items()])
        count = self.rng.randrange(1, 4)
        given = client.execute_command("QUEUE", command, "jobs", "COUNT", count)
        some, hand[:] = hand[:count], hand[count:]
        assert given == len(some)
        return some

    def disconnect(self):
        client, hand = self.rng.choice([*self.hands.items()])
        client.close()
        self.waiting.update(hand)
        del self.hands[client]
        self.hands[self.server.client()] = []
        held = sum(map(len, self.hands.values()))
        wait_until("it is noticed", lambda: info(self.boss, "jobs")["in-flight"] == held)

    def step(self):
        kinds = [self.push, self.pop, self.acknowledge, self.return_some, self.disconnect]
        self.rng.choices(kinds, weights=[4, 6, 2, 1, 1])[0]()

    def rewrite(self):
        """It may be done when the kill comes, or not."""
        begin_rewrite(self.server)
        if self.rng.random() < 0.5:
            self.server.wait_until_rewritten()

    def restart(self):
        self.server.kill()
        lost = sum(self.hands.values(), [])
        self.waiting.update(lost)
        self.server.start()
        self.begin()
        expected = sorted(self.waiting)
        found = [int(message) for message in self.boss.lrange("jobs", 0, -1)]
        assert found == expected, f"expected {expected[:20]}, got {found[:20]}; lost {lost}"
        # All are delivered and given back, which counts as well.
        with self.server.client() as client:
            client.lpop("jobs", len(found) or 1)
            self.deliveries.update(found)
            expected = [(b"%d" % number, self.deliveries[number]) for number in found]
            assert (got := in_flight(client, "jobs")) == expected, f"{expected=} {got=}"
        wait_until("they are back", lambda: info(self.boss, "jobs")["in-flight"] == 0)
        assert [int(message) for message in self.boss.lrange("jobs", 0, -1)] == found


def what_was_in_flight_is_at_the_head(bench, policy, seed):
    rng = random.Random(f"{seed} {policy}")
    server = bench.tidegate(policy=policy).start()
    with server.client() as client:
        set_policy(client, "work", "jobs", *AT_LEAST_ONCE)
    model = Model(server, rng)
    most, life = 0, 0
    # With some seeds, six lives deliver no message often enough to show much.
    while life < 6 or (most <= 3 and life < 30):
        for step in range(60):
            model.step()
            if life % 2 == 1 and step == 40:
                model.rewrite()
        model.restart()
        most = max(model.deliveries.values())
        life += 1
    assert most > 3, f"delivered {most} times at most, which shows little"


def both_ends_and_dead_letters(bench, policy, is_rewritten):
    """Each returns to the end it was taken from, unless it was delivered too often."""
    server = bench.tidegate(policy=policy).start()
    options = [*AT_LEAST_ONCE, "delivery-limit", 3, "dead-letter", "dead"]
    with server.client() as client:
        set_policy(client, "work", "jobs", *options)
        client.rpush("jobs", *"abcdefghij")
    for deliveries in (1, 2):
        with server.client() as left, server.client() as right:
            assert left.lpop("jobs", 3) == [b"a", b"b", b"c"]
            assert right.brpop(["jobs"])[1] == b"j"
            assert right.lpop("jobs") == b"d"  # Which acknowledges j.
            right.rpush("jobs", "j")
            if is_rewritten:
                server.rewrite()
            assert left.lpop("none") is None
            found = in_flight(left, "jobs")
            assert found == [(letter, deliveries) for letter in (b"a", b"b", b"c", b"d")], found
            server.kill()
        server.start()
        with server.client() as client:
            expect_list(client, "jobs", "abcdefghij")
            expect_list(client, "dead", "")
    with server.client() as left, server.client() as right:
        assert left.lpop("jobs", 2) == [b"a", b"b"]
        assert right.rpop("jobs", 2) == [b"j", b"i"]
        assert in_flight(left, "jobs") == [(b"a", 3), (b"b", 3), (b"j", 1), (b"i", 1)]
        server.kill()
    server.start()
    with server.client() as client:
        expect_list(client, "jobs", "cdefghij")
        expect_list(client, "dead", "ab")
        client.lpop("jobs", 8)
        counts = dict(in_flight(client, "jobs"))
        expected = {b"c": 3, b"d": 3, b"i": 2, b"j": 2}
        assert counts == {letter: expected.get(letter, 1) for letter in counts}, counts


# Timers.

LIFE_MS = 2000
DELAY_MS = 2000
AGE_MS = 1200  # So old messages are when the server is killed.


def lives_and_delays_are_not_renewed(bench, policy, is_rewritten):
    server = bench.tidegate(policy=policy).start()
    with server.client() as client:
        set_policy(client, "brief", "brief", "message-ttl-ms", LIFE_MS)
        set_policy(
            *[client, "held", "held", *AT_LEAST_ONCE],
            *["message-ttl-ms", LIFE_MS, "dead-letter", "dead"],
        )
        set_policy(client, "later", "later", "delay-ms", DELAY_MS)
        begin_ms = now_ms(client)
        client.rpush("brief", "a", "b")
        client.rpush("held", "c", "d")
        client.rpush("later", "f", "g")
        client.lpush("later", "e")
        end_ms = now_ms(client)
        client.lpop("held")
        if is_rewritten:
            server.rewrite()
        wait_until("it is old", lambda: info(client, "brief")["oldest-age-ms"] >= AGE_MS)
        server.kill()
    start_ms = time.time() * 1000
    server.start()
    with server.client() as client:

        def expect(key, messages):
            """They are there, and as old as they should be."""
            before_ms = now_ms(client)
            facts, found = info(client, key), client.lrange(key, 0, -1)
            after_ms = now_ms(client)
            if after_ms >= begin_ms + LIFE_MS:
                return note("the machine is slow: the lives have ended")
            assert found == messages, f"{key}: {found}"
            age_ms = facts["oldest-age-ms"]
            # A millisecond is as exact as it is.
            assert begin_ms - 2 <= after_ms - age_ms and before_ms - age_ms <= end_ms + 2, (
                f"{key} is {age_ms} ms old at {after_ms - begin_ms}"
            )

        expect("brief", [b"a", b"b"])
        expect("held", [b"c", b"d"])
        facts, found = info(client, "later"), client.lrange("later", 0, -1)
        if now_ms(client) < begin_ms + DELAY_MS:
            assert (facts["delayed"], found) == (3, []), f"{facts} {found}"

        def expect_at(what, due_ms, condition):
            """It happens when it is due, which it would not if the time had started again."""
            wait_until(what, condition, pause_s=0.001)
            at_ms = now_ms(client)
            assert begin_ms + due_ms <= at_ms + 2, f"{what}: {at_ms - begin_ms} ms are too early"
            assert at_ms < start_ms + due_ms, f"{what}: {at_ms - begin_ms} ms are too late"

        expect_at("lives end", LIFE_MS, lambda: client.exists("brief", "held") == 0)
        expect_list(client, "dead", "cd")
        expect_at("what is delayed is due", DELAY_MS, lambda: client.llen("later") == 3)
        expect_list(client, "later", "efg")


def what_is_due_while_there_is_no_server(bench, policy):
    """TTLs and delays end when it starts again, even if no client waits."""
    server = bench.tidegate(policy=policy).start()
    with server.client() as client:
        set_policy(client, "brief", "brief", *AT_LEAST_ONCE, "message-ttl-ms", 100)
        set_policy(client, "later", "later", "delay-ms", 100)
        client.rpush("brief", "a", "b", "c")
        client.lpop("brief", 2)
        client.rpush("later", "d")
        client.lpush("later", "c")
        over_ms = now_ms(client) + 110
        server.kill()
    wait_until("the time is over", lambda: time.time() * 1000 > over_ms)
    server.start()
    with server.client() as client:
        expect_list(client, "brief", "")
        expect_list(client, "later", "cd")


# Under load.


def nothing_is_lost_under_load(bench, policy, seed):
    rng = random.Random(f"{seed} load {policy}")
    server = bench.tidegate(policy=policy).start("--auto-aof-rewrite-min-size", "64kb")
    with server.client() as client:
        set_policy(client, "work", "jobs", *AT_LEAST_ONCE)
    pushers = [Pusher(number, seed) for number in range(3)]
    takers = [Taker(number, seed) for number in range(4)]
    for life in range(5):
        crew = Crew([*pushers, *takers], server.port, None)
        enough = rng.randrange(100, 1500)
        wait_until(f"{enough} pushes and pops", lambda: crew.acknowledged() >= enough)
        if life % 2:
            begin_rewrite(server)
        crew.kill(server)
        server.start("--auto-aof-rewrite-min-size", "64kb")
        with server.client() as client:
            found = client.lrange("jobs", 0, -1)
        judge(pushers, takers, found)
        expect_order(found)
    crew = Crew(takers, server.port, None)
    with server.client() as client:
        is_done = lambda: crew.acknowledged() >= 0 and client.llen("jobs") == 0
        wait_until("the queue is empty", is_done)
        crew.end()
        wait_until("all are back", lambda: info(client, "jobs")["in-flight"] == 0)
        judge(pushers, takers, client.lrange("jobs", 0, -1))
    delivered = sum(len(taker.done) for taker in takers)
    note(f"{sum(len(pusher.answered) for pusher in pushers)} pushed, {delivered} acknowledged")


def checks(seed):
    for policy in ("always", "everysec"):
        for call, *variants in [
            (policies_are_there, []),
            (what_was_in_flight_is_at_the_head, [seed]),
            (both_ends_and_dead_letters, [False], [True]),
            (lives_and_delays_are_not_renewed, [False], [True]),
            (what_is_due_while_there_is_no_server, []),
            (nothing_is_lost_under_load, [seed]),
        ]:
            for variant in variants:
                rewritten = ", rewritten" if variant == [True] else ""
                yield f"{called(call)}, appendfsync {policy}{rewritten}", call, [policy, *variant]


def main():
    sys.setswitchinterval(0.0005)
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--server", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    report = Report()
    note(f"seed {options.seed}")
    for name, call, arguments in checks(options.seed):
        if os.environ.get("ONLY", "") in name:
            report.check(f"queues: {name}", on_a_bench, options.server, call, arguments)
    sys.exit(report.end())


main()
