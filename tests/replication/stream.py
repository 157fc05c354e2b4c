"""The stream: each command that changes something has the same effect on the replica."""

import random
import threading
import time

from contents import contents, expect_same, replicate
from nodes import wait_until
from suite import IS_LONG, of_pairs

RANDOM_COMMANDS = 20_000 if IS_LONG else 4_000
AN_HOUR_S = 3600


def lists(client):
    client.rpush("list", *range(20), b"", bytes(range(256)))
    client.lpush("list", "a", "b")
    client.rpushx("list", "x")
    client.lpushx("none", "x")
    client.linsert("list", "BEFORE", "5", "between")
    client.linsert("list", "AFTER", "no such", "between")
    client.lset("list", 3, "set")
    client.lset("list", -1, "set")
    client.lrem("list", 0, "7")
    client.lrem("list", -1, "set")
    client.ltrim("list", 1, -3)
    client.lpop("list")
    client.rpop("list", 2)
    client.lpop("none")
    client.lmpop(2, "none", "list", direction="LEFT", count=2)
    client.lmove("list", "moved", "LEFT", "RIGHT")
    client.lmove("list", "moved", "RIGHT", "LEFT")
    client.lmove("list", "list", "LEFT", "RIGHT")
    client.rpoplpush("list", "moved")
    client.rpush("emptied", "x")
    client.lpop("emptied", 5)


def strings(client):
    client.set("string", "x")
    client.set("string", "y", nx=True)
    client.set("string", "y", xx=True, ex=AN_HOUR_S)
    client.set("string", "z", keepttl=True)
    client.set("px", "z", px=AN_HOUR_S * 1000)
    client.set("exat", "z", exat=int(time.time()) + AN_HOUR_S)
    client.set("get", "old")
    client.set("get", "new", get=True)
    client.execute_command("SETEX", "setex", AN_HOUR_S, "x")
    client.execute_command("PSETEX", "psetex", AN_HOUR_S * 1000, "x")
    client.setnx("setnx", "x")
    client.setnx("setnx", "y")
    client.mset({"m1": "1", "m2": "2"})
    client.msetnx({"m2": "no", "m3": "no"})
    client.append("appended", "x")
    client.append("appended", "y")
    client.setrange("range", 5, "x")
    client.incr("number")
    client.incrby("number", 5)
    client.decr("number")
    client.decrby("number", 50)
    client.incrbyfloat("float", "0.1")
    client.incrbyfloat("float", "0.2")
    client.incrbyfloat("float", "-1e3")
    client.getset("getset", "x")
    client.getdel("getset")
    client.getex("string", ex=AN_HOUR_S * 2)
    client.getex("px", persist=True)
    client.getex("exat")


def keys_and_expiry(client):
    client.mset({f"key {number}": number for number in range(12)})
    client.expire("key 0", AN_HOUR_S)
    client.pexpire("key 1", AN_HOUR_S * 1000)
    client.expireat("key 2", int(time.time()) + AN_HOUR_S)
    client.pexpireat("key 3", int(time.time() + AN_HOUR_S) * 1000)
    client.persist("key 1")
    client.expire("key 0", AN_HOUR_S * 2, gt=True)
    client.expire("key 0", 5, gt=True)
    client.expire("key 4", -1)
    client.pexpireat("key 5", 1)
    client.rename("key 6", "renamed")
    client.rename("key 0", "key 7")
    client.renamenx("key 8", "key 9")
    client.copy("key 9", "copied")
    client.copy("key 10", "copied", replace=True)
    client.copy("key 10", "copied", destination_db=2)
    client.move("key 11", 3)
    client.delete("key 8", "none")
    client.unlink("key 9")
    client.rpush("list that expires", "x")
    client.expire("list that expires", AN_HOUR_S)


def databases(client):
    for db in (1, 2, 15):
        client.select(db)
        client.rpush("list", f"in {db}")
        client.set("string", f"in {db}")
    client.swapdb(1, 2)
    client.swapdb(0, 15)
    client.select(1)
    client.rpush("list", "after the swap")
    client.select(4)
    client.set("string", "x")
    client.flushdb()
    client.rpush("list", "after flushdb")
    client.select(0)


def transactions(client):
    with client.pipeline() as transaction:
        transaction.rpush("transaction", *range(10)).lpop("transaction").select(5)
        transaction.rpush("transaction", "in 5").select(0).incr("counter").delete("none")
        transaction.execute()
    with client.pipeline() as transaction:
        transaction.get("counter").llen("transaction")
        transaction.execute()
    with client.pipeline() as transaction:
        transaction.set("text", "x").lpush("text", "an error").set("after the error", "x")
        transaction.execute(raise_on_error=False)
    with client.pipeline() as transaction:
        transaction.rpush("made and removed", "x").delete("made and removed")
        transaction.execute()


