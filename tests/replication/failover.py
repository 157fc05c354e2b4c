"""Debian's Sentinels and a set of three: primaries that are killed, stopped and cut off, under load."""

import contextlib
import os

from contents import expect_same, replicate
from load import KEPT, WORK, Account, Crew, Producer
from nodes import HOST, connect, outcome, wait_until
from sentinels import Sentinels, role
from suite import IS_LONG, Check, called

RUNS = int(os.environ.get("RUNS", "100" if IS_LONG else "3"))
ON_DISK = ["--appendonly", "yes", "--appendfsync", "no"]
GATE = ["--write-ack-replicas", "1", "--write-ack-timeout-ms", "1000"]
ONE_REPLICA = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "1"]


def settings_of(program, settings):
    """Those of ours are unknown to a redis-server."""
    return [] if program.is_redis and settings is GATE else settings


def trio(bench, programs, settings):
    nodes = [bench.node(program, *ON_DISK, *settings_of(program, settings)) for program in programs]
    primary = nodes[0]
    with loosened(primary, settings):
        for replica in nodes[1:]:
            replicate(primary, replica)
    sentinels = Sentinels(bench, primary)
    sentinels.wait_until_complete()
    return nodes, sentinels


@contextlib.contextmanager
def loosened(node, settings):
    """Without its demand for replicas, since there are none yet."""
    names = {"--min-replicas-to-write": "min-replicas-to-write", "--write-ack-replicas": "write-ack-replicas"}
    found = [names[word] for word in settings if word in names]
    found = [name for name in found if not (node.program.is_redis and name.startswith("write"))]
    for name in found:
        node.config(name, "0")
    yield
    for name in found:
        node.config(name, "1")


def fail_over_again_and_again(bench, sentinels, nodes, runs, strike, heal):
    """Returns what became of the messages."""
    crew = Crew(sentinels.client)
    try:
        for _ in range(runs):
            old = wait_until("one primary", lambda: sentinels.primary_of(nodes), 20)
            go_on(crew)
            strike(old)
            sentinels.wait_for_another_primary(old, nodes)
            go_on(crew)
            heal(old)
            sentinels.wait_until_all_follow(nodes)
    finally:
        crew.end()
    primary = sentinels.wait_until_all_follow(nodes)
    for node in nodes:
        if node is not primary:
            expect_same(primary, node)
    lists = [primary.client().lrange(queue, 0, -1) for queue in (KEPT, WORK)]
    account = Account(crew.producers, crew.consumers, *lists)
    account.expect_nothing_invented()
    return account


def go_on(crew):
    """Until each worker has had several answers more."""
    before = {worker: worker.answered for worker in [*crew.producers, *crew.consumers]}
    enough = lambda: all(worker.answered >= count + 20 for worker, count in before.items())
    wait_until("all workers go on", enough, 60)


def judge(bench, account, is_gated):
    bench.note(account.summary())
    if is_gated:
        account.expect_nothing_lost()


def primary_killed_under_load(bench, programs, settings):
    nodes, sentinels = trio(bench, programs, settings)
    account = fail_over_again_and_again(
        bench, sentinels, nodes, RUNS, lambda old: old.kill(), lambda old: old.start()
    )
    judge(bench, account, settings is GATE)


