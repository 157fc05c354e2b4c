"""A system of three with Netty and Jedis: lines of text over TCP go to a queue, from which a second
service returns them in order; none is lost."""

import socket
from contextlib import contextmanager

import redis

from check import PORT, run, wait_until
from systems import start

COUNT = 1000
MESSAGES = [f"message {number} grün" for number in range(COUNT)]


class Lines:
    """A client of a service that uses lines of text."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.file = self.socket.makefile("rw", encoding="utf-8", newline="\n")

    def ask(self, line):
        self.file.write(f"{line}\n")
        self.file.flush()
        return self.file.readline().removesuffix("\n")


@contextmanager
def service(name):
    """A running service, as its port."""
    with start(name) as process:
        yield int(process.stdout.readline())


def produce(service_port):
    return start("NettyQueueProducer.java", COUNT, port=service_port)


def a_thousand_lines_are_queued_then_popped_in_order():
    with service("NettyQueueService.java") as queue, service("NettyQueueConsumer.java") as consumer:
        with produce(queue) as producer:
            assert producer.wait(timeout=20) == 0
        assert redis.Redis(port=PORT).llen("message_queue") == COUNT
        client = Lines(consumer)
        assert [client.ask("pop") for _ in MESSAGES] == MESSAGES
        assert client.ask("pop") == ""
        assert client.ask("push") == "expected pop, got push"


def popped_while_they_are_produced():
    with service("NettyQueueService.java") as queue, service("NettyQueueConsumer.java") as consumer:
        client = Lines(consumer)
        with produce(queue) as producer:
            pop = lambda: client.ask("pop")
            popped = [wait_until("another message", pop) for _ in MESSAGES]
            assert producer.wait(timeout=20) == 0
        assert popped == MESSAGES
        assert client.ask("pop") == ""


run(
    "Netty queue",
    [a_thousand_lines_are_queued_then_popped_in_order, popped_while_they_are_produced],
)
