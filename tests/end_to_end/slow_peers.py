"""Peers that cost their owner nothing: many connections that send a byte now and then."""

import itertools
import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event

POST = b"POST /subscribe HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
LONG = b"x" * 10_000
# Each begins a request in its own way and never ends it.
BEGINNINGS = (
    (b"", POST + b"X-Filler: " + LONG),  # not even the head
    (POST + b"Content-Length: 9000\r\n\r\n", LONG),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 1_000),
    (POST + b"Expect: 100-continue\r\nContent-Length: 9000\r\n\r\n", LONG),
)


@contextmanager
def dripping(port: int, *, connections: int, pause: float) -> Iterator[None]:
    """So many connections, each sending a byte every `pause` seconds and coming back when it is ended."""
    context = multiprocessing.get_context("spawn")
    there, stop = context.Event(), context.Event()
    process = context.Process(target=_drip, args=(port, connections, pause, there, stop), daemon=True)
    process.start()
    try:
        if not there.wait(30):
            raise TimeoutError("the slow peers could not connect")
        yield
    finally:
        stop.set()
        process.join(10)


def _drip(port: int, connections: int, pause: float, there: Event, stop: Event) -> None:
    kinds = itertools.cycle(BEGINNINGS)
    peers = [_Peer(port, *next(kinds)) for _ in range(connections)]
    there.set()
    while not stop.is_set():
        began = time.monotonic()
        for number, peer in enumerate(peers):
            peer.turn()
            # Spread over the pause, as strangers would be.
            stop.wait(max(0, began + pause * number / connections - time.monotonic()))


class _Peer:
    def __init__(self, port: int, beginning: bytes, rest: bytes) -> None:
        self._port, self._beginning, self._rest = port, beginning, rest
        self._connect()

    def turn(self) -> None:
        """Send one byte, or connect again."""
        try:
            self._socket.send(self._rest[self._sent : self._sent + 1])
            self._sent += 1
            self._read()
        except OSError:
            self._socket.close()
            self._connect()

    def _read(self) -> None:
        try:
            if not self._socket.recv(4096):
                raise ConnectionResetError
        except BlockingIOError:
            pass

    def _connect(self) -> None:
        self._sent = 0
        self._socket = socket.create_connection(("127.0.0.1", self._port))
        self._socket.setblocking(False)
        if self._beginning:
            self._socket.send(self._beginning)
