"""What the roles mean for clients: refusals, WAIT, ROLE, INFO, settings."""

import re
import threading
import time

import redis

from contents import (
    begin_replicating,
    expect_same,
    replicate,
    wait_until_caught_up,
)
from nodes import expect_error, outcome, wait_until
from suite import Check, called, of_pairs

UNBLOCKED = (
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
)
# redis-py takes the first word off these.
READONLY = "You can't write against a read only replica."
MASTERDOWN = "Link with MASTER is down and replica-serve-stale-data is set to 'no'."


def in_sync(bench, primary_program, replica_program, *settings):
    primary, replica = bench.node(primary_program, *settings), bench.node(replica_program, *settings)
    replicate(primary, replica)
    return primary, replica


def writes_to_a_replica(bench, primary_program, replica_program):
    primary, replica = in_sync(bench, primary_program, replica_program)
    for words in [("RPUSH", "q", "x"), ("SET", "q", "x"), ("BLPOP", "q", 1), ("FLUSHALL",)]:
        expect_error(READONLY, replica.ask, *words)
    client = replica.client(0, single_connection_client=True)
    client.execute_command("MULTI")
    expect_error(READONLY, client.execute_command, "SET", "q", "x")
    expect_error("Transaction discarded", client.execute_command, "EXEC")
    assert replica.client().publish("news", "x") == 0
    if replica_program.is_redis:
        # Ours has no such replicas.
        replica.config("replica-read-only", "no")
        assert replica.client().set("own", "x")
        assert replica.client().delete("own") == 1
    expect_same(primary, replica)


def stale_data(bench, primary_program, replica_program):
    primary, replica = bench.node(primary_program), bench.node(replica_program)
    link = bench.link(primary)
    replicate(primary, replica, link.port)
    link.refuse()
    wait_until("the link is down", lambda: replica.info()["master_link_status"] == "down")
    assert replica.client().get("written") == b"once"
    replica.config("replica-serve-stale-data", "no")
    for words in [("GET", "written"), ("LLEN", "q"), ("PING",)]:
        expect_error(MASTERDOWN, replica.ask, *words)
    for words in [("INFO",), ("ROLE",), ("CONFIG", "GET", "port"), ("PUBLISH", "news", "x")]:
        replica.ask(*words)
    link.accept()
    wait_until_caught_up(primary, replica)
    assert replica.client().get("written") == b"once"


def blocked_clients_of_a_primary_that_becomes_a_replica(bench, primary_program, replica_program):
    primary, other = bench.node(primary_program), bench.node(replica_program)
    errors = []

    def block(*words):
        client = other.client(0, client_name="blocked", socket_timeout=20)
        errors.append(str(outcome(client.execute_command, *words)))
        client.close()

    requests = [("BLPOP", "q", 0), ("BRPOP", "a", "b", 15), ("BLMOVE", "q", "p", "LEFT", "LEFT", 0)]
    requests.append(("BLMPOP", 0, 1, "q", "LEFT"))
    waiting = [threading.Thread(target=block, args=request, daemon=True) for request in requests]
    for thread in waiting:
        thread.start()
    wait_until("they wait", lambda: other.info("clients")["blocked_clients"] == len(requests))
    begin_replicating(primary, other)
    for thread in waiting:
        thread.join(timeout=20)
    assert errors == [UNBLOCKED] * len(requests), errors
    primary.client().rpush("q", "for nobody")
    expect_same(primary, other)


