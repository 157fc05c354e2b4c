"""What was done to the queues in one life of a server, and whether the data in the next life can be the
result.

What is known at a kill, and what is unknown:

- A confirmed push is there. An unconfirmed one may be there or not, but a command as a whole, a
  transaction as a whole, and of a pipeline as many commands as the server has run.
- A message returned by a confirmed pop is gone for ever. An unconfirmed pop may have taken messages, from
  the head of a queue, as many as it requested; no client will ever see those.

Lists are given head first: the end at which messages are popped.
"""

from collections import defaultdict
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Queue:
    db: int
    name: str
    is_reversed: bool = False  # Messages come in at the left end, and leave at the right.

    def __str__(self):
        return f"{self.name} of database {self.db}"


@dataclass
class Push:
    """What a producer sent at once: commands, each with a queue and its messages."""

    commands: list[tuple[Queue, list[bytes]]]
    is_transaction: bool = False
    acknowledged: int = 0  # The first so many commands were answered.


@dataclass
class Take:
    """A pop without a reply: it takes from one of the queues."""

    queues: list[Queue]
    count: int


@dataclass
class Life:
    """What clients did between two starts of the server. Each list is only ever added to, and each
    worker's deliveries by that worker alone."""

    pushes: list[Push] = field(default_factory=list)
    delivered: dict[object, list[tuple[Queue, bytes]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    takes: list[Take] = field(default_factory=list)


@dataclass
class Verdict:
    problems: list[str]
    # Messages that were pushed, that nobody got and that are not there, as pops explain.
    taken: list[bytes]
    # Messages that were certainly pushed.
    pushed: list[bytes]


def label(message):
    """The producer of a message, and the message's number there."""
    producer, number, _ = message.split(b" ", 2)
    return int(producer), int(number)


def shown(message):
    return f"{message[:40]!r}"


def judge(queues, before, life, after):
    """Whether the queues can hold `after`, if they held `before` and a life came between."""
    problems = []
    delivered = judge_deliveries(life, problems)
    seen = {*delivered, *(message for messages in after.values() for message in messages)}
    pushed = certainly_pushed(life.pushes, seen)
    missing = {}
    for queue in queues:
        one = QueueHistory(
            queue,
            before.get(queue, []),
            pushed.get(queue, []),
            {message for message, place in delivered.items() if place == queue},
            after.get(queue, []),
        )
        problems += one.problems()
        missing[queue] = one.missing()
    if not explained({queue: len(messages) for queue, messages in missing.items()}, life.takes):
        problems += unexplained(missing, life.takes)
    flat = lambda lists: [message for messages in lists.values() for message in messages]
    return Verdict(problems, flat(missing), flat(pushed))


def judge_deliveries(life, problems):
    """The messages that were handed out, each with its queue."""
    delivered = {}
    for worker, deliveries in life.delivered.items():
        newest = {}
        for queue, message in deliveries:
            if message in delivered:
                problems.append(f"{queue}: {shown(message)} was handed out twice")
            delivered[message] = queue
            producer, number = label(message)
            if newest.get((queue, producer), -1) >= number:
                problems.append(f"{queue}: {worker} got {shown(message)} after a later one")
            newest[queue, producer] = number
    return delivered


def certainly_pushed(pushes, seen):
    """The messages by queue that have been in it: those acknowledged, and those that came together
    with, or before, one that was seen."""
    pushed = defaultdict(list)
    for push in pushes:
        count = push.acknowledged
        for index, (_, messages) in enumerate(push.commands):
            if not seen.isdisjoint(messages):
                count = max(count, index + 1)
        if push.is_transaction and count > 0:
            count = len(push.commands)
        for queue, messages in push.commands[:count]:
            pushed[queue] += messages
    return pushed


@dataclass
class QueueHistory:
    queue: Queue
    before: list[bytes]
    pushed: list[bytes]
    delivered: set[bytes]
    after: list[bytes]

    def gone(self):
        there = set(self.after)
        return [message for message in self.before + self.pushed if message not in there]

    def missing(self):
        return [message for message in self.gone() if message not in self.delivered]

    def problems(self):
        complain = lambda message, what: f"{self.queue}: {shown(message)} {what}"
        known = {*self.before, *self.pushed}
        there = set()
        for message in self.after:
            if message in there:
                yield complain(message, "is there twice")
            if message in self.delivered:
                yield complain(message, "was handed out, and is there again")
            if message not in known:
                yield complain(message, "is there, but was not pushed here")
            there.add(message)
        for message in self.delivered - known:
            yield complain(message, "was handed out, but was not there, nor pushed")
        yield from self.order_problems()

    def order_problems(self):
        old = set(self.before)
        rest = [message for message in self.after if message in old]
        if rest and (self.before[-len(rest) :] != rest or self.after[: len(rest)] != rest):
            yield f"{self.queue}: what is left of the old messages is not their end, in order"
        fresh = [message for message in self.gone() if message not in old]
        if rest and fresh:
            yield f"{self.queue}: {shown(fresh[0])} has gone before older ones"
        oldest, newest = {}, {}
        for message in self.after:
            producer, number = label(message)
            oldest[producer] = min(oldest.get(producer, number), number)
            if newest.get(producer, -1) >= number:
                yield f"{self.queue}: {shown(message)} is behind a later one"
            newest[producer] = number
        for message in self.gone():
            producer, number = label(message)
            if number > oldest.get(producer, number):
                yield f"{self.queue}: {shown(message)} has gone before an earlier one"


def explained(missing, takes):
    """Whether the pops without a reply can have taken this many messages from each queue."""
    if not any(missing.values()):
        return True
    if not takes:
        return False
    take, *others = takes
    return any(
        explained({**missing, queue: max(0, missing[queue] - take.count)}, others)
        for queue in take.queues
        if missing[queue] > 0
    ) or explained(missing, others)


def unexplained(missing, takes):
    for queue, messages in missing.items():
        if messages:
            some = ", ".join(shown(message) for message in messages[:3])
            yield f"{queue}: {len(messages)} messages are missing: {some}"
    for take in takes:
        places = ", or ".join(str(queue) for queue in take.queues)
        yield f"not answered: a pop of {take.count} from {places}"
