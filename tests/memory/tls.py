#!/usr/bin/env python3
"""The memory of an idle connection with TLS.

    tests/memory/tls.py target/release/tidegate redis-server
    CONNECTIONS=1000 tests/memory/tls.py …

Each server gets many connections that finish their handshake, send one PING and are then idle. The growth of
resident memory is divided by their number. Tidegate must take at most half of what the first other server
takes, or BYTES_MAX without one. The last line is the total: `N passed, N failed`.
"""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bursts import HOST, Server

CONNECTIONS = int(os.environ.get("CONNECTIONS", "5000"))
# Freed memory is returned within this time.
REST_S = 2.0
BYTES_MAX = 8192
CERTIFICATES = Path(__file__).parent.parent / "clients" / "certificates.sh"


def connect(port, context):
    connection = socket.create_connection((HOST, port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = context.wrap_socket(connection, server_hostname="localhost")
    connection.sendall(b"PING\r\n")
    assert connection.recv(100) == b"+PONG\r\n"
    return connection


def measure(command, directory):
    """Resident bytes for each connection."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    files = [("cert-file", "server.crt"), ("key-file", "server.key"), ("ca-cert-file", "ca.crt")]
    words = [word for name, file in files for word in (f"--tls-{name}", f"{directory}/{file}")]
    words += ["--tls-port", str(port), "--tls-auth-clients", "no", "--maxclients", str(CONNECTIONS + 200)]
    # What is remembered of sessions is no part of an open connection, and bounded.
    words += ["--tls-session-caching", "no"]
    words += ["--save", ""] if "redis" in Path(command).name else []
    server = Server(command, words)
    try:
        context = ssl.create_default_context(cafile=f"{directory}/ca.crt")
        # Buffers of all connections together, and what the first ones allocate, do not count.
        first = [connect(port, context) for _ in range(100)]
        time.sleep(REST_S)
        before = server.mb("VmRSS")
        connections = [connect(port, context) for _ in range(CONNECTIONS)]
        time.sleep(REST_S)
        grown = server.mb("VmRSS") - before
        for connection in first + connections:
            connection.close()
        return grown * (1 << 20) / CONNECTIONS
    finally:
        server.stop()


def main():
    commands = [os.path.abspath(shutil.which(command)) for command in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([CERTIFICATES, directory], check=True)
        taken = {command: measure(command, directory) for command in commands}
    others = [taken[command] for command in commands if "redis" in Path(command).name]
    bytes_max = others[0] / 2 if others else BYTES_MAX
    results = []
    for command, bytes_each in taken.items():
        name = Path(command).name
        if "redis" in name:
            print(f"    {name}: {bytes_each:.0f}")
            continue
        results.append(bytes_each <= bytes_max)
        word = "ok" if results[-1] else "FAILED"
        print(f"{word} memory: idle connection with TLS: {bytes_each:.0f} bytes (at most {bytes_max:.0f})")
    passed, failed = results.count(True), results.count(False)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
