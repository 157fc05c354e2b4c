"""Eight workers in one process that acknowledge by receipt: receipt_workers.py PORT HOW QUEUE LEASE_MS.

HOW is `threads` (redis-py's default pool) or `tasks` (that of redis.asyncio). The work is a short pause, and a
push of the message to the list `done`. What the process prints is a line each: `took MESSAGE`, and
`acknowledged MESSAGE` behind the reply to its acknowledgement. It works until it is killed.
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
BLOCK_MS = 1000

port, how, queue, lease_ms = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
POP = ["QUEUE", "POP", 1, queue, "BLOCK", BLOCK_MS, "LEASE", lease_ms]


def say(word, message):
    # One write each, so that lines of several threads do not mix.
    os.write(1, f"{word} {message}\n".encode())


def pause_s():
    return random.uniform(0.001, 0.005)


def threads():
    client = redis.Redis(port=port, decode_responses=True, socket_timeout=None)

    def worker():
        while True:
            popped = client.execute_command(*POP)
            if popped is None:
                continue
            [[receipt, message, _, _]] = popped[1]
            say("took", message)
            time.sleep(pause_s())
            client.rpush("done", message)
            client.execute_command("QUEUE", "ACK", queue, "IDS", 1, receipt)
            say("acknowledged", message)

    for _ in range(WORKERS):
        threading.Thread(target=worker).start()


def tasks():
    async def worker(client):
        while True:
            popped = await client.execute_command(*POP)
            if popped is None:
                continue
            [[receipt, message, _, _]] = popped[1]
            say("took", message)
            await asyncio.sleep(pause_s())
            await client.rpush("done", message)
            await client.execute_command("QUEUE", "ACK", queue, "IDS", 1, receipt)
            say("acknowledged", message)

    async def all_of_them():
        client = redis.asyncio.Redis(port=port, decode_responses=True, socket_timeout=None)
        await asyncio.gather(*(worker(client) for _ in range(WORKERS)))

    asyncio.run(all_of_them())


{"threads": threads, "tasks": tasks}[how]()
