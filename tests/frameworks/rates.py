"""How many jobs a second frameworks do, beside redis-server: rates.py --server PROGRAM --libraries DIRECTORY.

Jobs are enqueued, then a worker does them. The servers take turns; the medians are printed, with their ratio. Run it on a
machine that does nothing else: tests/frameworks/run fetches the libraries."""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from drive import Bench
from frameworks import FRAMEWORKS
from server import wait_until

# As many jobs as take some seconds.
JOBS = {"Celery": 4_000, "RQ": 400, "BullMQ": 10_000, "Sidekiq": 10_000}
ROUNDS = 5


def jobs_per_second(framework, program, libraries, jobs):
    with tempfile.TemporaryDirectory(prefix="rates-", ignore_cleanup_errors=True) as directory:
        bench = Bench(program, framework, directory, libraries)
        try:
            bench.server.start()
            bench.produce("plain", 0, jobs)
            bench.start_worker()
            wait_until("all jobs are done", lambda: len(bench.done()) == jobs, 120, 0.1)
            times = sorted(at for _, at in bench.ledger_of("done"))
        finally:
            bench.close()
    # Without the first ones, while processes start.
    skipped = jobs // 10
    return (jobs - 1 - skipped) / (times[-1] - times[skipped])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--libraries", required=True, type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    for framework in FRAMEWORKS:
        if framework.name not in JOBS:
            continue
        rates = {options.server: [], "redis-server": []}
        for _ in range(options.rounds):
            for program, own in rates.items():
                rate = jobs_per_second(framework, program, options.libraries, JOBS[framework.name])
                own.append(rate)
        ours, theirs = (statistics.median(own) for own in rates.values())
        print(f"{framework.name}: {ours:.0f} jobs a second, redis-server {theirs:.0f} ({ours / theirs:.2f})", flush=True)


if __name__ == "__main__":
    sys.exit(main())
