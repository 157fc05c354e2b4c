"""HAProxy and nginx in front of two nodes, with the configurations of the examples."""

import re
import subprocess
import threading

import redis

from contents import expect_same, replicate, wait_until_caught_up
from nodes import PORT_NUMBERS, connect, outcome, wait_until
from suite import ROOT, of_pairs

HAPROXY = ("haproxy.cfg", ["haproxy", "-db", "-f"])
NGINX = ("nginx.conf", ["nginx", "-c"])


def begin(bench, proxy, nodes):
    """Starts a proxy; returns its port."""
    name, command = proxy
    port = PORT_NUMBERS.take()
    text = (ROOT / "examples/replication" / name).read_text()
    addresses = {"127.0.0.1:6380": f"127.0.0.1:{port}"}
    for number, node in enumerate(nodes, 1):
        addresses[f"192.0.2.{number}:6379"] = f"127.0.0.1:{node.port}"
    for address, used in addresses.items():
        text, count = re.subn(re.escape(address), used, text)
        assert count == 1, f"{address} is {count} times in the example"
    if proxy is NGINX:
        # As the packaged configuration says where nginx keeps its own files.
        own = f"daemon off; pid {bench.directory}/nginx.pid; error_log {bench.directory}/nginx.log;\n"
        text = own + text
    file = bench.directory / name
    file.write_text(text)
    log = (bench.directory / f"{name}.log").open("ab")
    process = subprocess.Popen([*command, file], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    bench.processes.append(process)
    log.close()

    def is_ready():
        assert process.poll() is None, (bench.directory / f"{name}.log").read_text()
        return port_of(port) == nodes[0].port

    wait_until(f"{command[0]} leads to the first node", is_ready)
    # HAProxy takes each server as good until the first checks have ended.
    wait_until("it leads to no other", lambda: is_ready() and leads_only_to(port, nodes[0]))
    return port


def leads_only_to(port, node):
    """Clients go round among all nodes that the proxy takes as good."""
    return all(port_of(port) == node.port for _ in range(10))


def port_of(port):
    """Of the node that one gets to."""
    try:
        with connect(port, socket_timeout=2) as client:
            return client.info("server")["tcp_port"]
    except (redis.RedisError, OSError):
        return None


def work_through(port, node):
    """Blocking pops, transactions and subscriptions, while others come and go."""
    client = connect(port)
    client.delete("queue", "answers")
    popped = []

    def pop():
        with connect(port, socket_timeout=30) as own:
            popped.append(own.blpop("queue", timeout=20))

    waiting = [threading.Thread(target=pop, daemon=True) for _ in range(10)]
    for thread in waiting:
        thread.start()
    wait_until("they wait", lambda: client.info("clients")["blocked_clients"] == 10)
    heard = connect(port).pubsub()
    heard.subscribe("news")
    assert heard.get_message(timeout=10)["type"] == "subscribe"
    with client.pipeline() as transaction:
        transaction.rpush("answers", *range(100)).publish("news", "x" * 100_000)
        transaction.execute()
    assert len(heard.get_message(timeout=10)["data"]) == 100_000
    client.rpush("queue", *range(10))
    for thread in waiting:
        thread.join(timeout=20)
    assert sorted(int(message) for _, message in popped) == [*range(10)], popped
    assert node.client().llen("answers") == 100
    heard.close()
    client.close()


def haproxy_finds_the_primary(bench, first_program, second_program):
    first, second = bench.node(first_program), bench.node(second_program)
    replicate(first, second)
    port = begin(bench, HAPROXY, [first, second])
    work_through(port, first)
    expect_same(first, second)
    # A client that waits while the roles change is closed, and finds the new primary.
    stale = connect(port, single_connection_client=True, socket_timeout=30)
    ended = []
    block = lambda: ended.append(outcome(stale.blpop, "queue", 20))
    thread = threading.Thread(target=block, daemon=True)
    thread.start()
    wait_until("it waits", lambda: first.info("clients")["blocked_clients"] == 1)
    first.kill()
    second.ask("REPLICAOF", "NO", "ONE")
    thread.join(timeout=20)
    assert isinstance(ended[0], Exception), ended
    wait_until("HAProxy leads to the second", lambda: leads_only_to(port, second))
    work_through(port, second)
    # The old one returns: first as a primary that nobody wants, then as a replica. On a slow machine it may
    # say that it is a primary for as long as HAProxy needs to believe it.
    first.start()
    first.ask("REPLICAOF", "127.0.0.1", second.port)
    wait_until_caught_up(second, first)
    wait_until("HAProxy leads to no other", lambda: leads_only_to(port, second))
    # Both change their roles while they run; clients of the demoted node are closed.
    idle = connect(port, single_connection_client=True, socket_timeout=10)
    assert idle.info("server")["tcp_port"] == second.port
    first.ask("REPLICAOF", "NO", "ONE")
    second.ask("REPLICAOF", "127.0.0.1", first.port)
    wait_until("HAProxy leads to the first", lambda: leads_only_to(port, first))
    wait_until("the connection is closed", lambda: isinstance(outcome(idle.ping), Exception))
    work_through(port, first)


def nginx_leads_to_the_node_that_is_up(bench, first_program, second_program):
    first, second = bench.node(first_program), bench.node(second_program)
    replicate(first, second)
    port = begin(bench, NGINX, [first, second])
    work_through(port, first)
    expect_same(first, second)
    first.kill()
    second.ask("REPLICAOF", "NO", "ONE")
    wait_until("nginx leads to the second", lambda: leads_only_to(port, second))
    work_through(port, second)


CALLS = [haproxy_finds_the_primary, nginx_leads_to_the_node_that_is_up]


def checks(programs):
    """Of two of ours, and of a mixed pair whose primary changes."""
    for check in of_pairs(programs, *CALLS):
        first, second = check.arguments
        if second == programs.ours and first.loads_rdb_of(second):
            yield check
