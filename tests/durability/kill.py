"""Kills the server again and again while clients use it, and checks that no confirmed change is lost, and
that nothing comes twice or out of order.

    kill.py [--kills N] [--policy P …] [--seed S] [--tamper [HOW …]] [--server COMMAND …]

Without --server, the release build is used. With --tamper, errors of a buggy broker are made behind the
clients' back, and the test passes if they are noticed: a test that cannot fail proves nothing.
`--server redis-server --save ""` must pass.

No policy of appendfsync may lose anything here: a kill ends the program, but not the system, which has
every change before its reply is sent.
"""

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import redis

from ledger import Life, judge
from report import Failure, Report, note
from server import Server, contents, differences, wait_until
from workers import COUNT_MAX, DBS, QUEUES, BulkProducer, Clerk, Crew, Mover, Popper, Producer, forward_queues

ROOT = Path(__file__).resolve().parents[2]
# Data that is never touched, so that loading and rewriting take a while.
ARCHIVE = (0, b"archive")
ARCHIVE_MESSAGES = 8000
ARCHIVE_MESSAGE_BYTES = 3000
# A longer backlog is consumed before more is produced.
BACKLOG_MAX = 4000
ACKNOWLEDGED_MAX = 2000
KINDS = ["load", "rewriting", "writing", "loading"]
# So much of a large push is in the file when the kill comes; its end should not be.
WRITTEN_BYTES = 1 << 20
# The end of a batch in the append files, as src/journal/batch.rs describes it.
TRAILER = rb"\$72\r\nTG1\+[0-9a-f]{16} [0-9a-f]{16} [0-9a-f]{16} [0-9a-f]{8} [0-9a-f]{8}\r\n"
SERVER_ARGUMENTS = ["--auto-aof-rewrite-min-size", "4mb"]


