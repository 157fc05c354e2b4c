"""The observer pattern across processes: every subscriber gets every message of every publisher."""

from contextlib import ExitStack

from check import run
from systems import start

NAMES = ["north", "south"]
COUNT = 1000


def two_subscribers_hear_two_publishers():
    with ExitStack() as stack:
        subscribers = [stack.enter_context(start("subscriber.py", len(NAMES))) for _ in range(2)]
        for subscriber in subscribers:
            assert subscriber.stdout.readline() == "ready\n"
        for name in NAMES:
            stack.enter_context(start("publisher.py", name, COUNT))
        heard = [subscriber.stdout.read().splitlines() for subscriber in subscribers]

    for changes in heard:
        assert len(changes) == len(NAMES) * (COUNT + 1)
        for name in NAMES:
            own = [change for change in changes if change.startswith(name)]
            assert own == [f"{name} {number}" for number in range(COUNT)] + [f"{name} end"]
    # All observers see the same order, also between publishers.
    assert heard[0] == heard[1]


run("observers", [two_subscribers_hear_two_publishers])
