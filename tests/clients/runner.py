"""Runs the check programs, each with a new server, and totals their results.

A check program prints `ok NAME` or `FAILED NAME` for each of its checks, and anything else indented. A
program that fails, reports nothing or takes too long counts as a failure. The last line is the total:
`N passed, N failed`.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from java_command import java_command

HERE = Path(__file__).parent
START_TIMEOUT_S = 10
NODE_MAJOR_MIN = 20  # The newest ioredis and node-redis ask for it.
INTERPRETERS = {".php": "php", ".rb": "ruby", ".pl": "perl"}


@dataclass
class Program:
    """One check program, and its requirements."""

    name: str
    arguments: list[str] = field(default_factory=list)
    server_arguments: list[str] = field(default_factory=list)
    timeout_s: int = 120
    # It tests features that Redis does not have.
    needs_policies: bool = False
    # The server also listens on a port for TLS.
    tls: bool = False
    # The server also listens on a port for HTTP, which Redis does not have.
    http: bool = False


HTTP = ["--http-push-paths", "/queue message_queue", "--http-allowed-origins", "https://shop.example"]

PROGRAMS = [
    Program("redis_py.py", ["default"]),
    Program("redis_py.py", ["2"]),
    Program("redis_py.py", ["3"]),
    Program("redis_py_async.py", ["default"]),
    Program("redis_py_async.py", ["2"]),
    Program("redis_py_async.py", ["3"]),
    Program("ioredis.mjs", ["default"]),
    Program("ioredis.mjs", ["2"]),
    Program("ioredis.mjs", ["3"]),
    Program("node_redis.mjs", ["default"]),
    Program("node_redis.mjs", ["2"]),
    Program("node_redis.mjs", ["3"]),
    Program("JedisClient.java", ["default"]),
    Program("JedisClient.java", ["2"]),
    Program("JedisClient.java", ["3"]),
    Program("LettuceClient.java", ["default"]),
    Program("LettuceClient.java", ["2"]),
    Program("LettuceClient.java", ["3"]),
    Program("go_redis", ["default"]),
    Program("go_redis", ["2"]),
    Program("go_redis", ["3"]),
    Program("rust_redis", ["2"]),
    Program("rust_redis", ["3"]),
    Program("hiredis_debian", ["2"]),
    Program("hiredis_newest", ["2"]),
    Program("hiredis_newest", ["3"]),
    Program("phpredis.php"),
    Program("ruby_redis.rb"),
    Program("perl_redis.pl"),
    Program("redis_cli_tls.py", tls=True),
    Program("redis_py_tls.py", ["2"], tls=True),
    Program("redis_py_tls.py", ["3"], tls=True),
    Program("ioredis_tls.mjs", ["2"], tls=True),
    Program("ioredis_tls.mjs", ["3"], tls=True),
    Program("node_redis_tls.mjs", ["2"], tls=True),
    Program("node_redis_tls.mjs", ["3"], tls=True),
    Program("rust_redis_tls", ["2"], tls=True),
    Program("rust_redis_tls", ["3"], tls=True),
    Program("readme.py"),
    Program("redis_cli.py"),
    Program("redis_benchmark.py", timeout_s=180),
    Program("http_queue.py"),
    Program("http_clients.py", server_arguments=HTTP, http=True),
    Program("http.mjs", http=True),
    Program("HttpChecks.java", http=True),
    Program("go_redis", ["http"], http=True),
    Program("netty_queue.py"),
    Program("observers.py"),
    Program("client_kill.py"),
    Program("many_connections.py", server_arguments=["--maxclients", "12000"]),
    Program("firehose.py"),
    Program("queue_policies.py", needs_policies=True),
    Program("shared_workers.py", needs_policies=True),
    Program("delivery_guarantees.py", needs_policies=True),
    Program("metrics.py", needs_policies=True, http=True),
]


class Server:
    """A server on a free port, and on others with TLS or for HTTP if asked for, with its own directory."""

    def __init__(self, command, tls=False, http=False):
        self.port, self.tls_port, self.http_port = free_ports(3)
        self.directory = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.log = Path(self.directory.name, "log")
        self.certificates = Path(self.directory.name, "certificates")
        if tls:
            subprocess.run([HERE / "certificates.sh", self.certificates], check=True)
            command = [*command, *self.tls_arguments()]
        if http:
            command = [*command, "--http-port", str(self.http_port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port), "--bind", "127.0.0.1"],
                cwd=self.directory.name,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def tls_arguments(self):
        files = {"cert": "server.crt", "key": "server.key", "ca-cert": "ca.crt"}
        named = [(f"--tls-{what}-file", self.certificates / file) for what, file in files.items()]
        return ["--tls-port", str(self.tls_port), *(str(word) for pair in named for word in pair)]

    def wait_until_ready(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.answers():
            if not self.runs() or time.monotonic() > deadline:
                raise OSError("the server does not answer PING")
            time.sleep(0.01)

    def answers(self):
        try:
            return self.ask(b"PING", timeout_s=1) == b"+PONG\r\n"
        except OSError:
            return False

    def has_policies(self):
        return not self.ask(b"QUEUE POLICY LIST", timeout_s=10).startswith(b"-")

    def ask(self, line, timeout_s):
        """The beginning of the reply."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as connection:
            connection.sendall(line + b"\r\n")
            return connection.recv(7)

    def runs(self):
        return self.process.poll() is None

    def log_tail(self):
        return self.log.read_text(errors="replace").splitlines()[-20:]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.directory.cleanup()


