"""The directory and servers of a check, of both kinds."""

import shutil
import tempfile
from pathlib import Path

from report import Failure, note
from server import Server, contents, differences

REDIS = ["redis-server", "--save", "", "--appendfsync", "no"]


class Bench:
    """The directory and servers of a check; all servers end with it."""

    def __init__(self, tidegate):
        self.tidegate_command = tidegate
        self.directory = Path(tempfile.mkdtemp(prefix="durability-bench-"))
        self.servers = []

    def tidegate(self, directory=None, policy="no"):
        return self.add([*self.tidegate_command, "--appendfsync", policy], directory)

    def redis(self, preamble="no", directory=None, *arguments):
        return self.add([*REDIS, "--aof-use-rdb-preamble", preamble, *arguments], directory)

    def add(self, command, directory):
        server = Server(command, directory or self.new_directory())
        self.servers.append(server)
        return server

    def new_directory(self):
        return self.directory / f"server-{len(self.servers)}"

    def copy_of(self, server):
        return server.copy(self.new_directory())

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        for server in self.servers:
            server.kill()
        if failure is None:
            shutil.rmtree(self.directory)
        else:
            note(f"the files of this one are in {self.directory}")


def expect_same(expected, server):
    different = differences(expected, contents(server))
    if different:
        raise Failure([f"{server.command[0]}:", *different])


def has_redis_programs(report, subject):
    """Whether everything of Redis is installed; anything missing is a failure."""
    missing = [name for name in ("redis-server", "redis-check-aof") if shutil.which(name) is None]
    for name in missing:
        report.fail(f"{subject}: {name} is missing")
    return not missing


def called(function):
    return function.__name__.replace("_", " ")


def on_a_bench(command, call, arguments):
    with Bench(command) as bench:
        call(bench, *arguments)
