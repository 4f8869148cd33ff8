"""Where a request ends in the bytes received so far (RFC 9112 sections 2 to 7).

This decides *when* a request is handed to a thread, never what it means: gunicorn's own parser reads the same
bytes and refuses malformed ones. Bytes that look malformed are therefore handed over at once, and the
connection ends with the answer. A wrong guess can end a connection, but it can neither occupy a thread nor
smuggle a request in.
"""

import re
from dataclasses import dataclass

from serving.limits import Limits

# Names are matched as gunicorn reads them: without a space before the colon, on a line of their own.
_FIELDS = re.compile(rb"\r\n(content-length|transfer-encoding|expect):([^\r\n]*)", re.I)
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}[ \t]*(?:;.*)?", re.DOTALL)
_MOST_DIGITS = 12
_LONGEST_CHUNK_LINE = 4096
_LONGEST_TRAILERS = 8192


class HeadTooLargeError(Exception):
    """The request line and headers are longer than `Limits.head_bytes`."""


@dataclass(frozen=True)
class Frame:
    """The first `end` bytes are one request. If it is not `whole`, no request can be found behind it."""

    end: int
    whole: bool


class Framing:
    """Finds the end of one request while its bytes arrive; examines each byte a bounded number of times."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._searched = 0
        self._body = 0  # where the body begins, 0 while the head is unfinished
        self._length: int | None = None  # of a body with Content-Length
        self._chunk = 0  # where the line with the next chunk's size begins
        self._content = 0  # bytes in the chunks before that
        self.expects_continue = False

    @property
    def head_complete(self) -> bool:
        """Whether the empty line after the headers has come."""
        return self._body > 0

    def find(self, data: bytearray) -> Frame | None:
        """Return the request at the start of `data`, None while it is incomplete.

        Between two calls bytes are only appended to `data`.

        Raises:
            HeadTooLargeError: the head does not end within the limit.
        """
        if not self._body:
            malformed = self._find_head(data)
            if malformed is not None or not self._body:
                return malformed
        if self._length is None:
            return self._find_chunks(data)
        end = self._body + self._length
        return Frame(end, whole=True) if len(data) >= end else None

    def _find_head(self, data: bytearray) -> Frame | None:
        start = self._searched
        end = data.find(b"\r\n\r\n", max(0, start - 3))
        if end >= self._limits.head_bytes or (end < 0 and len(data) > self._limits.head_bytes):
            raise HeadTooLargeError
        if end < 0:
            self._searched = len(data)
            # gunicorn refuses a line that ends without a CR, so the thread gets it at once.
            return Frame(len(data), whole=False) if _bare_line_feed(data, start) else None
        self._body = self._chunk = self._searched = end + 4
        return self._read_head(bytes(data[: self._body]))

    def _read_head(self, head: bytes) -> Frame | None:
        fields: dict[bytes, list[bytes]] = {}
        for name, value in _FIELDS.findall(head):
            fields.setdefault(name.lower(), []).append(value.strip(b" \t").lower())
        expected = fields.get(b"expect", [])
        lengths = fields.get(b"content-length", [])
        codings = fields.get(b"transfer-encoding", [])
        refused = Frame(self._body, whole=False)
        if any(value != b"100-continue" for value in expected) or (lengths and codings) or len(lengths) > 1:
            return refused
        if codings:
            if b",".join(codings).rsplit(b",")[-1].strip(b" \t") != b"chunked":
                return refused
        else:
            length = lengths[0] if lengths else b"0"
            if not length.isdigit() or len(length) > _MOST_DIGITS or int(length) > self._limits.body_bytes:
                return refused
            self._length = int(length)
        # RFC 9110 section 10.1.1: the expectation of an HTTP/1.0 client is ignored.
        self.expects_continue = bool(expected) and b" HTTP/1.0\r\n" not in head[: head.index(b"\r\n", 2) + 2]
        return None

    def _find_chunks(self, data: bytearray) -> Frame | None:
        everything = Frame(len(data), whole=False)
        while True:
            line_end = data.find(b"\r\n", max(self._chunk, self._searched - 1))
            self._searched = len(data)
            if line_end < 0:
                too_long = len(data) - self._chunk > _LONGEST_CHUNK_LINE
                return everything if too_long or self._too_much(data) else None
            line = bytes(data[self._chunk : line_end])
            if not _CHUNK_SIZE.fullmatch(line):
                return everything
            size = int(line.partition(b";")[0], 16)
            if size == 0:
                return self._find_trailers(data, line_end + 2)
            following = line_end + 2 + size + 2
            if self._content + min(size, len(data) - line_end - 2) > self._limits.body_bytes:
                return everything
            if len(data) < following:
                self._searched = self._chunk
                return everything if self._too_much(data) else None
            if data[following - 2 : following] != b"\r\n":
                return everything
            self._content += size
            self._chunk = self._searched = following

    def _find_trailers(self, data: bytearray, start: int) -> Frame | None:
        self._searched = self._chunk  # the next call reads the line of the last chunk again
        if data[start : start + 2] == b"\r\n":
            return Frame(start + 2, whole=True)
        end = data.find(b"\r\n\r\n", start)
        if end >= 0:
            return Frame(end + 4, whole=True)
        return Frame(len(data), whole=False) if len(data) - start > _LONGEST_TRAILERS else None

    def _too_much(self, data: bytearray) -> bool:
        # Many tiny chunks: the lines with their sizes take more bytes than their content.
        return len(data) - self._body > 2 * self._limits.body_bytes


def _bare_line_feed(data: bytearray, start: int) -> bool:
    # From the last byte that the previous call examined: if it is a CR, its LF has come since.
    before = max(0, start - 1)
    feeds = data.count(b"\n", start)
    return feeds != data.count(b"\r\n", before)
