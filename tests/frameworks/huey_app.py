"""Huey: the module of its consumer. Its tasks have the names of their modules, so producers import it."""

import job
from huey import PriorityRedisHuey

huey = PriorityRedisHuey("jobs", url=job.URL)


@huey.task(retries=3, retry_delay=0)
def work(kind, number):
    return job.do(kind, number)


def enqueue(kind, number):
    if kind == "later":
        return work.schedule((kind, number), delay=2)
    return work(kind, number)
