"""Celery: celery_app.py produce KIND FIRST LAST, and as the module of `celery worker`."""

import sys

import job
from celery import Celery
from celery.exceptions import MaxRetriesExceededError

app = Celery("jobs", broker=job.URL, backend=job.URL)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    # What a dead worker had comes back when it was not acknowledged for four seconds; that is looked for each second.
    broker_transport_options={
        "visibility_timeout": 4,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    },
    task_publish_retry=False,
    worker_hijack_root_logger=False,
)


@app.task(name="work", bind=True, max_retries=3)
def work(self, kind, number):
    try:
        return job.do(kind, number)
    except RuntimeError as error:
        raise self.retry(exc=error, countdown=0.1) from MaxRetriesExceededError()


def enqueue(kind, number):
    work.apply_async((kind, number), countdown=2 if kind == "later" else None)


if __name__ == "__main__":
    _, command, *words = sys.argv
    if command == "produce":
        job.produce(enqueue, words[0], int(words[1]), int(words[2]))
    if command == "results":
        sent = [work.delay("plain", number) for number in range(int(words[0]), int(words[1]))]
        for result in sent:
            print("result", result.get(timeout=30), flush=True)
