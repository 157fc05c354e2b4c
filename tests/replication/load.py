"""Producers and consumers that go on through a failover, and what became of their messages."""

import threading
import time
from collections import Counter

import redis
import redis.sentinel

# Read by nobody until the end, so that each acknowledged message must be there.
KEPT = "kept"
WORK = "work"
ERRORS = (redis.RedisError, OSError)
NOBODY = redis.sentinel.MasterNotFoundError


class Worker:
    """A thread with a client that asks again where an error has come up, but never sends the same twice."""

    def __init__(self, name, connect):
        self.name = name
        self.connect = connect
        self.must_end = threading.Event()
        self.answered = 0
        self.errors = Counter()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        client = self.connect()
        while not self.must_end.is_set():
            try:
                self.step(client)
                self.answered += 1
            except ERRORS as error:
                self.errors[type(error).__name__] += 1
                # As a client that does not want to add to the load.
                time.sleep(0.02)
        client.close()

    def end(self):
        self.must_end.set()
        self.thread.join(timeout=30)
        assert not self.thread.is_alive(), f"{self.name} does not end"


class Producer(Worker):
    def __init__(self, name, connect, queues=(KEPT, WORK)):
        self.queues = queues
        self.sent = {queue: set() for queue in queues}
        self.acknowledged = {queue: set() for queue in queues}
        super().__init__(name, connect)

    def step(self, client):
        for queue in self.queues:
            message = f"{self.name} {len(self.sent[queue])}".encode()
            self.sent[queue].add(message)
            client.rpush(queue, message)
            self.acknowledged[queue].add(message)


class Consumer(Worker):
    def __init__(self, name, connect):
        self.received = []
        # Pops without an answer: each may have taken one message with it.
        self.unanswered = 0
        super().__init__(name, connect)

    def step(self, client):
        try:
            popped = client.blpop(WORK, timeout=1)
        except redis.ResponseError:
            raise
        except ERRORS as error:
            self.unanswered += "connecting" not in str(error) and not isinstance(error, NOBODY)
            raise
        if popped:
            self.received.append(popped[1])


class Crew:
    def __init__(self, connect, producers=3, consumers=3):
        self.producers = [Producer(f"producer-{n}", connect) for n in range(producers)]
        self.consumers = [Consumer(f"consumer-{n}", connect) for n in range(consumers)]

    def answered(self):
        return sum(worker.answered for worker in [*self.producers, *self.consumers])

    def pushed(self):
        return sum(producer.answered for producer in self.producers)

    def end(self):
        for worker in [*self.producers, *self.consumers]:
            worker.must_end.set()
        for worker in [*self.producers, *self.consumers]:
            worker.end()


class Account:
    """What the clients know, beside what is there in the end."""

    def __init__(self, producers, consumers, kept, work):
        self.sent = {queue: union(p.sent.get(queue, ()) for p in producers) for queue in (KEPT, WORK)}
        acknowledged = {
            queue: union(p.acknowledged.get(queue, ()) for p in producers) for queue in (KEPT, WORK)
        }
        received = Counter(message for consumer in consumers for message in consumer.received)
        found = {KEPT: Counter(kept), WORK: Counter(work) + received}
        self.unanswered = sum(consumer.unanswered for consumer in consumers)
        self.lost = sorted(acknowledged[KEPT] - found[KEPT].keys())
        self.lost_work = sorted(acknowledged[WORK] - found[WORK].keys())
        self.twice = sorted(m for queue in found for m, count in found[queue].items() if count > 1)
        self.invented = sorted(m for queue in found for m in found[queue].keys() - self.sent[queue])
        self.count = sum(map(len, acknowledged.values()))
        self.order = [line for queue in (kept, work) for line in disorder(queue)]

    def expect_nothing_invented(self):
        assert not self.invented, f"invented: {self.invented[:5]}"
        assert not self.order, f"out of order: {self.order[:5]}"

    def expect_nothing_lost(self):
        assert not self.lost, f"acknowledged and lost: {len(self.lost)}, {self.lost[:5]}"
        assert len(self.lost_work) <= self.unanswered, (
            f"lost {len(self.lost_work)} with {self.unanswered} unanswered pops: {self.lost_work[:5]}"
        )
        assert not self.twice, f"there twice: {self.twice[:5]}"

    def summary(self):
        return (
            f"{self.count} acknowledged pushes, {len(self.lost)} + {len(self.lost_work)} lost "
            f"({self.unanswered} pops without an answer), {len(self.twice)} delivered twice"
        )


def union(sets):
    return set().union(*sets)


def disorder(messages):
    """Messages of a producer that stand before an earlier one."""
    newest = {}
    for message in messages:
        name, number = message.rsplit(b" ", 1)
        if int(number) <= newest.get(name, -1):
            yield message
        newest[name] = max(int(number), newest.get(name, -1))
