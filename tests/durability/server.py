"""A server with append files that can be killed, and its data."""

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

HOST = "127.0.0.1"
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 30
REPLY_TIMEOUT_S = 30
DATABASES = 16
MANIFEST = "appendonly.aof.manifest"


def wait_until(what, condition, timeout_s=30, pause_s=0.005):
    """Polls `condition` until it returns something true, and returns that."""
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(pause_s)
    return result


def connect(port, db=0):
    """A client that never sends anything twice: redis-py does by default when a connection ends,
    and what came of the first time would be nobody's guess."""
    return redis.Redis(
        host=HOST,
        port=port,
        db=db,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=REPLY_TIMEOUT_S,
        single_connection_client=True,
    )


class Server:
    """A program on one directory, which can be started and ended repeatedly."""

    process_options = {}

    def __init__(self, command, directory, keeps_port=False):
        self.command = command
        self.keeps_port = keeps_port
        self.directory = Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.append_files = self.directory / "appendonlydir"
        self.log = self.directory / "log"
        self.starts = 0
        self.process = None
        self.port = None

    def spawn(self, *arguments):
        """Starts the program without waiting for it, on a port that is new each time, unless it keeps
        its first one: what still tries the old one meets nobody."""
        if self.port is None or not self.keeps_port:
            with socket.create_server((HOST, 0)) as free:
                self.port = free.getsockname()[1]
        self.starts += 1
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    self.command[0],
                    *["--port", str(self.port), "--bind", HOST],
                    *["--dir", str(self.directory), "--appendonly", "yes"],
                    *self.command[1:],
                    *arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self.process_options,
            )

    def start(self, *arguments):
        """Starts the program, and returns when it has loaded its data."""
        self.spawn(*arguments)
        self.wait_until_loaded()
        return self

    def wait_until_loaded(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.answer() != b"+PONG\r\n":
            assert self.runs(), f"it does not start, but says: {self.log_tail()}"
            assert time.monotonic() < deadline, f"it does not get ready: {self.log_tail()}"
            time.sleep(0.001)

    def answer(self):
        """The current reply to PING; -LOADING while it loads, nothing while it does not run."""
        try:
            with socket.create_connection((HOST, self.port), timeout=5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(100)
        except OSError:
            return b""

    def refuses_to_start(self, *arguments):
        """Starts the program, which must end with an error. Returns its output."""
        self.spawn(*arguments)
        is_decided = lambda: not self.runs() or self.answer() == b"+PONG\r\n"
        wait_until("it serves or ends", is_decided)
        is_serving = self.runs()
        self.kill()
        said = self.log.read_text(errors="replace")
        assert not is_serving, f"it was to refuse, but serves; it says: {said}"
        assert self.process.returncode > 0, f"exit status {self.process.returncode}: {said}"
        return said

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def client(self, db=0):
        return connect(self.port, db)

    def kill(self):
        """kill -9; does nothing to a program that has ended."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        """Asks the program to end, which has to end well."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=STOP_TIMEOUT_S)
        assert status == 0, f"exit status {status} of a clean shutdown: {self.log_tail()}"

    def rewrite(self):
        """Rewrites the append files, and returns when that is done."""
        self.wait_until_rewritten()
        with self.client() as client:
            client.bgrewriteaof()
        self.wait_until_rewritten()

    def wait_until_rewritten(self):
        with self.client() as client:

            def is_done():
                info = client.info("persistence")
                assert info["aof_last_bgrewrite_status"] == "ok", self.log_tail()
                under_way = info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"]
                return not under_way and not self.unfinished()

            wait_until("the rewrite is done", is_done)

    def named(self, kind):
        """The files of a kind in the manifest: the base `b`, increments `i`, history `h`."""
        manifest = self.append_files / MANIFEST
        lines = manifest.read_text().splitlines() if manifest.exists() else []
        words = [line.split(" ") for line in lines if line.startswith("file ")]
        return [line[1] for line in words if line[line.index("type") + 1] == kind]

    def newest_increment(self):
        return self.append_files / self.named("i")[-1]

    def unfinished(self):
        """The traces of a rewrite in the directory: temporary files, a second increment, and what
        the manifest calls history. None if it was finished, or never begun."""
        temporary = [path.name for path in self.append_files.glob("temp*")]
        return temporary + self.named("i")[1:] + self.named("h")

    def append_bytes(self):
        """Bytes of all increments; a rewrite may take some away at any moment."""
        total = 0
        for file in self.append_files.glob("*.incr.aof"):
            with contextlib.suppress(FileNotFoundError):
                total += file.stat().st_size
        return total

    def copy(self, directory):
        """A copy of the append files in another directory, which is made, or emptied before."""
        directory = Path(directory)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        if self.append_files.exists():
            shutil.copytree(self.append_files, directory / "appendonlydir")
        return directory

    def log_tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])


def contents(server):
    """All that a server holds: the messages, or the string, and the expiry of each key in each database."""
    found = {}
    for db in range(DATABASES):
        with server.client(db) as client:
            for key in client.keys():
                is_list = client.type(key) == b"list"
                value = client.lrange(key, 0, -1) if is_list else [client.get(key)]
                found[db, key] = (value, client.pexpiretime(key))
    return found


def differences(expected, found):
    """What is not the same in two results of `contents`; at most a few lines of it."""
    lines = []
    for key in sorted({*expected, *found}):
        one, other = expected.get(key), found.get(key)
        if one != other:
            lines.append(f"{key}: expected {summary(one)}, got {summary(other)}")
    return lines[:10]


def summary(value):
    if value is None:
        return "nothing"
    messages, expiry = value
    return f"{len(messages)} messages, ending in {messages[-1][:40]!r}, expiry {expiry}"
