"""The job frameworks: how each is started, and what it promises."""

import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Framework:
    name: str
    # Followed by `produce KIND FIRST LAST` or `results FIRST LAST`.
    program: list
    worker: list
    has_results: bool = True
    # Whether a job comes back when its worker is killed.
    returns_jobs: bool = True
    # Jobs that a worker can have taken off the queue without having noted them elsewhere: so many are lost
    # with the connection, on any server.
    in_hand: int = 0


def python(name, script, worker, **rest):
    return Framework(name, [sys.executable, script], [str(BIN / worker[0]), *worker[1:]], **rest)


def node(name, **rest):
    script = f"{name.lower()}.mjs"
    return Framework(name, ["node", script], ["node", script, "work"], **rest)


FRAMEWORKS = [
    python(
        "Celery",
        "celery_app.py",
        ["celery", "-A", "celery_app", "worker", "--concurrency", "2", "--loglevel", "ERROR"]
        + ["--without-gossip", "--without-mingle"],
        # It pops a job, and notes it as unacknowledged with its next request.
        in_hand=1,
    ),
    # A job whose worker was killed comes back when its heartbeat is a minute old.
    python("RQ", "rq_app.py", ["python", "rq_app.py", "work"], returns_jobs=False, in_hand=1),
    python(
        "Dramatiq",
        "dramatiq_app.py",
        ["dramatiq", "dramatiq_app", "--processes", "1", "--threads", "4", "--skip-logging"],
    ),
    python(
        "Huey",
        "huey_producer.py",
        ["huey_consumer", "huey_app.huey", "--workers", "4", "--quiet", "--scheduler-interval", "1"],
        returns_jobs=False,
        in_hand=4,
    ),
    node("BullMQ"),
    node("Bull"),
    Framework(
        "Sidekiq",
        ["ruby", "sidekiq_app.rb"],
        ["sidekiq", "-r", "./sidekiq_app.rb", "-q", "jobs", "-c", "4"],
        has_results=False,
        returns_jobs=False,
        in_hand=4,
    ),
    # Its worker ends when it loses the connection, and is started again.
    Framework("Laravel", ["php", "laravel.php"], ["php", "laravel.php", "work"], has_results=False),
]

# Programs that run a whole system by themselves: they say `fine` when all they do works.
SYSTEMS = {
    "arq": ["arq/bin/python", "arq_app.py", "checks"],
    "taskiq": [sys.executable, "taskiq_app.py", "checks"],
    "streaq": [sys.executable, "streaq_app.py", "checks"],
    "bee-queue": ["node", "bee.mjs", "checks"],
    "node-resque": ["node", "resque.mjs", "checks"],
    "Channels": [sys.executable, "channels_app.py", "checks"],
    "socket.io": ["node", "socketio.mjs", "checks"],
    "limits, pyrate-limiter, locks of redis-py": [sys.executable, "limits_app.py", "checks"],
    "rate-limiter-flexible, redlock": ["node", "limiters.mjs", "checks"],
}
