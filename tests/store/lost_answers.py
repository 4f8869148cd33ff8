"""A proxy in front of PostgreSQL that loses the answer to a COMMIT."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from sqlalchemy import make_url


class LosingProxy:
    """Forwards everything; with `lose_commit` set it closes "before" or "after" the next COMMIT."""

    def __init__(self, target: str) -> None:
        """`target` is the URL of the server."""
        with psycopg.connect(target) as probe:
            self._host, self._port = probe.info.host, probe.info.port
        self.lose_commit: str | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = (
            make_url(target)
            .set(host="127.0.0.1", port=self._listener.getsockname()[1], query={"sslmode": "disable"})
            .render_as_string(hide_password=False)
        )
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(client, self._connect()), daemon=True).start()

    def _connect(self) -> socket.socket:
        if not self._host.startswith("/"):
            return socket.create_connection((self._host, self._port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{self._host}/.s.PGSQL.{self._port}")
        return server

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, suppress(OSError):
            while True:
                for end in select.select([client, server], [], [])[0]:
                    data = end.recv(65_536)
                    if not data:
                        return
                    if end is client and self.lose_commit and b"COMMIT" in data:
                        if self.lose_commit == "after":
                            server.sendall(data)
                            server.recv(65_536)
                        self.lose_commit = None
                        return
                    (server if end is client else client).sendall(data)


@contextmanager
def losing_proxy(target: str) -> Iterator[LosingProxy]:
    """Yield a proxy in front of the server of `target`."""
    proxy = LosingProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
