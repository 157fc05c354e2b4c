"""Several workers in one process, under `delivery at-least-once`. The process is killed in the middle of
their work, again and again: nothing is lost, and no more is delivered twice than docs/policies.md says.
"""

import random
from contextlib import ExitStack

from check import note, run, wait_until
from policy_queue import Queue, client
from systems import start

COUNT = 1000
ROUNDS = 4
DONE_EACH = 150  # About so many messages are done when a process is killed.
WORKERS = 8
BATCH = 10
SEED = random.randrange(1 << 32)
MESSAGES = [f"message-{number}" for number in range(COUNT)]

EXPLICIT = ["acknowledge", "explicit"]


class Workers:
    """A running process, and the work that its workers reported as done."""

    def __init__(self, stack, program, *arguments):
        self.process = stack.enter_context(start(program, *arguments))
        self.done = []

    def hear(self):
        line = self.process.stdout.readline()
        assert line, f"the workers have ended: {self.process.wait()}"
        word, *message = line.split()
        if word == "done":
            self.done += message
        return word

    def hear_until_done(self, count):
        while len(self.done) < count:
            self.hear()

    def kill(self):
        self.process.kill()
        # They may have continued meanwhile. A line interrupted by the kill has no end.
        for line in self.process.stdout:
            if line.startswith("done ") and line.endswith("\n"):
                self.done += line.split()[1:]
        # Its messages have returned when its connections are gone.
        wait_until("only we are connected", lambda: len(client.client_list()) == 1)
        assert len(self.done) == len(set(self.done)), "done twice by one process"
        return self.done


def arguments_with(queue, arguments):
    """The arguments of a program: how, for which queue, and more."""
    return [*arguments[:1], queue.name, *arguments[1:]]


def killed(name, program, *arguments, twice_max, options=()):
    """A check: workers that follow the rules lose nothing, and few of their messages are processed twice."""

    def check():
        rng = random.Random(SEED)
        queue = Queue(*options)
        queue.push(*MESSAGES)
        left = MESSAGES
        for _ in range(ROUNDS):
            with ExitStack() as stack:
                workers = Workers(stack, program, *arguments_with(queue, arguments))
                workers.hear_until_done(DONE_EACH + rng.randrange(40))
                done = workers.kill()
            queue.expect(in_flight=0)
            before, left = left, queue.waiting()
            assert left == [message for message in before if message in set(left)], "order"
            lost = set(before) - set(done) - set(left)
            assert not lost, f"lost: {lost}"
            twice = set(done) & set(left)
            assert len(twice) <= twice_max, f"{len(twice)} of {len(done)} come twice"
        queue.expect(shared_connections=0)

    check.__name__ = f"{name} are killed"
    return check


def killed_on_one_connection(name, program, *arguments):
    """A check: workers whose pops overlap on one connection acknowledge nothing, and lose nothing."""

    def check():
        queue = Queue()
        with ExitStack() as stack:
            workers = Workers(stack, program, *arguments_with(queue, arguments))
            # They wait, so that their pops overlap however the client writes them.
            while workers.hear() != "ready":
                pass
            queue.push(*MESSAGES)
            workers.hear_until_done(DONE_EACH)
            queue.expect(shared_connections=1, acknowledged=0)
            assert any("w" in entry["flags"] for entry in client.client_list())
            workers.kill()
        queue.expect(in_flight=0)
        assert queue.waiting() == MESSAGES

    check.__name__ = f"{name} are noticed and killed"
    return check


note(f"seed {SEED}")
PYTHON, NODE, JAVA = "shared_workers.py", "shared_workers.mjs", "SharedWorkers.java"
run(
    "shared workers",
    [
        killed("threads with a connection each", PYTHON, "connections", twice_max=WORKERS),
        killed("threads over a pool", PYTHON, "pool", twice_max=WORKERS, options=EXPLICIT),
        killed("tasks over a pool", PYTHON, "tasks", twice_max=WORKERS, options=EXPLICIT),
        killed("pipelines", PYTHON, "pipelines", twice_max=BATCH),
        killed("transactions", PYTHON, "transactions", twice_max=BATCH),
        killed("ioredis by value", NODE, "ioredis", "value", twice_max=WORKERS, options=EXPLICIT),
        killed(
            "node-redis by value", NODE, "node-redis", "value", twice_max=WORKERS, options=EXPLICIT
        ),
        killed("Jedis' pool by value", JAVA, "jedis", twice_max=WORKERS, options=EXPLICIT),
        killed("go-redis' pool by value", "go_workers", twice_max=WORKERS, options=EXPLICIT),
        killed_on_one_connection("ioredis on one connection", NODE, "ioredis"),
        killed_on_one_connection("node-redis on one connection", NODE, "node-redis"),
        killed_on_one_connection("Lettuce on one connection", JAVA, "lettuce"),
    ],
    before_each=client.flushall,
)
