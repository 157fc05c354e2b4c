"""redis-py through a failover: see ../clients.py."""

import os
import sys
import threading
import time

import redis
from redis.sentinel import Sentinel

lock = threading.Lock()


def say(*words):
    with lock:
        print(*words, flush=True)


def client():
    ports = [("127.0.0.1", int(port)) for port in sys.argv[1:]]
    asks = {"socket_timeout": 1}
    # Above the longest wait of a pop.
    sentinel = Sentinel(ports, sentinel_kwargs=asks, socket_connect_timeout=1, socket_timeout=5)
    return sentinel.master_for("queues")


def forever(step):
    def work():
        own = client()
        while True:
            try:
                step(own)
            except redis.RedisError as error:
                say("error", type(error).__name__, error)
                time.sleep(0.05)

    threading.Thread(target=work, daemon=True).start()


numbers = iter(range(1 << 60))


def produce(own):
    message = next(numbers)
    say("sent", message)
    own.rpush("work", message)
    say("pushed", message)
    time.sleep(0.002)


def consume(queue, word):
    def step(own):
        if popped := own.blpop(queue, timeout=2):
            say(word, popped[1].decode())

    return step


forever(produce)
forever(consume("work", "popped"))
forever(consume("quiet", "woken"))
sys.stdin.read()
os._exit(0)
