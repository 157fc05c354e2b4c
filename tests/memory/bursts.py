#!/usr/bin/env python3
"""The memory that a server keeps after a burst, and its memory at the peak.

    tests/memory/bursts.py target/release/tidegate
    tests/memory/bursts.py target/release/tidegate redis-server
    ONLY=lpop tests/memory/bursts.py …      the bursts whose name contains the text

Each burst has a new server with nothing else to do. Resident memory is measured before the burst, at its
peak, and some seconds after its end, when Tidegate must be below the limit. A redis-server is shown beside
it but has no limit. The last line is the total: `N passed, N failed`.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HOST = "127.0.0.1"
RESIDENT_MB_MAX = 40
REST_S = 5
MESSAGES = 2_000_000
MESSAGE = b"x" * 64


def encode(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection((HOST, port), timeout=120)
        self.file = self.socket.makefile("rb", buffering=1 << 20)

    def send(self, *words):
        self.socket.sendall(encode(*words))

    def ask(self, *words):
        """A command with a reply of one line."""
        self.send(*words)
        return self.line()

    def line(self):
        line = self.file.readline()
        assert line and not line.startswith(b"-"), line
        return line

    def reply(self):
        """Reads a whole reply."""
        line = self.line()
        if line[:1] == b"*":
            for _ in range(int(line[1:])):
                self.reply()
        elif line[:1] == b"$" and line != b"$-1\r\n":
            self.skip(int(line[1:]) + 2)

    def skip(self, count):
        """Reads so many bytes of replies, whatever they say."""
        while count > 0:
            read = len(self.file.read(min(count, 1 << 20)))
            assert read > 0, "the server has closed the connection"
            count -= read


class Server:
    def __init__(self, command, arguments=()):
        with socket.create_server((HOST, 0)) as free:
            self.port = free.getsockname()[1]
        self.directory = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        # Limits of output are not what is measured.
        limits = ["--client-output-buffer-limit", "pubsub", "0", "0", "0"]
        self.process = subprocess.Popen(
            [command, "--port", str(self.port), "--bind", HOST, *limits, *arguments],
            cwd=self.directory.name,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                self.client = Connection(self.port)
                return
            except OSError:
                assert time.monotonic() < deadline, "the server does not start"
                time.sleep(0.02)

    def mb(self, field):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024

    def forget_peak(self):
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.directory.cleanup()

    # What bursts are made of.

    def fill(self, key="q", messages=MESSAGES):
        batch = encode("RPUSH", key, *[MESSAGE] * 1000)
        for _ in range(messages // 1000):
            self.client.socket.sendall(batch)
            self.client.line()


BULK_BYTES = len(b"$64\r\n\r\n") + len(MESSAGE)


def array_bytes(count):
    return len(b"*%d\r\n" % count) + count * BULK_BYTES


def lpop_count(server):
    """LPOP with a count of 2 million"""
    server.fill()
    yield
    server.client.send("LPOP", "q", MESSAGES - 10)
    server.client.skip(array_bytes(MESSAGES - 10))


def single_pops(server):
    """2 million LPOPs in pipelines"""
    server.fill()
    yield
    for _ in range(MESSAGES // 10_000):
        server.client.socket.sendall(encode("LPOP", "q") * 10_000)
        server.client.skip(10_000 * BULK_BYTES)


def del_key(server):
    """DEL of 2 million"""
    server.fill()
    yield
    server.client.ask("DEL", "q")


def flushall(server):
    """FLUSHALL of 2 million"""
    server.fill()
    yield
    server.client.ask("FLUSHALL")


def ltrim(server):
    """LTRIM of 2 million to 10"""
    server.fill()
    yield
    server.client.ask("LTRIM", "q", -10, -1)


def large_message(server):
    """a message of 200 MB, pushed and popped"""
    size = 200 << 20
    message = b"x" * size
    yield
    server.client.ask("RPUSH", "q", message)
    server.client.send("LPOP", "q")
    server.client.skip(len(b"$%d\r\n\r\n" % size) + size)


def large_recorded_message(server):
    """a message of 200 MB, pushed and popped, with append files"""
    server.client.ask("CONFIG", "SET", "appendonly", "yes")
    yield from large_message(server)


def many_readers(server):
    """400 clients that read 1 MB each"""
    server.client.ask("RPUSH", "q", *[b"x" * 1024] * 1000)
    readers = [Connection(server.port) for _ in range(400)]
    yield
    for reader in readers:
        reader.send("LRANGE", "q", 0, -1)
    time.sleep(1)
    for reader in readers:
        reader.skip(len(b"*1000\r\n") + 1000 * (len(b"$1024\r\n\r\n") + 1024))
    # They stay connected.
    yield readers


def slow_subscriber(server):
    """100,000 messages of 1 KB to a subscriber that reads later"""
    message = b"x" * 1000
    subscriber = Connection(server.port)
    subscriber.send("SUBSCRIBE", "news")
    subscriber.skip(len(b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"))
    yield
    for _ in range(100):
        server.client.socket.sendall(encode("PUBLISH", "news", message) * 1000)
        server.client.skip(1000 * len(b":1\r\n"))
    subscriber.skip(100_000 * len(b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1000\r\n%s\r\n" % message))
    yield subscriber


def transaction(server):
    """MULTI with 100,000 pushes of 1 KB, then LTRIM"""
    yield
    server.client.ask("MULTI")
    for _ in range(100):
        server.client.socket.sendall(encode("RPUSH", "q", b"x" * 1000) * 1000)
        server.client.skip(1000 * len(b"+QUEUED\r\n"))
    server.client.send("EXEC")
    for _ in range(100_001):
        server.client.line()
    server.client.ask("LTRIM", "q", -1, -1)


def lrange(server):
    """LRANGE of 1 million, ten times, then DEL"""
    server.fill(messages=1_000_000)
    yield
    for _ in range(10):
        server.client.send("LRANGE", "q", 0, -1)
        server.client.skip(array_bytes(1_000_000))
    server.client.ask("DEL", "q")


def many_keys(server):
    """2 million keys, then FLUSHALL"""
    yield
    for first in range(0, MESSAGES, 5000):
        pushes = (encode("RPUSH", f"key:{number}", "v") for number in range(first, first + 5000))
        server.client.socket.sendall(b"".join(pushes))
        server.client.skip(5000 * len(b":1\r\n"))
    server.client.ask("FLUSHALL")


def drained_keys(server):
    """2 million keys, then each popped"""
    yield
    for words in ["RPUSH", "LPOP"]:
        rest = ["v"] if words == "RPUSH" else []
        for first in range(0, MESSAGES, 5000):
            numbers = range(first, first + 5000)
            server.client.socket.sendall(
                b"".join(encode(words, f"key:{number}", *rest) for number in numbers)
            )
            for _ in range(5000 if rest else 10_000):
                server.client.line()


def in_flight(server):
    """100,000 messages in flight, listed ten times, then acknowledged"""
    words = ["QUEUE", "POLICY", "SET", "safe", "q", "delivery", "at-least-once"]
    server.client.ask(*words, "acknowledge", "explicit")
    server.fill(messages=100_000)
    yield
    server.client.send("LPOP", "q", 100_000)
    server.client.reply()
    for _ in range(10):
        server.client.send("QUEUE", "INFLIGHT", "q")
        server.client.reply()
    assert server.client.ask("QUEUE", "ACK", "q", "COUNT", 100_000) == b":100000\r\n"


# Each with the megabytes that a Tidegate may take at the peak.
BURSTS = [
    (lpop_count, 200),
    (single_pops, 200),
    (del_key, 200),
    (flushall, 200),
    (ltrim, 200),
    (large_message, 480),
    (large_recorded_message, 660),
    (many_readers, 600),
    (slow_subscriber, 200),
    (transaction, 300),
    (lrange, 240),
    (many_keys, 800),
    (drained_keys, 800),
    (in_flight, 200),
]


def measure(command, burst, enough_mb):
    """Resident megabytes before the burst, at its peak, and after it, and seconds until then: fewer
    where it is down to `enough_mb` before."""
    server = Server(command)
    try:
        steps = burst(server)
        next(steps)
        before = server.mb("VmRSS")
        server.forget_peak()
        # Connections of the burst stay until the end.
        kept = next(steps, None)
        peak = server.mb("VmHWM")
        begun = time.monotonic()
        while (waited := time.monotonic() - begun) < REST_S and server.mb("VmRSS") > enough_mb:
            time.sleep(0.1)
        rest = server.mb("VmRSS")
        del kept
        return before, peak, rest, waited
    finally:
        server.stop()


def check(command, burst, peak_mb_max, is_judged):
    """Whether a burst passed; of a server that is not judged none."""
    enough_mb = RESIDENT_MB_MAX if is_judged else 0
    before, peak, rest, waited = measure(command, burst, enough_mb)
    line = (
        f"{burst.__doc__}: {before:.0f} MB before, {peak:.0f} at the peak (at most "
        f"{peak_mb_max}), {rest:.0f} after {waited:.1f} s (at most {RESIDENT_MB_MAX})"
    )
    if not is_judged:
        print(f"    {Path(command).name}: {before:.0f}, {peak:.0f}, {rest:.0f}", flush=True)
        return None
    is_good = peak <= peak_mb_max and rest <= RESIDENT_MB_MAX
    print(f"{'ok' if is_good else 'FAILED'} memory: {line}", flush=True)
    return is_good


def main():
    # The servers run in directories of their own.
    commands = [os.path.abspath(shutil.which(command)) for command in sys.argv[1:]]
    results = []
    for burst, peak_mb_max in BURSTS:
        if os.environ.get("ONLY", "") not in burst.__name__:
            continue
        for command in commands:
            is_tidegate = "redis" not in Path(command).name
            if is_tidegate or burst is not in_flight:
                results.append(check(command, burst, peak_mb_max, is_tidegate))
    passed, failed = results.count(True), results.count(False)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