def wait_command(bench, primary_program, replica_program):
    primary, replica = in_sync(bench, primary_program, replica_program)
    client = primary.client(0, single_connection_client=True)
    assert client.wait(1, 1) == 1, "nothing was written by this client"
    client.rpush("q", "x")
    assert client.wait(1, 10_000) == 1
    begin = time.monotonic()
    assert client.wait(2, 300) == 1
    assert 0.29 <= time.monotonic() - begin < 5
    assert client.wait(0, 0) == 1
    replica.pause()
    try:
        client.rpush("q", "y")
        assert client.wait(1, 100) == 0
        answers = []
        thread = threading.Thread(target=lambda: answers.append(client.wait(1, 15_000)), daemon=True)
        thread.start()
        wait_until("it waits", lambda: primary.info("clients")["blocked_clients"] == 1)
        assert primary.client().ping(), "others are served"
    finally:
        replica.resume()
    thread.join(timeout=20)
    assert answers == [1], answers
    with client.pipeline() as transaction:
        transaction.rpush("q", "z").execute_command("WAIT", 2, 0)
        assert transaction.execute()[1] in (0, 1), "it must not wait in a transaction"
    expect_error("WAIT cannot be used with replica instances", replica.ask, "WAIT", 1, 0)
    expect_error("timeout is negative", client.wait, 1, -1)
    expect_error("value is not an integer or out of range", client.execute_command, "WAIT", "x", 0)


def waitaof_command(bench, primary_program, replica_program):
    """Of 7.2 and later."""
    on_disk = ["--appendonly", "yes", "--appendfsync", "everysec"]
    primary, replica = in_sync(bench, primary_program, replica_program, *on_disk)
    client = primary.client(0, single_connection_client=True)
    client.rpush("q", "x")
    assert client.execute_command("WAITAOF", 1, 0, 10_000)[0] == 1
    client.rpush("q", "x")
    found = client.execute_command("WAITAOF", 1, 1, 10_000)
    assert found == [1, 1], found
    assert client.execute_command("WAITAOF", 0, 2, 100)[1] <= 1
    expect_error("cannot be used with replica instances", replica.ask, "WAITAOF", 0, 0, 0)
    primary.config("appendonly", "no")
    expect_error("appendonly", client.execute_command, "WAITAOF", 1, 0, 0)


def too_few_replicas(bench, primary_program, replica_program):
    settings = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "2", "--repl-timeout", "60"]
    primary = bench.node(primary_program, *settings)
    replica = bench.node(replica_program)
    refusal = "Not enough good replicas to write."
    expect_error(refusal, primary.ask, "RPUSH", "q", "x")
    assert primary.client().llen("q") == 0
    primary.config("min-replicas-to-write", "0")
    replicate(primary, replica)
    primary.config("min-replicas-to-write", "1")
    wait_until("the replica is good", lambda: primary.info().get("min_slaves_good_slaves") == 1)
    assert primary.client().rpush("q", "x") == 1
    replica.pause()
    try:
        wait_until("it lags", lambda: primary.info()["min_slaves_good_slaves"] == 0)
        expect_error(refusal, primary.ask, "RPUSH", "q", "x")
        client = primary.client(0, single_connection_client=True)
        client.execute_command("MULTI")
        expect_error(refusal, client.execute_command, "SET", "a", "b")
        expect_error("Transaction discarded", client.execute_command, "EXEC")
    finally:
        replica.resume()
    wait_until("the replica is good", lambda: primary.info()["min_slaves_good_slaves"] == 1)
    assert primary.client().rpush("q", "y") == 2
    expect_same(primary, replica)


def passwords_and_users(bench, primary_program, replica_program):
    primary = bench.node(primary_program, "--requirepass", "secret")
    replica = bench.node(replica_program, "--masterauth", "wrong")
    client = primary.client(0, password="secret")
    client.set("x", "y")
    replica.ask("REPLICAOF", "127.0.0.1", primary.port)
    is_refused = lambda: int(client.info("stats").get("acl_access_denied_auth", 1)) >= 1
    wait_until("the password is refused", is_refused)
    assert replica.info()["master_link_status"] == "down"
    replica.config("masterauth", "secret")
    wait_until("it is accepted", lambda: replica.client().get("x") == b"y")
    client.execute_command("ACL", "SETUSER", "copier", "on", ">pass", "+psync", "+replconf", "+ping")
    replica.config("masteruser", "copier")
    replica.config("masterauth", "pass")
    replica.ask("REPLICAOF", "NO", "ONE")
    replica.ask("REPLICAOF", "127.0.0.1", primary.port)
    client.set("x", "z")
    wait_until("the user is accepted", lambda: replica.client().get("x") == b"z")
    client.close()


