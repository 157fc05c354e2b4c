"""The programs in README and docs/recipes.md, exactly as printed except for the port."""

import os
import sys
from pathlib import Path

import redis
from check import PORT, note, run
from documents import blocks, printed, program

README = "README.md"
PAGE = "docs/recipes.md"
LIBRARIES = Path(os.environ["LIBRARIES"])


def python():
    source = program(README, "python", "# producer", "redis.Redis()", f"redis.Redis(port={PORT})")
    assert printed(sys.executable, "-", source=source) == "b'resize photo 17'\n"
    assert len(blocks(README, "python")) == 1, "each has a check"
    assert len(blocks(PAGE, "python")) == len(RECIPES), "each has a check"


def node():
    source = program(PAGE, "js", "ioredis", "new Redis()", f"new Redis({PORT})")
    file = LIBRARIES / "node" / "readme.mjs"
    file.write_text(source)
    assert printed("node", str(file)) == "resize photo 17\n"


def rust():
    address = "redis://127.0.0.1"
    source = program(PAGE, "rust", "redis::Commands", f"{address}/", f"{address}:{PORT}/")
    file = LIBRARIES / "rust" / "examples" / "readme.rs"
    file.parent.mkdir(exist_ok=True)
    file.write_text(source)
    manifest = LIBRARIES / "rust" / "Cargo.toml"
    target = LIBRARIES / "rust" / "target"
    command = ["cargo", "run", "--quiet", "--manifest-path", str(manifest)]
    command += ["--target-dir", str(target), "--example", "readme"]
    assert printed(*command) == "resize photo 17\n"


def recipe(policy):
    """The output of the recipe that sets the policy."""
    source = program(PAGE, "python", f"POLICY SET {policy} ", "redis.Redis(", f"redis.Redis(port={PORT}, ")
    assert len(source.splitlines()) <= 10, "the page promises ten lines"
    return printed(sys.executable, "-", source=source)


def a_worker_that_may_die():
    assert recipe("safe") == "b'photo 17'\nb'photo 18'\n"
    totals = info("jobs")
    assert (totals["redelivered"], totals["acknowledged"]) == (1, 2), totals


def workers_with_a_pool():
    assert recipe("pooled") == "[] in flight\n"
    totals = info("tasks")
    assert (totals["delivered"], totals["acknowledged"], totals["length"]) == (100, 100, 0), totals


def a_bounded_queue():
    assert recipe("bounded") == (
        "tea is number 1\nsalt is number 2\nrice has to come again later\n"
    )
    assert server.lrange("orders", 0, -1) == ["tea", "salt"]


def a_waiting_room():
    assert recipe("patience") == "answered: b'Ann'\nmissed: (b'missed', b'Bob')\n"
    assert server.llen("calls") == 0


def retries():
    assert recipe("retries") == "failed: b'job 17'\n" * 3 + "dead: [b'job 17']\n"
    assert server.llen("dead") == 0
    # Three times more, as the page says.
    with redis.Redis(port=PORT, single_connection_client=True) as worker:
        for _ in range(3):
            assert worker.lpop("work") == b"job 17"
            assert worker.execute_command("QUEUE", "NACK", "work") == 1
    assert server.lrange("dead", 0, -1) == ["job 17"]


def retries_that_rest():
    assert recipe("patient") == "failed: b'to Ann' 1\n" * 3 + "dead: [b'to Ann']\n"


def a_flash_sale():
    lines = recipe("sale").splitlines()
    times = [float(line.split(" s: ")[0]) for line in lines]
    assert [line.split(" s: ")[1] for line in lines] == [
        f"b'customer {number}'" for number in range(40)
    ]
    # Ten at once, and then thirty at the rate; a busy machine is slower.
    assert times[9] < 0.5 and times[39] >= 0.55, times


def strict_order():
    assert recipe("ordered") == (
        "started: b'open' meanwhile, others get None\nb'open'\nb'write'\nb'close'\n"
    )
    assert info("steps")["in-flight"] == 0


def a_job_for_later():
    expected = "stored: 1\nstored: 0\nstored: 0\n(b'remind', b'pay order 17')\n"
    assert recipe("reminders") == expected


def info(key):
    return server.execute_command("QUEUE", "INFO", key)


RECIPES = [
    a_worker_that_may_die,
    workers_with_a_pool,
    a_bounded_queue,
    a_waiting_room,
    retries,
    retries_that_rest,
    a_flash_sale,
    strict_order,
    a_job_for_later,
]
server = redis.Redis(port=PORT, protocol=3, decode_responses=True)
checks = [python, node, rust]
if "tidegate_version" in server.info("server"):
    checks += RECIPES
else:
    note("not for redis: it has no queue policies, and so no recipes")
run("README and recipes", checks, timeout_s=100)
