"""Producers and consumers that record what was confirmed to them, and what was not."""

import random
import threading

import redis

from ledger import Push, Queue, Take, shown
from server import connect

QUEUES = [
    Queue(db, name, is_reversed)
    for db in (0, 9)
    for name, is_reversed in (("jobs", False), ("mail", False), ("stack", True))
]
DBS = sorted({queue.db for queue in QUEUES})
# So short that a consumer which is to end notices.
BLOCK_S = 0.1
COUNT_MAX = 8
BULK_MESSAGES = 16
BULK_MESSAGE_BYTES = 500_000
# A message may be anything, also what looks like a checksum of the append files.
LOOKALIKE = b"*2\r\n$4\r\nPING\r\n$72\r\nTG1+" + b"0" * 16 + b"\r\n"


def queues_of(db):
    return [queue for queue in QUEUES if queue.db == db]


def forward_queues(dbs=DBS):
    return [queue for queue in QUEUES if queue.db in dbs and not queue.is_reversed]


class Worker:
    """One client. `step` does one thing and writes down what came of it; it may be left by an
    exception wherever the server's end finds it."""

    def __init__(self, kind, number, seed):
        self.name = f"{kind} {number}"
        self.number = number
        self.rng = random.Random(f"{seed} {self.name}")
        self.acknowledged = 0
        self.db = DBS[number % len(DBS)]

    def __str__(self):
        return self.name

    def choose_db(self):
        """Before each connection: the other one, so that each always has some workers."""
        self.db = DBS[(DBS.index(self.db) + 1) % len(DBS)]

    def settle(self, life, lists):
        """Completes the record of a life with what the lists show, by database and name; gives
        what is wrong with the worker's own lists."""
        return []

    def own_keys(self):
        """The lists that are the worker's alone."""
        return set()


class Producer(Worker):
    def __init__(self, number, seed):
        super().__init__("producer", number, seed)
        self.next = 0

    def messages(self, count):
        return [self.message() for _ in range(count)]

    def message(self):
        self.next += 1
        padding = self.rng.choice(
            [
                lambda: b"",
                lambda: b"resize photo",
                lambda: self.rng.randbytes(self.rng.randrange(300)),
                lambda: LOOKALIKE,
            ]
        )()
        # Long enough to be written in part when the kill comes.
        if self.rng.random() < 0.01:
            padding = self.rng.randbytes(self.rng.randrange(200_000))
        return b"%d %d " % (self.number, self.next) + padding

    def step(self, client, life):
        kind = self.rng.choice([self.push_one, self.push_several, self.pipeline, self.transaction])
        kind(client, life)

    def push_one(self, client, life):
        self.push(client, life, 1)

    def push_several(self, client, life):
        self.push(client, life, self.rng.randrange(2, 20))

    def push(self, client, life, count):
        queue = self.rng.choice(queues_of(self.db))
        push = self.record(life, [(queue, self.messages(count))])
        push_to(client, *push.commands[0])
        self.acknowledge(push, 1)

    def pipeline(self, client, life):
        """As redis-py's own, but its would not tell how many replies came before the end."""
        push = self.record(life, self.commands(self.rng.randrange(2, 30)))
        connection = client.connection
        commands = [
            ["LPUSH" if queue.is_reversed else "RPUSH", queue.name, *messages]
            for queue, messages in push.commands
        ]
        connection.send_packed_command(connection.pack_commands(commands))
        for _ in commands:
            connection.read_response()
            self.acknowledge(push, 1)

    def transaction(self, client, life):
        push = self.record(life, self.commands(self.rng.randrange(2, 10)), is_transaction=True)
        with client.pipeline(transaction=True) as pipeline:
            for queue, messages in push.commands:
                push_to(pipeline, queue, messages)
            pipeline.execute()
        self.acknowledge(push, len(push.commands))

    def commands(self, count):
        return [
            (self.rng.choice(queues_of(self.db)), self.messages(self.rng.randrange(1, 3)))
            for _ in range(count)
        ]

    def record(self, life, commands, is_transaction=False):
        """Before anything is sent: from then on it may be there."""
        push = Push(commands, is_transaction)
        life.pushes.append(push)
        return push

    def acknowledge(self, push, count):
        push.acknowledged += count
        self.acknowledged += count


