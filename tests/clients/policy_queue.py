"""A queue under its own policy, for the check programs."""

import redis

from check import PORT, wait_until

client = redis.Redis(port=PORT, decode_responses=True)
queues = iter(range(1000))


class Queue:
    """A queue of its own name, under a policy of its own."""

    def __init__(self, *options):
        """With `delivery at-least-once`, and `acknowledge next-pop` unless the options say otherwise."""
        self.name = f"jobs-{next(queues)}"
        self.dead = f"{self.name}:dead"
        delivery = ["delivery", "at-least-once"]
        if "acknowledge" not in options:
            delivery += ["acknowledge", "next-pop"]
        policy = ["SET", self.name, self.name, *delivery, *options]
        assert client.execute_command("QUEUE", "POLICY", *policy) in ("OK", b"OK", True)

    def push(self, *messages):
        client.rpush(self.name, *messages)

    def push_left(self, *messages):
        client.lpush(self.name, *messages)

    def waiting(self):
        return client.lrange(self.name, 0, -1)

    def info(self):
        return pairs(client.execute_command("QUEUE", "INFO", self.name))

    def in_flight(self):
        """The messages in flight and how often each was delivered, the first delivery first."""
        entries = client.execute_command("QUEUE", "INFLIGHT", self.name)
        entries = [pairs(entry) for entry in entries]
        return [(entry["message"], entry["deliveries"]) for entry in entries]

    def messages_in_flight(self):
        return [message for message, _ in self.in_flight()]

    def wait_for(self, **fields):
        def holds():
            info = self.info()
            return all(info[name.replace("_", "-")] == value for name, value in fields.items())

        wait_until(f"{fields} of {self.name}", holds)

    def expect(self, **fields):
        info = self.info()
        found = {name: info[name.replace("_", "-")] for name in fields}
        assert found == fields, f"expected {fields}, got {found}"


def pairs(reply):
    """A map, which RESP2 has as a flat array."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))
