"""A consumer's machine vanishes with an unacknowledged message: the kernel gives up the connection, and the
next consumer gets the message.

The consumer has its own network namespace, whose link is cut. Needs root and iproute2.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import redis

from report import Report, note
from server import Server, wait_until

NAMESPACE = "tidegate-vanished"
OURS, THEIRS = "10.213.7.1", "10.213.7.2"
# tcp-keepalive 1 means 4 s; unacknowledged data has at least 20 s, and the kernel rounds up to its next
# attempt to send.
NOTICED_S = 45

CONSUMER = f"""
import socket, sys
connection = socket.create_connection(("{OURS}", int(sys.argv[1])))
connection.sendall(b"BLPOP jobs 0\\r\\n")
print("waits", flush=True)
sys.stdin.read()
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def a_consumer_whose_machine_vanishes():
    with tempfile.TemporaryDirectory() as directory:
        server = Server([sys.argv[1], "--tcp-keepalive", "1"], Path(directory) / "data")
        ip("netns", "add", NAMESPACE)
        try:
            ip("link", "add", "tidegate-v0", "type", "veth", "peer", "tidegate-v1", "netns", NAMESPACE)
            ip("addr", "add", f"{OURS}/30", "dev", "tidegate-v0")
            ip("link", "set", "tidegate-v0", "up")
            ip("-n", NAMESPACE, "addr", "add", f"{THEIRS}/30", "dev", "tidegate-v1")
            ip("-n", NAMESPACE, "link", "set", "tidegate-v1", "up")
            check(server)
        finally:
            server.kill()
            ip("netns", "del", NAMESPACE)


def check(server):
    server.start("--bind", "127.0.0.1", OURS, "--protected-mode", "no")
    client = redis.Redis(port=server.port, decode_responses=True)
    policy = "QUEUE POLICY SET p jobs delivery at-least-once acknowledge next-pop"
    client.execute_command(policy)
    command = ["ip", "netns", "exec", NAMESPACE, sys.executable, "-c", CONSUMER, str(server.port)]
    consumer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert consumer.stdout.readline() == "waits\n"
        wait_until("the consumer waits", lambda: client.info("clients")["blocked_clients"] == 1)
        ip("-n", NAMESPACE, "link", "set", "tidegate-v1", "down")
        client.rpush("jobs", "a")
        assert client.llen("jobs") == 0
        begun = time.monotonic()
        wait_until("the message is back", lambda: client.llen("jobs") == 1, NOTICED_S)
        note(f"noticed after {time.monotonic() - begun:.0f} s")
        assert client.lpop("jobs") == "a"
    finally:
        consumer.kill()
        consumer.wait()


if __name__ == "__main__":
    report = Report()
    report.check("vanished: a consumer's machine", a_consumer_whose_machine_vanishes)
    sys.exit(report.end())
