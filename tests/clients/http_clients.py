"""HTTP with the clients of Python, and curl."""

import asyncio
import base64
import http.client
import json
import os
import subprocess
import threading

import aiohttp
import redis
import requests

from check import PORT, run, wait_until, wait_until_blocked
from systems import start

HTTP_PORT = int(os.environ["HTTP_PORT"])
URL = f"http://127.0.0.1:{HTTP_PORT}"
BINARY = bytes(range(256)) + b"\r\n0\r\n\r\n"
LARGE = os.urandom(10_000_000)
SHOP = "https://shop.example"

admin = redis.Redis(port=PORT)


def reset():
    for user in ("alice", "bob"):
        admin.execute_command("ACL", "DELUSER", user)
    admin.config_set("requirepass", "")
    admin.flushall()
    words = ["delivery", "at-least-once", "acknowledge", "explicit"]
    admin.execute_command("QUEUE", "POLICY", "SET", "leases", "lease*", *words)


def curl(*arguments, data=b""):
    """The status, the head, and the body."""
    command = ["curl", "--silent", "--show-error", "--include", "--max-time", "20", *arguments]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    return int(head[9:12]), head.decode(), body


def curl_pushes_and_pops():
    assert curl("-d", "paint the door", f"{URL}/queues/jobs")[0::2] == (202, b'{"length":1}\n')
    assert curl(f"{URL}/queues/jobs")[0::2] == (200, b"paint the door")
    assert curl(f"{URL}/queues/jobs")[0::2] == (204, b"")
    # Above a megabyte curl waits for the permission to send.
    for data in (BINARY, LARGE):
        assert curl("--data-binary", "@-", f"{URL}/queues/jobs", data=data)[0] == 202
        assert curl(f"{URL}/queues/jobs")[2] == data
    chunked = ["-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue"]
    assert curl(*chunked, "--data-binary", "@-", f"{URL}/queues/jobs", data=LARGE)[0] == 202
    assert curl("--http1.0", f"{URL}/queues/jobs")[2] == LARGE
    assert curl("--http2", f"{URL}/healthz")[0] == 200


def curl_batches():
    ndjson = ["-H", "Content-Type: application/x-ndjson", "--data-binary", "@-"]
    answer = curl(*ndjson, f"{URL}/queues/jobs", data=b'{"a":1}\n{"b":2}\n')
    assert answer[0::2] == (202, b'{"length":2}\n')
    mixed = ["-H", "Content-Type: multipart/mixed; boundary=x", "--data-binary", "@-"]
    parts = b"--x\r\n\r\n" + BINARY + b"\r\n--x\r\n\r\n\r\n--x--"
    assert curl(*mixed, f"{URL}/queues/jobs", data=parts)[2] == b'{"length":4}\n'
    got = json.loads(curl(f"{URL}/queues/jobs?count=10")[2])["messages"]
    assert [message["message"] for message in got[:2]] == ['{"a":1}', '{"b":2}']
    assert base64.b64decode(got[2]["message"]["base64"]) == BINARY
    assert got[3]["message"] == ""


def curl_has_rights_of_its_user():
    admin.config_set("requirepass", "secret")
    admin.auth("secret")
    admin.execute_command("ACL", "SETUSER", "alice", "on", ">a:b", "~jobs", "+rpush", "+lpop")
    status, head, _ = curl(f"{URL}/queues/jobs")
    assert status == 401 and "WWW-Authenticate: Basic" in head
    assert curl("-u", "alice:wrong", f"{URL}/queues/jobs")[0] == 401
    assert curl("-u", "alice:a:b", "-d", "x", f"{URL}/queues/jobs")[0] == 202
    assert curl("-u", "alice:a:b", "-d", "x", f"{URL}/queues/other")[0] == 403
    # It asks without them first.
    assert curl("--anyauth", "-u", "alice:a:b", f"{URL}/queues/jobs")[2].endswith(b"x")
    assert curl("-u", "alice:wrong", "--data-binary", "@-", f"{URL}/queues/jobs", data=LARGE)[0] == 401


def curl_preflight():
    ask = ["-X", "OPTIONS", "-H", f"Origin: {SHOP}", "-H", "Access-Control-Request-Method: DELETE"]
    status, head, _ = curl(*ask, f"{URL}/queues/jobs/inflight/1")
    assert status == 204 and f"Access-Control-Allow-Origin: {SHOP}" in head, head
    assert "DELETE" in head.partition("Access-Control-Allow-Methods: ")[2]
    assert curl("-H", "Origin: https://evil.example", "-d", "x", f"{URL}/queues/jobs")[0] == 403
    assert curl("-H", f"Origin: {SHOP}", "-d", "x", f"{URL}/queues/jobs")[0] == 202
    assert admin.llen("jobs") == 1


