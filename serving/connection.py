"""A peer's connection, and its state between requests for the worker's loop."""

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

    REQUEST = auto()  # bytes of the peer
    THREAD = auto()  # the thread that answers; the loop leaves the connection alone
    ANSWER = auto()  # the peer, to read the rest of an answer
    END = auto()  # the peer, to close after the answer


class Connection(TConn):  # type: ignore[misc] # gunicorn has no types
    """The state of one connection; `sock` is the stream that gunicorn's code gets, `peer` the real socket."""

    initialized: bool

    def __init__(self, cfg: Any, peer: socket.socket, client: Any, server: Any, limits: Limits) -> None:
        super().__init__(cfg, peer, client, server)
        self.peer = peer
        self.limits = limits
        self.sock = self.stream = RequestStream(peer, limits)
        self.received = bytearray()
        self.framing = Framing(limits)
        self.frame = Frame(0, whole=True)  # of the request that a thread answers
        self.phase = Phase.REQUEST
        self.closed = False
        self.active = False  # the peer has sent a complete request
        self.continue_sent = False  # 100 Continue was sent for this request
        self.reusable = False  # another request may follow the answer
        self.body_began: float | None = None  # when the head was complete, by the loop's clock
        self.discarded = 0  # bytes after the last answer
        self.watched = 0  # the events that the loop's selector looks for
        self.deadline = 0.0  # by the loop's clock
        self.counted = 0  # this connection's share of the worker's buffered bytes
        self.data_ready = True  # gunicorn's flag: a thread gets the connection with a request

    def init(self) -> None:
        """Make the parser, which reads the stream; gunicorn calls this in the thread."""
        if not self.initialized:
            self.initialized = True
            self.parser = http.get_parser(self.cfg, self.stream, self.client)

    def hand_over(self, frame: Frame) -> None:
        """Move the complete request from the received bytes into the stream, for a thread."""
        self.frame, self.phase = frame, Phase.THREAD
        self.stream.replay(bytes(self.received[: frame.end]))
        del self.received[: frame.end]
        self.framing = Framing(self.limits)

    def expect_another(self) -> None:
        """Forget the request that was answered."""
        self.stream.replay(b"")
        self.reusable, self.continue_sent, self.body_began = False, False, None

    @property
    def parsed_as_framed(self) -> bool:
        """Whether gunicorn's parser read exactly the frame's bytes, so that another request may follow."""
        left_over = self.parser is None or self.parser.unreader.buf.getvalue()
        return self.frame.whole and self.stream.read_to_its_end and not left_over

    @property
    def buffered(self) -> int:
        """Bytes in this connection's buffers."""
        return len(self.received) + self.stream.buffered
