"""A system of three: HTTP posts go to a queue, and a consumer takes them in order; none is lost."""

import redis
import requests

from check import PORT, run
from systems import start

MESSAGES = [f"message {number}" for number in range(1000)]


def a_thousand_messages_arrive_in_order():
    with start("queue_consumer.py") as consumer, start("queue_service.py") as service:
        address = f"http://127.0.0.1:{int(service.stdout.readline())}/queue"
        with requests.Session() as session:
            for message in MESSAGES:
                assert session.post(address, data=message, timeout=30).status_code == 202
        consumed = [consumer.stdout.readline().rstrip("\n") for _ in MESSAGES]
    assert consumed == MESSAGES
    assert redis.Redis(port=PORT).llen("message_queue") == 0


run("HTTP queue", [a_thousand_messages_arrive_in_order])