class Trial:
    """A server, its clients, and the known state of its queues."""

    def __init__(self, command, policy, directory, seed, tamper=None):
        self.rng = random.Random(f"{seed} {policy}")
        self.server = Server([*command, *SERVER_ARGUMENTS, "--appendfsync", policy], directory)
        self.at_kill = Path(f"{directory}-at-kill")
        self.producers = [Producer(number, seed) for number in range(4)]
        self.consumers = [
            *(Popper(number, seed) for number in range(4)),
            *(Mover(number, seed) for number in range(2)),
            *(Clerk(number, seed) for number in range(2)),
        ]
        self.bulk_producer = BulkProducer(len(self.producers), seed)
        self.workers = [*self.producers, *self.consumers]
        archive_rng = random.Random(seed)
        self.archive = [
            archive_rng.randbytes(ARCHIVE_MESSAGE_BYTES) for _ in range(ARCHIVE_MESSAGES)
        ]
        self.tamper = tamper
        self.is_filled = False
        self.queues = {}
        self.life = Life()
        # Over all lives, by producer and number, to be compared at the very end.
        self.pushed, self.delivered, self.taken = set(), set(), set()
        self.load_s = 0.01
        self.rewrite_s = 0.01
        self.kills = {kind: 0 for kind in KINDS}
        self.rewrites_cut, self.loadings_cut = 0, 0

    def run(self, kills):
        for number in range(kills):
            kind = KINDS[number % len(KINDS)]
            if kind == "loading":
                self.kill_while_loading()
            else:
                self.kill_under_load(kind)
            self.kills[kind] += 1
            # The files as the kill left them, in case the result is wrong.
            self.server.copy(self.at_kill)
        self.start()

    def kill_while_loading(self):
        self.server.spawn()
        # Not for synchronization: this is the random time of the kill.
        time.sleep(self.rng.uniform(0, self.load_s))
        assert self.server.runs(), f"it does not start: {self.server.log_tail()}"
        self.server.kill()
        self.loadings_cut += " loaded " not in self.server.log.read_text(errors="replace")

    def kill_under_load(self, kind):
        self.start()
        if not self.is_filled:
            self.fill_archive()
        traces = set(self.server.unfinished())
        workers, enough = self.choose_workers()
        crew = self.begin_life(workers)
        self.wait_for_work(crew, self.rng.randrange(1, enough))
        moment_s = 0.002
        if kind == "rewriting":
            self.begin_rewrite()
            moment_s = self.rewrite_s
        elif kind == "writing":
            crew.add(self.bulk_producer)
            wait_until("a large push", self.growth(WRITTEN_BYTES), pause_s=0)
        # As above.
        time.sleep(self.rng.uniform(0, moment_s))
        crew.kill(self.server)
        self.rewrites_cut += not traces.issuperset(self.server.unfinished())

    def growth(self, wanted):
        """Tells whether the increments have grown by so many bytes since the first question, or
        since a rewrite that took some away."""
        least = self.server.append_bytes()

        def has_grown():
            nonlocal least
            now = self.server.append_bytes()
            least = min(least, now)
            return now > least + wanted

        return has_grown

    def fill_archive(self):
        with self.server.client() as client:
            for start in range(0, ARCHIVE_MESSAGES, 100):
                client.rpush(ARCHIVE[1], *self.archive[start : start + 100])
        self.is_filled = True
        begin = time.monotonic()
        self.server.rewrite()
        self.rewrite_s = time.monotonic() - begin

    def begin_rewrite(self):
        with self.server.client() as client:
            try:
                client.bgrewriteaof()
            except redis.ResponseError as error:
                # One that has begun by itself will do.
                assert "in progress" in str(error), error

    def choose_workers(self):
        """The workers of a life, and how many requests of theirs are sure to find something to do.
        Now all kinds, now only one: without consumers not one message may be missing, and
        without producers all are taken from what was loaded."""
        backlog = sum(len(messages) for messages in self.queues.values())
        kinds = [self.consumers, self.workers]
        if backlog < BACKLOG_MAX or self.tamper:
            kinds.append(self.producers)
        # Some of the consumers may care for one queue alone, and take several at once.
        scarcest = min(len(self.queues.get(queue, [])) for queue in QUEUES)
        enough = scarcest // COUNT_MAX
        if enough < 2 or self.tamper:
            # Consumers alone would find too little to do.
            kinds.pop(0)
        kind = self.rng.choice(kinds)
        if kind is not self.consumers:
            enough = ACKNOWLEDGED_MAX
        some = self.rng.sample(kind, self.rng.randrange(2, len(kind) + 1))
        # A producer at least, if the queues may be empty.
        return (some if kind is self.consumers else [*{*some, self.producers[0]}]), enough

    def begin_life(self, workers):
        self.life = Life()
        return Crew(workers, self.server.port, self.life)

    def wait_for_work(self, crew, count):
        def is_done():
            assert self.server.runs(), f"the server has gone: {self.server.log_tail()}"
            return crew.acknowledged() >= count

        wait_until(f"{count} acknowledged requests", is_done)

    def start(self):
        if self.tamper:
            self.tamper.with_files(self)
        begin = time.monotonic()
        self.server.start()
        self.load_s = time.monotonic() - begin
        if self.tamper:
            self.tamper.with_queue(self)
        self.judge_life()

    def judge_life(self):
        """Compares the server's data with the clients' records since the last time."""
        lists = {key: messages for key, (messages, _) in contents(self.server).items()}
        lists = {(db, key.decode()): messages for (db, key), messages in lists.items()}
        problems = []
        for worker in self.workers:
            problems += worker.settle(self.life, lists)
        after = {}
        for queue in QUEUES:
            messages = lists.get((queue.db, queue.name), [])
            after[queue] = messages[::-1] if queue.is_reversed else messages
        verdict = judge(QUEUES, self.queues, self.life, after)
        problems += verdict.problems
        archive = (ARCHIVE[0], ARCHIVE[1].decode())
        if lists.get(archive, []) != (self.archive if self.is_filled else []):
            problems.append("the archive is not as it was")
        own = {(queue.db, queue.name) for queue in QUEUES} | {archive}
        own = own.union(*(worker.own_keys() for worker in self.workers))
        problems += [f"{key} is there, but nobody made it" for key in lists if key not in own]
        if problems:
            raise Failure(problems[:20])
        self.note_life(verdict)
        self.queues = after
        self.life = Life()

    def note_life(self, verdict):
        """Simple records of everything, independent of the logic above."""
        name = lambda message: message.split(b" ", 2)[0:2]
        self.pushed.update(tuple(name(message)) for message in verdict.pushed)
        self.taken.update(tuple(name(message)) for message in verdict.taken)
        for deliveries in self.life.delivered.values():
            for queue, message in deliveries:
                key = tuple(name(message))
                if key in self.delivered:
                    raise Failure([f"{queue}: {key} was handed out in an earlier life already"])
                self.delivered.add(key)

    def restart_cleanly(self):
        """After more work, an orderly stop and start change nothing."""
        crew = self.begin_life(self.workers)
        self.wait_for_work(crew, ACKNOWLEDGED_MAX)
        crew.end()
        self.judge_life()
        before = contents(self.server)
        self.server.stop()
        self.start()
        different = differences(before, contents(self.server))
        if different:
            raise Failure(different)

    def drain(self):
        crew = self.begin_life(self.consumers)
        clients = {db: self.server.client(db) for db in DBS}
        movers = [worker for worker in self.consumers if isinstance(worker, Mover)]
        lists = [(queue.db, queue.name) for queue in QUEUES]
        lists += [key for mover in movers for key in mover.own_keys()]

        def are_empty():
            crew.acknowledged()
            return all(clients[db].llen(name) == 0 for db, name in lists)

        wait_until("the queues are empty", are_empty, timeout_s=120)
        crew.end()
        for client in clients.values():
            client.close()
        self.judge_life()
        self.server.stop()
        self.start()
        if self.pushed != self.delivered | self.taken or self.delivered & self.taken:
            raise Failure(
                [
                    f"never handed out: {sorted(self.pushed - self.delivered - self.taken)[:5]}",
                    f"never pushed: {sorted((self.delivered | self.taken) - self.pushed)[:5]}",
                    f"handed out, but lost: {sorted(self.delivered & self.taken)[:5]}",
                ]
            )

    def summary(self):
        torn = len(list(self.server.append_files.glob("*.torn-*")))
        kills = ", ".join(f"{count} {kind}" for kind, count in self.kills.items())
        return (
            f"kills: {kills}; they cut off {self.rewrites_cut} rewrites and "
            f"{self.loadings_cut} loadings, and left {torn} torn files. {len(self.pushed)} "
            f"messages, {len(self.taken)} taken by pops without an answer"
        )

    def end(self):
        self.server.kill()


