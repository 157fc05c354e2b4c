#!/usr/bin/env python3
"""The memory of HTTP connections that are held: idle ones, long polls, event streams, pages.

    tests/memory/http.py target/release/tidegate
    CONNECTIONS=1000 ONLY=poll tests/memory/http.py …

The growth of resident memory is divided by the number of connections, and must be below BYTES_MAX for each.
When they have ended, resident memory must be nearly what it was, and must not be more after the second time.
Then streams that nobody reads get more than they may keep. The last line is the total: `N passed, N failed`.
"""

import os
import re
import resource
import select
import shutil
import socket
import sys
import threading
import time

from bursts import HOST, Server

CONNECTIONS = int(os.environ.get("CONNECTIONS", "5000"))
# Each asks for everything that a page shows once a second: a machine has far fewer of them.
PAGES = CONNECTIONS // 5
ONLY = os.environ.get("ONLY", "")
BYTES_MAX = 10 * 1024
# Above the memory before: pages of the allocator that are not empty.
KEPT_MB_MAX = 8.0
# Freed memory is returned within this time.
REST_S = 2.0
PATIENCE_S = 60
QUEUES = 20
# Connections made at once. Beyond the server's backlog they would have to try again after a second.
BATCH = 200
# A slow reader may have so much unread, by `client-output-buffer-limit`.
UNREAD_MB_MAX = 1
SLOW = 50
PUBLISHED_MB = 200


class Reader(threading.Thread):
    """Reads and forgets what comes, but for how many connections have got a whole text."""

    def __init__(self, until):
        super().__init__(daemon=True)
        self.until, self.poll, self.sockets, self.tails = until, select.epoll(), {}, {}
        self.reached, self.bytes, self.is_over = set(), 0, threading.Event()
        self.start()

    def add(self, connection):
        connection.setblocking(False)
        self.tails[connection.fileno()] = b""
        self.sockets[connection.fileno()] = connection
        self.poll.register(connection, select.EPOLLIN)

    def run(self):
        while not self.is_over.is_set():
            for number, _ in self.poll.poll(0.1):
                try:
                    got = self.sockets[number].recv(1 << 16)
                except BlockingIOError:
                    continue
                except OSError:
                    got = b""
                if not got:
                    self.poll.unregister(number)
                    continue
                self.bytes += len(got)
                seen = self.tails[number] + got
                if self.until in seen:
                    self.reached.add(number)
                self.tails[number] = seen[-len(self.until) :]

    def end(self):
        self.is_over.set()
        self.join()


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"it does not happen: {what}"
        time.sleep(0.001)


def request(path):
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


class Kind:
    """One kind of held connections."""

    def __init__(self, name, count, path, until):
        # `until`: what each has got when it is held; empty if that is nothing.
        self.name, self.count, self.path, self.until = name, count, path, until


KINDS = [
    Kind("idle connection", CONNECTIONS, "/healthz", b'"ok"}\n'),
    Kind("long poll", CONNECTIONS, "/queues/empty?wait=600", b""),
    Kind("event stream", CONNECTIONS, "/channels/news", b"\r\n\r\n:\n\n"),
    Kind(f"page with {QUEUES} queues", PAGES, "/events", b"event: info\n"),
]


def blocked(server):
    server.client.send("INFO", "clients")
    length = int(server.client.line()[1:])
    text = server.client.file.read(length + 2)
    return int(re.search(rb"blocked_clients:(\d+)", text)[1])


class Held:
    """Connections of a kind that are held; `end` closes them."""

    def __init__(self, server, port, kind, count):
        self.reader, self.connections = Reader(kind.until or b"\0"), []
        before = blocked(server)
        while len(self.connections) < count:
            for _ in range(min(BATCH, count - len(self.connections))):
                connection = socket.create_connection((HOST, port))
                connection.sendall(request(kind.path))
                self.reader.add(connection)
                self.connections.append(connection)
            made = len(self.connections)
            if kind.until:
                wait_for(lambda: len(self.reader.reached) >= made, f"{made} times: {kind.name}")
            else:
                wait_for(lambda: blocked(server) - before >= made, f"{made} times: {kind.name}")

    def end(self):
        self.reader.end()
        for connection in self.connections:
            connection.close()


