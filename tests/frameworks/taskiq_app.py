"""taskiq with its brokers for lists and for streams, each with a worker of its own. taskiq_app.py checks, and as the
module of `taskiq worker`."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import job
from taskiq import SimpleRetryMiddleware
from taskiq_redis import (
    ListQueueBroker,
    ListRedisScheduleSource,
    RedisAsyncResultBackend,
    RedisStreamBroker,
)

KINDS = {"list": ListQueueBroker, "stream": RedisStreamBroker}


def broker_of(kind):
    results = RedisAsyncResultBackend(job.URL, result_ex_time=600)
    made = KINDS[kind](job.URL, queue_name=f"taskiq-{kind}")
    made = made.with_result_backend(results).with_middlewares(SimpleRetryMiddleware(default_retry_count=4))
    tries = []

    @made.task(task_name="double")
    async def double(number):
        return 2 * number

    @made.task(task_name="flaky", retry_on_error=True)
    async def flaky():
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("on purpose")
        return len(tries)

    return made, double, flaky


broker, _, _ = broker_of(os.environ.get("KIND", "list"))


async def does_jobs(kind):
    producer, double, flaky = broker_of(kind)
    await producer.startup()
    sent = [await double.kiq(number) for number in range(200)]
    for number, task in enumerate(sent):
        result = await task.wait_result(check_interval=0.02, timeout=30)
        assert result.return_value == 2 * number, result
    result = await (await flaky.kiq()).wait_result(check_interval=0.02, timeout=30)
    assert result.return_value == 3, result
    source = ListRedisScheduleSource(job.URL, prefix=f"schedules-{kind}")
    await source.startup()
    at = datetime.now(timezone.utc) + timedelta(seconds=30)
    planned = await double.schedule_by_time(source, at, 21)
    assert [schedule.schedule_id for schedule in await source.get_schedules()] in ([], [planned.schedule_id])
    await source.delete_schedule(planned.schedule_id)
    await source.shutdown()
    await producer.shutdown()


def main():
    for kind in KINDS:
        program = Path(sys.executable).parent / "taskiq"
        worker = subprocess.Popen(
            [program, "worker", "--workers", "1", "--log-level", "ERROR", "taskiq_app:broker"],
            env={**os.environ, "KIND": kind},
            start_new_session=True,
        )
        try:
            asyncio.run(asyncio.wait_for(does_jobs(kind), 40))
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
    print("fine")


if __name__ == "__main__":
    main()
