"""redis-py, with its default handshake and with each protocol."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import redis

from check import PORT, expect_error, note, run, wait_until, wait_until_blocked

PROTOCOL = sys.argv[1]
BINARY = bytes(range(256)) + b"\r\n$5\r\n\0"


def connect(**options):
    if PROTOCOL != "default":
        options["protocol"] = int(PROTOCOL)
    return redis.Redis(port=PORT, **options)


client = connect()
other = connect()
threads = ThreadPoolExecutor()


def while_blocked(blocking_call, then):
    """Starts a blocking call, does the rest once it waits, and returns its reply as a list."""
    reply = threads.submit(blocking_call)
    wait_until_blocked(other)
    then()
    return list(reply.result(timeout=20))


def push_and_pop():
    assert client.rpush("q", "a", "b", "c") == 3
    assert client.lpush("q", "z") == 4
    assert client.lrange("q", 0, -1) == [b"z", b"a", b"b", b"c"]
    assert client.lpop("q") == b"z"
    assert client.rpop("q") == b"c"
    assert client.lpop("q", 5) == [b"a", b"b"]
    assert client.lpop("q") is None
    assert client.exists("q") == 0
    assert client.rpushx("q", "nobody there") == 0


def edit_a_list():
    client.rpush("q", "a", "c", "a", "d", "a")
    assert client.linsert("q", "before", "c", "b") == 6
    assert client.lset("q", 0, "A")
    assert client.lindex("q", 1) == b"b"
    assert client.lrem("q", 0, "a") == 2
    assert client.ltrim("q", 0, 2)
    assert client.lrange("q", 0, -1) == [b"A", b"b", b"c"]
    assert client.llen("q") == 3
    assert client.type("q") == b"list"
    assert client.rename("q", "r")
    assert client.delete("q", "r") == 1


def decoded_replies():
    text = connect(decode_responses=True)
    text.rpush("q", "grün")
    assert text.lpop("q") == "grün"


def pop_with_timeout():
    assert client.blpop("q", timeout=0.05) is None
    assert client.brpop(["q", "r"], timeout=0.05) is None
    client.rpush("r", "there", "already")
    assert list(client.blpop(["q", "r"], timeout=1)) == [b"r", b"there"]


def blocked_pop_is_served():
    def push():
        # The reply gives the length before the waiting client is served.
        assert other.rpush("r", "x", "y") == 2

    assert while_blocked(lambda: client.blpop(["q", "r"], timeout=0), push) == [b"r", b"x"]
    assert other.lrange("r", 0, -1) == [b"y"]


def move_between_lists():
    client.rpush("q", "a", "b")
    assert client.lmove("q", "r", "RIGHT", "LEFT") == b"b"
    assert client.rpoplpush("q", "r") == b"a"
    assert client.lmove("q", "r") is None
    assert client.blmove("q", "r", 0.05) is None
    moved = while_blocked(lambda: [client.blmove("q", "r", 0)], lambda: other.rpush("q", "c"))
    assert moved == [b"c"]
    assert client.lrange("r", 0, -1) == [b"a", b"b", b"c"]


def pop_from_the_first_of_many():
    client.rpush("r", "a", "b", "c")
    assert client.lmpop(2, "q", "r", direction="RIGHT", count=2) == [b"r", [b"c", b"b"]]
    assert client.lmpop(1, "q", direction="LEFT") is None
    assert client.blmpop(0.05, 1, "q", direction="LEFT") is None
    popped = while_blocked(
        lambda: client.blmpop(0, 2, "q", "s", direction="LEFT", count=10),
        lambda: other.rpush("s", "x", "y"),
    )
    assert popped == [b"s", [b"x", b"y"]]


def find_positions():
    client.rpush("q", "a", "b", "a", "c", "a")
    assert client.lpos("q", "a") == 0
    assert client.lpos("q", "a", rank=-1) == 4
    assert client.lpos("q", "a", count=0) == [0, 2, 4]
    assert client.lpos("q", "nowhere") is None


def pipeline():
    batch = client.pipeline(transaction=False)
    for number in range(1000):
        batch.rpush("q", number)
    batch.execute_command("NOSUCHCOMMAND")
    batch.lrange("q", 0, -1)
    *lengths, error, elements = batch.execute(raise_on_error=False)
    assert lengths == list(range(1, 1001))
    assert isinstance(error, redis.ResponseError) and "unknown command" in str(error)
    assert elements == [str(number).encode() for number in range(1000)]


def transaction():
    batch = client.pipeline(transaction=True)
    assert batch.rpush("q", "a").rpush("q", "b").lpop("q").execute() == [1, 2, b"a"]


def watched_transaction():
    with client.pipeline() as batch:
        batch.watch("q")
        assert batch.llen("q") == 0
        batch.multi()
        batch.rpush("q", "alone")
        assert batch.execute() == [1]


def watched_transaction_with_conflict():
    with client.pipeline() as batch:
        batch.watch("q")
        other.rpush("q", "first")
        batch.multi()
        batch.rpush("q", "second")
        expect_error(redis.WatchError, batch.execute)
    assert client.lrange("q", 0, -1) == [b"first"]


def publish_and_subscribe():
    subscriber = client.pubsub()
    subscriber.subscribe("news")
    subscriber.psubscribe("n?ws*")
    received = lambda: subscriber.get_message(timeout=10)
    assert received() == message("subscribe", None, b"news", 1)
    assert received() == message("psubscribe", None, b"n?ws*", 2)

    assert other.pubsub_channels() == [b"news"]
    assert other.pubsub_numsub("news") == [(b"news", 1)]
    assert other.pubsub_numpat() == 1
    assert other.publish("news", BINARY) == 2
    assert received() == message("message", None, b"news", BINARY)
    assert received() == message("pmessage", b"n?ws*", b"news", BINARY)

    assert other.publish("news.sport", "goal") == 1
    assert received() == message("pmessage", b"n?ws*", b"news.sport", b"goal")
    subscriber.ping()
    assert received()["type"] == "pong"
    subscriber.unsubscribe()
    subscriber.punsubscribe()
    assert received() == message("unsubscribe", None, b"news", 1)
    assert received() == message("punsubscribe", None, b"n?ws*", 0)
    assert other.publish("news", "nobody") == 0
    subscriber.close()


def message(kind, pattern, channel, data):
    return {"type": kind, "pattern": pattern, "channel": channel, "data": data}


def binary_payloads():
    client.rpush(BINARY, BINARY, b"")
    assert client.keys("*") == [BINARY]
    assert client.lpop(BINARY) == BINARY
    assert client.lpop(BINARY) == b""


def ten_megabytes():
    payload = os.urandom(10_000_000)
    assert client.rpush("q", payload, payload) == 2
    assert client.lrange("q", 0, -1) == [payload, payload]
    assert client.lpop("q") == payload
    subscriber = other.pubsub(ignore_subscribe_messages=True)
    subscriber.subscribe("large")
    subscriber.get_message(timeout=10)
    client.publish("large", payload)
    assert subscriber.get_message(timeout=30)["data"] == payload
    subscriber.close()


def scan():
    batch = client.pipeline(transaction=False)
    for number in range(1000):
        batch.rpush(f"scan:{number}", "x")
    batch.rpush("another", "x")
    batch.execute()
    wanted = {f"scan:{number}".encode() for number in range(1000)}
    assert set(client.scan_iter(match="scan:*", count=50)) == wanted
    assert len(set(client.scan_iter(_type="list"))) == 1001
    assert client.dbsize() == 1001


def expiry():
    client.rpush("q", "a")
    assert client.ttl("q") == -1
    assert client.expire("q", 100)
    assert 90_000 < client.pttl("q") <= 100_000
    assert client.persist("q")
    assert client.ttl("q") == -1
    assert client.pexpire("q", 20)
    wait_until("the key has expired", lambda: not client.exists("q"))
    assert client.ttl("q") == -2


def client_information():
    named = connect(client_name="worker")
    assert named.client_getname() in ("worker", b"worker")
    identity = named.client_id()
    entry = next(entry for entry in other.client_list() if int(entry["id"]) == identity)
    assert entry["name"] == "worker"
    assert entry["addr"].startswith("127.0.0.1:")
    assert entry["resp"] == ("2" if PROTOCOL == "2" else "3")
    try:
        assert named.client_setinfo("LIB-NAME", "a-library")
    except redis.ResponseError:
        note("no CLIENT SETINFO, as in servers before 7.2")
    else:
        assert named.client_info()["lib-name"] == "a-library"


def info():
    everything = client.info()
    assert everything["redis_version"][0].isdigit()
    assert everything["connected_clients"] >= 1
    assert everything["blocked_clients"] == 0
    assert everything["uptime_in_seconds"] >= 0
    assert everything["used_memory"] > 0
    assert everything["total_commands_processed"] > 0
    client.rpush("q", "a")
    assert client.info("keyspace")["db0"]["keys"] == 1


def configuration():
    assert int(client.config_get("maxclients")["maxclients"]) > 0
    assert {"maxclients", "maxmemory"} <= client.config_get("max*").keys()
    assert client.config_get("no-such-directive") == {}


def commands():
    table = client.command()
    assert table["blpop"]["arity"] == -3
    assert "write" in table["rpush"]["flags"]
    assert client.command_count() == len(table)
    assert client.command_getkeys("BLMPOP", "0", "2", "q", "r", "LEFT") in (
        [b"q", b"r"],
        ["q", "r"],
    )


def errors():
    unknown = expect_error(redis.ResponseError, lambda: client.execute_command("NOSUCHCOMMAND"))
    assert "unknown command" in str(unknown)
    arity = expect_error(redis.ResponseError, lambda: client.execute_command("RPUSH", "q"))
    assert "wrong number of arguments for 'rpush' command" in str(arity)
    timeout = expect_error(redis.ResponseError, lambda: client.blpop("q", timeout=-1))
    assert "timeout is negative" in str(timeout)


def reconnect_after_kill():
    victim = connect()
    identity = victim.client_id()
    assert other.client_kill_filter(_id=identity) == 1
    assert victim.ping()
    assert victim.client_id() > identity


CHECKS = [
    push_and_pop,
    edit_a_list,
    decoded_replies,
    pop_with_timeout,
    blocked_pop_is_served,
    move_between_lists,
    pop_from_the_first_of_many,
    find_positions,
    pipeline,
    transaction,
    watched_transaction,
    watched_transaction_with_conflict,
    publish_and_subscribe,
    binary_payloads,
    ten_megabytes,
    scan,
    expiry,
    client_information,
    info,
    configuration,
    commands,
    errors,
    reconnect_after_kill,
]

run(f"redis-py {redis.__version__}, protocol {PROTOCOL}", CHECKS, before_each=client.flushall)
