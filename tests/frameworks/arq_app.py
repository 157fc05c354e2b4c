"""arq: jobs, results, retries, schedules and aborted jobs, with a worker in the same process. arq_app.py checks."""

import asyncio
import sys
import time

import job
from arq import Retry, create_pool
from arq.connections import RedisSettings
from arq.worker import Worker

SETTINGS = RedisSettings.from_dsn(job.URL)
WAIT = {"timeout": 30, "poll_delay": 0.02}


async def double(_, number):
    return 2 * number


async def flaky(ctx):
    if ctx["job_try"] < 3:
        raise Retry(defer=0.05)
    return ctx["job_try"]


async def fails(_):
    raise ValueError("on purpose")


async def endless(_):
    await asyncio.sleep(3600)


async def does_jobs(pool):
    jobs = [await pool.enqueue_job("double", number) for number in range(200)]
    results = await asyncio.gather(*(each.result(**WAIT) for each in jobs))
    assert results == [2 * number for number in range(200)], results
    assert await (await pool.enqueue_job("flaky")).result(**WAIT) == 3
    failed = await pool.enqueue_job("fails")
    try:
        raise AssertionError(await failed.result(**WAIT))
    except ValueError as error:
        assert str(error) == "on purpose"


async def knows_jobs_by_their_ids(pool):
    first = await pool.enqueue_job("double", 1, _job_id="one", _defer_by=0.3)
    assert await pool.enqueue_job("double", 2, _job_id="one") is None
    begun = time.monotonic()
    assert await first.result(**WAIT) == 2
    assert time.monotonic() - begun > 0.2
    assert (await first.info()).result == 2
    assert len(await pool.all_job_results()) > 200


async def aborts_jobs(pool):
    running = await pool.enqueue_job("endless")
    while await running.status() != "in_progress":
        await asyncio.sleep(0.02)
    assert await running.abort(timeout=20, poll_delay=0.02)


async def main():
    pool = await create_pool(SETTINGS)
    worker = Worker(
        functions=[double, flaky, fails, endless],
        redis_settings=SETTINGS,
        poll_delay=0.02,
        allow_abort_jobs=True,
        handle_signals=False,
    )
    working = asyncio.create_task(worker.async_run())
    await does_jobs(pool)
    await knows_jobs_by_their_ids(pool)
    await aborts_jobs(pool)
    working.cancel()
    print("fine")


_, command = sys.argv
if command == "checks":
    asyncio.run(asyncio.wait_for(main(), 50))
