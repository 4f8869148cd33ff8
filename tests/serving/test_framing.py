"""When a request is handed over, and that gunicorn's own parser then reads the same."""

import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config
from gunicorn.http import RequestParser, errors
from hypothesis import given
from hypothesis import strategies as st

from serving.connection import Connection
from serving.framing import Frame, Framing, HeadTooLargeError
from serving.limits import Limits

LIMITS = Limits(head_bytes=2_000, body_bytes=1_000)
POST = b"POST /subscribe HTTP/1.1\r\nHost: a\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"


def frame_of(data: bytes, *, step: int = 0, limits: Limits = LIMITS) -> tuple[Frame | None, int]:
    """Return the frame, and after how many bytes it was found; `step` bytes arrive at a time (0: all)."""
    framing, come = Framing(limits), bytearray()
    for start in range(0, len(data), step or len(data)):
        come += data[start : start + (step or len(data))]
        if frame := framing.find(come):
            return frame, len(come)
    return None, len(come)


WHOLE = {
    "no body": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no headers": b"GET / HTTP/1.0\r\n\r\n",
    "an empty line before": b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a length": POST + b"Content-Length: 5\r\n\r\nhello",
    "a length of nothing": POST + b"content-length:0\r\n\r\n",
    "a length as long as may be": POST + b"Content-Length: 1000\r\n\r\n" + b"x" * 1_000,
    "chunks": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n00\r\n\r\n",
    "chunks with extensions": POST + b"Transfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n0;c\r\n\r\n",
    "chunks with trailers": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\nC:\r\n\r\n",
    "line ends in a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n6\r\n0\r\n\r\n0\r\n0\r\n\r\n",
    "another coding below": POST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", WHOLE.values(), ids=WHOLE.keys())
@pytest.mark.parametrize("step", [0, 1, 7])
def test_a_request_ends_where_it_ends(request_bytes: bytes, step: int) -> None:
    """In whatever pieces it comes, and whatever comes behind it; never before its last byte."""
    frame, _ = frame_of(request_bytes + NEXT, step=step)
    assert frame == Frame(len(request_bytes), whole=True)
    assert frame_of(request_bytes[:-1], step=step) == (None, len(request_bytes) - 1)


@pytest.mark.parametrize("request_bytes", WHOLE.values(), ids=WHOLE.keys())
def test_gunicorn_reads_exactly_what_was_framed(request_bytes: bytes, pair: "Pair") -> None:
    """So that another request may follow on the connection."""
    pair.connection.received += request_bytes + NEXT
    frame = pair.connection.framing.find(pair.connection.received)
    assert frame is not None
    pair.connection.hand_over(frame)
    assert pair.parse() is None
    assert pair.connection.parsed_as_framed
    assert bytes(pair.connection.received) == NEXT


# Each with what gunicorn says; None where it takes the head, and the application finds the body cut off.
REFUSED: dict[str, tuple[bytes, type[Exception] | None]] = {
    "length and chunks": (
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        errors.InvalidHeader,
    ),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", errors.InvalidHeader),
    "a length twice": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", errors.InvalidHeader),
    "a list of lengths": (POST + b"Content-Length: 5, 5\r\n\r\nhello", errors.InvalidHeader),
    "a signed length": (POST + b"Content-Length: +5\r\n\r\nhello", errors.InvalidHeader),
    "a negative length": (POST + b"Content-Length: -5\r\n\r\nhello", errors.InvalidHeader),
    "an odd digit": (POST + b"Content-Length: \xb2\r\n\r\nhello", errors.InvalidHeader),
    "no length at all": (POST + b"Content-Length:\r\n\r\nhello", errors.InvalidHeader),
    "a space before the colon": (POST + b"Content-Length : 5\r\n\r\nhello", errors.InvalidHeaderName),
    "a folded line": (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", errors.ObsoleteFolding),
    "a folded length": (POST + b"Content-Length:\r\n 5\r\n\r\nhello", errors.ObsoleteFolding),
    "chunks not last": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", errors.InvalidHeader),
    "chunked twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", errors.InvalidHeader),
    "an unknown coding": (
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        errors.UnsupportedTransferCoding,
    ),
    "a control in a coding": (
        POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        errors.InvalidHeader,
    ),
    "chunks in HTTP/1.0": (
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        errors.InvalidHeader,
    ),
    "an unknown expectation": (POST + b"Expect: 200-ok\r\n\r\n", errors.ExpectationFailed),
    "a bare line feed": (b"GET / HTTP/1.1\nHost: a\r\n", errors.InvalidRequestLine),
    "a bare line feed in a header": (POST + b"A: b\nContent-Length: 5\r\n", errors.InvalidHeader),
    "only line feeds": (b"GET / HTTP/1.1\n\n", errors.InvalidRequestLine),
    "nothing but an empty line": (b"\r\n\r\n", errors.InvalidRequestLine),
    "no HTTP": (b"\x16\x03\x01\x02\x00\r\n\r\n", errors.InvalidRequestLine),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", errors.InvalidRequestLine),
    "a chunk without a size": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n;a\r\nhello\r\n",
        errors.InvalidChunkSize,
    ),
    "a chunk size in another notation": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        errors.InvalidChunkSize,
    ),
    "a chunk size with a sign": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
        errors.InvalidChunkSize,
    ),
    "a chunk longer than its size": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
        errors.ChunkMissingTerminator,
    ),
    "a body too long": (POST + b"Content-Length: 1001\r\n\r\n", None),
    "chunks too long": (POST + b"Transfer-Encoding: chunked\r\n\r\n500\r\n" + b"x" * 1_001, None),
    "chunks that grow too long": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"200\r\n" + b"x" * 512 + b"\r\n200\r\n" + b"x" * 490,
        None,
    ),
    "tiny chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 400, None),
}


