"""Job frameworks against a broker: drive.py --server PROGRAM [--jobs N]. Each check has a broker of its own.

A job writes to a ledger, which no broker can lose; the producers say which jobs were acknowledged."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import policies
from frameworks import FRAMEWORKS, HERE, SYSTEMS, Framework
from server import Server, wait_until

JOBS = 1_000
# Enough for the slowest, which looks for lost jobs only every ten seconds.
PATIENCE_S = 60
# After so long, a job that a worker had noted as its own has come back.
RETURN_S = 20


class Bench:
    """A broker, a ledger, and the processes of one framework."""

    def __init__(self, program, framework, directory, libraries):
        self.framework = framework
        self.directory = Path(directory)
        self.ledger = self.directory / "ledger"
        self.ledger.touch()
        self.libraries = libraries
        self.server = Server([program, "--save", ""], self.directory / "broker", keeps_port=True)
        self.workers = []
        self.others = []

    def environment(self):
        return {
            **os.environ,
            "BROKER_PORT": str(self.server.port),
            "LEDGER": str(self.ledger),
            "PYTHONPATH": str(HERE),
            "PYTHONUNBUFFERED": "1",
            "NODE_PATH": str(self.libraries / "node" / "node_modules"),
        }

    def spawn(self, command, output):
        # Node looks for libraries beside the program, so that is where its programs are.
        is_node = command[0] == "node"
        own = self.libraries / command[0]
        return subprocess.Popen(
            [str(own), *command[1:]] if own.is_file() else command,
            cwd=self.libraries / "node" if is_node else HERE,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def start_worker(self):
        log = (self.directory / f"worker-{len(self.workers)}").open("w")
        self.workers.append(self.spawn(self.framework.worker, log))
        return self.workers[-1]

    def keep_working(self):
        """Starts a worker that has ended, as a supervisor would."""
        if self.workers[-1].poll() is not None:
            self.start_worker()

    def begin(self, *words):
        log = self.directory / f"producer-{len(self.others)}"
        process = self.spawn([*self.framework.program, *map(str, words)], log.open("w"))
        self.others.append(process)
        return process, log

    def produce(self, kind, first, last):
        process, log = self.begin("produce", kind, first, last)
        status = process.wait(PATIENCE_S)
        said = log.read_text()
        assert status == 0, f"the producer ends with {status}: {said[-2000:]}"
        assert said.count("ok ") == last - first, said[-2000:]

    def ledger_of(self, word):
        lines = [line.split() for line in self.ledger.read_text().splitlines()]
        return [(int(number), float(at)) for own, number, at in lines if own == word]

    def done(self):
        return Counter(number for number, _ in self.ledger_of("done"))

    def wait_for(self, numbers, patience_s=PATIENCE_S):
        def is_complete():
            self.keep_working()
            return self.done().keys() >= numbers

        try:
            wait_until("the jobs are done", is_complete, patience_s, 0.02)
        except AssertionError as error:
            missing = sorted(numbers - self.done().keys())
            raise AssertionError(f"{len(missing)} jobs are missing: {missing[:20]}\n{self.said()}") from error

    def said(self):
        """What the processes have said last."""
        logs = sorted(self.directory.glob("worker-*")) + sorted(self.directory.glob("producer-*"))
        lines = {log.name: log.read_text(errors="replace").splitlines() for log in logs}
        said = {name: [line for line in own if not line.startswith("ok ")] for name, own in lines.items()}
        return "\n".join(f"{name}: " + "\n".join(own[-20:]) for name, own in said.items() if own)

    def close(self):
        for process in [*self.workers, *self.others]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.server.kill()


def does_a_thousand_jobs(bench):
    bench.start_worker()
    bench.produce("plain", 0, JOBS)
    bench.wait_for(set(range(JOBS)))
    twice = [number for number, count in bench.done().items() if count > 1]
    assert not twice, f"done twice: {twice[:20]}"


def gives_back_results(bench):
    bench.start_worker()
    process, log = bench.begin("results", 0, 20)
    assert process.wait(PATIENCE_S) == 0, log.read_text()[-2000:]
    results = [line.split()[1] for line in log.read_text().splitlines() if line.startswith("result ")]
    assert results == [str(2 * number) for number in range(20)], results


def tries_again_what_failed(bench):
    bench.start_worker()
    bench.produce("flaky", 0, 5)
    bench.wait_for(set(range(5)))


def does_jobs_at_their_time(bench):
    bench.start_worker()
    begun = time.time()
    bench.produce("later", 0, 5)
    bench.wait_for(set(range(5)))
    early = [at - begun for _, at in bench.ledger_of("done") if at - begun < 1.0]
    assert not early, f"done after {early} seconds"


def outlives_a_killed_worker(bench):
    worker = bench.start_worker()
    bench.produce("slow", 0, 1)
    wait_until("the job has begun", lambda: bench.ledger_of("begun"), PATIENCE_S, 0.02)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    bench.produce("plain", 1, 100)
    bench.wait_for(set(range(1, 100)))
    if bench.framework.returns_jobs:
        bench.wait_for(set(range(100)))


def loses_nothing_when_the_broker_is_killed(bench):
    bench.start_worker()
    process, log = bench.begin("produce", "plain", 0, JOBS)
    is_halfway = lambda: log.read_text().count("ok ") >= JOBS // 3 and len(bench.done()) >= JOBS // 10
    wait_until("a part is done", is_halfway, PATIENCE_S, 0.005)
    bench.server.kill()
    bench.server.start()
    assert process.wait(PATIENCE_S) == 0, log.read_text()[-2000:]
    words = [line.split() for line in log.read_text().splitlines()]
    acknowledged = {int(line[1]) for line in words if line and line[0] == "ok"}
    assert acknowledged == set(range(JOBS)), f"{len(acknowledged)} were acknowledged"
    if bench.framework.in_hand == 0:
        return bench.wait_for(acknowledged)
    # A last job goes through the queue behind all others.
    bench.produce("plain", JOBS, JOBS + 1)
    bench.wait_for({JOBS})
    with contextlib.suppress(AssertionError):
        bench.wait_for(acknowledged, RETURN_S if bench.framework.returns_jobs else 5)
    missing = acknowledged - bench.done().keys()
    assert len(missing) <= bench.framework.in_hand, f"missing: {sorted(missing)}\n{bench.said()}"


def works(bench):
    process, log = bench.begin()
    assert process.wait(PATIENCE_S) == 0 and log.read_text().endswith("fine\n"), log.read_text()[-2000:]


CHECKS = [
    does_a_thousand_jobs,
    gives_back_results,
    tries_again_what_failed,
    does_jobs_at_their_time,
    outlives_a_killed_worker,
    loses_nothing_when_the_broker_is_killed,
]


def name_of(framework, check):
    return f"{framework.name}: {check.__name__.replace('_', ' ')}"


def run_check(program, libraries, framework, check):
    name = name_of(framework, check)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="frameworks-", ignore_cleanup_errors=True) as directory:
        bench = Bench(program, framework, directory, libraries)
        try:
            bench.server.start()
            check(bench)
            result = f"ok {name}"
        except Exception:
            result = f"FAILED {name}\n" + textwrap.indent(traceback.format_exc() + bench.said(), "    ")
        finally:
            bench.close()
    if os.environ.get("TIMES"):
        result += f"\n    {time.monotonic() - begun:.1f} s"
    print(result, flush=True)
    return result.startswith("ok")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--libraries", required=True, type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    only = os.environ.get("ONLY", "")
    wanted = [
        (framework, check)
        for framework in FRAMEWORKS
        for check in CHECKS
        if framework.has_results or check is not gives_back_results
    ]
    wanted += [(Framework(name, program, []), works) for name, program in SYSTEMS.items()]
    if Path(options.server).name != "redis-server":
        by_name = {framework.name: framework for framework in FRAMEWORKS}
        wanted += [(by_name[name], check) for name, checks in policies.CHECKS.items() for check in checks]
    with ThreadPoolExecutor(options.jobs) as pool:
        results = [
            pool.submit(run_check, options.server, options.libraries, framework, check)
            for framework, check in wanted
            if only in name_of(framework, check)
        ]
    return 0 if all(result.result() for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