class Tampering:
    """An error of a buggy broker, made once, behind the clients' back."""

    # Done before a start.
    FILES = ["remove_files", "cut_file"]
    # Done after one, to a queue that is long enough.
    QUEUE = ["lose_newest", "lose_oldest", "lose_inner", "repeat", "reorder", "revive"]

    def __init__(self, how):
        self.how = how
        self.is_done = False

    def with_files(self, trial):
        if self.how in self.FILES and not self.is_done and trial.is_filled:
            self.is_done = getattr(self, self.how)(trial)

    def with_queue(self, trial):
        if self.how not in self.QUEUE or self.is_done:
            return
        queue = max(forward_queues(), key=lambda queue: len(trial.queues.get(queue, [])))
        with trial.server.client(queue.db) as client:
            if client.llen(queue.name) >= 100:
                self.is_done = getattr(self, self.how)(client, queue, trial) is not None

    def remove_files(self, trial):
        shutil.rmtree(trial.server.append_files)
        return True

    def cut_file(self, trial):
        """Removes the last batches, each whole: the file itself does not show it."""
        file = trial.server.newest_increment()
        ends = list(re.finditer(TRAILER, file.read_bytes()))
        if len(ends) < 100:
            return False
        os.truncate(file, ends[-50].end())
        return True

    def lose_newest(self, client, queue, trial):
        # More than the pushes without an answer can have added.
        return client.rpop(queue.name, 90)

    def lose_oldest(self, client, queue, trial):
        # More than the pops without an answer can have taken.
        return client.lpop(queue.name, 90)

    def lose_inner(self, client, queue, trial):
        return client.lrem(queue.name, 1, client.lindex(queue.name, 50))

    def repeat(self, client, queue, trial):
        return client.rpush(queue.name, client.lindex(queue.name, 10))

    def reorder(self, client, queue, trial):
        return client.lmove(queue.name, queue.name, "LEFT", "RIGHT")

    def revive(self, client, queue, trial):
        deliveries = [pair for pairs in trial.life.delivered.values() for pair in pairs]
        messages = [message for place, message in deliveries if place == queue]
        return client.lpush(queue.name, messages[0]) if messages else None


TAMPERINGS = [*Tampering.FILES, *Tampering.QUEUE]


def run_policy(report, command, policy, kills, seed, tamper=None):
    directory = Path(tempfile.mkdtemp(prefix=f"durability-{policy}-"))
    trial = Trial(command, policy, directory / "data", seed, tamper)
    name = f"kill: appendfsync {policy}"
    try:
        no_harm = f"{kills} kills lose, repeat and reorder nothing"
        is_good = (
            report.check(f"{name}: {no_harm}", trial.run, kills)
            and report.check(f"{name}: a clean restart changes nothing", trial.restart_cleanly)
            and report.check(f"{name}: each message is handed out once", trial.drain)
        )
        note(trial.summary())
    finally:
        trial.end()
    if is_good:
        shutil.rmtree(directory)
    else:
        note(f"the files are in {directory}: data, and before the last start, data-at-kill")


def expect_notice(command, how, seed):
    """The same trial with an error in it must fail, or it would prove nothing."""
    with tempfile.TemporaryDirectory(prefix="durability-tamper-") as directory:
        tampering = Tampering(how)
        trial = Trial(command, "no", Path(directory, "data"), seed, tampering)
        try:
            trial.run(20)
        except Failure as failure:
            assert tampering.is_done, f"it failed before there was a fault: {failure}"
            note(f"noticed: {failure.lines[0]}")
            return
        finally:
            trial.end()
        raise AssertionError("nothing was noticed" if tampering.is_done else "nothing was done")


def main():
    # Threads take turns more often than by default, so that the kill comes when it is meant to.
    sys.setswitchinterval(0.0005)
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--policy", nargs="+", default=["always", "everysec", "no"])
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--tamper", nargs="*", choices=TAMPERINGS, metavar="HOW")
    parser.add_argument("--server", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.server or [str(ROOT / "target/release/tidegate")]
    note(f"seed {options.seed}")
    report = Report()
    if options.tamper is None:
        for policy in options.policy:
            run_policy(report, command, policy, options.kills, options.seed)
    else:
        for how in options.tamper or TAMPERINGS:
            name = f"kill: what goes wrong is noticed: {how.replace('_', ' ')}"
            report.check(name, expect_notice, command, how, options.seed)
    sys.exit(report.end())


main()
