"""streaq, whose jobs are in streams with groups, and whose commands are functions in Lua. streaq_app.py checks, and as
the module of `streaq run`."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import job
from streaq import StreaqRetry, Worker

worker = Worker(redis_url=job.URL, concurrency=8)


@worker.task()
async def double(number):
    return 2 * number


@worker.task(max_tries=4)
async def flaky():
    if flaky.context.tries < 2:
        raise StreaqRetry("again", delay=1)
    return flaky.context.tries


async def does_jobs():
    async with worker:
        tasks = [await double.enqueue(number) for number in range(200)]
        results = [await task.result(30) for task in tasks]
        assert [result.result for result in results] == [2 * number for number in range(200)], results
        assert (await (await flaky.enqueue()).result(30)).result == 2
        begun = time.monotonic()
        later = double.enqueue(21).start(delay=1)
        assert (await (await later).result(30)).result == 42
        assert time.monotonic() - begun > 0.9


def main():
    program = Path(sys.executable).parent / "streaq"
    working = subprocess.Popen([program, "run", "streaq_app:worker"], stdout=sys.stderr)
    try:
        asyncio.run(asyncio.wait_for(does_jobs(), 40))
    finally:
        working.kill()
        working.wait()
    print("fine")


if __name__ == "__main__":
    main()
