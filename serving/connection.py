"""A peer's connection, as the worker's loop follows it from request to request."""

from __future__ import annotations

import socket
from enum import Enum, auto
from typing import Any

from gunicorn import http
from gunicorn.workers.gthread import TConn

from serving.framing import Frame, Framing
from serving.limits import Limits
from serving.stream import RequestStream


class Phase(Enum):
    """What the connection is waiting for."""

    REQUEST = auto()  # the peer is to send
    THREAD = auto()  # a thread has it; the loop leaves it alone
    ANSWER = auto()  # the peer is to take the rest of an answer
    END = auto()  # the answer is sent, the peer is to close


class Connection(TConn):  # type: ignore[misc] # gunicorn has no types
    """State of one connection; `sock` is the stream that gunicorn's code gets, `peer` the real socket."""

    initialized: bool

    def __init__(self, cfg: Any, peer: socket.socket, client: Any, server: Any, limits: Limits) -> None:
        super().__init__(cfg, peer, client, server)
        self.peer = peer
        self.limits = limits
        self.sock = self.stream = RequestStream(peer, limits)
        self.received = bytearray()
        self.framing = Framing(limits)
        self.frame = Frame(0, whole=True)  # of the request that a thread has
        self.phase = Phase.REQUEST
        self.closed = False
        self.lively = False  # it sends complete requests
        self.invited = False  # the peer was told to go on (100 Continue)
        self.reusable = False  # another request may follow the answer
        self.body_began: float | None = None  # when the head was complete, by the loop's clock
        self.thrown_away = 0
        self.watched = 0  # the events that the loop's selector looks for
        self.deadline = 0.0
        self.counted = 0  # bytes of this connection in the worker's sum
        self.data_ready = True  # a thread gets it with its request

    def init(self) -> None:
        """Called by gunicorn in the thread: the parser reads the stream."""
        if not self.initialized:
            self.initialized = True
            self.parser = http.get_parser(self.cfg, self.stream, self.client)

    def take(self, frame: Frame) -> None:
        """Put the request that has come into the stream."""
        self.frame, self.phase = frame, Phase.THREAD
        self.stream.replay(bytes(self.received[: frame.end]))
        del self.received[: frame.end]
        self.framing = Framing(self.limits)

    def expect_another(self) -> None:
        """Forget the request that was answered."""
        self.stream.replay(b"")
        self.reusable, self.invited, self.body_began = False, False, None

    @property
    def taken_as_framed(self) -> bool:
        """Whether gunicorn read exactly the bytes that were taken for one request: another one may follow."""
        left_over = self.parser is None or self.parser.unreader.buf.getvalue()
        return self.frame.whole and self.stream.read_to_its_end and not left_over

    @property
    def held(self) -> int:
        """Bytes in this connection's buffers."""
        return len(self.received) + self.stream.held
