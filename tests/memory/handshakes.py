#!/usr/bin/env python3
"""Load on the TLS port: half-open handshakes, many handshakes, slow ones, garbage.

    tests/memory/handshakes.py target/release/tidegate
    HALF_OPEN=2000 RATE=300 SECONDS=3 tests/memory/handshakes.py …

Beside each load, a client with TLS sends a PING every few milliseconds. Its latency and the resident memory
are shown before, during and after. When the load is over, memory must be nearly what it was, each PING must
have been answered within PING_MS_MAX, and the client must still be connected. Other servers may be named
behind it, to be measured as well. The last line is the total: `N passed, N failed`.
"""

import multiprocessing
import os
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from bursts import HOST, Server
from tls import CERTIFICATES, connect

HALF_OPEN = int(os.environ.get("HALF_OPEN", "10000"))
# Handshakes a second, for this long.
RATE = int(os.environ.get("RATE", "1000"))
SECONDS = float(os.environ.get("SECONDS", "5"))
# The machine may be busy: this only tells a delayed client from one that is served at once.
PING_MS_MAX = float(os.environ.get("PING_MS_MAX", "500"))
PING_EVERY_S = 0.005
# Tidegate gives up handshakes after this time.
HANDSHAKE_S = 5
# Above the memory before the load.
GROWN_MB_MAX = 8.0


class Pings(threading.Thread):
    """A client that is served beside the load."""

    def __init__(self, connection):
        super().__init__(daemon=True)
        self.connection, self.ms, self.is_over = connection, [], threading.Event()
        self.start()

    def run(self):
        while not self.is_over.wait(PING_EVERY_S):
            began = time.perf_counter()
            self.connection.sendall(b"PING\r\n")
            if self.connection.recv(100) != b"+PONG\r\n":
                self.ms.append(float("inf"))
                return
            self.ms.append((time.perf_counter() - began) * 1000)

    def end(self):
        """The median, the 99th percentile and the worst, in milliseconds."""
        self.is_over.set()
        self.join(60)
        ms = sorted(self.ms)
        return ms[len(ms) // 2], ms[len(ms) * 99 // 100], ms[-1]


def client_hello(context):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def half_open(port, context):
    """Connections that stop in the middle of their first message."""
    hello = client_hello(context)
    connections = []
    for _ in range(HALF_OPEN):
        connection = socket.create_connection((HOST, port))
        connection.sendall(hello[: len(hello) // 2])
        connections.append(connection)
    time.sleep(1)
    for connection in connections:
        connection.close()
    return f"{len(connections)} half-open handshakes"


def shake_hands(port, cafile, rate, seconds, done):
    """Handshakes at a rate, each with a PING."""
    context = ssl.create_default_context(cafile=cafile)
    began, count = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        time.sleep(max(0, began + count / rate - time.monotonic()))
        connect(port, context).close()
        count += 1
    done.put(count)


def handshakes(port, context, cafile):
    """Many whole handshakes."""
    done = multiprocessing.Queue()
    workers = [
        multiprocessing.Process(target=shake_hands, args=(port, cafile, RATE / 4, SECONDS, done))
        for _ in range(4)
    ]
    began = time.monotonic()
    for worker in workers:
        worker.start()
    count = sum(done.get() for _ in workers)
    took = time.monotonic() - began
    for worker in workers:
        worker.join()
    return f"{count / took:.0f} handshakes a second"


def slow(port, context):
    """A handshake that comes byte by byte, until the server gives it up or it ends."""
    hello = client_hello(context)
    began = time.monotonic()
    with socket.create_connection((HOST, port)) as connection:
        try:
            for byte in hello:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)
        except OSError:
            pass
    return f"a handshake byte by byte, ended after {time.monotonic() - began:.1f} s"


def garbage(port, context):
    """Bytes that are no TLS, and records with wrong lengths."""
    pieces = [
        b"PING\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 1000, b"\x80\x2e\x01\x03\x01",
        b"\x17\x03\x03\x40\x01" + b"x" * 5000, b"\x15\x03\x03\x00\x02\x02\x28", os.urandom(4096), b"\x16" * 4096,
    ]
    for number in range(2000):
        with socket.create_connection((HOST, port)) as connection:
            try:
                connection.sendall(pieces[number % len(pieces)])
                connection.settimeout(0.01)
                connection.recv(100)
            except OSError:
                pass
    return "2000 connections with garbage"


def measure(command, directory):
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    cafile = f"{directory}/ca.crt"
    files = [("cert-file", "server.crt"), ("key-file", "server.key"), ("ca-cert-file", "ca.crt")]
    words = [word for name, file in files for word in (f"--tls-{name}", f"{directory}/{file}")]
    words += ["--tls-port", str(port), "--tls-auth-clients", "no", "--maxclients", str(HALF_OPEN + 1000)]
    words += ["--tls-session-caching", "no"]
    is_redis = "redis" in Path(command).name
    words += ["--save", ""] if is_redis else ["--tls-handshake-timeout", str(HANDSHAKE_S)]
    server = Server(command, words)
    failures = []
    try:
        context = ssl.create_default_context(cafile=cafile)
        connection = connect(port, context)
        for _ in range(100):
            connect(port, context).close()
        pings = Pings(connection)
        time.sleep(1)
        show(command, "nothing", pings.end(), server.mb("VmRSS"), server.mb("VmRSS"))
        for load in [half_open, handshakes, slow, garbage]:
            before = server.mb("VmRSS")
            pings = Pings(connection)
            extra = [cafile] if load is handshakes else []
            name = load(port, context, *extra)
            figures = pings.end()
            time.sleep(2)
            after = server.mb("VmRSS")
            show(command, name, figures, before, after)
            if not is_redis and (figures[2] > PING_MS_MAX or after > before + GROWN_MB_MAX):
                failures.append(name)
            if not is_redis:
                print(f"{'FAILED' if name in failures else 'ok'} handshakes: {name}")
    finally:
        server.stop()
    return len(failures)


def show(command, load, figures, before, after):
    name = Path(command).name
    p50, p99, worst = figures
    print(
        f"    {name}, beside {load}: PING {p50:.2f} / {p99:.2f} / {worst:.2f} ms (median, 99 %, worst), "
        f"memory {before:.1f} -> {after:.1f} MB",
        flush=True,
    )


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    commands = [os.path.abspath(shutil.which(command)) for command in sys.argv[1:]]
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([CERTIFICATES, directory], check=True)
        for command in commands:
            failed += measure(command, directory)
    ours = [command for command in commands if "redis" not in Path(command).name]
    passed = 4 * len(ours) - failed
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
