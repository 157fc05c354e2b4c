"""What a check consists of, what it is run with, and how it is run."""

import os
import random
import shutil
import subprocess
import tempfile
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from link import Link
from nodes import Node, Program
from report import Failure, note

ROOT = Path(__file__).resolve().parents[2]
IS_LONG = os.environ.get("LONG", "") not in ("", "0")


@dataclass
class Programs:
    """Ours, or what is tested in its place, and the judges."""

    ours: Program
    redis_7: Program
    redis_8: Program
    valkey: Program

    @property
    def judges(self):
        return [self.redis_7, self.redis_8, self.valkey]

    def pairs(self):
        """Primary and replica: ours in both roles with each judge, and with itself."""
        pairs = [(self.ours, judge) for judge in self.judges]
        pairs += [*[(judge, self.ours) for judge in self.judges], (self.ours, self.ours)]
        known = dict.fromkeys(pair for pair in pairs if pair[1].loads_rdb_of(pair[0]))
        return list(known)


@dataclass
class Check:
    name: str
    call: object
    arguments: list = field(default_factory=list)


def of_pairs(programs, *calls):
    """Each function as a check of each pair."""
    for primary, replica in programs.pairs():
        for call in calls:
            name = f"{primary.label} to {replica.label}: {called(call)}"
            yield Check(name, call, [primary, replica])


def called(call):
    return call.__name__.replace("_", " ")


class Bench:
    """What a check has started; it ends with the check."""

    def __init__(self, name, seed):
        self.name = name
        self.rng = random.Random(f"{seed} {name}")
        self.directory = Path(tempfile.mkdtemp(prefix="replication-"))
        self.nodes = []
        self.links = []
        # Other processes.
        self.processes = []

    def node(self, program, *settings):
        """A new node that has started."""
        return self.node_to_start(program, *settings).start()

    def node_to_start(self, program, *settings):
        node = Node(program, self.directory / f"node-{len(self.nodes)}", settings)
        self.nodes.append(node)
        return node

    def link(self, node):
        self.links.append(Link(node.port))
        return self.links[-1]

    def note(self, text):
        """Several checks run at the same time."""
        note(f"{self.name}: {text}")

    def end(self):
        for link in self.links:
            link.end()
        for node in self.nodes:
            node.kill()
        for process in self.processes:
            end(process)
        shutil.rmtree(self.directory, ignore_errors=True)

    def logs(self):
        for node in self.nodes:
            yield f"{node}, {'runs' if node.runs() else 'has ended'}:"
            yield from (f"  {line[:300]}" for line in node.log_tail())


def end(process):
    """Asks first, since it may have children."""
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run(check, seed):
    bench = Bench(check.name, seed)
    try:
        check.call(bench, *check.arguments)
    except Exception as error:
        raise Failure([*where(error), *bench.logs()]) from error
    finally:
        bench.end()


def where(error):
    """What went wrong, and the lines of our own code that led there."""
    yield from f"{type(error).__name__}: {error}".splitlines()
    here = str(Path(__file__).parent)
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(here) and Path(frame.filename).name != "suite.py":
            yield f"  {Path(frame.filename).name}:{frame.lineno}: {frame.line}"
