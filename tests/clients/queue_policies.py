"""Queues under `delivery at-least-once` and dying workers: their messages in flight come next, in the old
order, and nothing else is delivered twice.

Most workers know nothing of acknowledgements. Pipes control where one dies, so that it is known which
messages it had taken and processed.
"""

import random
import signal
import time
from collections import Counter
from contextlib import ExitStack

import redis

from check import PORT, note, run, wait_until, wait_until_blocked
from policy_queue import Queue, client, pairs
from systems import start

COUNT = 1000
MIDDLE = 100  # So many a worker has taken when it dies.
SEED = random.randrange(1 << 32)
MESSAGES = [f"message-{number}" for number in range(COUNT)]


class Worker:
    """A process of `queue_worker.py`, with the messages it reported as taken and done."""

    def __init__(self, stack, how, queue, *halts):
        self.process = stack.enter_context(start("queue_worker.py", how, queue.name, *halts))
        self.replies = []
        self.done = []
        self.is_dead = False

    @property
    def taken(self):
        return [message for reply in self.replies for message in reply]

    def hear(self, line):
        word, *messages = line.split()
        if word == "taken":
            self.replies.append(messages)
        elif word == "done":
            self.done += messages
        return word

    def hear_until(self, word, count=1):
        """Reads until it has said the word this often."""
        while count > 0:
            line = self.process.stdout.readline()
            assert line, f"the worker has ended: {self.process.wait()}"
            count -= self.hear(line) == word

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def hang(self):
        self.process.send_signal(signal.SIGSTOP)

    def wake(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """kill -9; returns everything that it had said."""
        self.process.kill()
        self.end()

    def end(self):
        for line in self.process.stdout:
            # A line interrupted by the kill has no end.
            if line.endswith("\n"):
                self.hear(line)
        self.is_dead = True
        return self.process.wait()


def twice(messages):
    """The messages that occur twice. None may occur more often, or be missing."""
    counts = Counter(messages)
    assert set(counts) == set(MESSAGES), f"{len(counts)} of {COUNT} messages"
    assert max(counts.values()) <= 2, counts.most_common(3)
    return {message for message, count in counts.items() if count == 2}


def takes_over(how, halt, *options):
    """A check: a worker is killed there, and others take over."""
    is_from_right = how in ("BRPOP", "RPOP")

    def check():
        queue = Queue(*options)
        (queue.push_left if is_from_right else queue.push)(*MESSAGES)
        with ExitStack() as stack:
            victim = Worker(stack, how, queue, halt)
            victim.hear_until("halt")
            # The acknowledgement of the last message has not arrived yet.
            done = len(victim.done)
            held = max(done - 1, 0) if halt.startswith("done") else done
            lost = victim.taken[held:] if how == "ACK" else victim.replies[-1]
            assert len(victim.taken) == MIDDLE
            assert queue.messages_in_flight() == lost
            victim.kill()
            queue.wait_for(in_flight=0)
            expected = MESSAGES[MIDDLE - len(lost) :]
            assert queue.waiting() == (expected[::-1] if is_from_right else expected)

            first = Worker(stack, how, queue, f"taken:{len(lost)}")
            first.hear_until("halt")
            assert first.taken[: len(lost)] == lost
            second = Worker(stack, how, queue)
            second.hear_until("taken")
            first.go_on()
            queue.wait_for(length=0, in_flight=0)
            for worker in (first, second):
                worker.kill()
            workers = (victim, first, second)
            assert twice(sum((worker.taken for worker in workers), [])) == set(lost)
            surplus = set(lost) & set(victim.done)
            assert twice(sum((worker.done for worker in workers), [])) == surplus
            delivered = COUNT + len(lost)
            queue.expect(delivered=delivered, acknowledged=COUNT, redelivered=len(lost))

    check.__name__ = " ".join([how, "is killed at", halt, *options])
    return check


def four_workers_of_which_three_are_killed_again_and_again():
    queue = Queue()
    queue.push(*MESSAGES)
    rng = random.Random(SEED)
    note(f"seed {SEED}")
    rounds, victims_each = 6, 3
    # The survivor stops once more after the messages of each round.
    halts = [5 + round_number * 20 for round_number in range(rounds + 1)]
    dead, all_lost = [], []
    with ExitStack() as stack:
        survivor = Worker(stack, "BLPOP", queue, *(f"taken:{number}" for number in halts))
        for _ in range(rounds):
            survivor.hear_until("halt")
            victims = []
            for _ in range(victims_each):
                halt = f"{rng.choice(['taken', 'done'])}:{rng.randrange(1, 25)}"
                victims.append(Worker(stack, "BLPOP", queue, halt))
            for victim in victims:
                victim.hear_until("halt")
            lost = sorted((victim.taken[-1] for victim in victims), key=MESSAGES.index)
            expected = {*lost, survivor.taken[-1]}
            assert set(queue.messages_in_flight()) == expected
            rng.shuffle(victims)
            for victim in victims:
                victim.kill()
            queue.wait_for(in_flight=1)
            assert queue.waiting()[:victims_each] == lost
            before = len(survivor.taken)
            survivor.go_on()
            survivor.hear_until("taken", victims_each)
            assert survivor.taken[before:] == lost
            dead += victims
            all_lost += lost
        survivor.hear_until("halt")
        survivor.go_on()
        queue.wait_for(length=0, in_flight=0)
        survivor.kill()
    workers = [survivor, *dead]
    assert twice(sum((worker.taken for worker in workers), [])) == set(all_lost)
    surplus = set(all_lost) & set(sum((worker.done for worker in dead), []))
    assert twice(sum((worker.done for worker in workers), [])) == surplus
    queue.expect(acknowledged=COUNT, redelivered=len(all_lost))


def who_waits_gets_what_a_killed_worker_had():
    queue = Queue()
    with ExitStack() as stack:
        victim = Worker(stack, "BLPOP", queue, "taken:1")
        wait_until_blocked(client)
        heir = Worker(stack, "BLPOP", queue, "taken:1")
        wait_until_blocked(client, 2)
        queue.push("a")
        victim.hear_until("halt")
        assert heir.taken == []
        victim.kill()
        heir.hear_until("halt")
        assert heir.taken == ["a"] and queue.in_flight() == [("a", 2)]


def a_reply_that_nobody_read_comes_back():
    """The worker hangs when the message reaches its socket, and dies in that state."""
    queue = Queue()
    with ExitStack() as stack:
        victim = Worker(stack, "BLPOP", queue)
        wait_until_blocked(client)
        victim.hang()
        queue.push("a", "b")
        assert queue.in_flight() == [("a", 1)] and queue.waiting() == ["b"]
        victim.kill()
        assert victim.taken == []
        queue.wait_for(in_flight=0)
        assert queue.waiting() == ["a", "b"]


def one_that_is_killed_while_it_waits_gets_nothing():
    queue = Queue()
    with ExitStack() as stack:
        victim = Worker(stack, "BLPOP", queue)
        queue.push("a")
        queue.wait_for(acknowledged=1, consumers_waiting=1)
        victim.kill()
        queue.wait_for(consumers_waiting=0)
        queue.push("b")
        assert queue.waiting() == ["b"] and victim.done == ["a"]
        queue.expect(redelivered=0, in_flight=0)


def a_transaction_that_is_not_executed_takes_nothing():
    queue = Queue()
    queue.push("a", "b")
    worker = redis.Redis(port=PORT, decode_responses=True, single_connection_client=True)
    with worker:
        worker.lpop(queue.name)
        worker.execute_command("MULTI")
        assert worker.execute_command("LPOP", queue.name) == "QUEUED"
        # A queued pop does not acknowledge either.
        assert queue.in_flight() == [("a", 1)] and queue.waiting() == ["b"]
    queue.wait_for(in_flight=0)
    assert queue.waiting() == ["a", "b"]


def client_kill_takes_the_message_from_a_worker_that_lives():
    queue = Queue()
    queue.push("a", "b", "c")
    with ExitStack() as stack:
        worker = Worker(stack, "BLPOP", queue, "taken:1", "taken:2")
        worker.hear_until("halt")
        [entry] = client.execute_command("QUEUE", "INFLIGHT", queue.name)
        client.client_kill_filter(_id=pairs(entry)["client-id"])
        # The message has returned when the reply arrives.
        assert queue.in_flight() == [] and queue.waiting() == ["a", "b", "c"]
        heir = Worker(stack, "BLPOP", queue, "taken:1")
        heir.hear_until("halt")
        worker.go_on()
        worker.hear_until("halt")
        # It has reconnected; its pop acknowledged nothing, least of all the heir's message.
        assert worker.done == ["a"] and worker.taken == ["a", "b"] and heir.taken == ["a"]
        assert queue.in_flight() == [("a", 2), ("b", 1)]
        queue.expect(acknowledged=0, redelivered=1)


def a_worker_that_hangs_loses_its_message_and_may_go_on():
    # So long that it is the heir's for as long as that needs it.
    timeout_ms = 1000
    queue = Queue("ack-timeout-ms", str(timeout_ms))
    with ExitStack() as stack:
        slow = Worker(stack, "BLPOP", queue, "taken:1", "taken:2")
        wait_until_blocked(client)
        begin = time.monotonic()
        queue.push("a")
        slow.hear_until("halt")
        slow.hang()
        heir = Worker(stack, "BLPOP", queue, "taken:1")
        heir.hear_until("halt")
        assert time.monotonic() - begin > timeout_ms / 1000 - 0.01
        assert heir.taken == ["a"]
        heir.go_on()
        queue.wait_for(acknowledged=1, in_flight=0)
        slow.wake()
        slow.go_on()
        queue.wait_for(consumers_waiting=2)
        # It is too late for a, and gets its turn as everybody does.
        queue.expect(acknowledged=1, redelivered=1)
        queue.push("b", "c")
        heir.kill()
        slow.hear_until("halt")
        assert slow.done == ["a"] and slow.taken[0] == "a" and len(slow.taken) == 2


def a_worker_that_hangs_reads_its_message_too_late():
    queue = Queue("ack-timeout-ms", "200")
    with ExitStack() as stack:
        slow = Worker(stack, "BLPOP", queue, "done:1")
        wait_until_blocked(client)
        slow.hang()
        queue.push("a")
        heir = Worker(stack, "BLPOP", queue, "taken:1")
        heir.hear_until("halt")
        slow.wake()
        slow.hear_until("halt")
        # Both have it. An acknowledgement by one does not affect the other's.
        assert slow.done == heir.taken == ["a"]
        slow.go_on()
        # The heir is slow as well, and so it is delivered a third time.
        slow.hear_until("done")
        queue.wait_for(acknowledged=1, in_flight=0)
        queue.expect(delivered=3, redelivered=2)
        heir.go_on()
        queue.wait_for(consumers_waiting=2)
        queue.expect(delivered=3, acknowledged=1, length=0)


def poison_is_a_dead_letter_after_as_many_deaths_as_the_limit_says(limit, how="BLPOP"):
    queue = Queue("delivery-limit", str(limit), "dead-letter", "{queue}:dead")
    messages = [*MESSAGES[:5], "poison", *MESSAGES[5:10]]
    queue.push(*messages)
    deaths, taken, done = 0, [], []
    with ExitStack() as stack:
        # A supervisor would start another worker when one has died.
        while True:
            worker = Worker(stack, how, queue)
            queue_is_done = lambda: queue.info()["acknowledged"] == len(messages) - 1
            wait_until(
                "a death, or the end",
                lambda: worker.process.poll() is not None or queue_is_done(),
            )
            if worker.process.poll() is None:
                worker.kill()
                taken += worker.taken
                done += worker.done
                break
            assert worker.end() == -signal.SIGKILL
            deaths += 1
            taken += worker.taken
            done += worker.done
            # It is delivered to the next worker, or dead-lettered, before another begins.
            queue.wait_for(in_flight=0)
            if deaths < limit:
                assert queue.waiting() == messages[5:]
    assert deaths == limit == taken.count("poison")
    assert done == [message for message in messages if message != "poison"]
    assert client.lrange(queue.dead, 0, -1) == ["poison"]
    queue.expect(dead_lettered=1, dropped=0, redelivered=limit - 1, length=0, in_flight=0)


def poison_is_a_dead_letter_after_one_death():
    poison_is_a_dead_letter_after_as_many_deaths_as_the_limit_says(1)


def poison_is_a_dead_letter_after_three_deaths():
    poison_is_a_dead_letter_after_as_many_deaths_as_the_limit_says(3)


EXPLICIT = ["acknowledge", "explicit"]
run(
    "queue policies",
    [
        takes_over("BLPOP", "taken:100"),
        takes_over("BLPOP", "done:100"),
        takes_over("BRPOP", "taken:100"),
        takes_over("BLMPOP", "taken:94"),
        takes_over("LPOP", "taken:91"),
        takes_over("LPOP", "taken:95"),
        takes_over("LPOP", "done:100"),
        takes_over("RPOP", "taken:95"),
        takes_over("EXEC", "taken:95"),
        takes_over("ACK", "taken:96", *EXPLICIT),
        takes_over("ACK", "done:96", *EXPLICIT),
        four_workers_of_which_three_are_killed_again_and_again,
        who_waits_gets_what_a_killed_worker_had,
        a_reply_that_nobody_read_comes_back,
        one_that_is_killed_while_it_waits_gets_nothing,
        a_transaction_that_is_not_executed_takes_nothing,
        client_kill_takes_the_message_from_a_worker_that_lives,
        a_worker_that_hangs_loses_its_message_and_may_go_on,
        a_worker_that_hangs_reads_its_message_too_late,
        poison_is_a_dead_letter_after_one_death,
        poison_is_a_dead_letter_after_three_deaths,
    ],
    before_each=client.flushall,
)
