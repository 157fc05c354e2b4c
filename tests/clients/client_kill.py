"""CLIENT KILL as seen by clients that check their sockets.

Some libraries (phpredis, Perl's Redis) check whether a connection is still open before they send, and
reconnect if not. So a killed connection must be closed before the reply to CLIENT KILL.
"""

import socket

from check import HOST, PORT, run

VICTIMS = 500  # So many that it takes the server a while to close them.
ROUNDS = 10


def connect():
    return socket.create_connection((HOST, PORT), timeout=20)


def ask(connection, request):
    """Sends one line, and returns the reply up to its last line, which must be a number."""
    connection.sendall(request + b"\r\n")
    reply = b""
    while not (reply.endswith(b"\r\n") and reply.splitlines()[-1].startswith(b":")):
        received = connection.recv(4096)
        assert received, "the connection is closed"
        reply += received
    return int(reply.splitlines()[-1][1:])


def has_gone(connection):
    # Not MSG_DONTWAIT: a socket with a timeout would wait for input all the same.
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def killed_connections_have_gone_when_it_is_answered():
    killer = connect()
    for _ in range(ROUNDS):
        victims = [connect() for _ in range(VICTIMS)]
        for victim in victims:
            assert ask(victim, b"SUBSCRIBE news") == 1
        assert ask(killer, b"CLIENT KILL TYPE pubsub") == VICTIMS
        # The ones that probably close last come first.
        standing = sum(not has_gone(victim) for victim in reversed(victims))
        for victim in victims:
            victim.close()
        assert standing == 0, f"{standing} of {VICTIMS} still stand"


run("CLIENT KILL", [killed_connections_have_gone_when_it_is_answered])
