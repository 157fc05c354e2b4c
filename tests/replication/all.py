"""Runs all checks, several at the same time, each with nodes of its own:

    all.py --server BINARY [--seed N]

LONG=1 is the long form, ONLY=text runs the checks whose name contains the text, JOBS=1 one at a time.
"""

import argparse
import os
import random
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import chain
import clients
import encryption
import expiry
import failover
import full_sync
import links
import migrate
import migration
import policies
import proxies
import restarts
import roles
import stream
import unsupported
from nodes import Program
from report import Report, note
from suite import ROOT, Programs, run

# Those first that wait the longest, so that none of them is alone at the end.
SUBJECTS = [
    *[failover, clients, links, encryption, migration, restarts, roles, full_sync, proxies, chain],
    *[stream, expiry, unsupported, migrate, policies],
]
# A check waits most of its time: for Sentinels, for timeouts, for a process that starts.
JOBS = int(os.environ.get("JOBS", "8"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default=str(ROOT / "target/release/tidegate"))
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)))
    options = parser.parse_args()
    judge_8 = os.environ.get("TIDEGATE_REDIS_8", str(ROOT / "target/redis_8/redis-server"))
    valkey = os.environ.get("TIDEGATE_VALKEY", str(ROOT / "target/valkey/valkey-server"))
    wanted = [options.server, "redis-server", judge_8, valkey]
    report = Report()
    missing = [path for path in wanted if not shutil.which(path)]
    for path in missing:
        report.fail(f"{path} is missing")
    if not missing:
        programs = Programs(*[Program.at(os.path.abspath(shutil.which(path))) for path in wanted])
        note(f"seed {options.seed}")
        with ThreadPoolExecutor(JOBS) as threads:
            chosen = list(chosen_checks(programs, os.environ.get("ONLY", "")))
            results = [(name, threads.submit(run, check, options.seed)) for name, check in chosen]
            for name, result in results:
                report.check(name, result.result)
    status = report.end()
    sys.stdout.flush()
    # Not held up by a thread of a failed check that still waits for a server.
    os._exit(status)


def chosen_checks(programs, text):
    for subject in SUBJECTS:
        for check in subject.checks(programs):
            name = f"{subject.__name__.replace('_', ' ')}: {check.name}"
            if text in name:
                yield name, check


main()
