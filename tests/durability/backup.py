"""Copies the append files of a broker at work as docs/operating.md says, and judges the copies.

Producers push numbers in order, one consumer of each queue takes them, rewrites follow each other. So a copy
must hold in each queue consecutive numbers: none that was taken before the copy began, all that were pushed
by then, and none that had not been sent when it was made.

    backup.py [--copies N] [--seed N] [--server COMMAND ...]
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import redis
from report import Failure, Report, note
from server import Server, connect, wait_until

ROOT = Path(__file__).resolve().parents[2]
QUEUES = 3
ARCHIVE_MESSAGES = 3000
# Enough for a copy to take a while, and few enough to be loaded soon.
BACKLOG_MAX = 3000


class Queue:
    """What is known of a queue. Each number is written by one thread, before or after its request."""

    def __init__(self, number):
        self.name = f"queue {number}"
        self.sent, self.pushed, self.requested, self.taken = 0, 0, 0, 0


class Work:
    """Clients at work on all queues until `end`."""

    def __init__(self, server, rng):
        self.server, self.is_over, self.errors = server, False, []
        self.queues = [Queue(number) for number in range(QUEUES)]
        self.rewrites = 0
        seeds = iter(rng.sample(range(1 << 30), 2 * QUEUES + 1))
        calls = [(call, queue) for queue in self.queues for call in (self.produce, self.consume)]
        calls.append((self.rewrite, None))
        self.threads = [
            threading.Thread(target=self.run, args=(call, queue, random.Random(next(seeds))))
            for call, queue in calls
        ]
        for thread in self.threads:
            thread.start()

    def run(self, call, queue, rng):
        try:
            with connect(self.server.port) as client:
                while not self.is_over:
                    call(client, queue, rng)
        except Exception as error:
            self.errors.append(error)

    def produce(self, client, queue, rng):
        if queue.sent - queue.taken > BACKLOG_MAX:
            time.sleep(0.001)
            return
        count = rng.choice([1, 1, 1, 5, 50])
        numbers = range(queue.sent + 1, queue.sent + count + 1)
        queue.sent += count
        client.rpush(queue.name, *(f"{number} {'m' * rng.randrange(400)}" for number in numbers))
        queue.pushed = queue.sent

    def consume(self, client, queue, rng):
        count = rng.choice([1, 1, 10])
        # As many as it may get: which ones, the reply says.
        queue.requested = min(queue.taken + count, queue.sent)
        messages = client.lpop(queue.name, count) or []
        if messages:
            queue.taken = number_of(messages[-1])

    def rewrite(self, client, _, rng):
        time.sleep(rng.uniform(0, 0.05))
        try:
            client.bgrewriteaof()
            self.rewrites += 1
        except redis.ResponseError as error:
            assert "in progress" in str(error), error

    def end(self):
        self.is_over = True
        for thread in self.threads:
            thread.join()
        assert not self.errors, self.errors


def number_of(message):
    return int(message.split(b" ", 1)[0])


def script(directory, program):
    """The script in docs/operating.md, with this program as `tidegate`."""
    text = (ROOT / "docs/operating.md").read_text()
    found = re.search(r"```sh\n(#!/bin/sh\n# tidegate-backup .*?)```", text, re.DOTALL)
    path = directory / "tidegate-backup"
    path.write_text(found[1])
    path.chmod(0o755)
    (directory / "bin").mkdir()
    (directory / "bin/tidegate").symlink_to(program)
    return path


def judge(before, after, client):
    """What is wrong with a copy that was made between these two moments."""
    problems = []
    for (name, _, pushed, _, taken), (_, sent, _, requested, _) in zip(before, after):
        numbers = [number_of(message) for message in client.lrange(name, 0, -1)]
        first = numbers[0] if numbers else None
        last = numbers[-1] if numbers else None
        if numbers and numbers != list(range(first, last + 1)):
            problems.append(f"{name}: not consecutive between {first} and {last}")
        elif numbers and not (taken < first <= requested + 1 and pushed <= last <= sent):
            problems.append(
                f"{name}: {first} to {last}; taken before: {taken}, requested: {requested}, "
                f"pushed before: {pushed}, sent: {sent}"
            )
        elif not numbers and requested < pushed:
            problems.append(f"{name}: empty; pushed before: {pushed}, requested: {requested}")
    if client.llen("archive") != ARCHIVE_MESSAGES:
        problems.append(f"archive: {client.llen('archive')} messages")
    return problems


def state(work):
    return [(q.name, q.sent, q.pushed, q.requested, q.taken) for q in work.queues]


class Trial:
    def __init__(self, command, policy, seed, directory):
        self.rng = random.Random(f"{seed} {policy}")
        self.command, self.directory = command, directory
        self.script = script(directory, Path(command[0]).resolve())
        rewriting = ["--auto-aof-rewrite-percentage", "0", "--appendfsync", policy]
        self.server = Server([*command, *rewriting], directory / "data")
        self.attempts = 0

    def run(self, copies):
        self.server.start()
        with self.server.client() as client:
            for _ in range(ARCHIVE_MESSAGES // 100):
                client.rpush("archive", *[b"a" * 1000] * 100)
        work = Work(self.server, self.rng)
        self.work = work
        try:
            wait_until("some work", lambda: work.errors or all(q.taken > 100 for q in work.queues))
            for number in range(copies):
                # Not for synchronization: this is the random time of the copy.
                time.sleep(self.rng.uniform(0, 0.3))
                before, after = self.copy()
                self.judge_copy(before, after)
        finally:
            work.end()
        assert work.rewrites > 1, f"{work.rewrites} rewrites"
        note(f"{copies} copies, {work.rewrites} rewrites, {work.queues[0].taken} messages in a queue")

    def copy(self):
        """Makes a copy; returns what was known before and afterwards."""
        shutil.rmtree(self.directory / "copy", ignore_errors=True)
        (self.directory / "copy").mkdir()
        # What was known must be older than the copy, and what could be sent, younger.
        before = state(self.work)
        path = f"{self.directory / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(
            [self.script, self.server.append_files, self.directory / "copy/appendonlydir"],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=120,
        )
        after = state(self.work)
        if done.returncode != 0:
            said = [*done.stdout.splitlines(), *done.stderr.splitlines()]
            raise Failure([f"exit status {done.returncode}", *said])
        left = list(self.server.directory.glob("appendonlydir.backup.*"))
        assert not left, left
        return before, after

    def judge_copy(self, before, after):
        restored = Server(self.command, self.directory / "copy")
        try:
            restored.start()
            with restored.client() as client:
                problems = judge(before, after, client)
        finally:
            restored.kill()
        if problems:
            raise Failure(problems)

    def lost_changes_are_noticed(self):
        """A copy without its last changes must be found wrong, or nothing above proves anything."""
        self.server.wait_until_rewritten()
        queue = self.work.queues[0]
        with self.server.client() as client:
            for _ in range(10):
                queue.sent += 1
                client.rpush(queue.name, f"{queue.sent} last")
                queue.pushed = queue.sent
        before, after = self.copy()
        file = Server(self.command, self.directory / "copy").newest_increment()
        os.truncate(file, file.read_bytes().index(b" last"))
        try:
            self.judge_copy(before, after)
        except Failure as failure:
            note(f"noticed: {failure.lines[0]}")
            return
        raise AssertionError("nothing was noticed")

    def end(self):
        self.server.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--copies", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--server", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.server or [str(ROOT / "target/release/tidegate")]
    note(f"seed {options.seed}")
    report = Report()
    for policy in ["always", "everysec", "no"]:
        with tempfile.TemporaryDirectory(prefix=f"backup-{policy}-") as directory:
            trial = Trial(command, policy, options.seed, Path(directory))
            try:
                name = f"backup: appendfsync {policy}"
                if report.check(f"{name}: {options.copies} copies at work", trial.run, options.copies):
                    report.check(f"{name}: a loss is noticed", trial.lost_changes_are_noticed)
            finally:
                trial.end()
    sys.exit(report.end())


main()
