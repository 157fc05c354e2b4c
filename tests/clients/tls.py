"""Shared by the check programs for TLS: the certificates, who is let in with which, and a user."""

import os
from contextlib import contextmanager
from pathlib import Path

import redis

from check import PORT

TLS_PORT = int(os.environ["TLS_PORT"])
CERTIFICATES = Path(os.environ["CERTIFICATES"])
# What a client may give: nothing, a certificate of the authority that the server knows, or one of another.
GIVEN = [None, "client", "stranger"]
# With each value of tls-auth-clients.
ADMITTED = {"no": GIVEN, "optional": [None, "client"], "yes": ["client"]}
USER, PASSWORD = "worker", "a secret"
RIGHTS = ["resetchannels", "~jobs:*", "+@list", "+@connection", "+acl|whoami"]
LARGE = bytes(range(256)) * 20_000

# Without TLS, it works whatever is set.
admin = redis.Redis(port=PORT, decode_responses=True)


def file(name):
    return str(CERTIFICATES / name)


def reset():
    admin.flushall()
    ask_clients("yes")


def ask_clients(whether):
    admin.config_set("tls-auth-clients", whether)


def add_user():
    admin.execute_command("ACL", "SETUSER", USER, "reset", "on", f">{PASSWORD}", *RIGHTS)


@contextmanager
def server_certificate(name):
    """The server has another certificate meanwhile."""
    present(name)
    try:
        yield
    finally:
        present("server")


def present(name):
    admin.config_set("tls-cert-file", file(f"{name}.crt"), "tls-key-file", file(f"{name}.key"))
