"""How many bytes and seconds a peer may take before its connection is ended."""

from dataclasses import dataclass, replace

# Files a worker needs beside its connections: database, logs, calls to others.
OTHER_FILES = 256


@dataclass(frozen=True)
class Limits:
    """Bytes and seconds of one worker process.

    `head_bytes` limits the request line with all headers, `body_bytes` a body as the application sees it. A
    longer body is handed over unread, for the application to refuse: its own limit must not be larger.

    A head must be complete after `head_seconds`. The transfer of a body or an answer may take
    `transfer_seconds` and a second more for each `bytes_per_second` bytes. After an answer that ends the
    connection, what the peer still sends is discarded for `linger_seconds`, `linger_bytes` at most (RFC 9112
    section 9.6).

    A worker that stops waits `stop_idle_seconds` for a connection that is silent, and
    `stop_unfinished_seconds` for a request or an answer that has begun.

    With more than `connections` open, or more than `buffered_bytes` in all buffers, the connection that has
    waited longest is ended: an honest request is complete within milliseconds and is hardly ever that one.
    While `requests_in_threads` complete requests wait or are answered, no further connection is accepted.

    A thread whose answer has more than `answer_bytes` waits until the peer has read it, `transfer_seconds` at
    the longest.
    """

    head_bytes: int = 32 * 1024
    body_bytes: int = 64 * 1024
    answer_bytes: int = 1024 * 1024
    buffered_bytes: int = 32 * 1024 * 1024
    connections: int = 4096
    requests_in_threads: int = 256
    head_seconds: float = 15
    transfer_seconds: float = 20
    bytes_per_second: int = 4096
    linger_seconds: float = 2
    linger_bytes: int = 1024 * 1024
    stop_idle_seconds: float = 2
    stop_unfinished_seconds: float = 5

    def within(self, open_files: int) -> "Limits":
        """Return the limits with as many connections as a process with `open_files` files may have."""
        room = max(OTHER_FILES // 4, open_files - OTHER_FILES)
        return replace(self, connections=min(self.connections, room))
