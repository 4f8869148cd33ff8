"""The worker's loop with peers that are slow, silent or gone: the limits end each connection."""

import logging
import selectors
import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config

from serving.connection import Connection, Phase
from serving.connections import Connections
from serving.limits import Limits

LIMITS = Limits(
    head_bytes=2_000,
    body_bytes=50_000,
    answer_bytes=400_000,
    buffered_bytes=700_000,
    connections=5,
    requests_in_threads=2,
    linger_bytes=100_000,
)
KEEPALIVE = 5
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


class Loop:
    """The worker's loop with a clock that is set by hand; the test answers in place of the threads."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.poller = selectors.DefaultSelector()
        self.complete: list[Connection] = []
        self.connections = Connections(
            self.poller,
            LIMITS,
            submit=self.complete.append,
            keepalive=KEEPALIVE,
            clock=lambda: self.now,
            log=logging.getLogger("test"),
        )
        self.peers: list[socket.socket] = []

    def connect(self, first: bytes = b"") -> socket.socket:
        """Return a peer that has sent `data` before it is accepted."""
        ours, peer = socket.socketpair()
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)  # the kernel's buffers do not count
        peer.setblocking(False)
        peer.sendall(first)
        self.peers.append(peer)
        self.connections.add(Connection(Config(), ours, ("192.0.2.1", 4), ("", 80), LIMITS))
        return peer

    def turn(self) -> None:
        """Let the loop handle all events."""
        while events := self.poller.select(0):
            for key, _ in events:
                key.data(key.fileobj)

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.connections.expire()
        self.turn()

    def answer(self, body: bytes, *, reusable: bool = True) -> Connection:
        """Answer the oldest complete request, in place of a thread; return its connection."""
        conn = self.complete.pop(0)
        conn.stream.sendall(body)
        conn.reusable = reusable
        self.connections.answered(conn)
        return conn

    def close(self) -> None:
        self.connections.close()
        for peer in self.peers:
            peer.close()
        self.poller.close()


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def received(peer: socket.socket) -> bytes:
    """Return what the peer has been sent; `ended` tells the end."""
    data = b""
    try:
        while piece := peer.recv(1_000_000):
            data += piece
    except BlockingIOError:
        return data
    return data + b"<end>"


def test_a_thread_gets_a_request_with_its_last_byte(loop: Loop) -> None:
    """Not with its first byte, nor with any in between."""
    request = POST + b"Content-Length: 5\r\n\r\nhello"
    peer = loop.connect()
    for number in range(len(request)):
        assert loop.complete == []
        peer.send(request[number : number + 1])
        loop.turn()
    (conn,) = loop.complete
    assert conn.stream.recv(1_000) == request


@pytest.mark.parametrize(
    ("sent", "seconds", "answer"),
    [
        (b"", LIMITS.head_seconds, b"<end>"),
        (b"GET", LIMITS.head_seconds, b"HTTP/1.1 408"),
        (POST + b"Content-Length: 5\r\n\r\nhell", LIMITS.transfer_seconds, b"HTTP/1.1 408"),
        (
            POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            LIMITS.transfer_seconds,
            b"HTTP/1.1 408",
        ),
    ],
    ids=["nothing", "a head begun", "a body begun", "chunks without an end"],
)
def test_what_does_not_become_complete_ends_in_time(
    loop: Loop, sent: bytes, seconds: float, answer: bytes
) -> None:
    """A begun request is answered with 408; single bytes do not extend its time."""
    peer = loop.connect(sent)
    began = loop.now
    while received(peer) == b"":
        assert loop.now < began + seconds + 3, "it is still open"
        loop.later(1)
        if sent.startswith(b"GET"):
            peer.send(b"a")
            loop.turn()
    assert loop.now >= began + seconds
    loop.later(LIMITS.linger_seconds)
    assert len(loop.connections) == 0


def test_a_body_that_comes_steadily_has_more_time(loop: Loop) -> None:
    """A second more for each 4,096 bytes."""
    peer = loop.connect(POST + b"Content-Length: 50000\r\n\r\n")
    for _ in range(12):
        loop.later(LIMITS.transfer_seconds / 8)
        peer.sendall(b"x" * 4_096)
        loop.turn()
    assert received(peer) == b""
    peer.sendall(b"x" * 848)
    loop.turn()
    assert len(loop.complete) == 1


def test_a_timed_out_peer_reads_what_to_do(loop: Loop) -> None:
    """A problem document (RFC 9457), and the end of the connection."""
    peer = loop.connect(b"GET")
    loop.later(LIMITS.head_seconds)
    head, _, body = received(peer).partition(b"\r\n\r\n")
    assert b"Content-Type: application/problem+json" in head
    assert b"Connection: close" in head
    assert b'"status": 408' in body
    assert body.endswith(b"}<end>")


def test_a_head_that_is_too_long_is_refused(loop: Loop) -> None:
    """As soon as its limit is exceeded."""
    peer = loop.connect(b"GET /" + b"a" * 3_000)
    assert received(peer).startswith(b"HTTP/1.1 431 ")


def test_a_kept_connection_may_be_silent_for_a_while(loop: Loop) -> None:
    """Then it ends without a word; a request in time is taken, and has its own time from its first byte."""
    peer = loop.connect(REQUEST)
    loop.answer(b"first")
    loop.later(KEEPALIVE - 1)
    peer.send(REQUEST[:5])
    loop.turn()
    loop.later(LIMITS.head_seconds - 1)
    peer.send(REQUEST[5:])
    loop.turn()
    loop.answer(b"second")
    assert received(peer) == b"firstsecond"
    loop.later(KEEPALIVE)
    assert received(peer) == b"<end>"


def test_requests_sent_ahead_are_answered_in_turn(loop: Loop) -> None:
    """Pipelined (RFC 9112 section 9.3.2): one at a time, also those that come while a thread is at work."""
    peer = loop.connect(REQUEST + REQUEST + REQUEST[:9])
    peer.send(REQUEST[9:])
    loop.turn()
    for number in (b"1", b"2", b"3"):
        assert len(loop.complete) == 1
        loop.answer(number)
        loop.turn()
    assert loop.complete == []
    assert received(peer) == b"123"


def test_100_continue_is_sent_once(loop: Loop) -> None:
    """100 Continue (RFC 9110 section 10.1.1) when the body is still to come."""
    peer = loop.connect(POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    peer.send(b"a")
    loop.turn()
    peer.send(b"b")
    loop.turn()
    loop.answer(b"done")
    assert received(peer) == b"HTTP/1.1 100 Continue\r\n\r\ndone"


def test_a_peer_that_does_not_read_holds_no_thread(loop: Loop) -> None:
    """The loop sends the rest when the peer reads; when it never does, the connection ends."""
    reader, idler = loop.connect(REQUEST), loop.connect(REQUEST)
    loop.answer(b"a" * 300_000)
    conn = loop.answer(b"b" * 300_000)
    assert conn.phase is Phase.ANSWER
    got = b""
    while len(got) < 300_000:
        got += received(reader)
        loop.turn()
    assert got == b"a" * 300_000
    loop.later(LIMITS.transfer_seconds + 300_000 / LIMITS.bytes_per_second)
    assert conn.closed
    assert received(idler).endswith(b"<end>")


def test_the_end_of_a_connection_holds_up_nothing(loop: Loop) -> None:
    """A peer that does not close, and one that goes on sending: both connections are ended."""
    silent, talker = loop.connect(REQUEST), loop.connect(REQUEST)
    first, second = loop.answer(b"bye", reusable=False), loop.answer(b"bye", reusable=False)
    assert received(silent) == b"bye<end>"
    with pytest.raises(OSError, match=r"."):  # noqa: PT012 - until the connection breaks
        for _ in range(100):
            talker.send(b"x" * 10_000)
            loop.turn()
    assert second.closed
    assert not first.closed
    loop.later(LIMITS.linger_seconds)
    assert first.closed


def test_a_peer_that_goes_away_is_forgotten(loop: Loop) -> None:
    """Before, in the middle of, and after a request."""
    for sent in (b"", REQUEST[:5], POST + b"Content-Length: 5\r\n\r\n"):
        loop.connect(sent).close()
        loop.turn()
    peer = loop.connect(REQUEST)
    peer.close()
    loop.turn()
    loop.answer(b"too late")
    loop.turn()
    assert len(loop.connections) == 0
    assert loop.poller.get_map() == {}


def test_with_too_many_connections_the_one_that_waited_longest_is_ended(loop: Loop) -> None:
    """Not the newest, and never a request that a thread has."""
    at_work = loop.connect(REQUEST)
    slow = [loop.connect(b"GET /slow") for _ in range(4)]
    honest = loop.connect(REQUEST)
    assert received(slow[0]).startswith(b"HTTP/1.1 503 ")
    assert [received(peer) for peer in (at_work, honest, *slow[1:])] == [b""] * 5
    assert len(loop.complete) == 2


def test_memory_is_bounded_by_ending_the_one_that_waited_longest(loop: Loop) -> None:
    """Bodies that stay incomplete, and answers that are not read."""
    loop.connect(REQUEST)
    first = loop.answer(b"a" * 390_000)
    holder = loop.connect(POST + b"Content-Length: 50000\r\n\r\n" + b"x" * 40_000)
    assert not first.closed
    loop.connect(REQUEST)
    second = loop.answer(b"a" * 390_000)
    assert (first.closed, second.closed, received(holder)) == (True, False, b"")
    loop.connect(REQUEST)
    third = loop.answer(b"a" * 390_000)
    assert (second.closed, third.closed) == (True, False)
    assert received(holder).startswith(b"HTTP/1.1 503 ")


def test_a_crowd_of_complete_requests_is_known(loop: Loop) -> None:
    """The worker then leaves new connections to another one."""
    loop.connect(REQUEST)
    assert not loop.connections.crowded
    loop.connect(REQUEST)
    assert loop.connections.crowded
    loop.answer(b"done")
    assert not loop.connections.crowded


def test_peers_that_send_complete_requests_are_counted(loop: Loop) -> None:
    """The workers share them evenly; a slow peer counts for nothing."""
    loop.connect(b"GET /slow")
    loop.connect(REQUEST)
    loop.connect(REQUEST)
    assert loop.connections.active == 2
    loop.answer(b"bye", reusable=False)
    assert loop.connections.active == 1
    loop.answer(b"kept")
    loop.later(KEEPALIVE)
    assert loop.connections.active == 0


def test_a_stop_waits_shortly_for_incomplete_requests(loop: Loop) -> None:
    """Silent connections end first, then begun requests; those in threads are answered."""
    silent, begun, complete = loop.connect(), loop.connect(b"GET"), loop.connect(REQUEST)
    loop.connections.stop(loop.now + 30)
    loop.later(LIMITS.stop_idle_seconds)
    assert received(silent) == b"<end>"
    assert received(begun) == b""
    loop.later(LIMITS.stop_unfinished_seconds - LIMITS.stop_idle_seconds)
    assert received(begun).startswith(b"HTTP/1.1 408 ")
    loop.answer(b"done")
    assert received(complete) == b"done"


def test_a_fault_of_the_loop_ends_one_connection_only(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the others go on."""
    peer, unlucky = loop.connect(REQUEST[:5]), loop.connect(REQUEST)
    conn = loop.answer(b"first")
    conn.framing = None  # type: ignore[assignment] # what nobody thought of
    unlucky.send(REQUEST)
    peer.send(REQUEST[5:])
    loop.turn()
    loop.answer(b"fine")
    assert (received(peer), received(unlucky)) == (b"fine", b"first<end>")
    assert "A connection was ended." in caplog.text