def http_client_keeps_its_connection():
    connection = http.client.HTTPConnection("127.0.0.1", HTTP_PORT, timeout=20)

    def ask(method, path, body=None, headers=None):
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()

    assert ask("GET", "/healthz") == (200, b'{"status":"ok"}\n')
    socket = connection.sock
    for number in range(200):
        assert ask("POST", "/queues/jobs", f"{number}".encode())[0] == 202
    # A body of unknown length is chunked.
    assert ask("POST", "/queues/jobs", iter([b"in ", b"parts"]))[0] == 202
    assert ask("GET", "/nothing")[0] == 404
    assert ask("GET", "/queues/jobs?count=x")[0] == 400
    for number in range(200):
        assert ask("GET", "/queues/jobs") == (200, f"{number}".encode())
    assert ask("GET", "/queues/jobs") == (200, b"in parts")
    assert ask("HEAD", "/") == (200, b"")
    assert connection.sock is socket, "it was never closed"


def requests_polls():
    with requests.Session() as session:
        got = []
        poll = threading.Thread(
            target=lambda: got.append(session.get(f"{URL}/queues/jobs?wait=20", timeout=30).content)
        )
        poll.start()
        wait_until_blocked(admin)
        assert requests.post(f"{URL}/queues/jobs", data=BINARY, timeout=20).json() == {"length": 1}
        poll.join()
        assert got == [BINARY]
        assert session.get(f"{URL}/queues/jobs?wait=0.1", timeout=20).status_code == 204


def requests_works_with_receipts():
    with requests.Session() as session:
        for message in ("one", "two"):
            session.post(f"{URL}/queues/lease", data=message, timeout=20)
        response = session.get(f"{URL}/queues/lease?lease=30", timeout=20)
        receipt = response.headers["Tidegate-Receipt"]
        assert (response.text, response.headers["Tidegate-Deliveries"]) == ("one", "1")
        path = f"{URL}/queues/lease/inflight/{receipt}"
        assert session.patch(f"{path}?lease=60", timeout=20).status_code == 204
        assert session.delete(path, timeout=20).status_code == 204
        assert session.delete(path, timeout=20).status_code == 404
        [message] = session.get(f"{URL}/queues/lease?count=5", timeout=20).json()["messages"]
        back = f"{URL}/queues/lease/inflight/{message['receipt']}/return"
        assert session.post(back, timeout=20).status_code == 204
        [message] = session.get(f"{URL}/queues/lease?count=5", timeout=20).json()["messages"]
        assert (message["message"], message["deliveries"]) == ("two", 2)


def requests_runs_any_command():
    def command(*words):
        response = requests.post(f"{URL}/command", json=words, timeout=20)
        return response.status_code, response.json()

    assert command("RPUSH", "jobs", "a", "b") == (200, {"reply": 2})
    assert command("LRANGE", "jobs", 0, -1) == (200, {"reply": ["a", "b"]})
    assert command("GET", "jobs")[0] == 409
    assert command("SUBSCRIBE", "news")[0] == 400
    assert command("CONFIG", "GET", "http-port") == (200, {"reply": {"http-port": str(HTTP_PORT)}})


def requests_streams_a_channel():
    with requests.get(f"{URL}/channels/news", stream=True, timeout=20) as response:
        lines = response.iter_lines(chunk_size=1, decode_unicode=True)
        wait_until("a subscriber", lambda: admin.pubsub_numsub("news")[0][1] == 1)
        for message in ("one", "two\nlines"):
            assert requests.post(f"{URL}/channels/news", data=message, timeout=20).json() == {"receivers": 1}
        data = []
        while len(data) < 3:
            line = next(lines)
            if line.startswith("data: "):
                data.append(line.removeprefix("data: "))
        assert data == ["one", "two", "lines"]
    # It is noticed that the reader is gone.
    wait_until("no subscriber", lambda: admin.pubsub_numsub("news")[0][1] == 0)


def aiohttp_serves_many_at_once():
    async def all_of_them():
        async with aiohttp.ClientSession() as session:

            async def poll():
                async with session.get(f"{URL}/queues/jobs?wait=20") as response:
                    return await response.read()

            polls = [asyncio.create_task(poll()) for _ in range(50)]
            while admin.info("clients")["blocked_clients"] < 50:
                await asyncio.sleep(0.01)
            for number in range(50):
                async with session.post(f"{URL}/queues/jobs", data=str(number).encode()) as response:
                    assert response.status == 202
            got = await asyncio.gather(*polls)
            assert sorted(got, key=int) == [str(number).encode() for number in range(50)]

    asyncio.run(all_of_them())


def tornado_needs_no_change():
    """The system of `http_queue.py`, without the service between producer and broker."""
    with start("queue_consumer.py") as consumer, start("tornado_producer.py", 500, port=HTTP_PORT) as producer:
        assert producer.stdout.readline() == "500\n"
        consumed = [json.loads(consumer.stdout.readline()) for _ in range(500)]
    assert sorted(message["number"] for message in consumed) == list(range(500))
    assert {message["text"] for message in consumed} == {"h\u00e9llo"}


run(
    "HTTP",
    [
        curl_pushes_and_pops,
        curl_batches,
        curl_has_rights_of_its_user,
        curl_preflight,
        http_client_keeps_its_connection,
        requests_polls,
        requests_works_with_receipts,
        requests_runs_any_command,
        requests_streams_a_channel,
        aiohttp_serves_many_at_once,
        tornado_needs_no_change,
    ],
    reset,
)
