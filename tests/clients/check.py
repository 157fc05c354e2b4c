"""Shared by the check programs: the server's address, waiting, reporting."""

import os
import signal
import sys
import textwrap
import time
import traceback

HOST = "127.0.0.1"
PORT = int(os.environ["SERVER_PORT"])
SERVER_PID = int(os.environ["SERVER_PID"])


def wait_until(what, condition, timeout_s=20):
    """Polls `condition` until it returns something true, and returns that."""
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.005)
    return result


def wait_until_blocked(client, count=1):
    """Waits until `count` clients wait in a blocking command, as a redis-py client sees it."""
    wait_until(
        f"{count} blocked clients",
        lambda: sum("b" in entry["flags"] for entry in client.client_list()) == count,
    )


def expect_error(error, call):
    """Calls, expects an error of the class, and returns it."""
    try:
        result = call()
    except error as caught:
        return caught
    raise AssertionError(f"expected {error.__name__}, got {result!r}")


def note(text):
    """A remark that is not a result."""
    print(f"    {text}")


def run(subject, checks, before_each=lambda: None, timeout_s=30):
    """Runs functions as checks named after them, reports each, and ends the program."""
    failed = False
    signal.signal(signal.SIGALRM, on_alarm)
    for check in checks:
        name = f"{subject}: {check.__name__.replace('_', ' ')}"
        try:
            signal.alarm(timeout_s)
            before_each()
            check()
            print(f"ok {name}")
        except Exception:
            failed = True
            print(f"FAILED {name}")
            print(textwrap.indent(traceback.format_exc(), "    "))
        finally:
            signal.alarm(0)
    sys.stdout.flush()
    os._exit(failed)  # Not held up by a thread of a failed check that still waits for the server.


def on_alarm(_signal, _frame):
    raise TimeoutError("the check does not end")
