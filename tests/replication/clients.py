"""Client libraries with support for Sentinel, through a failover with blocked pops and pushes under way.

The programs in `clients/` get the Sentinels' ports as arguments, and work until their input ends: a producer
and a consumer of `work`, and a consumer that waits in `quiet` the whole time. A line each: `sent MESSAGE`
before a push, `pushed MESSAGE` behind it, `popped MESSAGE`, `woken MESSAGE` for `quiet`; errors that the
library lets through are lines, too, and the program goes on.
"""

import os
import shutil
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path

from contents import replicate
from nodes import wait_until
from sentinels import Sentinels
from suite import Check

sys.path.append(str(Path(__file__).resolve().parents[1] / "clients"))
from java_command import java_command  # noqa: E402

HERE = Path(__file__).parent
LIBRARIES = Path(os.environ.get("LIBRARIES", HERE.parents[1] / "target/clients"))
ENOUGH = 50


def command_of(name):
    if name.endswith(".py"):
        return [sys.executable, str(HERE / "clients" / name)]
    if name.endswith(".mjs"):
        return ["node", str(LIBRARIES / "node" / name)]
    if name.endswith(".java"):
        return java_command(name.removesuffix(".java"), LIBRARIES)
    return [str(LIBRARIES / "bin" / name)]


class Program:
    """A client program, and the lines that it has printed."""

    def __init__(self, bench, name, ports):
        command = command_of(name)
        assert shutil.which(command[0]), f"{command[0]} is missing"
        self.process = subprocess.Popen(
            [*command, *map(str, ports)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        bench.processes.append(self.process)
        self.lines = defaultdict(list)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            if not line.endswith("\n"):
                # The program has ended in the middle of it.
                break
            kind, _, rest = line.rstrip("\n").partition(" ")
            known = ("sent", "pushed", "popped", "woken")
            self.lines[kind if kind in known else "error"].append(rest if kind in known else line)

    def has(self, kind, count):
        assert self.process.poll() is None, f"it has ended: {self.lines['error'][-10:]}"
        return len(self.lines[kind]) >= count

    def wait_for_more(self):
        counts = {kind: len(self.lines[kind]) + ENOUGH for kind in ("pushed", "popped")}
        for kind, count in counts.items():
            what = f"{count} messages are {kind}; errors {self.lines['error'][-3:]}"
            wait_until(what, lambda: self.has(kind, count), 40)

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.reader.join(timeout=20)


def through_a_failover(bench, ours, name):
    nodes = [bench.node(ours, "--appendonly", "yes", "--appendfsync", "no") for _ in range(3)]
    primary = nodes[0]
    for replica in nodes[1:]:
        replicate(primary, replica)
    sentinels = Sentinels(bench, primary)
    sentinels.wait_until_complete()
    program = Program(bench, name, sentinels.ports)
    program.wait_for_more()
    blocks = lambda: primary.info("clients")["blocked_clients"] >= 1
    wait_until("it waits in `quiet`", blocks)
    primary.kill()
    new = sentinels.wait_for_another_primary(primary, nodes)
    new.client().rpush("quiet", "wake up")
    what = f"the blocked pop goes on; errors {program.lines['error'][-3:]}"
    wait_until(what, lambda: program.has("woken", 1), 40)
    program.wait_for_more()
    program.end()
    assert program.lines["woken"] == ["wake up"], program.lines["woken"]
    popped, sent = program.lines["popped"], set(program.lines["sent"])
    assert set(popped) <= sent, f"invented: {sorted(set(popped) - sent)[:5]}"
    lost = set(program.lines["pushed"]) - set(popped) - left(new)
    errors = len(program.lines["error"])
    bench.note(f"{len(popped)} popped, {len(lost)} acknowledged and lost, {errors} errors")


def left(node):
    return {message.decode() for message in node.client().lrange("work", 0, -1)}


PROGRAMS = ["redis_py.py", "sentinel_ioredis.mjs", "SentinelJedis.java", "sentinel_go", "sentinel_rust"]


def checks(programs):
    for name in PROGRAMS:
        yield Check(Path(name).stem, through_a_failover, [programs.ours, name])
