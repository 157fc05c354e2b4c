"""Takes the messages of the queue for ever, one at a time, and prints them."""

import sys

import redis

client = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
while True:
    _queue, message = client.blpop("message_queue", timeout=0)
    print(message, flush=True)
