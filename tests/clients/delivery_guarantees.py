"""The programs in docs/delivery-guarantees.md, exactly as printed except for the port."""

import os
import sys
from pathlib import Path

import redis
from check import PORT, run
from documents import blocks, printed, program

PAGE = "docs/delivery-guarantees.md"
LIBRARIES = Path(os.environ["LIBRARIES"])


def python(policy, port_free="redis.Redis("):
    source = program(PAGE, "python", f"POLICY SET {policy} ", port_free, f"{port_free}port={PORT}, ")
    assert len(source.splitlines()) <= 12, "it is short"
    return printed(sys.executable, "-", source=source)


def a_connection_for_each_worker():
    assert python("each") == "to Ann\nto Bob\n"


def a_pool():
    assert python("pool") == "0 ready, 0 in flight\n"
    assert totals("photos") == (100, 100)


def asyncio():
    assert python("tasks", "redis.asyncio.Redis(") == "0 ready\n"
    assert totals("mails") == (100, 100)


def a_multiplexed_client():
    source = program(PAGE, "js", '"many"', "new Redis()", f"new Redis({PORT})")
    file = LIBRARIES / "node" / "delivery_guarantees.mjs"
    file.write_text(source)
    assert printed("node", str(file)) == "0 ready\n"
    assert totals("orders") == (100, 100)


def prefetch():
    assert python("batch") == "10 done\n10 done\n5 done\n"


def processes_that_fork():
    assert python("fork") == "January status 0\nFebruary status 0\n"


def cron_and_redis_cli():
    source = program(PAGE, "bash", "SET cron", "redis-cli ", f"redis-cli -p {PORT} ")
    assert printed("bash", "-c", source) == "OK\n2\nbackup of monday\n1\nbackup of tuesday\n1\n"


def a_long_job():
    assert python("long") == "1 film done\n"
    assert totals("films") == (1, 1)


def strict_order():
    assert python("order") == "open and then None\nclose\n"


def retries_that_rest():
    assert python("rest") == "try 1 1\ntry 2 1\ntry 3 1\n[b'of Bob']\n"


def every_program_is_run():
    assert [len(blocks(PAGE, language)) for language in ("python", "js", "bash")] == [8, 1, 1]


def totals(key):
    """How many messages were delivered, and how many acknowledged."""
    info = server.execute_command("QUEUE", "INFO", key)
    return info["delivered"], info["acknowledged"]


server = redis.Redis(port=PORT, protocol=3, decode_responses=True)
run(
    "delivery guarantees",
    [
        a_connection_for_each_worker,
        a_pool,
        asyncio,
        a_multiplexed_client,
        prefetch,
        processes_that_fork,
        cron_and_redis_cli,
        a_long_job,
        strict_order,
        retries_that_rest,
        every_program_is_run,
    ],
    timeout_s=100,
)
