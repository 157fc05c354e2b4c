"""A client that sends endlessly does not delay another one."""

import multiprocessing
import select
import socket
import time
from contextlib import contextmanager

from check import HOST, PORT, note, run, wait_until

BATCH = b"RPUSH firehose message\r\nLPOP firehose\r\n" * 1000
BYTES_PER_PAIR = len(b":1\r\n$7\r\nmessage\r\n")
PINGS = 2000
WORST_ROUND_TRIP_MS = 250


def send_without_end(replies):
    """Writes while the connection accepts bytes, and reads so that it can continue."""
    connection = socket.create_connection((HOST, PORT))
    connection.setblocking(False)
    unsent = memoryview(BATCH)
    while True:
        readable, writable, _ = select.select([connection], [connection], [])
        if readable:
            received = len(connection.recv(1 << 20))
            assert received, "the server has closed the connection"
            replies.value += received / BYTES_PER_PAIR * 2
        if writable:
            unsent = unsent[connection.send(unsent) :] or memoryview(BATCH)


@contextmanager
def firehose():
    """Runs in a separate process; the argument counts its replies."""
    replies = multiprocessing.Value("d", 0, lock=False)
    process = multiprocessing.Process(target=send_without_end, args=[replies], daemon=True)
    process.start()
    try:
        wait_until("the firehose is open", lambda: replies.value > 10_000)
        yield replies
        assert process.is_alive(), "the firehose has stopped"
    finally:
        process.kill()
        process.join()


def round_trips_ms(count):
    with socket.create_connection((HOST, PORT), timeout=30) as connection:
        for _ in range(count):
            begin = time.perf_counter()
            connection.sendall(b"PING\r\n")
            assert connection.recv(16) == b"+PONG\r\n"
            yield (time.perf_counter() - begin) * 1000


def others_are_answered_meanwhile():
    with firehose() as replies:
        before = replies.value
        trips = sorted(round_trips_ms(PINGS))
        sent = replies.value - before
    note(f"{sent:,.0f} commands of the firehose during {PINGS} pings")
    note(f"round trips: median {trips[PINGS // 2]:.2f} ms, worst {trips[-1]:.2f} ms")
    assert sent > PINGS, "the firehose made no progress"
    assert trips[-1] < WORST_ROUND_TRIP_MS


run("firehose", [others_are_answered_meanwhile])
