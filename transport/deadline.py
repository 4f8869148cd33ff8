"""An HTTP session whose calls end in time, whatever the other side does.

The time-outs of `requests` are for one read each, so a server that sends a byte now and then can prolong a
call without end. Here a timer shuts the socket down, which ends any read, write or handshake on it.

The session calls back twice on a request's way: `DeadlineSession.send` puts a `_Deadline` into the context
variable `_current`, and a connection of urllib3, which gets no argument of ours, finds it there when it
connects (`_connected`) and right before the first byte (`_before_request`, which also calls `depart`).
"""

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

# In bytes. The largest answers that the services get are pages of a few hundred kilobytes.
LARGEST_BODY = 2 * 1024 * 1024
_CHUNK = 64 * 1024


class AnswerTooLarge(requests.RequestException):
    """The body was endless, or larger than any answer that is expected."""


class DeadlineSession(requests.Session):
    """Each call ends within `seconds`, from looking up the name to the last byte of the body.

    A `urllib3.Timeout` with a `total` sets another time for one call. Response hooks count: a repeat that a
    hook sends is cut off at the same moment. With `stream=True` the body is covered where a hook reads it,
    not where the caller does. A call that is cut off raises requests.RequestException; its outcome is
    unknown, unless it is requests.ConnectTimeout, after which nothing was sent.

    Redirects are not followed. A body larger than `largest_body` bytes, decompressed, raises AnswerTooLarge.
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
        within the call's time; an exception of it ends the call, of which nothing was sent.
        """
        super().__init__()
        self._seconds = seconds
        self._depart = depart
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(largest_body))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: for a redirect `requests` would read the whole body, and parse any address."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send as `requests.Session.send` does."""
        timeout = options.get("timeout")
        total = timeout.total if isinstance(timeout, Timeout) else None
        seconds = total if isinstance(total, (int, float)) else self._seconds
        with _within(seconds, self._depart) as deadline:
            response = super().send(request, **options)
        if deadline.passed:
            # Where a body ends with its connection, one that was cut off looks complete.
            response.close()
            raise requests.ReadTimeout("The call took too long and was cut off.", request=request)
        return response


class _Deadline:
    """The end of one call, and the sockets to shut down then.

    Shuts down duplicates of the sockets: TLS detaches the original, and a closed descriptor's number is
    reused.
    """

    def __init__(self, seconds: float, depart: Callable[[], None]) -> None:
        self.depart = depart
        self._ends_at = monotonic() + seconds
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.passed = False
        self.connected = False  # a connection was opened within this call

    def seconds_left(self) -> float:
        return self._ends_at - monotonic()

    def watch(self, connected: socket.socket) -> None:
        """Shut the socket down at the deadline; at once when that has passed."""
        with self._lock:
            self._sockets.append(socket.socket(fileno=os.dup(connected.fileno())))
        if self.passed:
            self.cut_off()

    def cut_off(self) -> None:
        with self._lock:
            self.passed = True
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()


# The deadline of the innermost call: a token refresh forced by a 401 is a call within a call.
_current: ContextVar[_Deadline | None] = ContextVar("current", default=None)


@contextmanager
def _within(seconds: float, depart: Callable[[], None]) -> Iterator[_Deadline]:
    deadline = _Deadline(seconds, depart)
    timer = threading.Timer(seconds, deadline.cut_off)
    timer.daemon = True
    timer.start()
    outer = _current.set(deadline)
    try:
        yield deadline
    finally:
        _current.reset(outer)
        timer.cancel()
        deadline.close()


class _WatchedHTTP(HTTPConnection):
    """A connection that the current deadline can shut down."""

    def _new_conn(self) -> socket.socket:
        return _connected(self, super()._new_conn)

    def request(self, *args: Any, **options: Any) -> None:
        _before_request(self)
        super().request(*args, **options)


class _WatchedHTTPS(_WatchedHTTP, HTTPSConnection):
    """The same over TLS; the handshake is covered, too."""


def _connected(connection: HTTPConnection, connect: Callable[[], socket.socket]) -> socket.socket:
    """Return the socket that `connect` opens, within the deadline.

    It runs in a thread: resolving a name, and trying several addresses in turn, knows no deadline.
    """
    deadline = _current.get()
    if deadline is None:
        return connect()
    outcome: SimpleQueue[socket.socket | Exception] = SimpleQueue()
    waiting = threading.Event()
    waiting.set()

    def run_connect() -> None:
        try:
            opened: socket.socket | Exception = connect()
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            opened = error
        outcome.put(opened)
        if not waiting.is_set() and isinstance(opened, socket.socket):
            opened.close()

    threading.Thread(target=run_connect, name="connect", daemon=True).start()
    try:
        opened = outcome.get(timeout=max(deadline.seconds_left(), 0))
    except Empty:
        waiting.clear()
        raise ConnectTimeoutError(connection, "The call took too long before it was connected.") from None
    if isinstance(opened, Exception):
        raise opened
    deadline.watch(opened)
    deadline.connected = True
    return opened


def _before_request(connection: HTTPConnection) -> None:
    """Connect unless the connection stands, call `depart`, and reconnect if it ended meanwhile."""
    deadline = _current.get()
    if deadline is None:
        return
    from_pool = connection.sock is not None and not deadline.connected
    if connection.sock is None:
        connection.connect()
    else:
        deadline.watch(connection.sock)
    deadline.depart()
    # The other side may have closed a pooled connection. A new one is not checked: session tickets that wait
    # to be read on it look like an end.
    if from_pool and not connection.is_connected:
        connection.close()
        connection.connect()


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class _Adapter(HTTPAdapter):
    """Opens watched connections, also through a proxy, and reads bodies up to `largest_body` bytes."""

    def __init__(self, largest_body: int) -> None:
        self._largest_body = largest_body
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        response = super().send(request, *args, **options)
        body = bytearray()
        # Decompressed in chunks: a small gzip file may expand to gigabytes.
        for chunk in response.iter_content(_CHUNK):
            body.extend(chunk)
            if len(body) > self._largest_body:
                response.close()
                raise AnswerTooLarge("The answer is too large.", request=request)
        # The attribute in which `requests` itself keeps a body that was read.
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
