"""Ports for servers that a test starts: each belongs to one process of the tests for as long as it lives."""

import fcntl
import itertools
import os
import socket
import tempfile
from pathlib import Path

# Below 32,768, where Linux takes the ports of outgoing connections from: no client's port can be in the way.
FIRST, LAST = 20_000, 30_000
_CLAIMS = Path(tempfile.gettempdir()) / f"subscriber-sync-ports-{os.getuid()}"
_held: list[int] = []
_candidates = itertools.cycle(range(FIRST + os.getpid() % 100 * 100, LAST))


def free_port() -> int:
    """Return a port nobody listens on, and that no other test is given while this process lives."""
    _CLAIMS.mkdir(exist_ok=True)
    for port in itertools.islice(_candidates, LAST - FIRST):
        claim = os.open(_CLAIMS / str(port), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            # The lock ends with the process, however it ends.
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(claim)
            continue
        _held.append(claim)
        return port
    raise RuntimeError(f"no port from {FIRST} to {LAST} is free")
