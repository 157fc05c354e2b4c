"""Queues under policies go to redis-server and back. It has no policies, but every message: those in flight
in the list `<key>:inflight`, and delayed ones in `<key>:delayed`.

    queue_interop.py --server COMMAND …
"""

import argparse
import os
import random
import sys

from bench import called, has_redis_programs, on_a_bench
from governed import (
    DELAYED,
    IN_FLIGHT,
    Pusher,
    Taker,
    expect_order,
    in_flight,
    info,
    judge,
    set_policy,
)
from report import Report, note
from server import wait_until
from workers import Crew

LONG_MS = 3_600_000
AT_LEAST_ONCE = ["delivery", "at-least-once", "acknowledge", "next-pop", "message-ttl-ms", str(LONG_MS)]
DELAYS = ["delay-ms", str(LONG_MS), "message-ttl-ms", str(LONG_MS)]
# The policies as the settings of the server that loads the files of Redis.
SETTINGS = ["--queue-policy", "work", "jobs", *AT_LEAST_ONCE, ";", "later", "later", *DELAYS]


def set_policies(server):
    with server.client() as client:
        set_policy(client, "work", "jobs", *AT_LEAST_ONCE)
        set_policy(client, "later", "later", *DELAYS)


def lists(server, *keys):
    """The messages of lists, each a letter, as text."""
    with server.client() as client:
        return {key: b"".join(client.lrange(key, 0, -1)).decode() for key in keys}


def expect_lists(server, **expected):
    """Lists of letters by name; `_` is for the `:` in it."""
    expected = {key.replace("_", ":"): letters for key, letters in expected.items()}
    found = lists(server, *expected)
    assert found == expected, f"{server.command[0]}: expected {expected}, got {found}"


# Under load, when the server is killed.


def nothing_is_lost_under_load(bench, is_rewritten, seed):
    rng = random.Random(f"{seed} {is_rewritten}")
    server = bench.tidegate(policy=rng.choice(["always", "everysec", "no"])).start()
    set_policies(server)
    pushers = [Pusher(number, seed) for number in range(3)]
    takers = [Taker(number, seed) for number in range(4)]
    delayers = [Pusher(number, seed, "later") for number in range(3, 5)]
    for _ in range(2):
        crew = Crew([*pushers, *takers, *delayers], server.port, None)
        enough = rng.randrange(200, 1500)
        wait_until(f"{enough} pushes and pops", lambda: crew.acknowledged() >= enough)
        if is_rewritten:
            server.rewrite()
            enough += crew.acknowledged()
            wait_until("some more", lambda: crew.acknowledged() >= enough)
        crew.kill(server)
        theirs = bench.redis("no", bench.copy_of(server)).start()
        with theirs.client() as client:
            flying = client.lrange("jobs" + IN_FLIGHT, 0, -1)
            waiting = client.lrange("jobs", 0, -1)
            delayed = client.lrange("later" + DELAYED, 0, -1)
            assert not client.exists("later"), "delayed, and there"
        # All messages possibly in flight are in one list, and no others.
        judge(pushers, takers, [*flying, *waiting])
        expect_order(waiting)
        judge(delayers, [], delayed)
        expect_order(delayed)
        note(f"{len(waiting)} waiting, {len(flying)} in flight, {len(delayed)} delayed")
        theirs.stop()
        # We find the same, in one list.
        server.start()
        with server.client() as client:
            found = client.lrange("jobs", 0, -1)
            assert info(client, "later")["delayed"] in range(1, len(delayed) + 1)
        expect_order(found)
        judge(pushers, takers, found)


# There and back.


def our_files(bench, is_rewritten):
    """Of the messages a to j, d is acknowledged and a, b, c and i are in flight."""
    ours = bench.tidegate().start()
    set_policies(ours)
    with ours.client() as first, ours.client() as second, ours.client() as third:
        first.rpush("jobs", *"abcdefghij")
        first.lpop("jobs", 2)
        second.lpop("jobs")
        if is_rewritten:
            ours.rewrite()
        third.lpop("jobs")
        third.execute_command("QUEUE", "ACK", "jobs")
        third.rpush("later", "x", "y")
        third.lpush("later", "w")
        ours.kill()
    return ours


