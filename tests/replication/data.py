"""Data of every kind for a full sync: types, encodings, sizes, expiry, databases."""

import time

from contents import DATABASES

ALL_BYTES = bytes(range(256))
KEYS = [b"plain", b"", b"\0", b"with space\r\n", ALL_BYTES, "é".encode(), b"k" * 5000]
# Each width of integers in strings and in listpacks, and the numbers that are only nearly integers.
INTEGERS = [
    *[0, 1, -1, 12, 127, 128, -128, -129, 4095, 4096, -4096, -4097, 32767, 32768, -32768, -32769],
    *[8388607, 8388608, -8388608, -8388609, 2147483647, 2147483648, -2147483648, -2147483649],
    *[9223372036854775807, -9223372036854775808],
]
NEARLY_INTEGERS = [b"-0", b"00", b"+1", b"1.0", b" 1", b"9223372036854775808", b"1e3", b"-"]
# Around the limits of the lengths in listpacks, ziplists and RDB files.
LENGTHS = [0, 1, 11, 12, 13, 19, 20, 21, 62, 63, 64, 252, 253, 254, 255, 256, 4094, 4095, 4096]
LENGTHS += [8191, 8192, 16383, 16384, 65535, 65536, 1_000_000]
IN_AN_HOUR_MS = 3_600_000


def incompressible(rng, length):
    return rng.randbytes(length)


def compressible(length):
    return (b"the same again and again, " * (length // 26 + 1))[:length]


def fill(node, rng, huge_bytes):
    """Everything; the largest element has `huge_bytes`."""
    client = node.client()
    fill_strings(client, rng)
    fill_lists(client, rng)
    if node.program.is_redis:
        fill_redis_encodings(node, rng)
    fill_databases(node, rng)
    huge = incompressible(rng, huge_bytes // 2) + compressible(huge_bytes // 2)
    client.rpush("list with a huge element", "before", huge, "after")
    client.set("huge string", huge)


def fill_strings(client, rng):
    pipeline = client.pipeline(transaction=False)
    for key in KEYS:
        pipeline.set(b"string " + key, b"value of " + key)
    pipeline.set(b"", b"of the empty key")
    for number in INTEGERS:
        pipeline.set(f"integer {number}", number)
    for text in NEARLY_INTEGERS:
        pipeline.set(b"text " + text, text)
    for length in LENGTHS:
        pipeline.set(f"compressible {length}", compressible(length))
        pipeline.set(f"incompressible {length}", incompressible(rng, length))
    pipeline.append("appended", "a raw ").append("appended", "string")
    pipeline.incrbyfloat("float", "10.6")
    pipeline.set("expires", "later", px=IN_AN_HOUR_MS)
    pipeline.execute()


def fill_lists(client, rng):
    pipeline = client.pipeline(transaction=False)
    for key in KEYS:
        pipeline.rpush(b"list " + key, key, b"", ALL_BYTES)
    pipeline.rpush("all integers", *INTEGERS)
    pipeline.rpush("nearly integers", *NEARLY_INTEGERS)
    for length in LENGTHS:
        pipeline.rpush("all lengths", incompressible(rng, length), compressible(length))
    pipeline.rpush("one of each", *[compressible(length) for length in LENGTHS])
    for length in LENGTHS:
        pipeline.rpush(f"alone {length}", incompressible(rng, length))
    for number in range(0, 100_000, 1000):
        pipeline.rpush("many", *range(number, number + 1000))
    pipeline.rpush("many empty", *[b""] * 5000)
    pipeline.rpush("compressible", *[compressible(rng.randrange(500)) for _ in range(3000)])
    pipeline.rpush("incompressible", *[incompressible(rng, rng.randrange(500)) for _ in range(3000)])
    pipeline.rpush("list that expires", "later")
    pipeline.pexpire("list that expires", IN_AN_HOUR_MS)
    pipeline.execute()
    for count in [1, 2, 3, 127, 128, 129, 512, 513]:
        client.rpush(f"list of {count}", *range(count))
        client.lpush(f"list of {count} texts", *[f"text {number}" for number in range(count)])


def fill_redis_encodings(node, rng):
    """Lists as other settings of a redis-server make them."""
    client = node.client()
    for size in ["-5", "-4", "-3", "-1", "1", "2", "100", "-2"]:
        client.config_set("list-max-listpack-size", size)
        for depth in ["0", "1", "2"]:
            client.config_set("list-compress-depth", depth)
            texts = [compressible(rng.randrange(300)) for _ in range(500)]
            client.rpush(f"listpack size {size}, depth {depth}", *texts, *range(500), *INTEGERS)
    client.config_set("list-compress-depth", "0")
    node.ask("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "100B")
    lengths = [1, 99, 100, 101, 50, 1000, 10_000, 3]
    client.rpush("plain nodes", *[compressible(length) for length in lengths * 5])
    client.rpush("a plain node", incompressible(rng, 100_000))
    node.ask("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "0")


def fill_databases(node, rng):
    for db in range(DATABASES):
        client = node.client(db)
        client.set("database", db)
        client.rpush("queue", *[f"in {db}"] * (db + 1))
        client.set("expires", db, pxat=int(time.time() * 1000) + IN_AN_HOUR_MS + db)


def fill_bulk(node, rng, megabytes):
    """Much data that does not compress, so that a full sync takes a while."""
    client = node.client()
    for number in range(megabytes):
        client.rpush(f"bulk {number}", *[incompressible(rng, 10_000) for _ in range(100)])
