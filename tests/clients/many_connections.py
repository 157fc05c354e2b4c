"""Ten thousand idle connections and a thousand blocked ones are all served."""

import re
import resource
import socket

from check import HOST, PORT, SERVER_PID, note, run, wait_until

IDLE = 10_000
BLOCKED = 1_000


class Connection:
    """A socket that speaks inline requests and reads replies of a known length."""

    def __init__(self):
        self.socket = socket.create_connection((HOST, PORT), timeout=60)

    def send(self, request):
        self.socket.sendall(request + b"\r\n")

    def expect(self, reply):
        received = b""
        while len(received) < len(reply):
            part = self.socket.recv(len(reply) - len(received))
            assert part, f"the server has closed the connection after {received!r}"
            received += part
        assert received == reply, f"expected {reply!r}, got {received!r}"

    def info(self, name):
        """A number from INFO clients."""
        self.send(b"INFO clients")
        header = b""
        while not header.endswith(b"\r\n"):
            header += self.socket.recv(1)
        length = int(header[1:])
        text = b""
        while len(text) < length + 2:
            text += self.socket.recv(length + 2 - len(text))
        return int(re.search(rf"{name}:(\d+)", text.decode())[1])

    def close(self):
        self.socket.close()


def raise_descriptor_limit():
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def server_rss_bytes():
    with open(f"/proc/{SERVER_PID}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024


def connect_idle(control):
    before = server_rss_bytes()
    idle = [Connection() for _ in range(IDLE)]
    wait_until("all are connected", lambda: control.info("connected_clients") == IDLE + 1)
    note(f"{(server_rss_bytes() - before) / IDLE:.0f} bytes of memory per idle connection")
    return idle, before


def connect_blocked(control):
    """One after the other, so that the order in which they block is known."""
    blocked = []
    for number in range(1, BLOCKED + 1):
        connection = Connection()
        connection.send(b"BLPOP jobs 0")
        wait_until("it is blocked", lambda: control.info("blocked_clients") == number)
        blocked.append(connection)
    return blocked


def push_all(control):
    control.send(b"\r\n".join(b"RPUSH jobs %04d" % number for number in range(BLOCKED)))
    for _ in range(BLOCKED):
        control.expect(b":1\r\n")


def all_are_served():
    control = Connection()
    idle, before = connect_idle(control)
    blocked = connect_blocked(control)

    for connection in idle:
        connection.send(b"PING")
    for connection in idle:
        connection.expect(b"+PONG\r\n")
    after = server_rss_bytes()
    note(f"{(after - before) / (IDLE + BLOCKED):.0f} bytes per connection after use")

    push_all(control)
    for number, connection in enumerate(blocked):
        connection.expect(b"*2\r\n$4\r\njobs\r\n$4\r\n%04d\r\n" % number)
    # No client got a second one: the next reply of each is that of its next request.
    for connection in blocked:
        connection.send(b"PING")
    for connection in blocked:
        connection.expect(b"+PONG\r\n")
    control.send(b"LLEN jobs")
    control.expect(b":0\r\n")

    for connection in idle + blocked:
        connection.close()
    wait_until("all are gone", lambda: control.info("connected_clients") == 1)


raise_descriptor_limit()
run("10,000 idle and 1,000 blocked connections", [all_are_served], timeout_s=100)
