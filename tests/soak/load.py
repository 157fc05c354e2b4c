"""The load of the soak: clients of all ports, good and bad, in one process with one loop.

Each kind is a coroutine that is started several times, each with a random generator of its own. A kind that
behaves well checks what it gets; one that does not only has to leave the broker as it was.
"""

import asyncio
import collections
import json
import multiprocessing
import os
import random
import signal
import socket
import ssl
import struct
import time

HOST = "127.0.0.1"
QUEUES = [f"jobs:{number}" for number in range(20)]
CHANNELS = [f"news:{number}" for number in range(5)]
# Messages that a queue keeps at most: what is pushed is popped sooner or later.
LENGTH_MAX = 1000
PATIENCE_S = 60


def encode(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def request(method, path, body=b"", headers=""):
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}"
    length = f"Content-Length: {len(body)}\r\n" if body or method == "POST" else ""
    return f"{head}{length}\r\n".encode() + body


class Site:
    """Where the broker listens, and what was done."""

    def __init__(self, ports, directory, rate):
        self.ports, self.rate = ports, rate
        self.context = ssl.create_default_context(cafile=f"{directory}/ca.crt")
        self.done, self.wrong = collections.Counter(), []

    async def connect(self, port, limit=1 << 16):
        """The port has a name. One with TLS is connected after the handshake."""
        tls = {"ssl": self.context, "server_hostname": "localhost"} if "tls" in port else {}
        return await asyncio.open_connection(HOST, self.ports[port], limit=limit, **tls)

    def rounds(self, rng):
        """Rounds for some seconds, after which a connection ends."""
        end = time.monotonic() + rng.uniform(1, 20)
        while time.monotonic() < end:
            yield

    async def rest(self, rng, seconds):
        await asyncio.sleep(rng.uniform(0, 2 * seconds) / self.rate)

    def expect(self, is_right, what):
        if not is_right and len(self.wrong) < 100:
            self.wrong.append(what)


def close(writer):
    """Ends a connection, whatever it has not sent."""
    writer.transport.abort()


async def reply(reader):
    """One reply: bytes of a line, or of a bulk; a list for an array."""
    line = await reader.readuntil(b"\n")
    if line[:1] == b"$" and line != b"$-1\r\n":
        return (await reader.readexactly(int(line[1:]) + 2))[:-2]
    if line[:1] == b"*" and line != b"*-1\r\n":
        return [await reply(reader) for _ in range(int(line[1:]))]
    return line


