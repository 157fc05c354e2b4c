#!/usr/bin/env python3
"""The memory of a waiting message, and of small values of the other types.

    tests/memory/messages.py target/release/tidegate
    tests/memory/messages.py target/release/tidegate redis-server
    ONLY=large tests/memory/messages.py …      the rows whose name contains the text

Each row has a new server, which is filled and measured: the growth of its resident memory, divided by the
number of messages, values or entries. Tidegate must be below the limit of the row; a redis-server is shown
beside it but has no limit. The last line is the total: `N passed, N failed`.
"""

import os
import shutil
import sys
import time
from functools import partial
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


def in_turn(keys, elements, request):
    """Adds one element after the other, to each key in turn."""
    for element in range(elements):
        for key in range(keys):
            yield request(key, element)


def field(key, element):
    name = f"hash:{key}"
    return encode("HSET", name, f"field{element}", len(name) * 1_000 + element)


def member(key, element):
    return encode("SADD", f"set:{key}", f"member{element}")


def number(key, element):
    return encode("SADD", f"set:{key}", key * 10 + element)


def scored(key, element):
    # Scores are in no order.
    score = (element * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) >> 24
    return encode("ZADD", f"sorted:{key}", score, f"member{element}")


def entry(key, element):
    return encode("XADD", f"stream:{key}", "*", "field", f"value{element}")


def string(key, _):
    return encode("SET", f"string:{key}", f"value{key}")


def counter(key, _):
    return encode("INCR", f"counter:{key}")


def expiring(key, _):
    return encode("SET", f"string:{key}", f"value{key}", "EX", 100_000)


# A name, how it is filled, queues, messages in each, bytes of one, and the bytes that a Tidegate may take
# for it.
QUEUES = [
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

# A name, keys, elements in each, how one is added, how many of what is measured, and the bytes that a Tidegate
# may take for it.
VALUES = [
    ("100,000 hashes of 10 small fields", 100_000, 10, field, 100_000, 170),
    ("20,000 hashes of 100 small fields", 20_000, 100, field, 20_000, 1_450),
    ("20,000 sets of 100", 20_000, 100, member, 20_000, 1_128),
    ("100,000 sets of 10 numbers", 100_000, 10, number, 100_000, 112),
    ("20,000 sorted sets of 100", 20_000, 100, scored, 20_000, 2_170),
    ("100,000 sorted sets of 5", 100_000, 5, scored, 100_000, 145),
    ("members of a sorted set of 1,000,000", 1, 1_000_000, scored, 1_000_000, 70),
    ("entries of a stream of 1,000,000", 1, 1_000_000, entry, 1_000_000, 24),
    ("100,000 short strings", 100_000, 1, string, 100_000, 76),
    ("100,000 counters", 100_000, 1, counter, 100_000, 60),
    ("100,000 short strings that expire", 100_000, 1, expiring, 100_000, 235),
]


def fill(server, requests):
    batch, count = bytearray(), 0
    for request in requests:
        batch += request
        count += 1
        if len(batch) >= BATCH_BYTES:
            send(server, batch, count)
            batch, count = bytearray(), 0
    send(server, batch, count)


def send(server, batch, count):
    server.client.socket.sendall(batch)
    for _ in range(count):
        server.client.reply()


def measure(command, requests, count):
    """Resident bytes for each of what the requests add."""
    server = Server(command, ["--save", ""] if "redis" in Path(command).name else [])
    try:
        # Memory for the first requests does not count.
        fill(server, (encode("RPUSH", "first", b"x" * 64) for _ in range(10_000)))
        server.client.ask("DEL", "first")
        server.client.ask("MEMORY", "PURGE")
        time.sleep(REST_S)
        before = server.mb("VmRSS")
        fill(server, requests)
        server.client.ask("MEMORY", "PURGE")
        time.sleep(REST_S)
        return (server.mb("VmRSS") - before) * (1 << 20) / count
    finally:
        server.stop()


def main():
    # The servers run in directories of their own.
    commands = [os.path.abspath(shutil.which(command)) for command in sys.argv[1:]]
    results = []
    rows = [
        (name, partial(pushes, queues, messages, size), queues * messages, bytes_max)
        for name, pushes, queues, messages, size, bytes_max in QUEUES
    ] + [
        (name, partial(in_turn, keys, elements, request), count, bytes_max)
        for name, keys, elements, request, count, bytes_max in VALUES
    ]
    for name, requests, count, bytes_max in rows:
        if os.environ.get("ONLY", "") not in name:
            continue
        for command in commands:
            taken = measure(command, requests(), count)
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
