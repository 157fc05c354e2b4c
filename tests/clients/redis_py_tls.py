"""redis-py over TLS, with the protocol that is asked for."""

import sys
from concurrent.futures import ThreadPoolExecutor

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import tls
from check import expect_error, run, wait_until_blocked

PROTOCOL = int(sys.argv[1])


def connect(given="client", **options):
    if given:
        options["ssl_certfile"] = tls.file(f"{given}.crt")
        options["ssl_keyfile"] = tls.file(f"{given}.key")
    return redis.Redis(
        host="127.0.0.1",
        port=tls.TLS_PORT,
        protocol=PROTOCOL,
        ssl=True,
        ssl_ca_certs=tls.file("ca.crt"),
        ssl_check_hostname=True,
        retry=Retry(NoBackoff(), 0),  # A refusal is final; the default waits and tries again many times.
        **options,
    )


def admits(whether):
    tls.ask_clients(whether)
    for given in tls.GIVEN:
        if given in tls.ADMITTED[whether]:
            assert connect(given).ping()
        else:
            expect_error(redis.ConnectionError, connect(given).ping)


def certificates_not_asked_for():
    admits("no")


def optional_certificates():
    admits("optional")


def required_certificates():
    admits("yes")


def server_of_an_unknown_authority():
    with tls.server_certificate("stranger"):
        error = expect_error(redis.ConnectionError, connect().ping)
        assert "certificate verify failed" in str(error), error
    assert connect().ping()


def user_with_a_password():
    tls.add_user()
    for given in [None, "client"]:
        tls.ask_clients("yes" if given else "no")
        user = connect(given, username=tls.USER, password=tls.PASSWORD)
        assert user.execute_command("ACL", "WHOAMI") == tls.USER.encode()
        assert user.rpush("jobs:1", "a") == 1
        assert user.lpop("jobs:1") == b"a"
        expect_error(redis.exceptions.NoPermissionError, user.flushall)
        expect_error(redis.exceptions.NoPermissionError, lambda: user.rpush("other", "a"))
        wrong = connect(given, username=tls.USER, password="wrong")
        expect_error(redis.AuthenticationError, wrong.ping)


def speaks_the_protocol():
    client = connect(client_name="named")
    client.ping()
    (entry,) = [entry for entry in tls.admin.client_list() if entry["name"] == "named"]
    assert entry["resp"] == str(PROTOCOL), entry


def blocked_pop_is_served():
    client, other = connect(), connect()
    with ThreadPoolExecutor() as threads:
        popped = threads.submit(client.blpop, "q", timeout=20)
        wait_until_blocked(tls.admin)
        assert other.rpush("q", "x") == 1
        assert list(popped.result(timeout=20)) == [b"q", b"x"]


def pipeline():
    batch = connect().pipeline(transaction=False)
    for number in range(1000):
        batch.rpush("q", number)
    batch.lrange("q", 0, -1)
    *lengths, elements = batch.execute()
    assert lengths == list(range(1, 1001))
    assert elements == [b"%d" % number for number in range(1000)]


def five_megabytes():
    client = connect()
    assert client.rpush("q", tls.LARGE) == 1
    assert client.lpop("q") == tls.LARGE


def publish_and_subscribe():
    other = connect()
    subscriber = connect().pubsub()
    subscriber.subscribe("news")
    assert subscriber.get_message(timeout=20)["type"] == "subscribe"
    for message in (b"hello", tls.LARGE):
        assert other.publish("news", message) == 1
        received = subscriber.get_message(timeout=20)
        assert (received["type"], received["channel"]) == ("message", b"news"), received["type"]
        assert received["data"] == message
    subscriber.close()


CHECKS = [
    certificates_not_asked_for,
    optional_certificates,
    required_certificates,
    server_of_an_unknown_authority,
    user_with_a_password,
    speaks_the_protocol,
    blocked_pop_is_served,
    pipeline,
    five_megabytes,
    publish_and_subscribe,
]

run(f"redis-py with TLS, protocol {PROTOCOL}", CHECKS, before_each=tls.reset)
