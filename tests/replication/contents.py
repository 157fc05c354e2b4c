"""All data of a node, and whether a replica has the same at the same offset."""

import hashlib

import redis

from nodes import wait_until

DATABASES = 16
LONG_BYTES = 200


def contents(node):
    """Type, value and time of expiry of each key in each database. A long value is a digest."""
    found = {}
    for db in range(DATABASES):
        client = node.client(db)
        keys = sorted(client.scan_iter(count=1000))
        for first in range(0, len(keys), 500):
            found.update(entries(client, db, keys[first : first + 500]))
    return found


def entries(client, db, keys):
    types = ask_each(client, [("TYPE", key) for key in keys])
    reads = [read_request(kind, key) for kind, key in zip(types, keys)]
    values = ask_each(client, reads)
    expiries = ask_each(client, [("PEXPIRETIME", key) for key in keys])
    for key, kind, value, expiry in zip(keys, types, values, expiries):
        if kind == b"zset":
            value = repr(exact(value)).encode()
        # One that has expired meanwhile is no key.
        if expiry != -2:
            yield (db, key), (kind, short(value), expiry)


def read_request(kind, key):
    reads = {
        b"list": ("LRANGE", key, 0, -1),
        b"string": ("GET", key),
        b"hash": ("HGETALL", key),
        b"set": ("SMEMBERS", key),
        b"zset": ("ZRANGE", key, 0, -1, "WITHSCORES"),
        b"stream": ("XINFO", "STREAM", key, "FULL", "COUNT", 0),
    }
    return reads.get(kind, ("TYPE", key))


def ask_each(client, requests):
    pipeline = client.pipeline(transaction=False)
    for request in requests:
        pipeline.execute_command(*request)
    return pipeline.execute()


# What servers count in their own way.
OWN_FIELDS = [b"radix-tree-keys", b"radix-tree-nodes", b"active-time", b"lag", b"entries-read", b"seen-time"]


def plain(value):
    """A reply as a list of lists and bytes, in an order of its own if it has none."""
    if isinstance(value, dict):
        fields = [(key, plain(one)) for key, one in value.items() if key not in OWN_FIELDS]
        return sorted(fields, key=repr)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    if isinstance(value, (list, tuple)):
        kept, words = [], iter(value)
        for word in words:
            if word in OWN_FIELDS:
                # The value stands behind it.
                next(words, None)
            else:
                kept.append(plain(word))
        return kept
    return value


def exact(scored):
    """Members and scores. Servers write the same score in different ways."""
    return [repr(float(word)) if at % 2 else repr(word) for at, word in enumerate(scored)]


def short(value):
    if isinstance(value, (dict, set, frozenset, tuple)) or (
        isinstance(value, list) and any(not isinstance(one, bytes) for one in value)
    ):
        text = repr(plain(value))
        return text if len(text) <= LONG_BYTES else f"{len(text)} letters, {hashlib.sha256(text.encode()).hexdigest()}"
    if isinstance(value, list):
        if len(value) <= 10:
            return [short(element) for element in value]
        digest = hashlib.sha256()
        for element in value:
            digest.update(b"%d:" % len(element))
            digest.update(element)
        return f"{len(value)} elements, {digest.hexdigest()}"
    if isinstance(value, bytes) and len(value) > LONG_BYTES:
        return f"{len(value)} bytes, {hashlib.sha256(value).hexdigest()}"
    return value


def differences(expected, found):
    lines = []
    for key in sorted({*expected, *found}):
        one, other = expected.get(key), found.get(key)
        if one != other:
            lines.append(f"{str(key)[:80]}: the primary has {one}, the replica {other}")
    return lines[:10]


def replicate(primary, replica, port=None):
    """Makes one the replica of the other, and returns when it has caught up and gets the stream.
    The port may be that of a link."""
    begin_replicating(primary, replica, port)
    wait_until_caught_up(primary, replica)
    # A redis-server sends the stream up to a second later, with the first acknowledgement.
    primary.client().set("written", "once")
    wait_until_caught_up(primary, replica)


def begin_replicating(primary, replica, port=None):
    """A primary of ours that has never been written to refuses replicas: see `replica-safe-restart`."""
    primary.client().set("written", "once")
    assert replica.ask("REPLICAOF", "127.0.0.1", port or primary.port) in (True, b"OK")


def wait_until_caught_up(primary, replica, timeout_s=30):
    """Waits until the replica has applied all that the primary has stated up to now."""
    what = f"{replica} has caught up with {primary}"
    wait_until(what, lambda: has_caught_up(primary, replica), timeout_s)


def has_caught_up(primary, replica):
    try:
        states = [replica_state(line) for line in replicas(primary)]
        ours, theirs = primary.info(), replica.info()
    except redis.ConnectionError:
        # It is not there, or Sentinel has just changed its role and closed its connections.
        return False
    return (
        theirs["role"] == "slave"
        and theirs.get("master_link_status") == "up"
        and theirs["master_replid"] == ours["master_replid"]
        and theirs["slave_repl_offset"] >= ours["master_repl_offset"]
        and (str(replica.announced_port), "online") in states
    )


def replicas(primary):
    """The lines `slaveN` of INFO, as dictionaries."""
    info = primary.info()
    return [info[f"slave{n}"] for n in range(info["connected_slaves"]) if f"slave{n}" in info]


def replica_state(line):
    return str(line["port"]), line["state"]


def expect_same(primary, replica, timeout_s=30):
    """At the same offset both have the same data. Nobody may write meanwhile."""
    wait_until_caught_up(primary, replica, timeout_s)
    different = differences(contents(primary), contents(replica))
    assert not different, "\n".join(different)
