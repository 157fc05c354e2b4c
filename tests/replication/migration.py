"""Moving from redis-server to this broker and back under load, with the commands of docs/replication.md."""

import re
import subprocess
import threading
import time

import redis

from contents import expect_same
from data import fill
from nodes import connect, outcome, wait_until
from suite import ROOT, of_pairs

TITLE = "## Moving from and to Redis"


def commands():
    """Those of the section, by step."""
    text = (ROOT / "docs/replication.md").read_text().split(TITLE)[1].split("\n## ")[0]
    steps = re.findall(r"```sh\n(.*?)```", text, re.S)
    assert len(steps) == 3, f"{len(steps)} steps with commands"
    return steps


def run_step(step, old, new):
    for address, node in [("192.0.2.1", old), ("192.0.2.2", new)]:
        step = step.replace(f"-h {address}", f"-p {node.port}")
        step = step.replace(f"REPLICAOF {address} 6379", f"REPLICAOF 127.0.0.1 {node.port}")
    assert "192.0.2" not in step, step
    done = subprocess.run(["bash", "-euc", step], capture_output=True, text=True, timeout=60)
    is_good = all(line.startswith("OK") for line in done.stdout.splitlines() if line)
    assert done.returncode == 0 and is_good, f"{step}\n{done.stdout}\n{done.stderr}"


class Client:
    """Goes to the other address when the first says READONLY or UNBLOCKED, as after a change of a setting."""

    def __init__(self, ports):
        self.ports = ports
        self.is_moved = False
        self.must_end = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        client = connect(self.ports[0])
        while not self.must_end.is_set():
            try:
                self.step(client)
                time.sleep(0.001)
            except redis.ResponseError as error:
                is_expected = isinstance(error, redis.ReadOnlyError) or "UNBLOCKED" in str(error)
                if self.is_moved or not is_expected:
                    self.failure = error
                    return
                self.is_moved = True
                client = connect(self.ports[1])
            except redis.RedisError as error:
                self.failure = error
                return

    def end(self):
        self.must_end.set()
        self.thread.join(timeout=20)
        assert self.failure is None, self.failure


class Producer(Client):
    def __init__(self, ports):
        self.pushed = 0
        super().__init__(ports)

    def step(self, client):
        client.rpush("work", self.pushed)
        self.pushed += 1


class Consumer(Client):
    def __init__(self, ports):
        self.popped = []
        super().__init__(ports)

    def step(self, client):
        popped = client.blpop("work", timeout=1)
        if popped:
            self.popped.append(int(popped[1]))


def there_and_back(bench, old_program, new_program):
    old, new = bench.node(old_program), bench.node(new_program)
    fill(old, bench.rng, 1_000_000)
    move(old, new)
    # What is written to the new one alone goes back, too.
    new.client().rpush("of the new", *range(1000))
    move(new, old)
    assert old.client().llen("of the new") == 1000


def move(old, new):
    producers = [Producer([old.port, new.port]) for _ in range(2)]
    consumers = [Consumer([old.port, new.port]) for _ in range(2)]
    workers = [*producers, *consumers]
    blocked = []
    waits = lambda: blocked.append(outcome(connect(old.port, socket_timeout=60).blpop, "nothing", 50))
    thread = threading.Thread(target=waits, daemon=True)
    thread.start()
    try:
        wait_until("there is work", lambda: all(producer.pushed > 20 for producer in producers))
        for step in commands():
            run_step(step, old, new)
        wait_until("all have moved", lambda: all(worker.is_moved or worker.failure for worker in workers))
        pushed = [producer.pushed for producer in producers]
        wait_until("they go on", lambda: all(p.pushed > n + 20 for p, n in zip(producers, pushed)))
    finally:
        for producer in producers:
            producer.end()
        is_empty = lambda: new.client().llen("work") == 0
        wait_until("all are popped", is_empty)
        for consumer in consumers:
            consumer.end()
    popped = sorted(message for consumer in consumers for message in consumer.popped)
    expected = sorted(number for producer in producers for number in range(producer.pushed))
    assert popped == expected, f"{len(popped)} popped of {len(expected)} pushed"
    thread.join(timeout=20)
    assert "UNBLOCKED" in str(blocked[0]), blocked
    expect_same(new, old)


def checks(programs):
    for check in of_pairs(programs, there_and_back):
        old, new = check.arguments
        if old.loads_rdb_of(new):
            yield check
