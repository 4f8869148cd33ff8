"""An HTTP session whose calls end in time, whatever the other side does.

The time-outs of `requests` are for one read each, so a server that sends a byte now and then holds a call for
as long as it likes. Here a timer shuts the socket down, which ends any read, write or handshake on it.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError

# Bytes; the largest answers of those that are called here are pages of a few hundred kilobytes.
LARGEST_BODY = 2 * 1024 * 1024
_PIECE = 64 * 1024


class AnswerTooLarge(requests.RequestException):
    """The body had no end, or was larger than anything that was asked for."""


class DeadlineSession(requests.Session):
    """Each call ends within `seconds`, from looking up the name to the last byte of the body.

    A `urllib3.Timeout` with a `total` sets another time for one call. What a response hook does counts: a
    repeat that it sends is cut off at the same moment. With `stream=True` the body is covered where a hook
    reads it, not where the caller does. A call that is cut off raises requests.RequestException; its outcome
    is unknown, unless it is requests.ConnectTimeout, after which nothing was sent.

    No redirect is followed or even looked at. A body larger than `largest_body` bytes, decompressed, is read
    no further: AnswerTooLarge.
    """

    def __init__(
        self,
        seconds: float,
        *,
        depart: Callable[[], None] = lambda: None,
        largest_body: int = LARGEST_BODY,
    ) -> None:
        """`seconds` must be more than 0.

        `depart` is called for each request when its connection stands, before its first byte. It may wait,
        within the call's time; what it raises comes out of the call, of which nothing was sent.
        """
        super().__init__()
        self._seconds = seconds
        self._depart = depart
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(largest_body))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """There is none: requests would read the whole body, and an address that may be of any shape."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send as `requests.Session.send` does."""
        timeout = options.get("timeout")
        total = timeout.total if isinstance(timeout, Timeout) else None
        seconds = total if isinstance(total, (int, float)) else self._seconds
        with _within(seconds, self._depart) as cut:
            response = super().send(request, **options)
        if cut.made:
            # Where a body ends with its connection, the end that we made looks like the vendor's own.
            response.close()
            raise requests.ReadTimeout("The call took too long and was cut off.", request=request)
        return response


class _Cut:
    """The end of one call. Works on duplicates, as TLS takes a socket over and closed ones are reused."""

    def __init__(self, seconds: float, depart: Callable[[], None]) -> None:
        self.depart = depart
        self._ends_at = monotonic() + seconds
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.made = False
        self.opened = False

    def left(self) -> float:
        return self._ends_at - monotonic()

    def watch(self, connected: socket.socket) -> None:
        with self._lock:
            self._sockets.append(socket.socket(fileno=os.dup(connected.fileno())))
        if self.made:
            self.make()

    def make(self) -> None:
        with self._lock:
            self.made = True
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()


# A refresh forced by a 401 is a call within a call; each has its own end.
_current: ContextVar[_Cut | None] = ContextVar("current", default=None)


@contextmanager
def _within(seconds: float, depart: Callable[[], None]) -> Iterator[_Cut]:
    cut = _Cut(seconds, depart)
    timer = threading.Timer(seconds, cut.make)
    timer.daemon = True
    timer.start()
    outer = _current.set(cut)
    try:
        yield cut
    finally:
        _current.reset(outer)
        timer.cancel()
        cut.close()


class _WatchedHTTP(HTTPConnection):
    """A connection that the current deadline can shut down."""

    def _new_conn(self) -> socket.socket:
        return _connected(self, super()._new_conn)

    def request(self, *args: Any, **options: Any) -> None:
        _leave(self)
        super().request(*args, **options)


class _WatchedHTTPS(HTTPSConnection):
    """The same over TLS; the handshake is covered, too."""

    def _new_conn(self) -> socket.socket:
        return _connected(self, super()._new_conn)

    def request(self, *args: Any, **options: Any) -> None:
        _leave(self)
        super().request(*args, **options)


def _connected(connection: HTTPConnection, connect: Callable[[], socket.socket]) -> socket.socket:
    """What `connect` opens; in a thread, as neither a resolver nor a list of addresses heeds a deadline."""
    cut = _current.get()
    if cut is None:
        return connect()
    outcome: SimpleQueue[socket.socket | Exception] = SimpleQueue()
    waiting = threading.Event()
    waiting.set()

    def open_it() -> None:
        try:
            opened: socket.socket | Exception = connect()
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            opened = error
        outcome.put(opened)
        if not waiting.is_set() and isinstance(opened, socket.socket):
            opened.close()

    threading.Thread(target=open_it, name="connect", daemon=True).start()
    try:
        opened = outcome.get(timeout=max(cut.left(), 0))
    except Empty:
        waiting.clear()
        raise ConnectTimeoutError(connection, "The call took too long before it was connected.") from None
    if isinstance(opened, Exception):
        raise opened
    cut.watch(opened)
    cut.opened = True
    return opened


def _leave(connection: HTTPConnection) -> None:
    """Open the connection unless it stands, wait for the moment to leave, and see that it still stands."""
    cut = _current.get()
    if cut is None:
        return
    kept = connection.sock is not None and not cut.opened
    if connection.sock is None:
        connection.connect()
    else:
        cut.watch(connection.sock)
    cut.depart()
    # The other side may have closed a kept one meanwhile; TLS tickets in a new one only look like an end.
    if kept and not connection.is_connected:
        connection.close()
        connection.connect()


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class _Adapter(HTTPAdapter):
    """Opens watched connections, also where a proxy stands in between, and reads bodies up to a size."""

    def __init__(self, largest_body: int) -> None:
        self._largest_body = largest_body
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        response = super().send(request, *args, **options)
        body = bytearray()
        # Decompressed by the piece: a small gzip file can hold gigabytes.
        for piece in response.iter_content(_PIECE):
            body.extend(piece)
            if len(body) > self._largest_body:
                response.close()
                raise AnswerTooLarge("The answer is too large.", request=request)
        # What `requests` itself keeps it in, and then reads it from.
        response._content = bytes(body)
        return response

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        _use_watched(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        _use_watched(manager)
        return manager


def _use_watched(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
