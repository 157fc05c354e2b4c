"""A subject that tells its observers of each change: publisher PORT NAME COUNT."""

import sys

import redis

port, name, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
client = redis.Redis(port=port)
for number in range(count):
    client.publish("changes", f"{name} {number}")
client.publish("changes", f"{name} end")
