"""Servers of any program: started, killed, stopped for a while, asked."""

import errno
import random
import re
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

HOST = "127.0.0.1"
START_TIMEOUT_S = 20
REPLY_TIMEOUT_S = 20
# Below the ports that the system gives to outgoing connections: a node that is down keeps its port.
PORTS = range(20_000, 32_000)
SETTINGS = [
    *["--save", "", "--appendonly", "no", "--databases", "16"],
    *["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"],
]
# For lists whose large elements have a node of their own, which 7.0 makes only beyond a gigabyte.
REDIS_SETTINGS = ["--enable-debug-command", "yes"]


def wait_until(what, condition, timeout_s=30, pause_s=0.01):
    """Polls `condition` until it returns something true, and returns that."""
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(pause_s)
    return result


def outcome(call, *arguments):
    """The result, or the error."""
    try:
        return call(*arguments)
    except (redis.RedisError, OSError) as error:
        return error


def expect_error(text, call, *arguments):
    found = outcome(call, *arguments)
    assert isinstance(found, Exception) and text in str(found), f"expected {text!r}, got {found!r}"


@dataclass(frozen=True)
class Program:
    path: str
    # Of a redis-server or valkey-server; none of ours.
    version: tuple | None
    is_valkey: bool = False

    @classmethod
    def at(cls, path):
        said = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
        found = re.search(r"(Redis|Valkey) server v=(\d+)\.(\d+)\.(\d+)", said)
        if not found:
            return cls(str(path), None)
        return cls(str(path), tuple(map(int, found.groups()[1:])), found[1] == "Valkey")

    @property
    def is_redis(self):
        return self.version is not None

    @property
    def label(self):
        name = "valkey " if self.is_valkey else "redis "
        return name + ".".join(map(str, self.version)) if self.is_redis else "tidegate"

    def loads_rdb_of(self, primary):
        """An older redis-server refuses the RDB version of a newer one, a newer redis-server that of a
        valkey-server, which takes no newer one than that of Redis 7."""
        if not (self.is_redis and primary.is_redis):
            return True
        if self.is_valkey and not primary.is_valkey:
            return primary.version[0] <= 7
        return self.is_valkey == primary.is_valkey and self.version >= primary.version


class Ports:
    """Free ports that nobody else of this process has got."""

    def __init__(self):
        self.lock = threading.Lock()
        self.given = set()

    def take(self):
        with self.lock:
            while True:
                port = random.choice(PORTS)
                if port not in self.given and is_free(port):
                    self.given.add(port)
                    return port


def is_free(port):
    """Asked by connecting: a socket that listens would live on for a moment in every process that another
    thread starts meanwhile, and keep the port."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((HOST, port)) == errno.ECONNREFUSED


PORT_NUMBERS = Ports()


def connect(port, db=0, **options):
    """A client that sends nothing twice by itself."""
    options = {"socket_timeout": REPLY_TIMEOUT_S, "protocol": 2, **options}
    return redis.Redis(host=HOST, port=port, db=db, retry=Retry(NoBackoff(), 0), **options)


class Node:
    """A program on a directory and a port, which stay the same when it starts again."""

    def __init__(self, program, directory, settings=()):
        self.program = program
        self.directory = Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.log = self.directory / "log"
        self.settings = list(settings)
        # A file that the program reads and may rewrite.
        self.configuration = None
        self.port = PORT_NUMBERS.take()
        # Where others find it: a link in front of it, perhaps.
        self.announced_port = self.port
        self.process = None
        self.clients = {}

    def __str__(self):
        return f"{self.program.label} in {self.directory.name}"

    def spawn(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *[self.program.path, *([self.configuration] if self.configuration else [])],
                    *["--port", str(self.port), "--bind", HOST],
                    *["--dir", str(self.directory), *SETTINGS],
                    *(REDIS_SETTINGS if self.program.is_redis else []),
                    *map(str, self.settings),
                ],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start(self):
        self.spawn()
        wait_until(f"{self} starts", self.has_started, START_TIMEOUT_S)
        return self

    def has_started(self):
        assert self.runs(), f"{self} does not start"
        return self.answers(b"PING", b"+PONG") or self.answers(b"PING", b"-NOAUTH")

    def answers(self, request, beginning):
        try:
            with socket.create_connection((HOST, self.port), timeout=2) as connection:
                connection.sendall(request + b"\r\n")
                return connection.recv(100).startswith(beginning)
        except OSError:
            return False

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def client(self, db=0, **options):
        """One client for each database and thread of checks; with options, a new one."""
        if options:
            return connect(self.port, db, **options)
        if db not in self.clients:
            self.clients[db] = connect(self.port, db)
        return self.clients[db]

    def ask(self, *words):
        return self.client().execute_command(*words)

    def raw(self, *requests):
        """The replies to requests of one connection, as redis-py reads them without a meaning."""
        client = self.client(0, single_connection_client=True)
        replies = []
        for request in requests:
            client.connection.send_command(*request.split(" "))
            replies.append(client.connection.read_response())
        client.close()
        return replies

    def info(self, section="replication"):
        return self.client().info(section)

    def config(self, name, value):
        self.client().config_set(name, value)

    def kill(self):
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.forget_clients()

    def stop(self):
        """An orderly end."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=20)
        assert status == 0, f"{self}: exit status {status} of an orderly end"
        self.forget_clients()

    def forget_clients(self):
        for client in self.clients.values():
            client.close()
        self.clients = {}

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def log_tail(self, lines=12):
        return self.log.read_text(errors="replace").splitlines()[-lines:]
