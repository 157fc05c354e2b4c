"""An observer: prints `ready`, then each change, until COUNT subjects have ended."""

import sys

import redis

port, still_to_end = int(sys.argv[1]), int(sys.argv[2])
subscriber = redis.Redis(port=port, decode_responses=True).pubsub()
subscriber.subscribe("changes")
for event in subscriber.listen():
    if event["type"] == "subscribe":
        print("ready", flush=True)
        continue
    print(event["data"], flush=True)
    still_to_end -= event["data"].endswith(" end")
    if still_to_end == 0:
        break
