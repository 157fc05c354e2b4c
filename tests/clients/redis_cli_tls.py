"""redis-cli over TLS: with and without certificates, as a user, and its own modes."""

import subprocess

import tls
from check import run, wait_until_blocked


def command(given="client"):
    words = ["redis-cli", "-p", str(tls.TLS_PORT), "--tls", "--cacert", tls.file("ca.crt")]
    if given:
        words += ["--cert", tls.file(f"{given}.crt"), "--key", tls.file(f"{given}.key")]
    return words


def start(*arguments, given="client"):
    return subprocess.Popen(
        [*command(given), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def cli(*arguments, given="client", input=b""):
    """Runs redis-cli to its end and returns what it prints."""
    return end(start(*arguments, given=given), input)


def end(process, input=b""):
    output, errors = process.communicate(input, timeout=60)
    assert process.returncode == 0, f"{process.args}: {output[:1000]}{errors}"
    return output


def refusal(given="client"):
    """What redis-cli says about a connection that does not come about."""
    process = start("PING", given=given)
    output, errors = process.communicate(timeout=60)
    assert process.returncode != 0 and b"PONG" not in output, f"{given} got in: {output}"
    return errors.decode()


def admits(whether):
    tls.ask_clients(whether)
    for given in tls.GIVEN:
        if given in tls.ADMITTED[whether]:
            assert cli("PING", given=given) == b"PONG\n"
        else:
            assert refusal(given), given


def certificates_not_asked_for():
    admits("no")


def optional_certificates():
    admits("optional")


def required_certificates():
    admits("yes")


def server_of_an_unknown_authority():
    with tls.server_certificate("stranger"):
        assert "certificate verify failed" in refusal()
    assert cli("PING") == b"PONG\n"


def user_with_a_password():
    tls.add_user()
    for given in [None, "client"]:
        tls.ask_clients("yes" if given else "no")
        user = ["--no-auth-warning", "--user", tls.USER, "--pass", tls.PASSWORD]
        assert cli(*user, "ACL", "WHOAMI", given=given) == b"worker\n"
        assert cli(*user, "RPUSH", "jobs:1", "a", given=given) == b"1\n"
        assert cli(*user, "LPOP", "jobs:1", given=given) == b"a\n"
        assert cli(*user, "FLUSHALL", given=given).startswith(b"NOPERM ")
        assert cli(*user, "RPUSH", "other", "a", given=given).startswith(b"NOPERM ")
        wrong = start("--no-auth-warning", "--user", tls.USER, "--pass", "wrong", "PING", given=given)
        assert b"WRONGPASS" in b"".join(wrong.communicate(timeout=60))


def blocked_pop_is_served():
    popping = start("BLPOP", "q", "0")
    wait_until_blocked(tls.admin)
    assert cli("RPUSH", "q", "x") == b"1\n"
    assert end(popping) == b"q\nx\n"


def pipeline():
    requests = "".join(f"RPUSH q {number}\r\n" for number in range(1000)).encode()
    assert b"errors: 0, replies: 1000" in cli("--pipe", input=requests)
    assert cli("LRANGE", "q", "0", "-1").split() == [b"%d" % number for number in range(1000)]


def five_megabytes():
    assert cli("-x", "RPUSH", "q", input=tls.LARGE) == b"1\n"
    assert cli("LPOP", "q") == tls.LARGE + b"\n"


def publish_and_subscribe():
    for protocol in ("-2", "-3"):
        subscriber = start(protocol, "SUBSCRIBE", "news")
        try:
            assert three_lines(subscriber) == [b"subscribe", b"news", b"1"]
            for message in (b"hello", b"again"):
                assert cli("PUBLISH", "news", message) == b"1\n"
                assert three_lines(subscriber) == [b"message", b"news", message]
        finally:
            subscriber.kill()
            subscriber.communicate()


def three_lines(process):
    return [process.stdout.readline().strip() for _ in range(3)]


def resp3():
    assert b"proto\n2\n" in cli("HELLO", "2")
    assert b'"proto" => (integer) 3\n' in cli("-3", "--no-raw", "HELLO")


CHECKS = [
    certificates_not_asked_for,
    optional_certificates,
    required_certificates,
    server_of_an_unknown_authority,
    user_with_a_password,
    blocked_pop_is_served,
    pipeline,
    five_megabytes,
    publish_and_subscribe,
    resp3,
]

run("redis-cli with TLS", CHECKS, before_each=tls.reset)
