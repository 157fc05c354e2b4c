#!/usr/bin/env python3
"""The memory of a waiting message.

    tests/memory/messages.py target/release/tidegate
    tests/memory/messages.py target/release/tidegate redis-server
    ONLY=large tests/memory/messages.py …      the rows whose name contains the text

Each row has a new server, which is filled and measured: the growth of its resident memory, divided by the
number of messages. Tidegate must be below the limit of the row; a redis-server is shown beside it but has no
limit. The last line is the total: `N passed, N failed`.
"""

import os
import shutil
import sys
import time
from pathlib import Path

from bursts import Server, encode

# Bytes of requests sent at once.
BATCH_BYTES = 200_000
# Freed memory is returned within this time.
REST_S = 1.0


def one_by_one(queues, messages, size):
    """Pushes one message after the other, to each queue in turn."""
    for _ in range(messages):
        for queue in range(queues):
            yield encode("RPUSH", f"queue:{queue}", b"x" * size)


def at_once(queues, messages, size):
    """Pushes all messages of a queue with one command."""
    for queue in range(queues):
        yield encode("RPUSH", f"queue:{queue}", *[b"x" * size] * messages)


# A name, how it is filled, queues, messages in each, bytes of one, and the bytes that a Tidegate may take
# for it.
ROWS = [
    ("100,000 queues of 1", one_by_one, 100_000, 1, 64, 123),
    ("100,000 queues of 5", one_by_one, 100_000, 5, 64, 85),
    ("100,000 queues of 5, pushed at once", at_once, 100_000, 5, 64, 84),
    ("20,000 queues of 50", one_by_one, 20_000, 50, 64, 76),
    ("20,000 queues of 50, pushed at once", at_once, 20_000, 50, 64, 75),
    ("10,000 queues of 200", one_by_one, 10_000, 200, 64, 70),
    ("10,000 queues of 200, pushed at once", at_once, 10_000, 200, 64, 70),
    ("one queue of 2,000,000", one_by_one, 1, 2_000_000, 64, 67),
    ("messages of 1,500 bytes", one_by_one, 1, 100_000, 1500, 1560),
    ("large messages of 9,000 bytes", one_by_one, 1, 20_000, 9000, 9400),
    ("large messages of 9,000 bytes, in 2,000 queues", one_by_one, 2_000, 10, 9000, 9850),
]


def fill(server, pushes):
    batch, count = bytearray(), 0
    for push in pushes:
        batch += push
        count += 1
        if len(batch) >= BATCH_BYTES:
            send(server, batch, count)
            batch, count = bytearray(), 0
    send(server, batch, count)


def send(server, batch, count):
    server.client.socket.sendall(batch)
    for _ in range(count):
        server.client.line()


def measure(command, pushes, messages):
    """Resident bytes for each message."""
    server = Server(command, ["--save", ""] if "redis" in Path(command).name else [])
    try:
        # Memory for the first requests does not count.
        fill(server, (encode("RPUSH", "first", b"x" * 64) for _ in range(10_000)))
        server.client.ask("DEL", "first")
        time.sleep(REST_S)
        before = server.mb("VmRSS")
        fill(server, pushes)
        time.sleep(REST_S)
        return (server.mb("VmRSS") - before) * (1 << 20) / messages
    finally:
        server.stop()


def main():
    # The servers run in directories of their own.
    commands = [os.path.abspath(shutil.which(command)) for command in sys.argv[1:]]
    results = []
    for name, pushes, queues, messages, size, bytes_max in ROWS:
        if os.environ.get("ONLY", "") not in name:
            continue
        for command in commands:
            taken = measure(command, pushes(queues, messages, size), queues * messages)
            if "redis" in Path(command).name:
                print(f"    {Path(command).name}: {taken:.1f}", flush=True)
                continue
            is_good = taken <= bytes_max
            word = "ok" if is_good else "FAILED"
            print(f"{word} memory: {name}: {taken:.1f} bytes each (at most {bytes_max})", flush=True)
            results.append(is_good)
    passed, failed = results.count(True), results.count(False)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
