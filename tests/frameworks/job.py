"""What each job does, in every framework: it writes to a ledger that no broker can lose."""

import os
import time
from pathlib import Path

PORT = int(os.environ["BROKER_PORT"])
URL = f"redis://127.0.0.1:{PORT}/0"
LEDGER = Path(os.environ["LEDGER"])


def write(word, number):
    """Adds a line in one write, so that processes do not write into each other's lines."""
    line = f"{word} {number} {time.time():.3f}\n".encode()
    descriptor = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line)
    os.close(descriptor)


def is_first_time(number):
    try:
        (LEDGER.parent / f"tried-{number}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def do(kind, number):
    if kind == "flaky" and is_first_time(number):
        raise RuntimeError(f"job {number} fails once")
    if kind == "slow" and is_first_time(number):
        write("begun", number)
        time.sleep(600)
    write("done", number)
    return 2 * number


def produce(enqueue, kind, first, last):
    """Enqueues jobs, each until the broker has acknowledged it, and says which it has."""
    for number in range(first, last):
        while True:
            try:
                enqueue(kind, number)
            except Exception as error:
                print(f"again {number} {error!r}", flush=True)
                time.sleep(0.05)
            else:
                break
        print(f"ok {number}", flush=True)
