"""Workers that acknowledge by receipt, in all usual ways, are killed again and again, and so is the broker:
nothing is lost, and nothing is done twice but what was in work at a kill.

    receipts.py --seed S --libraries DIR --server COMMAND …

Besides, strict order with `max-in-flight 1`, a job that is longer than its lease, and retries that rest.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from report import Report, note
from server import Server, wait_until

HERE = Path(__file__).parent
QUEUE = "jobs"
COUNT = 10_000
KILLS = 20
# A message of a killed worker returns after so long; a job takes 5 ms.
LEASE_MS = 6000
EXPLICIT = ["delivery", "at-least-once", "acknowledge", "explicit"]


class Workers:
    """A process with workers, and what it said. It is killed with its children."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.lines = []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        # A line that the kill cut off has no end.
        self.lines.extend(line.split() for line in self.process.stdout if line.endswith("\n"))

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join()

    def said(self, word):
        return Counter(words[1] for words in list(self.lines) if words[0] == word)

    def in_work(self):
        return set(self.said("took") - self.said("acknowledged"))


class Trial:
    """A broker with append files, its workers, and what may be done twice."""

    def __init__(self, arguments, directory, *options, lease_ms=LEASE_MS):
        self.rng = random.Random(arguments.seed)
        self.server = Server([*arguments.server, "--appendfsync", "everysec"], directory)
        self.commands = commands_of(arguments.libraries, lease_ms)
        self.workers = {}
        # It was in work when its worker or the broker was killed.
        self.in_work = set()
        self.kills = Counter()
        self.server.start()
        self.say("QUEUE", "POLICY", "SET", "p", QUEUE, *EXPLICIT, *options)

    def say(self, *words):
        with self.server.client() as client:
            return client.execute_command(*words)

    def push(self, count):
        for first in range(0, count, 100):
            self.say("RPUSH", QUEUE, *range(first, min(first + 100, count)))

    def start_workers(self):
        for name in self.commands.keys() - self.workers.keys():
            self.workers[name] = Workers(self.commands[name](self.server.port))

    def kill_worker(self, name):
        workers = self.workers.pop(name)
        workers.kill()
        self.in_work |= workers.in_work()

    def kill_all(self):
        self.server.kill()
        for name in list(self.workers):
            self.kill_worker(name)

    def work(self, count, kills):
        """Kills something, so often, while `count` messages are done by all kinds of workers."""
        self.push(count)
        for number in range(kills):
            self.start_workers()
            before = self.say("LLEN", "done")
            step = self.rng.randrange(count // kills)
            wait_until("more is done", lambda: self.say("LLEN", "done") >= min(before + step, count))
            if number % 3 == 2:
                self.kills["the broker"] += 1
                self.kill_all()
                self.server.start()
            else:
                name = self.rng.choice(sorted(self.commands))
                self.kills[name] += 1
                self.kill_worker(name)
        self.start_workers()
        wait_until("all is done", lambda: self.left() == 0, timeout_s=120, pause_s=0.05)
        done = [int(message) for message in self.say("LRANGE", "done", 0, -1)]
        self.kill_all()
        self.judge(done, count)
        return done

    def left(self):
        """Messages that wait or are in flight."""
        return self.say("LLEN", QUEUE) + len(self.say("QUEUE", "INFLIGHT", QUEUE))

    def judge(self, done, count):
        lost = set(range(count)) - set(done)
        assert not lost, f"lost: {sorted(lost)[:20]}"
        twice = {message for message, times in Counter(done).items() if times > 1}
        wrong = twice - {int(message) for message in self.in_work}
        assert not wrong, f"done twice, but in work at no kill: {sorted(wrong)[:20]}"
        killed = ", ".join(f"{name} {times} times" for name, times in sorted(self.kills.items()))
        note(f"killed: {killed}; of {count} messages {len(twice)} were done again")


def commands_of(libraries, lease_ms):
    """All ways to work, each a function from the port to a command."""
    python = [sys.executable, HERE / "receipt_workers.py"]
    node = ["node", libraries / "node" / "receipt_workers.mjs"]
    return {
        "threads over a pool": lambda port: [*python, port, "threads", QUEUE, lease_ms],
        "asyncio tasks": lambda port: [*python, port, "tasks", QUEUE, lease_ms],
        "ioredis": lambda port: [*node, port, QUEUE, lease_ms],
        "redis-cli": lambda port: ["bash", HERE / "receipt_worker.sh", port, QUEUE, lease_ms],
    }


def nothing_is_lost(arguments, directory):
    trial = Trial(arguments, directory)
    try:
        trial.work(COUNT, KILLS)
    finally:
        trial.kill_all()


def order_is_kept(arguments, directory):
    """With `max-in-flight 1`, each message is done before the next, whoever works and dies."""
    trial = Trial(arguments, directory, "max-in-flight", "1", lease_ms=2000)
    try:
        done = trial.work(600, 6)
    finally:
        trial.kill_all()
    steps = {later - earlier for earlier, later in zip(done, done[1:])}
    assert done[0] == 0 and steps <= {0, 1}, f"not in order: {done}"


def retries_rest(arguments, directory):
    """Each retry comes after its delay, and soon after it."""
    server = Server(arguments.server, directory).start()
    options = ["retry-delay-ms", 200, "retry-delay-max-ms", 500, "delivery-limit", 5]
    try:
        with server.client() as client:
            client.execute_command("QUEUE", "POLICY", "SET", "p", QUEUE, *EXPLICIT, *options)
            client.rpush(QUEUE, "job")
            returned, rests_ms = None, []
            pop = ["QUEUE", "POP", 1, QUEUE, "BLOCK", 2000]
            while popped := client.execute_command(*pop):
                if returned is not None:
                    rests_ms.append(round((time.monotonic() - returned) * 1000))
                [_, [[receipt, *_]]] = popped
                returned = time.monotonic()
                assert client.execute_command("QUEUE", "NACK", QUEUE, "IDS", 1, receipt) == 1
    finally:
        server.kill()
    note(f"retries after {rests_ms} ms")
    assert len(rests_ms) == 4, rests_ms
    for expected_ms, rest_ms in zip([200, 400, 500, 500], rests_ms):
        # The rest begins between the two times that are measured. A busy machine is slower.
        assert expected_ms - 5 <= rest_ms < expected_ms + 1000, rests_ms


def a_long_job_is_held(arguments, directory):
    """A job of ten times its lease, whose worker says in time that it goes on."""
    server = Server(arguments.server, directory).start()
    try:
        with server.client() as client:
            client.execute_command("QUEUE", "POLICY", "SET", "p", QUEUE, *EXPLICIT)
            client.rpush(QUEUE, "long")
            pop = ["QUEUE", "POP", 1, QUEUE, "LEASE", 500]
            [_, [[receipt, *_]]] = client.execute_command(*pop)
            end = time.monotonic() + 5
            while time.monotonic() < end:
                assert client.execute_command("QUEUE", "TOUCH", QUEUE, "IDS", 1, receipt) == 1
                assert client.execute_command(*pop) is None, "it came twice"
                time.sleep(0.1)
            assert client.execute_command("QUEUE", "ACK", QUEUE, "IDS", 1, receipt) == 1
    finally:
        server.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", required=True)
    parser.add_argument("--libraries", type=Path, required=True)
    parser.add_argument("--server", nargs=argparse.REMAINDER, required=True)
    arguments = parser.parse_args()
    note(f"seed {arguments.seed}")
    report = Report()
    for check in [nothing_is_lost, order_is_kept, a_long_job_is_held, retries_rest]:
        with tempfile.TemporaryDirectory() as directory:
            report.check(f"receipts: {check.__name__.replace('_', ' ')}", check, arguments, directory)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
