"""Eight workers in one process, as people write them: shared_workers.py PORT HOW QUEUE.

HOW is one of `WAYS`. What the process prints is a line each: `took MESSAGE` when a worker has it,
`done MESSAGE` behind the work, before it acknowledges. It works until it is killed.
"""

import asyncio
import os
import random
import sys
import threading
import time

import redis
import redis.asyncio

WORKERS = 8
BATCH = 10

port, how, queue = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def say(word, message):
    # One write each, so that lines of several threads do not mix.
    os.write(1, f"{word} {message}\n".encode())


def work(message):
    time.sleep(random.uniform(0.001, 0.01))
    say("done", message)


def connect(**options):
    return redis.Redis(port=port, decode_responses=True, socket_timeout=None, **options)


def in_threads(worker):
    threads = [threading.Thread(target=worker) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()


def connections():
    """A connection for each, which acknowledges with its next pop."""

    def worker():
        client = connect(single_connection_client=True)
        while True:
            _, message = client.blpop(queue)
            say("took", message)
            work(message)

    in_threads(worker)


def pool():
    """Threads over redis-py's default pool, which acknowledge by value."""
    client = connect()

    def worker():
        while True:
            _, message = client.blpop(queue)
            say("took", message)
            work(message)
            client.execute_command("QUEUE", "ACK", queue, "VALUE", message)

    in_threads(worker)


def tasks():
    """Tasks over the default pool of redis.asyncio, which acknowledge by value."""

    async def worker(client):
        while True:
            _, message = await client.blpop(queue)
            say("took", message)
            await asyncio.sleep(random.uniform(0.001, 0.01))
            say("done", message)
            await client.execute_command("QUEUE", "ACK", queue, "VALUE", message)

    async def main():
        client = redis.asyncio.Redis(port=port, decode_responses=True, socket_timeout=None)
        await asyncio.gather(*(worker(client) for _ in range(WORKERS)))

    asyncio.run(main())


def batches(transaction):
    """One worker that takes many messages with one request, and them as done with the next."""
    client = connect(single_connection_client=True)
    while True:
        with client.pipeline(transaction=transaction) as pipeline:
            for _ in range(BATCH):
                pipeline.lpop(queue)
            messages = [message for message in pipeline.execute() if message is not None]
        for message in messages:
            say("took", message)
        for message in messages:
            work(message)


WAYS = {
    "connections": connections,
    "pool": pool,
    "tasks": tasks,
    "pipelines": lambda: batches(transaction=False),
    "transactions": lambda: batches(transaction=True),
}
WAYS[how]()
