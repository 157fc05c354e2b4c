"""Append files go from this broker to redis-server and back, and nothing is lost.

    interop.py [COMMAND …]

Without COMMAND the release build is used. The redis-server is the installed one; without one, this
fails. ONLY=snapshot runs the checks whose name contains the text.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import redis

from bench import called, expect_same, has_redis_programs, on_a_bench
from report import Report
from server import DATABASES, MANIFEST, Server, contents, wait_until

ROOT = Path(__file__).resolve().parents[2]
ALL_BYTES = bytes(range(256))
LARGE = ALL_BYTES * 16384  # 4 MiB.
TRAILER_BYTES = 93  # As in src/journal/batch.rs.
IN_A_WHILE_MS = 3_600_000
SOON_MS = 300


def write(server, round_name):
    """Every kind of change, so that different commands come into the files. What it makes is other
    keys in each round."""
    name = lambda text: f"{round_name} {text}"
    with server.client() as client:
        client.rpush(name("binary"), ALL_BYTES, b"", b"\r\n", b"$5\r\nx", b"*1\r\n", "é", "\0")
        client.lpush(f"{round_name} ".encode() + ALL_BYTES, b"", b"a key may be anything")
        client.rpush(name("empty"), b"", b"", b"")
        client.rpush(name("large"), LARGE, b"small", LARGE[:-1])
        client.rpush(name("many"), *range(5000))
        client.ltrim(name("many"), 10, -20)
        client.lrem(name("many"), 0, 77)
        client.lset(name("many"), 3, ALL_BYTES)
        client.linsert(name("many"), "BEFORE", 500, b"between")
        client.lpop(name("many"), 5)
        client.rpop(name("many"))
        client.lmpop(2, name("nothing"), name("many"), direction="RIGHT", count=3)
        client.lmove(name("many"), name("moved"), "LEFT", "RIGHT")
        client.rpoplpush(name("many"), name("moved"))
        client.blmove(name("many"), name("moved"), 1, "RIGHT", "LEFT")
        client.lmove(name("many"), name("many"), "LEFT", "RIGHT")
        client.rpush(name("old name"), "renamed")
        client.rpush(name("new name"), "replaced")
        client.rename(name("old name"), name("new name"))
        client.copy(name("new name"), name("copy"))
        client.copy(name("new name"), name("copy"), destination_db=3)
        client.rpush(name("elsewhere"), "in 4")
        client.move(name("elsewhere"), 4)
        client.rpush(name("gone"), "x")
        client.delete(name("gone"))
        client.rpush(name("taken"), "x")
        client.lpop(name("taken"))
        write_transactions(client, name)
        write_expiries(client, name)
        write_strings(client, name)
    serve_waiting_clients(server, name)
    write_databases(server, name)
    with server.client() as client:
        wait_until("the expiry", lambda: client.exists(name("expires soon")) == 0)


def write_transactions(client, name):
    with client.pipeline(transaction=True) as transaction:
        transaction.rpush(name("transaction"), *range(10))
        transaction.lpop(name("transaction"))
        transaction.select(5)
        transaction.rpush(name("transaction"), "in 5")
        transaction.select(0)
        transaction.rpush(name("transaction"), "in 0 again")
        transaction.execute()
    with client.pipeline(transaction=True) as transaction:
        transaction.rpush(name("not changed in the end"), 1)
        transaction.delete(name("not changed in the end"))
        transaction.execute()


def write_strings(client, name):
    in_a_while_ms = int(time.time() * 1000) + IN_A_WHILE_MS
    client.set(name("string"), ALL_BYTES)
    client.set(name("large string"), LARGE)
    client.set(name("empty string"), b"")
    client.set(name("number"), 41)
    client.incr(name("number"))
    client.incrbyfloat(name("float"), "10.6")
    client.append(name("log"), "one")
    client.append(name("log"), "two")
    client.setrange(name("holes"), 5, "x")
    client.mset({name("m1"): "x", name("m2"): 2})
    client.setnx(name("m1"), "not set")
    client.set(name("string that expires"), "x", pxat=in_a_while_ms)
    client.set(name("string that expires"), "y", keepttl=True)
    client.getex(name("number"), pxat=in_a_while_ms)
    client.set(name("taken string"), "x")
    client.getdel(name("taken string"))
    client.rpush(name("was a list"), "x")
    client.set(name("was a list"), "y")
    client.set(name("expired string"), "x", px=1)


def write_expiries(client, name):
    in_a_while_ms = int(time.time() * 1000) + IN_A_WHILE_MS
    for text in ("expires", "expires, renamed", "expires, grown", "persists"):
        client.rpush(name(text), text)
        client.pexpireat(name(text), in_a_while_ms)
    client.rename(name("expires, renamed"), name("expires, with a new name"))
    client.rpush(name("expires, grown"), "more")
    client.persist(name("persists"))
    client.rpush(name("expired already"), "x")
    client.expireat(name("expired already"), 1)
    client.rpush(name("expires soon"), "x")
    client.pexpire(name("expires soon"), SOON_MS)


def serve_waiting_clients(server, name):
    """Pushes that serve a waiting client: they change something other than what was requested."""
    with server.client() as first, server.client() as second, server.client() as producer:
        threads = [
            threading.Thread(target=first.blpop, args=[name("waited for"), 0]),
            threading.Thread(
                target=second.blmove, args=[name("waited for 2"), name("served"), 0]
            ),
        ]
        for thread in threads:
            thread.start()
        waiting = lambda: sum("b" in entry["flags"] for entry in producer.client_list())
        wait_until("both wait", lambda: waiting() == 2)
        producer.rpush(name("waited for"), "one", "two")
        producer.rpush(name("waited for 2"), "three")
        for thread in threads:
            thread.join()


def write_databases(server, name):
    for db in range(DATABASES):
        with server.client(db) as client:
            client.rpush(name("in each"), f"database {db}", *range(db))
    with server.client(7) as client:
        client.rpush(name("will be in 8"), "x")
        client.pexpire(name("will be in 8"), IN_A_WHILE_MS)
        client.swapdb(7, 8)
        client.rpush(name("in 7"), "x")
    with server.client(11) as client:
        client.rpush(name("flushed"), "x")
        client.flushdb()
        client.rpush(name("after the flush"), "x")


# From this broker to redis-server.


def expect_loaded_by_redis(bench, server, preamble, expected):
    copy = bench.redis(preamble, bench.copy_of(server)).start()
    expect_same(expected, copy)
    copy.kill()
    check_aof(server)


def check_aof(server):
    """The result of Redis' own checker."""
    result = subprocess.run(
        ["redis-check-aof", server.append_files / MANIFEST], capture_output=True, text=True
    )
    assert result.returncode == 0, f"redis-check-aof: {result.stdout}{result.stderr}"
    assert "All AOF files and manifest are valid" in result.stdout, result.stdout


