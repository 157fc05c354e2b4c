"""redis-cli: commands from the shell, the interactive mode on a terminal, and its own modes."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from check import PORT, run

CLI = ["redis-cli", "-p", str(PORT)]
PROMPT = rf"127\.0\.0\.1:{PORT}(\(TX\))?> "


def cli(*arguments, text=""):
    """Runs redis-cli to its end and returns what it prints."""
    done = subprocess.run(
        [*CLI, *arguments], input=text, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


class Terminal:
    """A redis-cli on a terminal."""

    def __init__(self, *arguments):
        self.master, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 200, 0, 0))
        self.process = subprocess.Popen(
            [*CLI, *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm", "REDISCLI_HISTFILE": "/dev/null"},
        )
        os.close(terminal)
        self.unread = ""

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)

    def expect(self, pattern, timeout_s=20):
        """Reads until the pattern appears; the rest stays for the next call."""
        deadline = time.monotonic() + timeout_s
        while not (match := re.search(pattern, self.unread)):
            left_s = max(0, deadline - time.monotonic())
            readable, _, _ = select.select([self.master], [], [], left_s)
            assert readable, f"{pattern!r} was not shown, but {self.unread!r}"
            self.unread += os.read(self.master, 65536).decode()
        self.unread = self.unread[match.end() :]

    def enter(self, line, reply=""):
        """Types a line after the prompt: earlier input would be discarded."""
        self.expect(PROMPT)
        os.write(self.master, f"{line}\r".encode())
        self.expect(reply)

    def end(self, signal_number):
        self.process.send_signal(signal_number)
        self.process.wait(timeout=20)


def flush():
    cli("FLUSHALL")


def commands_with_resp2():
    assert cli("RPUSH", "q", "a", "b", "c") == "3\n"
    assert cli("--no-raw", "RPUSH", "q", "d") == "(integer) 4\n"
    assert cli("LRANGE", "q", "0", "-1") == "a\nb\nc\nd\n"
    assert cli("--no-raw", "LRANGE", "q", "0", "1") == '1) "a"\n2) "b"\n'
    assert cli("--no-raw", "LPOP", "nothing") == "(nil)\n"
    assert cli("--no-raw", "LRANGE", "nothing", "0", "-1") == "(empty array)\n"
    assert cli("--no-raw", "NOSUCHCOMMAND").startswith("(error) ERR unknown command 'NOSUCHC")
    assert cli("--csv", "LRANGE", "q", "0", "1") == '"a","b"\n'
    assert cli("-r", "3", "LPOP", "q") == "a\nb\nc\n"
    assert cli("-x", "RPUSH", "q", text="from the standard input") == "2\n"
    assert "redis_version:" in cli("INFO", "server")


def commands_with_resp3():
    assert cli("-3", "--no-raw", "RPUSH", "q", "a") == "(integer) 1\n"
    assert cli("-3", "--no-raw", "LPOP", "nothing") == "(nil)\n"
    limit = cli("-3", "--no-raw", "CONFIG", "GET", "maxclients")
    assert re.match(r'1# "maxclients" => "\d+"\n', limit), limit
    assert json.loads(cli("--json", "LRANGE", "q", "0", "-1")) == ["a"]
    assert json.loads(cli("-3", "--json", "HELLO"))["proto"] == 3


def commands_from_a_file():
    assert cli(text="MULTI\nRPUSH q a\nLPOP q\nEXEC\n") == "OK\nQUEUED\nQUEUED\n1\na\n"


def interactive():
    with Terminal() as terminal:
        terminal.enter("RPUSH q a b", r"\n\(integer\) 2\r\n")
        terminal.enter("LRANGE q 0 -1", r'\n1\) "a"\r\n2\) "b"\r\n')
        terminal.enter("BLPOP nothing 0.05", r"\n\(nil\)\r\n")
        terminal.enter("RPUSH q", r"\n\(error\) ERR wrong number of arguments for 'rpush' command")
        terminal.enter("MULTI", r"\nOK\r\n")
        terminal.enter("LPOP q", r"\nQUEUED\r\n")
        terminal.enter("EXEC", r'\n1\) "a"\r\n')
        terminal.enter("HELP RPUSH", r"summary:")
        terminal.enter("HELLO 3", r'"proto" => \(integer\) 3\r\n')
        terminal.enter("LPOP nothing", r"\n\(nil\)\r\n")
        terminal.enter("QUIT")
        terminal.process.wait(timeout=20)
        assert terminal.process.returncode == 0


def scan():
    cli(text="".join(f"RPUSH key:{number} x\n" for number in range(300)) + "RPUSH another x\n")
    wanted = {f"key:{number}" for number in range(300)}
    assert set(cli("--scan", "--pattern", "key:*").split()) == wanted
    assert len(cli("--scan").split()) == 301


def bigkeys():
    cli("RPUSH", "small", "x")
    cli("RPUSH", "big", *map(str, range(100)))
    report = cli("--bigkeys")
    assert re.search(r"""Biggest +list found '"big"' has 100 items""", report), report
    assert "2 lists with 101 items" in report, report


def latency():
    samples = cli("--latency", "-i", "0.2").split()
    assert len(samples) == 4 and int(samples[3]) > 0, samples
    with Terminal("--latency") as terminal:
        terminal.expect(r"min: \d+, max: \d+, avg: [\d.]+ \(\d+ samples\)")
        terminal.end(signal.SIGINT)


def stat():
    cli("RPUSH", "q", "a")
    with Terminal("--stat", "-i", "0.1") as terminal:
        terminal.expect(r"keys +mem +clients +blocked +requests +connections")
        for _ in range(3):
            terminal.expect(r"\n1 +[\d.]+[BKMG] +\d+ +0 +\d+ \(\+\d+\) +\d+ *\r")
        terminal.end(signal.SIGTERM)


def monitor():
    with Terminal("monitor") as terminal:
        terminal.expect(r"OK\r\n")
        cli("RPUSH", "q", "a b")
        terminal.expect(r'\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "RPUSH" "q" "a b"\r\n')
        terminal.end(signal.SIGINT)


def mass_insertion():
    requests = "".join(
        f"*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n${len(str(number))}\r\n{number}\r\n"
        for number in range(20_000)
    )
    assert "errors: 0, replies: 20000" in cli("--pipe", text=requests)
    assert cli("LLEN", "q") == "20000\n"
    assert cli("LINDEX", "q", "-1") == "19999\n"


def subscribe():
    for protocol in ("-2", "-3"):
        with Terminal(protocol, "subscribe", "news") as terminal:
            terminal.expect(r'\n?1\) "subscribe"\r\n2\) "news"\r\n3\) \(integer\) 1\r\n')
            assert cli("PUBLISH", "news", "hello") == "1\n"
            terminal.expect(r'1\) "message"\r\n2\) "news"\r\n3\) "hello"\r\n')
            terminal.end(signal.SIGINT)


CHECKS = [
    commands_with_resp2,
    commands_with_resp3,
    commands_from_a_file,
    interactive,
    scan,
    bigkeys,
    latency,
    stat,
    monitor,
    mass_insertion,
    subscribe,
]

run("redis-cli", CHECKS, before_each=flush)
