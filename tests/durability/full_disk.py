"""A full disk for the append files: the behaviour of the real binary, without privileges.

A limit on the size of files stands for the full disk. The signal that comes with it is ignored, so that
a write beyond it fails in part or as a whole, as on a full disk.
"""

import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import redis

from report import Report
from server import Server, contents, differences, wait_until

LIMIT_BYTES = 200_000
MESSAGE = b"m" * 10_000


class LimitedServer(Server):
    # Python ignores the signal, and would restore it for the server.
    process_options = {"restore_signals": False}

    def limit(self, size):
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def push_until_full(server, client):
    """Pushes numbered messages over several connections until one is not confirmed; how many
    were."""
    acknowledged = 0
    while acknowledged < 100:
        try:
            client.rpush("queue", b"%d " % acknowledged + MESSAGE)
        except (redis.TimeoutError, redis.ConnectionError):
            return acknowledged
        acknowledged += 1
    raise AssertionError("the limit has no effect")


def is_refused(client, *command):
    try:
        client.execute_command(*command)
    except redis.ResponseError as error:
        assert str(error).startswith("MISCONF Errors writing to the AOF file: File too large"), error
        return True
    return False


def goes_on_when_there_is_room(binary, policy, directory):
    server = LimitedServer([binary, "--appendfsync", policy], directory).start()
    server.limit(LIMIT_BYTES)
    writer = server.client()
    writer.connection_pool.connection_kwargs["socket_timeout"] = 2
    acknowledged = push_until_full(server, writer)

    client = server.client()
    for command in (
        ["RPUSH", "queue", "x"],
        ["LPOP", "queue"],
        ["DEL", "queue"],
        ["QUEUE", "POLICY", "SET", "name", "pattern"],
        ["QUEUE", "POLICY", "DEL", "name"],
        ["PING"],
    ):
        assert is_refused(client, *command), f"{command} is taken"
    # An unconfirmed push may already be in memory.
    assert client.llen("queue") in (acknowledged, acknowledged + 1)
    assert client.info("persistence")["aof_last_write_status"] == "err"

    server.limit(resource.RLIM_INFINITY)
    wait_until("changes are taken again", lambda: not is_refused(client, "RPUSH", "other", "x"))
    assert client.info("persistence")["aof_last_write_status"] == "ok"
    client.lpop("queue")
    before = contents(server)
    server.kill()
    server.start()
    assert not (lines := differences(before, contents(server))), lines
    server.stop()


def a_change_that_does_not_fit_is_refused(binary, policy, directory):
    """On a full file system: every change is either confirmed or refused, at once."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", directory], check=True)
    try:
        server = Server([binary, "--appendfsync", policy], directory).start()
        client = server.client()
        client.connection_pool.connection_kwargs["socket_timeout"] = 5
        pushed = 0
        while True:
            try:
                assert client.rpush("queue", b"m" * 1000) == pushed + 1
            except redis.ResponseError as error:
                refusal = "MISCONF Errors writing to the AOF file: No space left on device"
                assert str(error).startswith(refusal), error
                break
            pushed += 1
        assert 4000 < pushed < 12_000, pushed
        assert client.llen("queue") == pushed
        before = contents(server)
        # The end needs space as well.
        server.stop()
        assert "the server stops" not in server.log_tail(), server.log_tail()
        subprocess.run(["mount", "-o", "remount,size=40m", directory], check=True)
        server.start()
        assert not (lines := differences(before, contents(server))), lines
        assert server.client().lpop("queue") == b"m" * 1000, "changes are taken again"
        server.stop()
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


def always_is_the_end(binary, directory):
    server = LimitedServer([binary, "--appendfsync", "always"], directory).start()
    server.limit(LIMIT_BYTES)
    acknowledged = push_until_full(server, server.client())
    status = server.process.wait(timeout=30)
    assert status == 1, f"exit status {status}"
    assert "so the server stops" in server.log_tail(), server.log_tail()
    server.start()
    found = [message.split(b" ")[0] for message in server.client().lrange("queue", 0, -1)]
    expected = [b"%d" % number for number in range(len(found))]
    assert found == expected and len(found) in (acknowledged, acknowledged + 1), found
    server.stop()


def main():
    binary = sys.argv[1]
    # As it is in Python anyway: the servers inherit it.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    report = Report()
    with tempfile.TemporaryDirectory() as directory:
        for policy in ("everysec", "no"):
            place = Path(directory, policy)
            name = f"full disk: {policy} goes on when there is room"
            report.check(name, goes_on_when_there_is_room, binary, policy, place)
        for policy in ("always", "everysec", "no"):
            place = Path(directory, f"tmpfs-{policy}")
            name = f"full disk: with {policy} a change that does not fit is refused"
            # Only root may mount a file system of a given size.
            if os.geteuid() == 0:
                report.check(name, a_change_that_does_not_fit_is_refused, binary, policy, place)
        report.check("full disk: always is the end", always_is_the_end, binary, Path(directory, "a"))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