def redis_loads_ours(bench, preamble):
    server = bench.tidegate().start()
    write(server, "first")
    expect_loaded_by_redis(bench, server, preamble, contents(server))
    server.rewrite()
    expect_loaded_by_redis(bench, server, preamble, contents(server))
    write(server, "second")
    expected = contents(server)
    expect_loaded_by_redis(bench, server, preamble, expected)
    server.stop()
    expect_loaded_by_redis(bench, server, preamble, expected)
    server.start()
    write(server, "third")
    server.kill()
    server.start()
    expected = contents(server)
    expect_loaded_by_redis(bench, server, preamble, expected)


def redis_loads_what_was_written_once(bench, preamble):
    """BGREWRITEAOF while nothing is appended: all data of that moment, and nothing later."""
    server = bench.tidegate().start("--appendonly", "no")
    for name in ("first", "second"):
        write(server, name)
        expected = contents(server)
        server.rewrite()
        write(server, f"{name} too late")
        expect_loaded_by_redis(bench, server, preamble, expected)
    server.kill()
    server.start()
    expect_same(expected, server)
    expect_loaded_by_redis(bench, server, preamble, expected)


def redis_loads_ours_after_a_kill_under_load(bench, preamble):
    """Redis loads what the kill left. Where that ends in the middle of a batch, Redis keeps the
    commands of it that are whole, and we do not: none of them was answered."""
    server = bench.tidegate().start()
    pushers = [Pusher(server, number) for number in range(4)]
    wait_until("some pushes", lambda: all(pusher.count > 200 for pusher in pushers))
    server.kill()
    for pusher in pushers:
        pusher.join()
    as_left = bench.redis(preamble, bench.copy_of(server)).start()
    server.start()
    ours, theirs = contents(server), contents(as_left)
    for key, (messages, _) in ours.items():
        begins_alike = theirs[key][0][: len(messages)] == messages
        assert begins_alike, f"{key} does not begin with our messages"
    for pusher in pushers:
        count = len(ours[0, pusher.key.encode()][0])
        assert count >= pusher.count, f"{count} messages of {pusher.count} that were acknowledged"
    # The torn part has been cut off.
    expect_loaded_by_redis(bench, server, preamble, ours)