def hashes_and_sets(client):
    client.hset("hash", mapping={f"field {number}": number for number in range(300)})
    client.hset("small hash", "f", "1")
    client.hsetnx("small hash", "f", "2")
    client.hincrby("small hash", "n", 5)
    client.hincrbyfloat("small hash", "float", 0.1)
    client.hincrbyfloat("small hash", "float", 0.2)
    client.hdel("hash", "field 1", "none")
    client.hset("emptied hash", "f", "v")
    client.hdel("emptied hash", "f")
    client.sadd("set", *range(50), "x", "y")
    client.sadd("letters", *[f"member {number}" for number in range(500)])
    client.srem("set", 3, "none")
    client.spop("set")
    client.spop("letters", 20)
    client.spop("set", 1000)
    client.sadd("set", 1, 2, 3)
    client.smove("set", "other set", 2)
    client.sinterstore("inter", "set", "letters")
    client.sunionstore("union", "set", "other set")
    client.sdiffstore("diff", "letters", "set")


def sorted_sets(client):
    client.zadd("zset", {f"member {number}": number / 7 for number in range(300)})
    client.zadd("zset", {"a": 1.5, "b": float("inf"), "c": float("-inf"), "d": 7355971298705408})
    client.zadd("zset", {"a": 2, "e": 5}, gt=True, ch=True)
    client.zadd("zset", {"a": 0.1}, incr=True)
    client.zincrby("zset", 0.2, "a")
    client.zrem("zset", "member 5", "none")
    client.zpopmin("zset", 2)
    client.zpopmax("zset")
    client.bzpopmin(["none", "zset"], 1)
    client.zmpop(2, ["none", "zset"], max=True, count=3)
    client.zremrangebyscore("zset", 3, "(4")
    client.zremrangebyrank("zset", 0, 1)
    client.zadd("same", {"a": 0, "b": 0, "c": 0})
    client.zremrangebylex("same", "[b", "(c")
    client.zunionstore("zunion", {"zset": 2, "same": 0.5}, aggregate="MAX")
    client.zinterstore("zinter", ["zset", "zunion"])
    client.zdiffstore("zdiff", ["zset", "same"])
    client.zrangestore("ranged", "zset", 0, 5)


def streams(client):
    for number in range(250):
        client.xadd("stream", {"number": number, "text": "x" * (number % 40)})
    client.xadd("stream", {"f": "v"}, maxlen=200, approximate=True)
    client.xadd("stream", {"f": "v"}, maxlen=150, approximate=False)
    client.xadd("stream", {"f": "v"}, nomkstream=True)
    ids = [entry for entry, _ in client.xrange("stream", count=60)]
    client.xdel("stream", ids[0], ids[50])
    client.xgroup_create("stream", "group", id="0")
    client.xgroup_create("made", "group", id="$", mkstream=True)
    client.xreadgroup("group", "one", {"stream": ">"}, count=30)
    client.xreadgroup("group", "two", {"stream": ">"}, count=10)
    client.xreadgroup("group", "three", {"stream": ">"}, count=5, noack=True)
    client.xack("stream", "group", *ids[1:10])
    client.xclaim("stream", "group", "two", 0, ids[12:15])
    client.xautoclaim("stream", "group", "four", 0, count=5)
    client.xgroup_createconsumer("stream", "group", "idle")
    client.xgroup_delconsumer("stream", "group", "two")
    client.xgroup_create("stream", "gone", id="0")
    client.xgroup_destroy("stream", "gone")
    client.xgroup_setid("stream", "group", ids[55])
    client.xtrim("stream", minid=ids[20], approximate=False)
    client.execute_command("XSETID", "made", "5-5")


def scripts(client):
    client.eval("redis.call('SET', KEYS[1], ARGV[1]); redis.call('RPUSH', 'by script', 1, 2); return 1", 1, "scripted", "x")
    client.eval("redis.call('DEL', 'scripted'); redis.pcall('LPUSH', 'text', 1); redis.call('INCR', 'n')", 0)


def flushall(client):
    client.flushall()
    client.rpush("after flushall", "x")


OTHER_TYPES = [hashes_and_sets, sorted_sets, streams, scripts]
STEPS = [lists, strings, *OTHER_TYPES, keys_and_expiry, databases, transactions, flushall, lists, strings]
STEPS += OTHER_TYPES