def replicaof_itself(bench, primary_program, replica_program):
    primary, replica = in_sync(bench, primary_program, replica_program)
    again = replica.ask("REPLICAOF", "127.0.0.1", primary.port)
    assert again in (True, b"OK Already connected to specified master"), again
    for words, text in [
        (("REPLICAOF", "127.0.0.1", "no port"), "Invalid master port"),
        (("REPLICAOF", "127.0.0.1", "70000"), "Invalid master port"),
        (("SLAVEOF", "127.0.0.1"), "wrong number of arguments"),
        (("REPLCONF", "unknown", "x"), "Unrecognized REPLCONF option: unknown"),
        (("REPLCONF", "capa"), "syntax error"),
    ]:
        expect_error(text, replica.ask, *words)
    expect_same(primary, replica)
    for words in [("SLAVEOF", "no", "one"), ("REPLICAOF", "NO", "ONE")]:
        assert replica.ask(*words) in (True, b"OK")
    assert replica.info()["role"] == "master"
    assert replica.client().get("written") == b"once"
    assert replica.ask("CONFIG", "GET", "replicaof")[1] == b""


# INFO and ROLE, beside those of 7.0.15.

# What is another number each time.
VARIES = re.compile(r"replid|backlog_size|offset|port|histlen|first_byte|slave0|seconds|read_repl")


def info_lines(node):
    lines = node.raw("INFO replication")[0].decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def compare_info(ours, judge):
    lines = []
    found, expected = info_lines(ours), info_lines(judge)
    missing = [name for name in expected if name not in found]
    if missing:
        lines.append(f"without {missing}")
    order = [name for name in found if name in expected]
    if order != [name for name in expected if name in found]:
        lines.append(f"in another order: {order}")
    for name, value in expected.items():
        if name in found and not VARIES.search(name) and found[name] != value:
            lines.append(f"{name}:{found[name]}, not {value}")
    if "slave0" in expected and "slave0" in found:
        shape = lambda text: re.sub(r"(port|offset|lag)=\d+", r"\1=N", text)
        if shape(found["slave0"]) != shape(expected["slave0"]):
            lines.append(f"slave0:{found['slave0']}, not {expected['slave0']}")
    return lines


def compare_role(ours, judge):
    found, expected = (shape_of(node.ask("ROLE")) for node in (ours, judge))
    return [] if found == expected else [f"ROLE {found}, not {expected}"]


def shape_of(reply):
    """A reply without its numbers."""
    if isinstance(reply, list):
        return [shape_of(part) for part in reply]
    if isinstance(reply, bytes) and not reply.isdigit():
        return reply
    return type(reply).__name__


def info_and_role(bench, program, judge):
    """As primary and as replica of itself; beside a redis-server in the same position."""
    sets = []
    for one in (program, judge):
        primary, replica = bench.node(one), bench.node(one)
        alone = bench.node(one)
        link = bench.link(primary)
        replicate(primary, replica, link.port)
        primary.client().rpush("q", "x")
        wait_until_caught_up(primary, replica)
        sets.append([alone, primary, replica, link])
    lines = []
    for name, ours, theirs in zip(["alone", "primary", "replica"], *sets):
        lines += [f"{name}: {line}" for line in compare_info(ours, theirs) + compare_role(ours, theirs)]
    for alone, primary, replica, link in sets:
        link.refuse()
        is_down = lambda: replica.info()["master_link_status"] == "down"
        wait_until("the link is down", is_down)
        wait_until("the primary sees it", lambda: primary.info()["connected_slaves"] == 0)
    for name, ours, theirs in zip(["alone", "primary", "replica"], *sets):
        lines += [f"{name}, link down: {line}" for line in compare_info(ours, theirs)]
    for alone, primary, replica, link in sets:
        replica.ask("REPLICAOF", "NO", "ONE")
    lines += [f"promoted: {line}" for line in compare_info(sets[0][2], sets[1][2])]
    lines += [f"promoted: {line}" for line in compare_role(sets[0][2], sets[1][2])]
    assert not lines, "\n".join(lines)


