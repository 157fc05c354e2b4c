"""A worker as anybody writes it: takes messages, works on each, and says when one is done.

    queue_worker.py PORT HOW QUEUE [HALT …]

HOW it takes them is one of `WAYS`. It prints `taken` and the messages of a reply, then `done` for
each. A HALT such as `taken:7`, before the work on its seventh message, or `done:7`, behind that,
makes it print `halt` and wait for a line. A message `poison` kills it.
"""

import os
import signal
import sys

import redis

BATCH = 10


def blpop():
    return [client.blpop(queue)[1]]


def brpop():
    return [client.brpop(queue)[1]]


def blmpop():
    return client.blmpop(0, 2, f"{queue}:empty", queue, direction="LEFT", count=BATCH)[1]


def lpop():
    return client.lpop(queue, BATCH)


def rpop():
    return client.rpop(queue, BATCH)


def transaction():
    with client.pipeline(transaction=True) as pipeline:
        pipeline.lpop(queue, BATCH)
        pipeline.rpush(f"{queue}:log", "took some")
        return pipeline.execute()[0]


WAYS = {
    "BLPOP": blpop,
    "BRPOP": brpop,
    "BLMPOP": blmpop,
    "LPOP": lpop,
    "RPOP": rpop,
    "EXEC": transaction,
    "ACK": lpop,
}


def say(*words):
    print(*words, flush=True)


def pass_by(place):
    if place in halts:
        say("halt")
        sys.stdin.readline()


port, how, queue = int(sys.argv[1]), sys.argv[2], sys.argv[3]
halts = set(sys.argv[4:])
client = redis.Redis(port=port, decode_responses=True)
number = 0
while messages := WAYS[how]():
    say("taken", *messages)
    for message in messages:
        number += 1
        pass_by(f"taken:{number}")
        if message == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        say("done", message)
        pass_by(f"done:{number}")
        if how == "ACK":
            client.execute_command("QUEUE", "ACK", queue)