def primary_stopped_for_a_while_under_load(bench, programs, settings):
    nodes, sentinels = trio(bench, programs, settings)
    runs = max(RUNS // 3, 1)
    account = fail_over_again_and_again(
        bench, sentinels, nodes, runs, lambda old: old.pause(), lambda old: old.resume()
    )
    judge(bench, account, settings is GATE)


def primary_cut_off_with_some_of_its_clients(bench, programs, settings):
    """Replicas and Sentinels reach each node through a link, and so do most clients. The others are on the
    side of the old primary, and go on writing to it."""
    nodes = []
    for program in programs:
        node = bench.node_to_start(program, *ON_DISK, *settings_of(program, settings))
        link = bench.link(node)
        node.announced_port = link.port
        node.settings += ["--replica-announce-ip", HOST, "--replica-announce-port", str(link.port)]
        node.settings += ["--repl-timeout", "5"]
        nodes.append(node.start())
    primary, link = nodes[0], bench.links[0]
    with loosened(primary, settings):
        for replica in nodes[1:]:
            replicate(primary, replica, link.port)
    sentinels = Sentinels(bench, primary)
    sentinels.wait_until_complete()
    crew = Crew(sentinels.client)
    near = Producer("near", lambda: connect(primary.port, socket_timeout=5), queues=[KEPT])
    try:
        go_on(crew)
        link.is_stalled = True
        sentinels.wait_for_another_primary(primary, nodes)
        go_on(crew)
        attempts = len(near.sent[KEPT])
        wait_until("the old one is asked", lambda: len(near.sent[KEPT]) >= attempts + 2, 20)
        link.cut()
        link.resume()
        sentinels.wait_until_all_follow(nodes)
        go_on(crew)
    finally:
        crew.end()
        near.end()
    new = sentinels.wait_until_all_follow(nodes)
    for node in nodes:
        if node is not new:
            expect_same(new, node)
    lists = [new.client().lrange(queue, 0, -1) for queue in (KEPT, WORK)]
    account = Account([*crew.producers, near], crew.consumers, *lists)
    account.expect_nothing_invented()
    judge(bench, account, settings is GATE)


def returned_primary_takes_no_writes(bench, programs, settings):
    """With `min-replicas-to-write 1`, whether it was killed or only stopped."""
    nodes, sentinels = trio(bench, programs, settings)
    old = nodes[0]
    wait_until("it takes writes", lambda: pushes(old) is None, 20)
    old.kill()
    sentinels.wait_for_another_primary(old, nodes)
    old.start()
    refusals = set()

    def is_demoted():
        error = pushes(old)
        refusals.add(str(error).split(" ")[0])
        assert error is not None, "it took a write before it was demoted"
        return role(old) == "slave"

    wait_until("it is demoted", is_demoted, 40)
    bench.note(f"refused with {sorted(refusals)}")
    new = sentinels.wait_until_all_follow(nodes)
    wait_until("the new one takes writes", lambda: pushes(new) is None, 20)
    expect_same(new, old)


def pushes(node):
    """The error, if there is one."""
    found = outcome(node.client().rpush, KEPT, "x")
    return found if isinstance(found, Exception) else None


def stopped_primary_takes_no_writes_afterwards(bench, programs, settings):
    """What a client sent while it was stopped is the first that it reads when it goes on."""
    nodes, sentinels = trio(bench, programs, settings)
    old = nodes[0]
    wait_until("it takes writes", lambda: pushes(old) is None, 20)
    client = old.client(0, single_connection_client=True, socket_timeout=30)
    assert client.ping()
    connection = client.connection
    old.pause()
    try:
        sentinels.wait_for_another_primary(old, nodes)
        connection.send_command("RPUSH", "stale", "x")
    finally:
        old.resume()
    reply = outcome(connection.read_response)
    expect_same(sentinels.wait_until_all_follow(nodes), old)
    if programs[0].is_redis:
        # It counts its good replicas once a second only.
        bench.note(f"{programs[0].label} replied {reply!r} to a write that is lost")
    else:
        assert isinstance(reply, Exception), f"{reply!r} to a write that is lost"


CALLS = [
    (primary_killed_under_load, GATE),
    (primary_killed_under_load, []),
    (primary_stopped_for_a_while_under_load, GATE),
    (primary_cut_off_with_some_of_its_clients, GATE),
    (primary_cut_off_with_some_of_its_clients, []),
    (returned_primary_takes_no_writes, ONE_REPLICA),
    (stopped_primary_takes_no_writes_afterwards, ONE_REPLICA),
]


def checks(programs):
    ours = programs.ours
    for call, settings in CALLS:
        if ours.is_redis and settings is GATE:
            continue
        how = " with the gate" if settings is GATE else ""
        yield Check(f"three of {ours.label}: {called(call)}{how}", call, [[ours] * 3, settings])
    for other in programs.judges:
        mixed = [ours, other, ours]
        if all(one.loads_rdb_of(two) for one in mixed for two in mixed) and other != ours:
            for call in (primary_killed_under_load, primary_stopped_for_a_while_under_load):
                yield Check(f"with a {other.label}: {called(call)}", call, [mixed, []])