class Pusher(threading.Thread):
    """Pushes until the server ends."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.client = server.client()
        self.key = f"pusher {number}"
        self.count = 0
        self.start()

    def run(self):
        try:
            while True:
                self.client.rpush(self.key, b"%d " % self.count + ALL_BYTES * (self.count % 100))
                self.count += 1
        except redis.ConnectionError:
            return


def redis_does_not_load_what_has_expired(bench, preamble):
    server = bench.tidegate().start()
    with server.client() as client:
        client.rpush("expires", "x")
        client.rpush("stays", "x")
        client.pexpire("expires", SOON_MS)
        expires_ms = client.pexpiretime("expires")
    server.kill()
    wait_until("the expiry", lambda: time.time() * 1000 > expires_ms)
    expected = {(0, b"stays"): ([b"x"], -1)}
    copy = bench.redis(preamble, bench.copy_of(server)).start()
    expect_same(expected, copy)
    expect_same(expected, server.start())


def redis_loads_ours_with_a_torn_end(bench, preamble):
    """The commands before a torn checksum are whole to Redis. To us the batch is not there; it is
    the last one, and was never answered, as it were."""
    server = bench.tidegate().start()
    with server.client() as client:
        client.rpush("jobs", "first")
        before = contents(server)
        client.rpush("jobs", "second")
    after = contents(server)
    server.kill()
    for missing in (1, 2, 10, 50, 71, 80, TRAILER_BYTES - 5, TRAILER_BYTES - 1, TRAILER_BYTES):
        for program, expected in ((bench.redis(preamble), after), (bench.tidegate(), before)):
            server.copy(program.directory)
            increment = program.newest_increment()
            os.truncate(increment, increment.stat().st_size - missing)
            program.start()
            expect_same(expected, program)
            program.kill()


def redis_loads_ours_with_room(bench, preamble):
    """A kill leaves the room that was made for batches to come: PINGs to Redis, which goes on behind
    them."""
    server = bench.tidegate(policy="always").start()
    write(server, "ours")
    server.kill()
    left = server.newest_increment().read_bytes()
    assert left.count(b"PING\r\n$43\r\nroom") > 100, f"no room in {len(left)} bytes"
    theirs = bench.redis(preamble, bench.copy_of(server)).start()
    expected = contents(bench.tidegate(bench.copy_of(server)).start())
    assert expected, "nothing of what was acknowledged is there"
    expect_same(expected, theirs)
    check_aof(server)
    write(theirs, "theirs")
    expected = contents(theirs)
    theirs.stop()
    expect_unverified(bench, theirs, expected)


# From redis-server to this broker.


def expect_adopted(bench, theirs, expected, *arguments):
    """This broker loads the files of a redis-server, continues with them, and finds everything again."""
    server = bench.tidegate(bench.copy_of(theirs)).start(*arguments)
    expect_same(expected, server)
    # Foreign files are rewritten automatically.
    server.wait_until_rewritten()
    write(server, "adopted")
    expected = contents(server)
    server.kill()
    expect_same(expected, server.start())
    server.rewrite()
    expect_same(expected, server)
    server.stop()
    expect_same(expected, server.start())
    server.kill()
    # And back again.
    expect_loaded_by_redis(bench, server, "no", expected)


def tidegate_loads_theirs(bench, preamble, timestamps, is_rewritten, ends):
    theirs = bench.redis(preamble, None, "--aof-timestamp-enabled", timestamps).start()
    write(theirs, "first")
    if is_rewritten:
        theirs.rewrite()
        write(theirs, "second")
    expected = contents(theirs)
    ends(theirs)
    expect_adopted(bench, theirs, expected)


def tidegate_loads_an_empty_redis(bench):
    theirs = bench.redis("no").start()
    theirs.stop()
    expect_adopted(bench, theirs, {})


def a_torn_end_of_theirs_is_cut_off(bench):
    theirs = bench.redis("no").start()
    with theirs.client() as client:
        client.rpush("jobs", "first")
        expected = contents(theirs)
        with client.pipeline(transaction=True) as transaction:
            transaction.rpush("jobs", "second")
            transaction.rpush("jobs", "third")
            transaction.execute()
    theirs.kill()
    increment = theirs.newest_increment()
    # The transaction has no end, and so no beginning.
    os.truncate(increment, increment.stat().st_size - 5)
    server = bench.tidegate(bench.copy_of(theirs)).start()
    expect_same(expected, server)


def all_types_are_loaded(bench):
    """From the base in Redis' binary format, and from the commands behind it."""
    theirs = bench.redis("yes").start()
    for suffix in ("in the base", "behind it"):
        with theirs.client() as client:
            client.hset(f"hash {suffix}", mapping={"field": "value", "number": 7})
            client.sadd(f"set {suffix}", *range(1000))
            client.zadd(f"zset {suffix}", {"a": 1.5, "b": float("inf")})
            client.xadd(f"stream {suffix}", {"field": "value"}, id="5-1")
            client.xgroup_create(f"stream {suffix}", "group", id="0")
            client.xreadgroup("group", "consumer", {f"stream {suffix}": ">"})
        if suffix == "in the base":
            theirs.rewrite()
    theirs.kill()
    server = bench.tidegate(bench.copy_of(theirs)).start()
    with server.client() as client:
        for suffix in ("in the base", "behind it"):
            assert client.hgetall(f"hash {suffix}") == {b"field": b"value", b"number": b"7"}
            assert client.smembers(f"set {suffix}") == {b"%d" % number for number in range(1000)}
            scored = client.zrange(f"zset {suffix}", 0, -1, withscores=True)
            assert [tuple(pair) for pair in scored] == [(b"a", 1.5), (b"b", float("inf"))], scored
            assert client.xrange(f"stream {suffix}") == [(b"5-1", {b"field": b"value"})]
            assert client.xpending(f"stream {suffix}", "group")["pending"] == 1


