"""What a thread gets in place of the peer's socket: one complete request, and a buffer for the answer."""

import errno
import select
import socket
import time

from gunicorn.http.errors import NoMoreData

from serving.limits import Limits


class RequestStream:
    """Replays the bytes of one request and buffers those of the answer; `recv` never waits.

    gunicorn calls the stream as it calls a socket; the methods have a socket's names. The worker's loop owns
    the real socket and sends what `flush` leaves; a thread and the loop never use the connection at the same
    time.
    """

    def __init__(self, peer: socket.socket, limits: Limits) -> None:
        self._peer = peer
        self._limits = limits
        self._request = b""
        self._read = 0
        self.unsent = bytearray()

    def replay(self, request: bytes) -> None:
        """Let `recv` return the bytes of this request from now on."""
        self._request, self._read = request, 0

    @property
    def read_to_its_end(self) -> bool:
        """Whether all bytes of the request were read."""
        return self._read == len(self._request)

    @property
    def buffered(self) -> int:
        """Bytes in memory."""
        return len(self._request) + len(self.unsent)

    def recv(self, size: int) -> bytes:
        """Return the next bytes of the request.

        Raises:
            NoMoreData: all were read. A socket would return nothing, and an application could take half a
                form for a whole one.
        """
        if self.read_to_its_end:
            raise NoMoreData(b"")
        data = self._request[self._read : self._read + size]
        self._read += len(data)
        return data

    def sendall(self, data: bytes) -> None:
        """Add to the answer; wait for a slow peer only when more than `Limits.answer_bytes` are unsent.

        Raises:
            OSError: the peer is gone, or did not read in time.
        """
        self.unsent += data
        if len(self.unsent) > self._limits.answer_bytes:
            self._wait_for_peer()

    def send(self, data: bytes) -> int:
        """Do as `sendall`, and return the number of bytes."""
        self.sendall(data)
        return len(data)

    def flush(self) -> bool:
        """Send what the peer takes at once; return whether that was all.

        Raises:
            OSError: the peer is gone.
        """
        try:
            while self.unsent:
                del self.unsent[: self._peer.send(self.unsent)]
        except BlockingIOError:
            return False
        return True

    def _wait_for_peer(self) -> None:
        end = time.monotonic() + self._limits.transfer_seconds
        writable = select.poll()
        writable.register(self._peer, select.POLLOUT)
        while not self.flush():
            left = end - time.monotonic()
            if left <= 0:
                # As for a peer that is gone: gunicorn ends the connection without a traceback.
                raise ConnectionResetError(errno.ECONNRESET, "the peer does not read its answer")
            writable.poll(left * 1000)

    # Methods that gunicorn calls on a socket around a request.

    def gettimeout(self) -> float:
        """Return 0: reading never waits."""
        return 0.0

    def setblocking(self, *_: object) -> None:
        """Do nothing: reading never waits, and the loop closes the socket when the answer is sent."""

    settimeout = shutdown = close = setblocking
