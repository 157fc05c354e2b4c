"""RQ: rq_app.py produce KIND FIRST LAST | results FIRST LAST | work."""

import sys
import time
from datetime import timedelta

import job
import rq_job
from redis import Redis
from rq import Queue, Retry, SimpleWorker

connection = Redis.from_url(job.URL)
queue = Queue("jobs", connection=connection)


def enqueue(kind, number):
    if kind == "later":
        return queue.enqueue_in(timedelta(seconds=2), rq_job.do, kind, number)
    return queue.enqueue(rq_job.do, kind, number, retry=Retry(max=3))


_, command, *words = sys.argv
if command == "produce":
    job.produce(enqueue, words[0], int(words[1]), int(words[2]))
elif command == "results":
    sent = [enqueue("plain", number) for number in range(int(words[0]), int(words[1]))]
    for one in sent:
        while (result := one.latest_result()) is None:
            time.sleep(0.01)
        print("result", result.return_value, flush=True)
else:
    SimpleWorker([queue], connection=connection).work(with_scheduler=True, logging_level="WARNING")