def what_sentinel_reads(bench, primary_program, replica_program):
    """In the words that it looks for."""
    settings = ["--replica-priority", "7", "--replica-announce-ip", "127.0.0.1"]
    primary = bench.node(primary_program)
    replica = bench.node(replica_program, *settings)
    replicate(primary, replica)
    info = info_lines(replica)
    assert info["slave_priority"] == "7" and info["replica_announced"] == "1", info
    assert info["master_host"] == "127.0.0.1" and info["master_port"] == str(primary.port), info
    line = info_lines(primary)["slave0"]
    pattern = rf"ip=127\.0\.0\.1,port={replica.port},state=online,offset=\d+,lag=[01](,|$)"
    assert re.match(pattern, line), line
    for node in (primary, replica):
        server = node.info("server")
        assert re.fullmatch("[0-9a-f]{40}", server["run_id"]), server["run_id"]
        heard = node.client().pubsub()
        heard.subscribe("__sentinel__:hello")
        assert heard.get_message(timeout=10)["type"] == "subscribe"
        assert node.client().publish("__sentinel__:hello", "hello") >= 1
        assert heard.get_message(timeout=10)["data"] == b"hello"
        heard.close()


def as_sentinel_changes_a_role(bench, primary_program, replica_program):
    """The transaction that Sentinel sends; it is written to the configuration, too."""
    file = bench.directory / "replica.conf"
    file.write_text("")
    primary = bench.node(primary_program)
    replica = bench.node_to_start(replica_program)
    replica.configuration = file
    replica.start()
    primary.client().set("written", "once")
    blocked = replica.client(0, client_name="victim", single_connection_client=True)
    assert blocked.ping()
    replies = sentinel_transaction(replica, "127.0.0.1", primary.port)
    assert replies[:2] == [b"OK", b"OK"], replies
    assert isinstance(outcome(blocked.ping), redis.ConnectionError)
    expect_same(primary, replica)
    assert re.search(rf"^(replicaof|slaveof) 127.0.0.1 {primary.port}$", file.read_text(), re.M)
    replica.kill()
    replica.start()
    expect_same(primary, replica)
    sentinel_transaction(replica, "NO", "ONE")
    assert not re.search("^(replicaof|slaveof)", file.read_text(), re.M)
    assert replica.info()["role"] == "master"


def sentinel_transaction(node, host, port):
    return node.raw(
        "MULTI",
        f"SLAVEOF {host} {port}",
        "CONFIG REWRITE",
        "CLIENT KILL TYPE normal",
        "CLIENT KILL TYPE pubsub",
        "EXEC",
    )[-1]


CALLS = [
    writes_to_a_replica,
    stale_data,
    blocked_clients_of_a_primary_that_becomes_a_replica,
    wait_command,
    too_few_replicas,
    passwords_and_users,
    replicaof_itself,
    what_sentinel_reads,
    as_sentinel_changes_a_role,
]


def checks(programs):
    yield from of_pairs(programs, *CALLS)
    for check in of_pairs(programs, waitaof_command):
        if all(program.version is None or program.version >= (7, 2, 0) for program in check.arguments):
            yield check
    name = f"{programs.ours.label} beside {programs.redis_7.label}: {called(info_and_role)}"
    yield Check(name, info_and_role, [programs.ours, programs.redis_7])
