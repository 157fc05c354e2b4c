"""A link between two nodes that can be cut, stalled, delayed, or deliver byte by byte.

A replica connects to the port of the link instead of that of its primary.
"""

import contextlib
import selectors
import socket
import threading
import time

from nodes import HOST, PORT_NUMBERS

CHUNK_BYTES = 1 << 16
TICK_S = 0.01


class Pipe:
    """One connection: from the replica to us, and from us to the primary."""

    def __init__(self, near, far):
        self.near, self.far = near, far
        # Bytes on their way in each direction, each with the time when they are due.
        self.to_far, self.to_near = [], []
        self.is_closed = False

    def close(self):
        self.is_closed = True
        for end in (self.near, self.far):
            with contextlib.suppress(OSError):
                end.close()


class Link:
    """A thread forwards. The attributes may be changed by any thread at any time."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.port = PORT_NUMBERS.take()
        # Delivered in pieces of at most so many bytes.
        self.piece_bytes = CHUNK_BYTES
        self.delay_s = 0
        # Neither reads nor writes; the ends see a peer that is silent.
        self.is_stalled = False
        # Stalls when so many more bytes of the primary are through.
        self.stall_after_bytes = None
        # New connections are closed at once.
        self.is_refusing = False
        # Bytes of the primary that were delivered.
        self.delivered = 0
        self.connections = 0
        self.must_cut = False
        self.must_end = False
        self.listener = socket.create_server((HOST, self.port), backlog=50)
        self.listener.setblocking(False)
        self.pipes = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def cut(self):
        """Closes all connections, and returns when that is done."""
        self.must_cut = True
        deadline = time.monotonic() + 10
        while self.must_cut and self.thread.is_alive():
            assert time.monotonic() < deadline, "the link is not cut"
            time.sleep(0.001)

    def refuse(self):
        """Cut, and no new connections until `accept`."""
        self.is_refusing = True
        self.cut()

    def accept(self):
        self.is_refusing = False

    def resume(self):
        self.stall_after_bytes = None
        self.is_stalled = False

    def end(self):
        self.must_end = True
        self.thread.join(timeout=10)

    def serve(self):
        while not self.must_end:
            self.turn()
        for pipe in self.pipes:
            pipe.close()
        self.listener.close()

    def turn(self):
        if self.must_cut:
            for pipe in self.pipes:
                pipe.close()
            self.must_cut = False
        self.pipes = [pipe for pipe in self.pipes if not pipe.is_closed]
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener, selectors.EVENT_READ)
            if not self.is_stalled:
                for pipe in self.pipes:
                    self.register(selector, pipe)
            for key, events in selector.select(TICK_S if self.delay_s == 0 else 0.001):
                if key.fileobj is self.listener:
                    self.take_connection()
                elif not key.data.is_closed and not self.is_stalled:
                    self.move(key.data, key.fileobj, events)

    def register(self, selector, pipe):
        now = time.monotonic()
        for end, incoming, outgoing in [
            (pipe.near, pipe.to_far, pipe.to_near),
            (pipe.far, pipe.to_near, pipe.to_far),
        ]:
            events = selectors.EVENT_READ if len(incoming) < 64 else 0
            if outgoing and outgoing[0][0] <= now:
                events |= selectors.EVENT_WRITE
            if events:
                selector.register(end, events, pipe)

    def take_connection(self):
        with contextlib.suppress(OSError):
            near, _ = self.listener.accept()
            if self.is_refusing:
                near.close()
                return
            far = socket.create_connection((HOST, self.target_port), timeout=2)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                end.setblocking(False)
            self.pipes.append(Pipe(near, far))
            self.connections += 1

    def move(self, pipe, end, events):
        incoming, outgoing = pipe.to_far, pipe.to_near
        if end is pipe.far:
            incoming, outgoing = outgoing, incoming
        try:
            if events & selectors.EVENT_WRITE:
                self.deliver(pipe, end, outgoing)
            if events & selectors.EVENT_READ:
                received = end.recv(CHUNK_BYTES)
                if not received:
                    return pipe.close()
                incoming.append((time.monotonic() + self.delay_s, received))
        except BlockingIOError:
            pass
        except OSError:
            pipe.close()

    def deliver(self, pipe, end, outgoing):
        due, received = outgoing[0]
        limit = self.piece_bytes
        from_primary = end is pipe.near
        if from_primary and self.stall_after_bytes is not None:
            limit = min(limit, max(self.stall_after_bytes, 1))
        sent = end.send(received[:limit])
        if sent == len(received):
            outgoing.pop(0)
        else:
            outgoing[0] = (due, received[sent:])
        if from_primary:
            self.delivered += sent
            if self.stall_after_bytes is not None:
                self.stall_after_bytes -= sent
                self.is_stalled = self.stall_after_bytes <= 0
