"""Huey: huey_producer.py produce KIND FIRST LAST | results FIRST LAST."""

import sys

import huey_app
import job

_, command, *words = sys.argv
if command == "produce":
    job.produce(huey_app.enqueue, words[0], int(words[1]), int(words[2]))
if command == "results":
    sent = [huey_app.enqueue("plain", number) for number in range(int(words[0]), int(words[1]))]
    for result in sent:
        print("result", result.get(blocking=True, timeout=30), flush=True)