@pytest.mark.parametrize(("request_bytes", "error"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("step", [0, 1])
def test_what_is_odd_is_handed_over_at_once_and_nothing_may_follow(
    request_bytes: bytes, error: type[Exception] | None, step: int, pair: "Pair"
) -> None:
    """The parser refuses it by its own rules, or finds the body cut off; the connection then ends."""
    frame, come = frame_of(request_bytes, step=step)
    assert frame is not None
    pair.connection.received += request_bytes[:come]
    pair.connection.hand_over(frame)
    found = pair.parse()
    # After an error the worker ends the connection whatever is left.
    assert isinstance(found, error or errors.NoMoreData)


def test_a_head_that_does_not_end_is_refused() -> None:
    """Also one that ends too late."""
    for data in (b"GET /" + b"a" * 2_000, POST + b"A: " + b"b" * 2_000 + b"\r\n\r\n"):
        for step in (0, 1):
            with pytest.raises(HeadTooLargeError):
                frame_of(data, step=step)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (POST + b"Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n", True),
        (POST + b"Content-Length: 5\r\n\r\n", False),
        (b"POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", False),
    ],
)
def test_an_expectation_of_100_continue_is_known(head: bytes, *, expected: bool) -> None:
    """RFC 9110 section 10.1.1: not a client that speaks HTTP/1.0."""
    framing = Framing(LIMITS)
    assert framing.find(bytearray(head)) is None
    assert framing.head_complete
    assert framing.expects_continue is expected


pieces = st.sampled_from(
    [
        b"POST / HTTP/1.1", b"GET /a HTTP/1.1", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b":", b";",
        b"Host: a\r\n", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"content-length:3\r\n",
        b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"Expect: 100-continue\r\n",
        b"0\r\n\r\n", b"5\r\n", b"3\r\n", b"hello", b"abc", b"0", b"\x00", b"\xff",
    ]
)  # fmt: skip


@given(parts=st.lists(pieces, max_size=14), step=st.integers(1, 40))
def test_no_bytes_make_a_request_of_what_gunicorn_reads_otherwise(parts: list[bytes], step: int) -> None:
    """Any pieces, cut anywhere: known at the same byte, and only what gunicorn read whole may be followed."""
    data = b"POST / HTTP/1.1\r\nHost: a\r\n" + b"".join(parts)
    frame, come = frame_of(data, step=1)
    again, later = frame_of(data, step=step)
    assert (again is None) == (frame is None)
    if frame is None or again is None:
        return
    assert come <= later < come + step
    if frame.whole:
        assert again == frame
    pair = Pair()
    try:
        pair.connection.received += data
        pair.connection.hand_over(frame)
        if pair.parse() is None and pair.connection.parsed_as_framed:
            assert frame.whole
            assert pair.connection.received == data[frame.end :]
            # A second reading of gunicorn's, of all bytes at once, ends at the same one.
            assert _gunicorn_reads(data) == frame.end
    finally:
        pair.close()


def _gunicorn_reads(data: bytes) -> int:
    """Return how many of the bytes gunicorn takes for the first request when it has them all."""
    parser = RequestParser(Config(), iter([data]), None)
    next(parser).body.read()
    return len(data) - len(parser.unreader.buf.getvalue())


class Pair:
    """A connection whose peer is a socket of ours."""

    def __init__(self) -> None:
        self.ours, self.peer = socket.socketpair()
        self.connection = Connection(Config(), self.ours, ("192.0.2.1", 4), ("192.0.2.2", 80), LIMITS)

    def parse(self) -> Exception | None:
        """Let gunicorn read the request and its body as a thread would; what it refuses."""
        try:
            self.connection.init()
            next(self.connection.parser).body.read()
        except (errors.ParseException, errors.NoMoreData) as error:
            refused: Exception = error
            return refused
        return None

    def close(self) -> None:
        self.ours.close()
        self.peer.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()