async def response(reader):
    """One response: status and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    return int(head[9:12]), await reader.readexactly(length)


def message(rng):
    return rng.randbytes(rng.choice([0, 10, 64, 64, 1000, 20_000]))


async def pipelines(site, rng, port):
    """Pushes and pops of many messages at once, also of large ones."""
    reader, writer = await site.connect(port)
    for _ in site.rounds(rng):
        queue, count = rng.choice(QUEUES), rng.choice([1, 1, 16, 100])
        pushes = [encode("RPUSH", queue, message(rng)) for _ in range(count)]
        pops = [encode("LPOP", queue)] * count + [encode("LTRIM", queue, 0, LENGTH_MAX)]
        writer.write(b"".join(pushes + pops))
        await writer.drain()
        for number in range(2 * count + 1):
            got = await reply(reader)
            site.expect(number >= count or got[:1] == b":", f"{port}: RPUSH got {got!r:.100}")
        site.done["RESP pipelines" if port == "resp" else "TLS pipelines"] += 1
        await site.rest(rng, 0.05)
    close(writer)


async def transactions(site, rng, port):
    """MULTI, and waits of workers."""
    reader, writer = await site.connect(port)
    for _ in site.rounds(rng):
        queue, back = rng.sample(QUEUES, 2)
        words = [("MULTI",), ("RPUSH", queue, "x"), ("LMOVE", queue, back, "LEFT", "RIGHT"), ("EXEC",)]
        writer.write(b"".join(encode(*each) for each in words) + encode("BLPOP", back, 1))
        got = [await reply(reader) for _ in range(5)]
        site.expect(isinstance(got[3], list), f"EXEC got {got[3]!r:.100}")
        site.done["transactions"] += 1
        await site.rest(rng, 0.05)
    close(writer)


async def posts(site, rng, port):
    """Keep-alive and pipelines over HTTP: POST and GET."""
    reader, writer = await site.connect(port)
    for _ in site.rounds(rng):
        path, count = f"/queues/{rng.choice(QUEUES)}", rng.choice([1, 1, 4, 50])
        requests = [request("POST", path, message(rng)) for _ in range(count)]
        writer.write(b"".join(requests) + request("GET", path) * count)
        await writer.drain()
        for number in range(2 * count):
            status, _ = await response(reader)
            right = [202] if number < count else [200, 204]
            site.expect(status in right, f"{port}: {path}: status {status}")
        site.done["HTTP requests"] += 2 * count
        await site.rest(rng, 0.05)
    close(writer)


async def long_polls(site, rng, port):
    """Waits for messages, and gives some up."""
    reader, writer = await site.connect(port)
    for _ in site.rounds(rng):
        path = f"/queues/{rng.choice(QUEUES + ['never'])}?wait={rng.choice([0.2, 1, 3])}&count=5"
        writer.write(request("GET", path))
        if rng.random() < 0.1:
            await site.rest(rng, 0.3)
            break
        status, body = await response(reader)
        site.expect(status in (200, 204), f"long poll: status {status}")
        site.expect(status == 204 or json.loads(body)["messages"], f"long poll: {body!r:.100}")
        site.done["long polls"] += 1
    close(writer)


async def commands(site, rng, port):
    """Any command over HTTP, also wrong ones."""
    reader, writer = await site.connect(port)
    choices = [
        ["LRANGE", rng.choice(QUEUES), 0, 10], ["INFO"], ["CLIENT", "LIST"], ["QUEUE", "STATS"], ["METRICS"],
        ["LLEN"], ["NONSENSE", "x"], ["SUBSCRIBE", "x"], ["GET", rng.choice(QUEUES)], ["SCAN", 0], ["MEMORY", "STATS"],
    ]
    for _ in site.rounds(rng):
        body = json.dumps(rng.choice(choices)).encode()
        writer.write(request("POST", "/command", body, "Content-Type: application/json\r\n"))
        status, got = await response(reader)
        site.expect(status in (200, 400, 409), f"/command {body!r}: status {status}")
        site.expect({"reply", "error"} & json.loads(got).keys(), f"/command {body!r}: {got!r:.100}")
        site.done["/command"] += 1
        await site.rest(rng, 0.1)
    close(writer)


async def streams(site, rng, port):
    """Events of a channel or of the page, for some seconds."""
    path = rng.choice(["/events", "/channels/" + rng.choice(CHANNELS), "/channels/news:*?pattern=1"])
    reader, writer = await site.connect(port)
    writer.write(request("GET", path))
    head = await reader.readuntil(b"\r\n\r\n")
    site.expect(b" 200 " in head, f"{path}: {head!r:.100}")
    end = asyncio.get_running_loop().time() + rng.uniform(1, 15)
    while (left := end - asyncio.get_running_loop().time()) > 0:
        try:
            got = await asyncio.wait_for(reader.read(1 << 16), left)
        except TimeoutError:
            break
        if not got:
            break
        site.done["bytes of pages" if path == "/events" else "bytes of streams"] += len(got)
    close(writer)


async def publishers(site, rng, port):
    reader, writer = await site.connect("http")
    redis_reader, redis_writer = await site.connect("resp")
    for _ in site.rounds(rng):
        text = rng.choice([b"it rains", b"two\nlines", b"\xff\x00", b"x" * 5000])
        writer.write(request("POST", f"/channels/{rng.choice(CHANNELS)}", text))
        status, _ = await response(reader)
        site.expect(status == 200, f"POST to a channel: status {status}")
        redis_writer.write(encode("PUBLISH", rng.choice(CHANNELS), text) * 10)
        for _ in range(10):
            await reply(redis_reader)
        site.done["published"] += 11
        await site.rest(rng, 0.05)
    close(writer)
    close(redis_writer)


async def slow_readers(site, rng, port):
    """Asks for much and reads nothing, until the broker has had enough or some seconds are over."""
    reader, writer = await site.connect(port, limit=1024)
    writer.transport.pause_reading()
    if "http" in port:
        paths = ["/events", "/channels/" + rng.choice(CHANNELS), "/channels/*?pattern=1"]
        writer.write(request("GET", rng.choice(paths)) if rng.random() < 0.5 else request("GET", "/metrics") * 100)
    elif rng.random() < 0.5:
        writer.write(encode("PSUBSCRIBE", "*"))
    else:
        writer.write(encode("LRANGE", rng.choice(QUEUES), 0, -1) * 200)
    await site.rest(rng, 5)
    site.done["slow readers"] += 1
    close(writer)


async def storms(site, rng, port):
    """Many connections at once, some of which break off with a reset."""
    made = await asyncio.gather(
        *[site.connect(rng.choice(list(site.ports))) for _ in range(rng.randrange(20, 150))],
        return_exceptions=True,
    )
    for each in made:
        if isinstance(each, tuple):
            _, writer = each
            if rng.random() < 0.5:
                writer.write(rng.choice([encode("PING"), request("GET", "/healthz"), encode("BLPOP", "never", 0)]))
            if rng.random() < 0.3:
                plain = writer.get_extra_info("socket")
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            site.done["connections of storms"] += 1
    await site.rest(rng, 0.2)
    for each in made:
        if isinstance(each, tuple):
            close(each[1])
    await site.rest(rng, 3)


# What garbage is made of.
PIECES = [
    encode("RPUSH", "garbage", "x"), encode("LPOP", "garbage"), encode("SUBSCRIBE", "garbage"), b"PING\r\n",
    request("POST", "/queues/garbage", b"x"), request("GET", "/queues/garbage?wait=1"), request("GET", "/events"),
    request("POST", "/command", b'["PING"]', "Content-Type: application/json\r\n"), b"*1000000\r\n$3\r\n",
    b"POST /queues/garbage HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x17\x03\x03\x40\x01" + b"x" * 500,
]


async def garbage(site, rng, port):
    """Requests with some wrong bytes, cut off or of another protocol."""
    secret = rng.choice([True, False]) and "tls" in port
    if secret:
        reader, writer = await site.connect(port)
    else:
        reader, writer = await asyncio.open_connection(HOST, site.ports[port])
    text = bytearray(b"".join(rng.choices(PIECES, k=rng.randrange(1, 5))))
    for _ in range(rng.choice([0, 1, 3, 20])):
        text[rng.randrange(len(text))] = rng.randrange(256)
    writer.write(bytes(text[: rng.randrange(1, len(text) + 1)]))
    try:
        await asyncio.wait_for(reader.read(1 << 16), rng.uniform(0.01, 0.5))
    except TimeoutError:
        pass
    site.done[f"garbage: {port}"] += 1
    close(writer)


async def janitor(site, rng, port):
    """Removes what garbage has left, so that memory depends on nothing but the load."""
    reader, writer = await site.connect("resp")
    writer.write(encode("KEYS", "*"))
    keys = await reply(reader)
    others = [key for key in keys if key.decode(errors="replace") not in QUEUES]
    writer.write(b"".join(encode("DEL", key) for key in others))
    writer.write(b"".join(encode("LTRIM", queue, 0, LENGTH_MAX) for queue in QUEUES))
    for _ in range(len(others) + len(QUEUES)):
        await reply(reader)
    site.done["cleanings"] += 1
    close(writer)
    await site.rest(rng, 2)


# Each with its ports, and how many run at once on each.
LOAD = [
    (pipelines, ["resp", "tls"], 3),
    (transactions, ["resp"], 2),
    (posts, ["http", "http-tls"], 3),
    (long_polls, ["http", "http-tls"], 10),
    (commands, ["http"], 2),
    (streams, ["http", "http-tls"], 10),
    (publishers, ["http"], 2),
    (slow_readers, ["resp", "tls", "http", "http-tls"], 3),
    (storms, ["all"], 1),
    (garbage, ["resp", "tls", "http", "http-tls"], 2),
    (janitor, ["resp"], 1),
]
KINDS = [
    "RESP pipelines", "TLS pipelines", "transactions", "HTTP requests", "long polls", "/command", "bytes of pages",
    "bytes of streams", "published", "slow readers", "connections of storms", "garbage: resp", "garbage: tls",
    "garbage: http", "garbage: http-tls", "cleanings",
]
# The broker may close these, also a stream that is read too slowly because the machine is busy.
UNRULY = [streams, slow_readers, storms, garbage]


async def again_and_again(site, kind, port, seed):
    rng = random.Random(seed)
    while True:
        try:
            await asyncio.wait_for(kind(site, rng, port), PATIENCE_S)
        except (OSError, EOFError, TimeoutError) as error:
            site.expect(kind in UNRULY, f"{kind.__name__} on {port}: {error!r:.200}")
        await site.rest(rng, 0.1)


async def all_of_it(site, seed, is_over, results):
    seeds = random.Random(seed)
    for kind, ports, count in LOAD:
        for port in ports * count:
            task = asyncio.create_task(again_and_again(site, kind, port, seeds.randrange(1 << 32)))
            site.tasks.append(task)
    while not is_over.is_set():
        await asyncio.sleep(0.2)
        for task in site.tasks:
            if task.done():
                task.result()
    results.send((dict(site.done), site.wrong))
    # The tasks have no end of their own.
    os._exit(0)


def serve(ports, directory, seed, rate, is_over, results):
    """The process of the load."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    site = Site(ports, directory, rate)
    site.tasks = []
    asyncio.run(all_of_it(site, seed, is_over, results))


class Run:
    """The load, in a process of its own."""

    def __init__(self, ports, directory, seed, rate):
        self.results, theirs = multiprocessing.Pipe(duplex=False)
        self.is_over = multiprocessing.Event()
        arguments = (ports, directory, seed, rate, self.is_over, theirs)
        self.process = multiprocessing.Process(target=serve, args=arguments)
        self.process.start()
        theirs.close()

    def is_alive(self):
        return self.process.is_alive()

    def end(self):
        """Ends it; what was done, and what was wrong."""
        self.is_over.set()
        try:
            return self.results.recv() if self.results.poll(60) else ({}, ["the load does not end"])
        except EOFError:
            return {}, ["the load has failed"]
        finally:
            self.process.join(10)
            self.process.kill()
