"""Channels: what a Django site does with the layer of channels_redis. channels_app.py checks | results."""

import asyncio
import sys

import job
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer


def layer(kind=RedisChannelLayer, **options):
    return kind(hosts=[job.URL], **options)


async def receives_in_order(layer):
    for number in range(50):
        await layer.send("jobs", {"type": "job", "number": number})
    received = [(await layer.receive("jobs"))["number"] for _ in range(50)]
    assert received == list(range(50)), received


async def waits_for_a_message(layer):
    waiting = asyncio.create_task(layer.receive("later"))
    await asyncio.sleep(0.1)
    await layer.send("later", {"type": "late"})
    assert (await asyncio.wait_for(waiting, 10))["type"] == "late"


async def tells_a_group(layer):
    names = [await layer.new_channel() for _ in range(20)]
    for name in names:
        await layer.group_add("room", name)
    await layer.group_discard("room", names[0])
    waiting = [asyncio.create_task(layer.receive(name)) for name in names[1:]]
    await asyncio.sleep(0.1)
    await layer.group_send("room", {"type": "said", "text": "hello"})
    texts = [message["text"] for message in await asyncio.wait_for(asyncio.gather(*waiting), 10)]
    assert texts == ["hello"] * 19, texts


async def refuses_beyond_its_capacity():
    small = layer(capacity=5)
    sent = 0
    try:
        for _ in range(100):
            await small.send("full", {"type": "job"})
            sent += 1
    except Exception as error:
        assert type(error).__name__ == "ChannelFull", error
    assert sent == 5, sent
    await small.flush()


async def main():
    for kind in (RedisChannelLayer, RedisPubSubChannelLayer):
        await tells_a_group(layer(kind))
    await receives_in_order(layer())
    await waits_for_a_message(layer())
    await refuses_beyond_its_capacity()
    print("fine")


_, command = sys.argv
if command == "checks":
    asyncio.run(asyncio.wait_for(main(), 50))