def tidegate_loads_their_dump(bench):
    """Without append files, all data is loaded from dump.rdb, as in Redis."""
    theirs = bench.redis().start()
    write(theirs, "first")
    expected = contents(theirs)
    with theirs.client() as client:
        client.save()
    theirs.stop()
    dump = theirs.directory / "dump.rdb"
    server = bench.tidegate()
    shutil.copy(dump, server.directory)
    server.start("--appendonly", "no")
    expect_same(expected, server)
    # Then append files can begin with it.
    with server.client() as client:
        client.config_set("appendonly", "yes")
    server.wait_until_rewritten()
    server.kill()
    expect_same(expected, server.start())
    server.stop()
    for word, code, path in (
        ("whole", 0, dump),
        ("damaged", 2, cut_off(dump, server.directory / "damaged.rdb")),
    ):
        checked = subprocess.run([*server.command[:1], "check", str(path)], capture_output=True, text=True)
        said = checked.stdout + checked.stderr
        assert (checked.returncode, word in said) == (code, True), f"{checked.returncode}: {said}"
    # With append files to begin, it is not loaded, and the log says so.
    fresh = bench.tidegate()
    shutil.copy(dump, fresh.directory)
    fresh.start()
    expect_same({}, fresh)
    said = fresh.log.read_text()
    assert "dump.rdb: not loaded" in said, said
    # A damaged one stops the start.
    damaged = bench.tidegate()
    cut_off(dump, damaged.directory / "dump.rdb")
    said = damaged.refuses_to_start("--appendonly", "no")
    assert "dump.rdb: byte " in said and "the end is missing" in said, said


def cut_off(path, to):
    """A copy without its last bytes."""
    to.write_bytes(path.read_bytes()[:-20])
    return to


# Redis appends to our files.


def push_plainly(server):
    with server.client() as client:
        client.rpush("jobs", "of redis")


def push_in_transaction(server):
    with server.client() as client, client.pipeline(transaction=True) as transaction:
        transaction.rpush("jobs", "of redis")
        transaction.rpush("jobs", "of redis again")
        transaction.execute()


def push_to_waiting_client(server):
    with server.client() as client:
        client.rpush("jobs", "of redis")
    serve_waiting_clients(server, str)


def our_files(bench):
    server = bench.tidegate().start()
    with server.client(3) as client:
        client.rpush("jobs", "ours")
    write(server, "ours")
    return server