def goes_there_and_back(bench, is_rewritten, change, in_settings):
    ours = our_files(bench, is_rewritten)
    theirs = bench.redis("no", bench.copy_of(ours)).start()
    expect_lists(theirs, jobs="efghij", jobs_inflight="abc", later="", later_delayed="xyw")
    has_notes, queue, later = change(theirs)
    theirs.stop()
    settings = SETTINGS if in_settings else []
    back = bench.tidegate(theirs.directory, "always")
    back.start("--aof-load-unverified", "yes", *settings)
    # Foreign files are rewritten.
    back.wait_until_rewritten()
    for _ in range(3):
        if has_notes:
            # The delay continues.
            expect_lists(back, jobs=queue, later="")
            with back.client() as client:
                assert info(client, "later")["delayed"] == len(later)
        elif in_settings:
            # The length of the delay is not known any more.
            expect_lists(back, jobs=queue, later=later)
        else:
            # Lists as others, to us as to Redis.
            rest = lists(back, "jobs:inflight", "jobs", "later:delayed", "later")
            assert rest["jobs:inflight"] + rest["jobs"] == queue, rest
            assert rest["later:delayed"] + rest["later"] == later, rest
        back.kill()
        back.start(*settings)
    if has_notes or in_settings:
        with back.client() as client:
            client.lpop("jobs", 3)
            assert len(in_flight(client, "jobs")) == 3
            assert client.lrange("jobs", 0, -1) == [b"%c" % letter for letter in queue[3:].encode()]


# What Redis does meanwhile; whether our notes are still there, and what the queues have to be then.


def adds(theirs):
    with theirs.client() as client:
        client.rpush("jobs", "k")
        assert client.lpop("jobs") == b"e"
    return True, "abcfghijk", "xyw"


def rewrites(theirs):
    theirs.rewrite()
    return False, "abcefghij", "xyw"


def rewrites_and_adds(theirs):
    theirs.rewrite()
    adds(theirs)
    return False, "abcfghijk", "xyw"


def adds_and_rewrites(theirs):
    adds(theirs)
    theirs.rewrite()
    return False, "abcfghijk", "xyw"


def recovers(theirs):
    """As for an operator who has read where they are."""
    with theirs.client() as client:
        assert client.lpop("jobs:inflight") == b"a"
        assert client.lmove("jobs:inflight", "jobs", "RIGHT", "LEFT") == b"c"
        assert client.lpop("jobs") == b"c"
        assert client.lmove("later:delayed", "later", "LEFT", "RIGHT") == b"x"
        assert client.lpop("later") == b"x"
    return True, "befghij", "yw"


def checks(seed):
    for is_rewritten in (False, True):
        rewritten = ", rewritten" if is_rewritten else ""
        name = f"{called(nothing_is_lost_under_load)}{rewritten}"
        yield name, nothing_is_lost_under_load, [is_rewritten, seed]
        for change in (adds, rewrites, rewrites_and_adds, adds_and_rewrites, recovers):
            for in_settings in (True, False):
                place = "settings" if in_settings else "files"
                name = f"redis {called(change)}, policies in the {place}{rewritten}"
                yield name, goes_there_and_back, [is_rewritten, change, in_settings]


def main():
    sys.setswitchinterval(0.0005)
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--server", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    report = Report()
    note(f"seed {options.seed}")
    if has_redis_programs(report, "queue interop"):
        for name, call, arguments in checks(options.seed):
            if os.environ.get("ONLY", "") in name:
                report.check(f"queue interop: {name}", on_a_bench, options.server, call, arguments)
    sys.exit(report.end())


main()
