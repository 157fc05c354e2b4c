"""Three Sentinels that look after three nodes."""

import re
import subprocess

import redis
from redis.sentinel import Sentinel

from contents import has_caught_up
from nodes import HOST, PORT_NUMBERS, connect, wait_until
from suite import ROOT

NAME = "queues"
# Sentinels ask once a second. With no more than that a node is down that answers late once, on a busy machine.
DOWN_AFTER_MS = 2000
FAILOVER_TIMEOUT_MS = 3000
# Also the times until a leader is elected and the others are told.
FAILOVER_S = 40


class Sentinels:
    """With the configuration of the examples, but for addresses and times."""

    def __init__(self, bench, primary, count=3, more=list):
        self.bench = bench
        # Returns further settings for each.
        self.more = more
        self.ports = [PORT_NUMBERS.take() for _ in range(count)]
        for port in self.ports:
            self.start(port, primary.announced_port)

    def start(self, port, primary_port):
        directory = self.bench.directory / f"sentinel-{port}"
        directory.mkdir()
        file = directory / "sentinel.conf"
        text = (ROOT / "examples/replication/sentinel.conf").read_text()
        for pattern, value in [
            (r"port \d+", f"port {port}"),
            (r"dir .+", f"dir {directory}"),
            (rf"sentinel monitor {NAME} \S+ \d+ 2", f"sentinel monitor {NAME} {HOST} {primary_port} 2"),
            (rf"sentinel down-after-milliseconds {NAME} \d+", None),
            (rf"sentinel failover-timeout {NAME} \d+", None),
        ]:
            times = {"down": DOWN_AFTER_MS, "fail": FAILOVER_TIMEOUT_MS}
            value = value or pattern.replace(r"\d+", str(times[pattern.split(" ")[1][:4]]))
            text, count = re.subn(f"^{pattern}$", value, text, flags=re.M)
            assert count == 1, f"{pattern} is {count} times in the example"
        file.write_text(text)
        with (directory / "log").open("ab") as log:
            process = subprocess.Popen(
                ["redis-sentinel", str(file), *self.more()], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.bench.processes.append(process)

    def ask(self, port, *words):
        client = connect(port, single_connection_client=True, decode_responses=True)
        try:
            return client.execute_command("SENTINEL", *words)
        finally:
            client.close()

    def view(self, port):
        """What one of them knows of the primary."""
        try:
            # As a dictionary, with a newer or an older redis-py.
            said = self.ask(port, "MASTER", NAME)
        except redis.RedisError:
            return {}
        return said if isinstance(said, dict) else dict(zip(said[::2], said[1::2]))

    def wait_until_complete(self, replicas=2):
        """Until each knows the others and the replicas."""

        def is_complete(port):
            view = self.view(port)
            known = view.get("num-other-sentinels"), view.get("num-slaves")
            return [*map(str, known)] == [str(len(self.ports) - 1), str(replicas)]

        for port in self.ports:
            wait_until("the Sentinels know each other", lambda: is_complete(port), FAILOVER_S, 0.1)

    def primary_port(self):
        """The port that all of them give for the primary, if they agree."""
        ports = {str(self.view(port).get("port")) for port in self.ports}
        return int(ports.pop()) if len(ports) == 1 and ports != {"None"} else None

    def primary_of(self, nodes):
        port = self.primary_port()
        return next((node for node in nodes if node.announced_port == port), None)

    def wait_for_another_primary(self, old, nodes):
        def another():
            found = self.primary_of(nodes)
            return found not in (None, old) and role(found) == "master" and found

        return wait_until("another primary", another, FAILOVER_S, 0.05)

    def wait_until_all_follow(self, nodes):
        """Until all nodes but one, also one that has returned, are replicas of that one, and known as such.
        Returns that one: on a slow machine there may have been one failover more."""

        def followed():
            primary = self.primary_of(nodes)
            others = [node for node in nodes if node is not primary]
            is_good = (
                primary is not None
                and role(primary) == "master"
                and all(has_caught_up(primary, node) for node in others)
                and all(self.knows(port, nodes) for port in self.ports)
            )
            return primary if is_good else None

        return wait_until("all follow one primary", followed, FAILOVER_S, 0.1)

    def knows(self, port, nodes):
        """Whether one of them has all replicas for the next failover."""
        replicas = self.ask(port, "REPLICAS", NAME)
        entries = [
            entry if isinstance(entry, dict) else dict(zip(entry[::2], entry[1::2]))
            for entry in replicas
        ]
        good = [entry for entry in entries if entry["flags"] == "slave"]
        return self.view(port).get("flags") == "master" and len(good) >= len(nodes) - 1

    def client(self, **options):
        """A client of redis-py that asks the Sentinels for the primary."""
        options = {"socket_timeout": 2, "socket_connect_timeout": 1, **options}
        asks = {"socket_timeout": 2, "socket_connect_timeout": 1}
        sentinel = Sentinel([(HOST, port) for port in self.ports], sentinel_kwargs=asks, **options)
        return sentinel.master_for(NAME, protocol=2)


def role(node):
    try:
        return node.info()["role"]
    except redis.RedisError:
        return None