class BulkProducer(Producer):
    """Sends so much at once that a kill may come while it is being written."""

    def __init__(self, number, seed):
        super().__init__(number, seed)
        self.padding = self.rng.randbytes(BULK_MESSAGE_BYTES)

    def message(self):
        self.next += 1
        return b"%d %d " % (self.number, self.next) + self.padding

    def step(self, client, life):
        if self.rng.random() < 0.5:
            self.push(client, life, BULK_MESSAGES)
        else:
            self.transaction(client, life)

    def commands(self, _):
        queues = queues_of(self.db)
        return [(self.rng.choice(queues), [self.message()]) for _ in range(BULK_MESSAGES)]


def push_to(client, queue, messages):
    if queue.is_reversed:
        client.lpush(queue.name, *messages)
    else:
        client.rpush(queue.name, *messages)


class Popper(Worker):
    """Takes messages with every kind of pop."""

    def __init__(self, number, seed):
        super().__init__("popper", number, seed)
        self.open = None
        self.was_empty = False

    def step(self, client, life):
        kinds = [self.pop, self.pop_several, self.pop_from_first, self.wait_for_one]
        # Rather wait than ask an empty queue again and again.
        kind = self.wait_for_one if self.was_empty else self.rng.choice(kinds)
        kind(client, life)

    def pop(self, client, life):
        queue = self.rng.choice(queues_of(self.db))
        self.open = Take([queue], 1)
        message = (client.rpop if queue.is_reversed else client.lpop)(queue.name)
        self.take(life, queue, [] if message is None else [message])

    def pop_several(self, client, life):
        queue = self.rng.choice(queues_of(self.db))
        count = self.rng.randrange(1, COUNT_MAX)
        self.open = Take([queue], count)
        messages = (client.rpop if queue.is_reversed else client.lpop)(queue.name, count)
        self.take(life, queue, messages or [])

    def pop_from_first(self, client, life):
        queues = forward_queues([self.db])
        self.rng.shuffle(queues)
        count = self.rng.randrange(1, COUNT_MAX)
        self.open = Take(queues, count)
        names = [queue.name for queue in queues]
        reply = client.lmpop(len(names), *names, direction="LEFT", count=count)
        self.take_reply(life, queues, reply and (reply[0], reply[1]))

    def wait_for_one(self, client, life):
        is_reversed = self.rng.random() < 0.3
        queues = [queue for queue in queues_of(self.db) if queue.is_reversed == is_reversed]
        self.rng.shuffle(queues)
        self.open = Take(queues, 1)
        wait = client.brpop if is_reversed else client.blpop
        reply = wait([queue.name for queue in queues], timeout=BLOCK_S)
        self.take_reply(life, queues, reply and (reply[0], [reply[1]]))
        # Even if they are empty, the others get their turn.
        self.was_empty = reply is None and self.rng.random() < 0.5

    def take_reply(self, life, queues, reply):
        if not reply:
            self.take(life, queues[0], [])
            return
        name, messages = reply
        self.take(life, next(queue for queue in queues if queue.name == name.decode()), messages)

    def take(self, life, queue, messages):
        life.delivered[self] += [(queue, message) for message in messages]
        self.open = None
        self.acknowledged += len(messages)
        self.was_empty = not messages

    def settle(self, life, lists):
        if self.open is not None:
            life.takes.append(self.open)
        self.open = None
        return []


