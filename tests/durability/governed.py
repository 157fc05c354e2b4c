"""Queues under policies: commands that redis-py has no methods for, and workers with at-least-once delivery.

What is known at a kill: a message is acknowledged once the reply to the next pop has arrived, and may be
once that pop was sent. Any other pushed message is there, and is delivered again.
"""

from workers import COUNT_MAX, Worker

IN_FLIGHT = ":inflight"  # As in src/note.rs.
DELAYED = ":delayed"
BLOCK_S = 0.1


def pairs(reply):
    """A map, which RESP2 has as a flat array; its keys as text."""
    entries = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2])
    return {key.decode(): value for key, value in entries}


def set_policy(client, *words):
    client.execute_command("QUEUE", "POLICY", "SET", *words)


def policies(client):
    return [pairs(policy) for policy in client.execute_command("QUEUE", "POLICY", "LIST")]


def info(client, key):
    return pairs(client.execute_command("QUEUE", "INFO", key))


def in_flight(client, key):
    """The messages in flight and how often each was delivered, in the order of the deliveries."""
    entries = [pairs(entry) for entry in client.execute_command("QUEUE", "INFLIGHT", key)]
    return [(entry["message"], entry["deliveries"]) for entry in entries]


class Pusher(Worker):
    """Pushes numbered messages, one or several at once."""

    def __init__(self, number, seed, key="jobs"):
        super().__init__("pusher", number, seed)
        self.key = key
        self.sent, self.answered = [], []

    def choose_db(self):
        self.db = 0

    def step(self, client, _):
        next_number = len(self.sent)
        numbers = range(next_number, next_number + self.rng.randrange(1, 6))
        messages = [b"%d %d" % (self.number, number) for number in numbers]
        self.sent += messages
        client.rpush(self.key, *messages)
        self.answered += messages
        self.acknowledged += 1


class Taker(Worker):
    """Takes messages with every kind of pop, and never acknowledges explicitly."""

    def __init__(self, number, seed, key="jobs"):
        super().__init__("taker", number, seed)
        self.key = key
        self.done = []  # What is acknowledged.
        self.hand = []  # What the last reply had.
        self.may_be_done = []  # What was in hand when a server was killed.

    def choose_db(self):
        self.db = 0
        # A new connection has nothing in flight.
        self.may_be_done += self.hand
        self.hand = []

    def step(self, client, _):
        messages = self.rng.choice([self.pop, self.pop_several, self.wait, self.wait_for_several])(
            client
        )
        self.done += self.hand
        self.hand = messages
        self.acknowledged += bool(messages)

    def pop(self, client):
        message = client.lpop(self.key)
        return [] if message is None else [message]

    def pop_several(self, client):
        return client.lpop(self.key, self.rng.randrange(1, COUNT_MAX)) or []

    def wait(self, client):
        reply = client.blpop([self.key], timeout=BLOCK_S)
        return [reply[1]] if reply else []

    def wait_for_several(self, client):
        count = self.rng.randrange(1, COUNT_MAX)
        keys = [f"{self.key}:none", self.key]
        reply = client.blmpop(BLOCK_S, len(keys), *keys, direction="LEFT", count=count)
        return reply[1] if reply else []


def judge(pushers, takers, found):
    """Checks that exactly the messages pushed and not acknowledged are found; raises on an error."""
    done = {message for taker in takers for message in taker.done}
    unsure = {message for taker in takers for message in [*taker.hand, *taker.may_be_done]}
    sent = {message for pusher in pushers for message in pusher.sent}
    answered = {message for pusher in pushers for message in pusher.answered}
    there = set(found)
    assert len(there) == len(found), "a message is there twice"
    for what, wrong in {
        "lost": answered - done - unsure - there,
        "acknowledged, and there": done & there,
        "never pushed": there - sent,
        "acknowledged, and never pushed": done - sent,
    }.items():
        assert not wrong, f"{what}: {sorted(wrong)[:10]}"
    return there


def expect_order(messages):
    """Each producer's messages are in the order of its pushes."""
    newest = {}
    for message in messages:
        pusher, number = map(int, message.split())
        assert newest.get(pusher, -1) < number, f"{message} comes behind {newest[pusher]}"
        newest[pusher] = number