def measure(server, port, kind):
    """Bytes of each, and how much more memory there is after them, after the first and second time."""
    # Buffers of all connections together, and what the first ones allocate, do not count.
    first = Held(server, port, kind, 100)
    first.end()
    time.sleep(REST_S)
    before = server.mb("VmRSS")
    kept = []
    for _ in range(2):
        held = Held(server, port, kind, kind.count)
        time.sleep(REST_S)
        each = (server.mb("VmRSS") - before) * (1 << 20) / kind.count
        held.end()
        time.sleep(REST_S)
        kept.append(server.mb("VmRSS") - before)
    return each, kept


def slow_readers(server, port, path, publish):
    """How much memory grows while streams are not read, beside one that is read, and how much stays."""
    kind = Kind("slow reader", SLOW, path, b"\r\n\r\n:\n\n")
    reader = Reader(b"the last one")
    read = socket.create_connection((HOST, port))
    read.sendall(request(path))
    reader.add(read)
    before = server.mb("VmRSS")
    slow = []
    for _ in range(SLOW):
        connection = socket.create_connection((HOST, port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(request(kind.path))
        slow.append(connection)
    time.sleep(1)
    peak = publish(server, reader)
    reader.end()
    for connection in [read, *slow]:
        connection.close()
    time.sleep(REST_S)
    return peak - before, server.mb("VmRSS") - before


def publish_much(server, reader):
    """More than the streams may keep, as fast as one of them is read."""
    message, peak = b"x" * 65536, 0
    for number in range(PUBLISHED_MB * 16):
        server.client.ask("PUBLISH", "news", message)
        wait_for(lambda: reader.bytes >= (number - 4) * len(message), "the stream that is read gets all")
        if number % 100 == 0:
            peak = max(peak, server.mb("VmRSS"))
    server.client.ask("PUBLISH", "news", "the last one")
    wait_for(lambda: reader.reached, "the stream that is read gets all")
    return peak


def change_queues(server, reader):
    """Rows of pages change all the time."""
    wait_for(lambda: reader.bytes > 0, "a page that is read gets something")
    peak, end = 0, time.monotonic() + 5
    while time.monotonic() < end:
        for queue in range(QUEUES):
            server.client.ask("RPUSH", f"jobs:{queue}", "x" * 100)
        peak = max(peak, server.mb("VmRSS"))
    return peak


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    results = []

    def check(is_right, text):
        results.append(bool(is_right))
        print(f"{'ok' if is_right else 'FAILED'} memory: HTTP: {text}", flush=True)

    for command in sys.argv[1:]:
        with socket.create_server((HOST, 0)) as free:
            port = free.getsockname()[1]
        words = ["--http-port", str(port), "--maxclients", str(CONNECTIONS + 300)]
        words += ["--client-output-buffer-limit", "pubsub", f"{UNREAD_MB_MAX}mb", "0", "0"]
        server = Server(os.path.abspath(shutil.which(command)), words)
        try:
            for queue in range(QUEUES):
                server.client.ask("RPUSH", f"jobs:{queue}", "paint")
            for kind in KINDS:
                if ONLY not in kind.name:
                    continue
                each, kept = measure(server, port, kind)
                check(each <= BYTES_MAX, f"{kind.name}: {each:.0f} bytes (at most {BYTES_MAX})")
                texts = " and ".join(f"{mb:.1f}" for mb in kept)
                is_flat = kept[0] <= KEPT_MB_MAX and kept[1] <= kept[0] + KEPT_MB_MAX / 4
                check(is_flat, f"{kind.name}: after {kind.count} of them {texts} MB (at most {KEPT_MB_MAX:.0f})")
            for path, publish in [("/channels/news", publish_much), ("/events", change_queues)]:
                if ONLY not in "slow readers":
                    continue
                grown, kept = slow_readers(server, port, path, publish)
                grown_max = SLOW * UNREAD_MB_MAX + KEPT_MB_MAX
                text = f"{SLOW} slow readers of {path}: {grown:.1f} MB (at most {grown_max:.0f})"
                check(grown <= grown_max and kept <= 2 * KEPT_MB_MAX, f"{text}, {kept:.1f} MB after them")
        finally:
            server.stop()
    passed, failed = results.count(True), results.count(False)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
