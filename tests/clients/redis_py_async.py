"""redis.asyncio: one connection waits while others work, all in one thread."""

import asyncio
import sys

import redis.asyncio as redis

from check import PORT, run

PROTOCOL = sys.argv[1]


def connect():
    options = {} if PROTOCOL == "default" else {"protocol": int(PROTOCOL)}
    return redis.Redis(port=PORT, **options)


async def until_blocked(client):
    async with asyncio.timeout(20):
        while not any("b" in entry["flags"] for entry in await client.client_list()):
            await asyncio.sleep(0.005)


async def exchange():
    async with connect() as client:
        await client.flushall()
        waiting = asyncio.create_task(client.blpop("q", timeout=0))
        await until_blocked(client)
        assert await client.rpush("q", "a") == 1
        assert list(await waiting) == [b"q", b"a"]
        assert await client.blpop("q", timeout=0.05) is None

        async with client.pipeline(transaction=True) as batch:
            assert await batch.rpush("q", "b", "c").lpop("q").execute() == [2, b"b"]

        lengths = await asyncio.gather(*(client.rpush("many", n) for n in range(100)))
        assert sorted(lengths) == list(range(1, 101))

        async with client.pubsub() as subscriber:
            await subscriber.psubscribe("n*")
            assert (await subscriber.get_message(timeout=10))["type"] == "psubscribe"
            assert await client.publish("news", "hello") == 1
            assert (await subscriber.get_message(timeout=10))["data"] == b"hello"


def one_short_scenario():
    asyncio.run(exchange())


run(f"redis.asyncio, protocol {PROTOCOL}", [one_short_scenario])
