"""Queue policies on the queues of job frameworks, which know nothing of them. What redis-server does not have."""

from server import wait_until

PATIENCE_S = 30


def policy(bench, name, pattern, *options):
    reply = bench.server.client().execute_command("QUEUE", "POLICY", "SET", name, pattern, *options)
    assert reply in (True, b"OK", "OK"), reply


def said(log, text):
    wait_until(f"the producer says {text}", lambda: text in log.read_text(), PATIENCE_S, 0.02)


def celery_producers_are_refused_when_the_queue_is_full(bench):
    """The burst of a flash sale is cut: the producer gets an error and decides what to do."""
    policy(bench, "limit", "celery", "max-length", 50, "overflow", "reject")
    process, log = bench.begin("produce", "plain", 0, 60)
    said(log, "again 50")
    assert "QUEUEFULL" in log.read_text(), log.read_text()[-500:]
    assert bench.server.client().llen("celery") == 50
    bench.start_worker()
    bench.wait_for(set(range(60)))
    assert process.wait(PATIENCE_S) == 0


def celery_producers_wait_while_the_queue_is_full(bench):
    """Producers are slowed down to what the workers can bear, and notice nothing."""
    policy(bench, "limit", "celery", "max-length", 50, "overflow", "block", "block-timeout-ms", 60_000)
    process, log = bench.begin("produce", "plain", 0, 60)
    said(log, "ok 49")
    client = bench.server.client()
    wait_until("a producer waits", lambda: client.info("clients")["blocked_clients"] == 1, PATIENCE_S)
    assert client.llen("celery") == 50
    bench.start_worker()
    bench.wait_for(set(range(60)))
    assert process.wait(PATIENCE_S) == 0
    assert "again" not in log.read_text(), log.read_text()[-500:]


def celery_jobs_that_nobody_does_in_time_become_dead_letters(bench):
    policy(bench, "late", "celery", "message-ttl-ms", 300, "dead-letter", "celery-late")
    bench.produce("plain", 0, 10)
    client = bench.server.client()
    wait_until("they are late", lambda: client.llen("celery-late") == 10, PATIENCE_S)
    assert client.llen("celery") == 0
    # Somebody looks at them, and decides that they are to be done after all.
    client.execute_command("QUEUE", "POLICY", "DEL", "late")
    moved = client.execute_command("QUEUE", "MOVE", "celery-late", "celery", "COUNT", 10)
    assert moved == 10, moved
    bench.start_worker()
    bench.wait_for(set(range(10)))


def sidekiq_jobs_are_limited_in_rate(bench):
    """Whatever its workers could do: five jobs at once, and five more in each half second."""
    policy(bench, "slow", "queue:jobs", "rate", 5, "rate-per-ms", 500)
    bench.start_worker()
    bench.produce("plain", 0, 20)
    bench.wait_for(set(range(20)))
    times = sorted(at for _, at in bench.ledger_of("done"))
    # Fifteen of twenty had to wait for a token.
    assert times[-1] - times[0] > 1.2, times


def rq_jobs_are_limited_by_refusal(bench):
    """RQ keeps a job beside its queue, and pushes in a transaction: a refused push leaves the job's hash, which
    expires."""
    policy(bench, "limit", "rq:queue:jobs", "max-length", 5, "overflow", "reject")
    _, log = bench.begin("produce", "plain", 0, 10)
    said(log, "again 5")
    assert bench.server.client().llen("rq:queue:jobs") == 5
    bench.start_worker()
    bench.wait_for(set(range(10)))


def bullmq_must_not_lose_ids(bench):
    """What not to do: the list has only the ids of jobs. An id that is dropped leaves a job that nobody does."""
    policy(bench, "bad", "bull:jobs:wait", "max-length", 5, "overflow", "drop-head")
    bench.produce("plain", 0, 10)
    bench.start_worker()
    client = bench.server.client()
    wait_until("the rest is done", lambda: len(bench.done()) == 5, PATIENCE_S)
    wait_until("the list is empty", lambda: client.llen("bull:jobs:wait") == 0, PATIENCE_S)
    left = [key for key in client.scan_iter("bull:jobs:*") if key.rsplit(b":", 1)[-1].isdigit()]
    assert len(left) == 5, left


CHECKS = {
    "Celery": [
        celery_producers_are_refused_when_the_queue_is_full,
        celery_producers_wait_while_the_queue_is_full,
        celery_jobs_that_nobody_does_in_time_become_dead_letters,
    ],
    "Sidekiq": [sidekiq_jobs_are_limited_in_rate],
    "RQ": [rq_jobs_are_limited_by_refusal],
    "BullMQ": [bullmq_must_not_lose_ids],
}