def every_command(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    replicate(primary, replica)
    client = primary.client(0, single_connection_client=True)
    for step in STEPS:
        step(client)
        try:
            expect_same(primary, replica)
        except AssertionError as error:
            raise AssertionError(f"after {step.__name__}: {error}") from error
    assert contents(primary), "nothing was compared"
    assert primary.info("stats")["sync_full"] == 1


BLOCKING = [
    ("BLPOP", "none", "q", 20),
    ("BRPOP", "q", 20),
    ("BLMOVE", "q", "moved", "LEFT", "RIGHT", 20),
    ("BLMOVE", "q", "q2", "RIGHT", "LEFT", 20),
    ("BRPOPLPUSH", "q", "moved", 20),
    ("BLMPOP", 20, 2, "none", "q", "LEFT", "COUNT", 2),
    ("BLPOP", "q2", 20),
]


def blocked_clients_are_served(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    replicate(primary, replica)
    client = primary.client()
    for pushes in (1, 3):
        waiting = [threading.Thread(target=ask_quietly, args=(primary, words)) for words in BLOCKING]
        for number, thread in enumerate(waiting, 1):
            thread.start()
            wait_until("it waits", lambda: primary.info("clients")["blocked_clients"] == number)
        for number in range(len(BLOCKING)):
            with client.pipeline() as transaction:
                transaction.rpush("q", *range(number, number + pushes)).set("pushed", number)
                transaction.execute()
        for thread in waiting:
            thread.join(timeout=30)
            assert not thread.is_alive(), "a blocked client is not served"
        expect_same(primary, replica)
        client.delete("q", "q2")


def ask_quietly(node, words):
    client = node.client(0, client_name="blocked", socket_timeout=30)
    client.execute_command(*words)
    client.close()


def messages_reach_subscribers_of_the_replica(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    replicate(primary, replica)
    heard = replica.client().pubsub()
    heard.subscribe("news", "other")
    heard.psubscribe("n*")
    for _ in range(3):
        assert heard.get_message(timeout=10)["type"].endswith("subscribe")
    for number in range(100):
        primary.client().publish("news", b"\0\r\n%d" % number)
        primary.client().rpush("list", number)
    with primary.client().pipeline() as transaction:
        transaction.publish("other", "in a transaction").set("x", "y")
        transaction.execute()
    for number in range(100):
        for kind in ("message", "pmessage"):
            message = heard.get_message(timeout=10)
            assert (message["type"], message["data"]) == (kind, b"\0\r\n%d" % number), message
    assert heard.get_message(timeout=10)["data"] == b"in a transaction"
    heard.close()
    expect_same(primary, replica)


def random_commands(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    replicate(primary, replica)
    client = primary.client(0, single_connection_client=True)
    for _ in range(4):
        for _ in range(RANDOM_COMMANDS // 40):
            pipeline = client.pipeline(transaction=bench.rng.random() < 0.5)
            for _ in range(10):
                pipeline.execute_command(*random_command(bench.rng))
            pipeline.execute(raise_on_error=False)
        expect_same(primary, replica)
    assert primary.info("stats")["sync_full"] == 1


def random_command(rng: random.Random):
    key, other = (f"{rng.choice('abcde')}" for _ in range(2))
    word = rng.choice([rng.randrange(100), rng.randbytes(rng.randrange(30)), "x" * rng.randrange(2000)])
    sides = [rng.choice(["LEFT", "RIGHT"]) for _ in range(2)]
    index = rng.randrange(-10, 10)
    return rng.choice(
        [
            *[("RPUSH", key, word, index), ("LPUSH", key, word)] * 4,
            *[("LPOP", key), ("RPOP", key, 2), ("LMOVE", key, other, *sides)] * 2,
            ("LMPOP", 2, key, other, sides[0], "COUNT", 3),
            ("LTRIM", key, 0, 200),
            ("LSET", key, index, word),
            ("LREM", key, index, rng.randrange(-10, 10)),
            ("LINSERT", key, "BEFORE", index, word),
            ("SET", key, word, "KEEPTTL"),
            ("SET", f"{key} string", word, "NX", "PX", 100_000),
            ("INCRBY", f"{key} number", index),
            ("APPEND", f"{key} string", word),
            ("GETDEL", f"{key} string"),
            ("PEXPIRE", key, 100_000),
            ("PERSIST", key),
            ("DEL", key),
            ("RENAME", key, other),
            ("COPY", key, other, "REPLACE"),
            ("MOVE", key, rng.randrange(4)),
            ("SELECT", rng.randrange(4)),
            ("SWAPDB", rng.randrange(4), rng.randrange(4)),
            *([("FLUSHDB",)] if rng.random() < 0.05 else []),
        ]
    )


CALLS = [
    every_command,
    blocked_clients_are_served,
    messages_reach_subscribers_of_the_replica,
    random_commands,
]


def checks(programs):
    return of_pairs(programs, *CALLS)
