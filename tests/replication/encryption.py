"""TLS between primary and replica (`tls-replication`), for MIGRATE (`tls-cluster`) and with Sentinel. The judges that
PyPI has are built without TLS."""

import subprocess

from contents import begin_replicating, expect_same, replicate, wait_until_caught_up
from data import fill, fill_bulk
from nodes import HOST, PORT_NUMBERS, expect_error, wait_until
from sentinels import Sentinels
from suite import ROOT, Check, called

BULK_MB = 30


def certificates(bench):
    """The directory of the check's certificates."""
    directory = bench.directory / "certificates"
    if not directory.exists():
        script = ROOT / "tests/clients/certificates.sh"
        subprocess.run(["sh", str(script), str(directory)], check=True)
    return directory


def settings_of(bench, name="server"):
    """Those of a node or a Sentinel with the certificate of this name, but for its port."""
    directory = certificates(bench)
    files = {"cert": f"{name}.crt", "key": f"{name}.key", "ca-cert": "ca.crt"}
    named = [(f"--tls-{kind}-file", str(directory / file)) for kind, file in files.items()]
    return [word for pair in named for word in pair]


def node_of(bench, program, *settings, name="server", is_replica=True):
    """A node with a port for TLS, which it tells a primary as its own."""
    port = PORT_NUMBERS.take()
    more = ["--tls-replication", "yes"] if is_replica else []
    node = bench.node(program, "--tls-port", port, *settings_of(bench, name), *more, *settings)
    node.tls_port = port
    if is_replica:
        node.announced_port = port
    return node


def full_sync_and_stream(bench, primary_program, replica_program):
    primary, replica = node_of(bench, primary_program), node_of(bench, replica_program, name="client")
    fill(primary, bench.rng, 1_000_000)
    fill_bulk(primary, bench.rng, BULK_MB)
    replicate(primary, replica, primary.tls_port)
    expect_same(primary, replica, timeout_s=60)
    for number in range(2000):
        primary.client(number % 16).rpush("queue", number)
    expect_same(primary, replica)
    # In pieces.
    link = bench.link(primary)
    link.target_port = primary.tls_port
    link.piece_bytes = 100
    assert replica.ask("REPLICAOF", HOST, link.port) in (True, b"OK")
    primary.client().rpush("queue", "in pieces")
    expect_same(primary, replica, timeout_s=60)
    # Cut within the backlog, in the middle of a record.
    syncs = primary.info("stats")["sync_full"]
    link.piece_bytes = 1 << 16
    for _ in range(3):
        primary.client().rpush("queue", "x" * 300_000)
        link.cut()
    expect_same(primary, replica, timeout_s=60)
    assert primary.info("stats")["sync_full"] == syncs


def only_those_of_the_authority(bench, primary_program, replica_program):
    primary = node_of(bench, primary_program)
    replica = node_of(bench, replica_program, name="stranger")
    begin_replicating(primary, replica, primary.tls_port)
    wait_until("it has tried", lambda: "tls" in log_of(replica).lower())
    assert replica.info()["master_link_status"] == "down"
    directory = certificates(bench)
    cert, key = (str(directory / f"client.{kind}") for kind in ("crt", "key"))
    assert replica.client().execute_command("CONFIG", "SET", "tls-client-cert-file", cert, "tls-client-key-file", key)
    wait_until_caught_up(primary, replica)
    expect_same(primary, replica)
    # A primary that an unknown authority has certified is not followed.
    other = node_of(bench, primary_program, "--tls-auth-clients", "no", name="stranger")
    begin_replicating(other, replica, other.tls_port)
    other.client().rpush("secret", "x")
    wait_until("it has tried", lambda: "accepted" in log_of(replica) or "certificate verify" in log_of(replica))
    assert replica.info()["master_link_status"] == "down"
    assert not replica.client().exists("secret")


def log_of(node):
    return node.log.read_text(errors="replace")


def begun_at_run_time(bench, primary_program, replica_program):
    primary = node_of(bench, primary_program)
    replica = node_of(bench, replica_program, name="client", is_replica=False)
    # Without TLS the primary does not understand it.
    begin_replicating(primary, replica, primary.tls_port)
    assert replica.info()["master_link_status"] == "down"
    replica.config("tls-replication", "yes")
    replica.announced_port = replica.tls_port
    wait_until_caught_up(primary, replica)
    expect_same(primary, replica)
    # And back, to the port without it.
    replica.config("tls-replication", "no")
    replica.announced_port = replica.port
    replicate(primary, replica)
    expect_same(primary, replica)


def migrated(bench, source_program, target_program):
    source = node_of(bench, source_program, "--tls-cluster", "yes", name="client")
    target = node_of(bench, target_program)
    source.client().rpush("queue", *range(50_000))
    assert source.ask("MIGRATE", HOST, target.tls_port, "queue", 3, 5000) == b"OK"
    assert target.client(3).llen("queue") == 50_000 and not source.client().exists("queue")
    source.client().rpush("queue", "x")
    source.config("tls-cluster", "no")
    if source_program.is_redis:
        # It keeps the connection for a while.
        return
    expect_error("error or timeout", source.ask, "MIGRATE", HOST, target.tls_port, "queue", 3, 500)
    assert source.client().llen("queue") == 1
    assert source.ask("MIGRATE", HOST, target.port, "queue", 3, 5000, "REPLACE") == b"OK"


def failover(bench, *programs):
    nodes = [node_of(bench, program) for program in programs]
    primary = nodes[0]
    for replica in nodes[1:]:
        replicate(primary, replica, primary.tls_port)
    more = ["--tls-replication", "yes", "--tls-auth-clients", "optional", *settings_of(bench, "client")]
    sentinels = Sentinels(bench, primary, more=lambda: [*more, "--tls-port", str(PORT_NUMBERS.take())])
    sentinels.wait_until_complete()
    primary.client().rpush("queue", *range(100))
    for replica in nodes[1:]:
        wait_until_caught_up(primary, replica)
    primary.kill()
    sentinels.wait_for_another_primary(primary, nodes)
    primary.start()
    # On a slow machine there may be one failover more, which loses what is pushed meanwhile.
    last = sentinels.wait_until_all_follow(nodes)
    last.client().rpush("queue", "after")
    for node in nodes:
        if node is not last:
            expect_same(last, node)
    assert last.client().llen("queue") == 101


CALLS = [full_sync_and_stream, only_those_of_the_authority, begun_at_run_time, migrated]


def checks(programs):
    ours, judge = programs.ours, programs.redis_7
    for first, second in dict.fromkeys([(ours, ours), (ours, judge), (judge, ours)]):
        for call in CALLS:
            yield Check(f"{first.label} to {second.label}: {called(call)}", call, [first, second])
    for trio in dict.fromkeys([(ours, ours, ours), (ours, judge, ours)]):
        yield Check(f"{', '.join(program.label for program in trio)}: failover", failover, list(trio))
