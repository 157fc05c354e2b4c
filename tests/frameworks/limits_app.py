"""Rate limiters and locks: limits, pyrate-limiter, and the locks of redis-py. limits_app.py checks."""

import sys
import threading
import time

import job
import limits
import redis
from pyrate_limiter import Duration, Limiter, Rate, RedisBucket
from redis.exceptions import LockNotOwnedError


def windows():
    storage = limits.storage.storage_from_string(job.URL)
    for strategy in (
        limits.strategies.FixedWindowRateLimiter,
        limits.strategies.MovingWindowRateLimiter,
        limits.strategies.SlidingWindowCounterRateLimiter,
    ):
        limiter = strategy(storage)
        rate = limits.parse("5/hour")
        allowed = [limiter.hit(rate, strategy.__name__) for _ in range(8)]
        assert allowed == [True] * 5 + [False] * 3, (strategy, allowed)
        assert limiter.get_window_stats(rate, strategy.__name__).remaining == 0
        limiter.clear(rate, strategy.__name__)
        assert limiter.test(rate, strategy.__name__)


def buckets():
    client = redis.Redis.from_url(job.URL)
    bucket = RedisBucket.init([Rate(5, Duration.HOUR)], client, "bucket")
    limiter = Limiter(bucket)
    assert [limiter.try_acquire("name", blocking=False) for _ in range(7)] == [True] * 5 + [False] * 2


def locks():
    client = redis.Redis.from_url(job.URL)
    inside, most = [], []

    def work():
        for _ in range(20):
            with client.lock("lock", timeout=10, blocking_timeout=30, sleep=0.001):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 100, most
    lost = client.lock("short", timeout=0.05)
    assert lost.acquire()
    assert lost.extend(0.05)
    while client.exists("short"):
        time.sleep(0.01)
    try:
        raise AssertionError(lost.release())
    except LockNotOwnedError:
        pass


_, command = sys.argv
if command == "checks":
    windows()
    buckets()
    locks()
    print("fine")
