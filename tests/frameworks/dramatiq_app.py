"""Dramatiq: dramatiq_app.py produce KIND FIRST LAST | results FIRST LAST, and as the module of `dramatiq`."""

import sys

import dramatiq
import job
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

# With maintenance at every tenth call, what a dead worker had comes back soon.
broker = RedisBroker(url=job.URL, heartbeat_timeout=2000, maintenance_chance=100_000)
broker.add_middleware(Results(backend=RedisBackend(url=job.URL)))
dramatiq.set_broker(broker)


@dramatiq.actor(max_retries=3, min_backoff=100, max_backoff=200, store_results=True, time_limit=600_000)
def work(kind, number):
    return job.do(kind, number)


def enqueue(kind, number):
    work.send_with_options(args=(kind, number), delay=2000 if kind == "later" else None)


if __name__ == "__main__":
    _, command, *words = sys.argv
    if command == "produce":
        job.produce(enqueue, words[0], int(words[1]), int(words[2]))
    if command == "results":
        sent = [work.send("plain", number) for number in range(int(words[0]), int(words[1]))]
        for message in sent:
            print("result", message.get_result(block=True, timeout=30_000), flush=True)