def redis_goes_on(bench, timestamps, change, ends):
    ours = our_files(bench)
    ours.stop()
    theirs = bench.redis("no", bench.copy_of(ours), "--aof-timestamp-enabled", timestamps).start()
    change(theirs)
    expected = contents(theirs)
    ends(theirs)
    expect_unverified(bench, theirs, expected)


def redis_goes_on_behind_a_torn_end(bench):
    """Redis cuts off the torn checksum, but not the commands before it, and appends there."""
    ours = our_files(bench)
    ours.kill()
    increment = ours.newest_increment()
    os.truncate(increment, increment.stat().st_size - 10)
    theirs = bench.redis("no", bench.copy_of(ours)).start()
    write(theirs, "theirs")
    expected = contents(theirs)
    theirs.stop()
    expect_unverified(bench, theirs, expected)


def redis_goes_on_and_rewrites(bench):
    """Then nothing of ours is left."""
    ours = our_files(bench)
    ours.stop()
    theirs = bench.redis("no", bench.copy_of(ours)).start()
    write(theirs, "theirs")
    theirs.rewrite()
    write(theirs, "theirs again")
    expected = contents(theirs)
    theirs.stop()
    expect_adopted(bench, theirs, expected)


def expect_unverified(bench, theirs, expected):
    refused = bench.tidegate(bench.copy_of(theirs))
    before = {file.name: file.read_bytes() for file in refused.append_files.glob("append*")}
    said = refused.refuses_to_start()
    for word in (theirs.newest_increment().name, "aof-load-unverified yes"):
        assert word in said, f"no word of {word}: {said}"
    after = {file.name: file.read_bytes() for file in refused.append_files.glob("append*")}
    assert before == after, "it was refused, and yet the files are changed"
    expect_adopted(bench, theirs, expected, "--aof-load-unverified", "yes")


def a_second_one_is_refused(bench):
    server = bench.tidegate().start()
    said = bench.tidegate(server.directory).refuses_to_start()
    assert "another process uses this directory" in said, said
    with server.client() as client:
        client.rpush("jobs", "goes on")
    expected = contents(server)
    server.kill()
    expect_same(expected, server.start())


def checks():
    for preamble in ("no", "yes"):
        for call in (
            redis_loads_ours,
            redis_loads_what_was_written_once,
            redis_loads_ours_after_a_kill_under_load,
            redis_does_not_load_what_has_expired,
            redis_loads_ours_with_a_torn_end,
            redis_loads_ours_with_room,
        ):
            yield f"{called(call)}, preamble {preamble}", call, [preamble]
    for preamble, timestamps in (("no", "no"), ("no", "yes"), ("yes", "no")):
        for is_rewritten in (False, True):
            for ends in (Server.stop, Server.kill):
                texts = [f"preamble {preamble}", f"timestamps {timestamps}"]
                texts.append("rewritten" if is_rewritten else "as written")
                name = f"tidegate loads theirs: {', '.join(texts)}, after a {ends.__name__}"
                yield name, tidegate_loads_theirs, [preamble, timestamps, is_rewritten, ends]
    yield called(tidegate_loads_an_empty_redis), tidegate_loads_an_empty_redis, []
    yield called(a_torn_end_of_theirs_is_cut_off), a_torn_end_of_theirs_is_cut_off, []
    for call in (all_types_are_loaded, tidegate_loads_their_dump):
        yield called(call), call, []
    for timestamps in ("no", "yes"):
        for change in (push_plainly, push_in_transaction, push_to_waiting_client):
            ends = Server.stop if change is push_plainly else Server.kill
            name = f"redis goes on in ours: {called(change)}, timestamps {timestamps}"
            yield name, redis_goes_on, [timestamps, change, ends]
    yield called(redis_goes_on_behind_a_torn_end), redis_goes_on_behind_a_torn_end, []
    yield called(redis_goes_on_and_rewrites), redis_goes_on_and_rewrites, []
    yield called(a_second_one_is_refused), a_second_one_is_refused, []


def main():
    command = sys.argv[1:] or [str(ROOT / "target/release/tidegate")]
    report = Report()
    if has_redis_programs(report, "interop"):
        for name, call, arguments in checks():
            if os.environ.get("ONLY", "") in name:
                report.check(f"interop: {name}", on_a_bench, command, call, arguments)
    sys.exit(report.end())


main()
