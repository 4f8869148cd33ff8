"""All connections of a worker while they wait for their peers: one selector, bounded time, bounded memory."""

import json
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from serving.connection import Connection, Phase
from serving.framing import HeadTooLargeError
from serving.limits import Limits

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
RECEIVE = 64 * 1024
REASONS = {
    HTTPStatus.REQUEST_TIMEOUT: "The request did not arrive completely in time. Send it once more.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The headers are too long. Send fewer or shorter ones.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Too many requests are being sent at once. Try again in a minute.",
}


class Connections:
    """Reads requests, sends the rest of answers, ends connections that are too slow; called by the loop only.

    `submit` is called with a connection whose request is complete; `answered` takes the connection back.
    `clock` counts seconds; a connection may be silent for `keepalive` seconds between two requests.
    """

    def __init__(
        self,
        poller: selectors.BaseSelector,
        limits: Limits,
        *,
        submit: Callable[[Connection], None],
        keepalive: float,
        clock: Callable[[], float],
        log: Any,
    ) -> None:
        self._poller, self._limits, self._submit = poller, limits, submit
        self._keepalive, self._clock, self._log = keepalive, clock, log
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}  # in the order in which they began to wait
        self._buffered = 0  # bytes in the buffers of all connections
        self._in_threads = 0
        self.active = 0  # connections whose peers have sent a complete request
        self._latest = float("inf")  # the worker's end; no deadline is later

    def __len__(self) -> int:
        return len(self._open)

    @property
    def crowded(self) -> bool:
        """Whether so many requests wait for a thread that new ones are better left to another worker."""
        return self._in_threads >= self._limits.requests_in_threads

    def add(self, conn: Connection) -> None:
        """Begin with a connection that was just accepted."""
        if len(self._open) >= self._limits.connections:
            self.end_longest_waiting()
        self._open.add(conn)
        self._guarded(conn, self._begin)

    def answered(self, conn: Connection) -> None:
        """Send the rest of the answer that a thread has made, then await the next request or the end."""
        self._in_threads -= 1
        self._guarded(conn, self._send)

    def end_longest_waiting(self) -> None:
        """End the connection that has waited longest, if there is one."""
        oldest = next(iter(self._waiting), None)
        if oldest is None:
            return
        if oldest.phase is Phase.REQUEST and oldest.received:
            with suppress(OSError):
                oldest.peer.send(_problem(HTTPStatus.SERVICE_UNAVAILABLE))
        self._drop(oldest)

    def expire(self) -> None:
        """End the connections that have waited too long."""
        now = self._clock()
        for conn in [conn for conn in self._waiting if conn.deadline <= now]:
            if conn.phase is Phase.REQUEST and conn.received:
                self._guarded(conn, partial(self._refuse, status=HTTPStatus.REQUEST_TIMEOUT))
            else:
                self._drop(conn)

    def stop(self, until: float) -> None:
        """Wait less for silent and unfinished connections, since the worker ends at `until` at the latest."""
        self._latest = until
        self._keepalive = min(self._keepalive, self._limits.stop_idle_seconds)
        now = self._clock()
        for conn in self._waiting:
            silent = conn.phase is Phase.REQUEST and not conn.received
            patience = self._limits.stop_idle_seconds if silent else self._limits.stop_unfinished_seconds
            conn.deadline = min(conn.deadline, now + patience)

    def close(self) -> None:
        """End all connections at once."""
        for conn in list(self._open):
            self._drop(conn)

    # The steps of a connection. Each is called through _guarded.

    def _begin(self, conn: Connection) -> None:
        self._wait(conn, Phase.REQUEST, READ, self._limits.head_seconds)
        # The request mostly comes together with the connection.
        self._receive(conn)

    def _receive(self, conn: Connection) -> None:
        try:
            data = conn.peer.recv(RECEIVE)
        except BlockingIOError:
            return
        if not data:
            self._drop(conn)
            return
        if not conn.received:
            conn.deadline = self._until(self._limits.head_seconds)
        conn.received += data
        self._find_request(conn)

    def _find_request(self, conn: Connection) -> None:
        try:
            frame = conn.framing.find(conn.received)
        except HeadTooLargeError:
            self._refuse(conn, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        if frame is not None:
            self._waiting.pop(conn, None)
            conn.hand_over(frame)
            self._in_threads += 1
            self._set_active(conn, active=True)
            self._count(conn)
            self._submit(conn)
            return
        if conn.framing.head_complete:
            self._await_body(conn)
        self._count(conn)

    def _await_body(self, conn: Connection) -> None:
        if conn.body_began is None:
            conn.body_began = self._clock()
            if conn.framing.expects_continue:
                conn.continue_sent = True
                conn.stream.sendall(CONTINUE)
                conn.stream.flush()
        allowed = self._limits.transfer_seconds + len(conn.received) / self._limits.bytes_per_second
        conn.deadline = min(conn.body_began + allowed, self._latest)

    def _send(self, conn: Connection) -> None:
        if not conn.stream.flush():
            if conn.phase is not Phase.ANSWER:
                seconds = len(conn.stream.unsent) / self._limits.bytes_per_second
                self._wait(conn, Phase.ANSWER, WRITE, self._limits.transfer_seconds + seconds)
            self._count(conn)
        elif conn.reusable:
            self._await_request(conn)
        else:
            self._linger(conn)

    def _await_request(self, conn: Connection) -> None:
        conn.expect_another()
        self._wait(conn, Phase.REQUEST, READ, self._keepalive)
        self._count(conn)
        if conn.received and not conn.closed:  # sent before the answer to the previous request
            conn.deadline = self._until(self._limits.head_seconds)
            self._find_request(conn)

    def _linger(self, conn: Connection) -> None:
        conn.received.clear()
        self._set_active(conn, active=False)
        conn.peer.shutdown(socket.SHUT_WR)
        self._wait(conn, Phase.END, READ, self._limits.linger_seconds)
        self._count(conn)

    def _discard(self, conn: Connection) -> None:
        conn.discarded += len(data := conn.peer.recv(RECEIVE))
        if not data or conn.discarded > self._limits.linger_bytes:
            self._drop(conn)

    def _refuse(self, conn: Connection, status: HTTPStatus) -> None:
        conn.reusable = False
        conn.stream.sendall(_problem(status))
        self._send(conn)

    # What the steps are made of.

    def _guarded(self, conn: Connection, step: Callable[[Connection], None]) -> None:
        """Run a step; a failure ends this connection only."""
        if conn.closed:  # by an earlier event of the same turn of the loop
            return
        try:
            step(conn)
        except OSError:
            self._drop(conn)
        except Exception:  # noqa: BLE001 - a fault here would end the worker with all its connections
            self._log.exception("A connection was ended.")
            self._drop(conn)

    def _event(self, conn: Connection, _peer: socket.socket) -> None:
        steps: dict[Phase, Callable[[Connection], None]] = {
            Phase.REQUEST: self._receive,
            # The peer sends its next request, or is gone: the loop reads when the thread is done.
            Phase.THREAD: partial(self._watch, events=0),
            Phase.ANSWER: self._send,
            Phase.END: self._discard,
        }
        self._guarded(conn, steps[conn.phase])

    def _set_active(self, conn: Connection, *, active: bool) -> None:
        self.active += active - conn.active
        conn.active = active

    def _wait(self, conn: Connection, phase: Phase, events: int, seconds: float) -> None:
        conn.phase = phase
        conn.deadline = self._until(seconds)
        self._waiting.pop(conn, None)
        self._waiting[conn] = None
        self._watch(conn, events)

    def _until(self, seconds: float) -> float:
        return min(self._clock() + seconds, self._latest)

    def _watch(self, conn: Connection, events: int) -> None:
        if conn.watched == events:
            return
        if not events:
            self._poller.unregister(conn.peer)
        elif conn.watched:
            self._poller.modify(conn.peer, events, partial(self._event, conn))
        else:
            self._poller.register(conn.peer, events, partial(self._event, conn))
        conn.watched = events

    def _count(self, conn: Connection) -> None:
        if conn.closed:
            return
        self._buffered += conn.buffered - conn.counted
        conn.counted = conn.buffered
        while self._buffered > self._limits.buffered_bytes and self._waiting:
            self.end_longest_waiting()

    def _drop(self, conn: Connection) -> None:
        if conn.closed:
            return
        conn.closed = True
        self._watch(conn, 0)
        self._waiting.pop(conn, None)
        self._open.discard(conn)
        self._buffered -= conn.counted
        self._set_active(conn, active=False)
        conn.peer.close()


def _problem(status: HTTPStatus) -> bytes:
    """Return an answer that the loop itself gives (RFC 9457)."""
    problem = {"type": "about:blank", "title": status.phrase, "status": status, "detail": REASONS[status]}
    body = json.dumps(problem).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