class Mover(Worker):
    """The reliable consumer: it has what it works on in a list of its own, and so no message is
    lost with an answer."""

    def __init__(self, number, seed):
        super().__init__("mover", number, seed)
        self.list = f"processing:{number}"
        self.hand = []  # What the list holds, as far as answers told.
        self.leaving = None  # The message that LREM is to remove, while there is no answer.
        self.moving = None  # The queue that BLMOVE takes from, while there is no answer.

    def choose_db(self):
        """The list is in one, and stays there."""

    def own_keys(self):
        return {(self.db, self.list)}

    def step(self, client, life):
        if self.hand:
            self.leaving = self.hand[0]
            removed = client.lrem(self.list, 1, self.leaving)
            assert removed == 1, f"{self}: {shown(self.leaving)} was not in the list"
            self.hand.pop(0)
            self.leaving = None
            self.acknowledged += 1
            return
        self.moving = self.rng.choice(queues_of(self.db))
        source = "RIGHT" if self.moving.is_reversed else "LEFT"
        message = client.blmove(self.moving.name, self.list, BLOCK_S, source, "RIGHT")
        if message is not None:
            self.take(life, message)
        self.moving = None

    def take(self, life, message):
        life.delivered[self].append((self.moving, message))
        self.hand.append(message)
        self.acknowledged += 1

    def settle(self, life, lists):
        found = lists.get((self.db, self.list), [])
        removed = [message for message in self.hand if message != self.leaving]
        if self.moving is not None and found[:-1] == self.hand and found != self.hand:
            self.take(life, found[-1])
        elif found != self.hand and (self.leaving is None or found != removed):
            texts = [[shown(message) for message in messages] for messages in (self.hand, found)]
            yield f"{self}: expected {texts[0]} in its list, got {texts[1]}; {self.leaving=}"
        self.hand, self.leaving, self.moving = list(found), None, None


class Clerk(Worker):
    """Takes messages in transactions that leave a receipt: whether one took place shows later."""

    def __init__(self, number, seed):
        super().__init__("clerk", number, seed)
        self.list = f"receipt:{number}"
        self.count = 0
        self.receipt = []
        self.open = None

    def choose_db(self):
        """The list is in one, and stays there."""

    def own_keys(self):
        return {(self.db, self.list)}

    def token(self):
        return b"receipt %d" % self.count

    def step(self, client, life):
        queue = self.rng.choice(queues_of(self.db))
        count = self.rng.randrange(1, COUNT_MAX)
        self.count += 1
        self.open = Take([queue], count)
        with client.pipeline(transaction=True) as pipeline:
            (pipeline.rpop if queue.is_reversed else pipeline.lpop)(queue.name, count)
            pipeline.delete(self.list)
            pipeline.rpush(self.list, self.token())
            messages = pipeline.execute()[0]
        life.delivered[self] += [(queue, message) for message in messages or []]
        self.receipt = [self.token()]
        self.open = None
        self.acknowledged += 1

    def settle(self, life, lists):
        found = lists.get((self.db, self.list), [])
        if self.open is not None and found == [self.token()]:
            life.takes.append(self.open)
            self.receipt = found
        elif found != self.receipt:
            yield f"{self}: expected the receipt {self.receipt}, got {found}"
            self.receipt = found
        self.open = None


class Crew:
    """Workers that run, each on a thread, until the server is killed or they are told to end."""

    def __init__(self, workers, port, life):
        self.workers = workers
        self.life = life
        self.is_ending = False
        self.is_killed = False
        self.errors = []
        self.before = sum(worker.acknowledged for worker in workers)
        self.port = port
        self.threads = []
        for worker in workers:
            self.add(worker)

    def add(self, worker):
        thread = threading.Thread(target=self.work, args=[worker], daemon=True)
        self.threads.append(thread)
        thread.start()

    def work(self, worker):
        worker.choose_db()
        try:
            with connect(self.port, worker.db) as client:
                while not self.is_ending:
                    worker.step(client, self.life)
        except redis.ConnectionError as error:
            if not self.is_killed:
                self.errors.append(f"{worker}: {error!r}")
        except Exception as error:
            self.errors.append(f"{worker}: {error!r}")

    def acknowledged(self):
        """How much was done; raises what went wrong."""
        assert not self.errors, "\n".join(self.errors)
        return sum(worker.acknowledged for worker in self.workers) - self.before

    def kill(self, server):
        self.is_killed = True
        server.kill()
        self.join()

    def end(self):
        self.is_ending = True
        self.join()

    def join(self):
        for thread in self.threads:
            thread.join(timeout=60)
            assert not thread.is_alive(), "a client still waits for a server that has gone"
        assert not self.errors, "\n".join(self.errors)