def free_ports(count):
    """Ports that are all different, since they are open at the same time."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


class Totals:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def fail(self, name, details=()):
        self.failed += 1
        print(f"FAILED {name}")
        for line in details:
            print(f"    {line}")

    def relay(self, lines):
        """Passes a program's output on, and counts its results."""
        for line in lines:
            print(line, end="", flush=True)
            self.passed += line.startswith("ok ")
            self.failed += line.startswith("FAILED ")


def end(process):
    """Ends a program and its children."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def command_of(program, libraries):
    """The command for the program. If it cannot start, the error says why."""
    kind = Path(program.name).suffix
    if kind == ".py":
        command = [libraries / "venv" / "bin" / "python", HERE / program.name]
    elif kind == ".mjs":
        command = ["node", libraries / "node" / program.name]
    elif kind == ".java":
        command = java_command(program.name.removesuffix(kind), libraries)
    elif kind in INTERPRETERS:
        command = [INTERPRETERS[kind], HERE / program.name]
    else:
        command = [libraries / "bin" / program.name]
    if shutil.which(command[0]) is None:
        raise OSError(f"{command[0]} is missing")
    if kind == ".mjs":
        expect_new_node()
    return [*command, *program.arguments]


def expect_new_node():
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0] or 0) < NODE_MAJOR_MIN:
        raise OSError(
            f"node {version} is too old: the newest ioredis and node-redis need "
            f"{NODE_MAJOR_MIN} or later"
        )


def run(name, program, command, server, libraries, totals):
    reported = totals.passed + totals.failed
    failed = totals.failed
    environment = {
        **os.environ,
        "SERVER_PORT": str(server.port),
        "SERVER_PID": str(server.process.pid),
        "TLS_PORT": str(server.tls_port),
        "HTTP_PORT": str(server.http_port),
        "CERTIFICATES": str(server.certificates),
        "LIBRARIES": str(libraries),
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    timer = threading.Timer(program.timeout_s, end, [process])
    timer.start()
    try:
        totals.relay(process.stdout)
        status = process.wait()
    finally:
        timer.cancel()
        end(process)

    if not server.runs():
        totals.fail(f"{name}: the server has gone", server.log_tail())
    elif totals.passed + totals.failed == reported:
        totals.fail(f"{name}: nothing reported, exit status {status}")
    elif status != 0 and totals.failed == failed:
        totals.fail(f"{name}: exit status {status}")


def check(program, server_command, libraries, totals):
    name = " ".join([program.name, *program.arguments])
    try:
        command = command_of(program, libraries)
    except OSError as error:
        totals.fail(name, [error])
        return
    try:
        if program.http and not has_http(server_command):
            print(f"    {name}: left out, for a server without HTTP")
            return
        server = Server([*server_command, *program.server_arguments], program.tls, program.http)
    except (OSError, subprocess.CalledProcessError) as error:
        totals.fail(name, [error])
        return
    try:
        server.wait_until_ready()
        if program.needs_policies and not server.has_policies():
            print(f"    {name}: left out, for a server without policies")
            return
        run(name, program, command, server, libraries, totals)
    except OSError as error:
        totals.fail(name, [error, *server.log_tail()])
    finally:
        server.stop()


def has_http(server_command):
    server = Server(server_command)
    try:
        server.wait_until_ready()
        return server.ask(b"CONFIG GET http-port", timeout_s=10).startswith(b"*2")
    finally:
        server.stop()


def main():
    libraries = Path(sys.argv[1])
    binary, *arguments = sys.argv[2:]
    found = shutil.which(binary)
    totals = Totals()
    # Ended from outside, we still stop our children.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    if found is None:
        totals.fail(f"{binary}: no such program")
    else:
        for program in PROGRAMS:
            if os.environ.get("ONLY", "") in program.name:
                check(program, [os.path.abspath(found), *arguments], libraries, totals)
    print(f"{totals.passed} passed, {totals.failed} failed")
    sys.exit(totals.failed > 0 or totals.passed == 0)


main()
