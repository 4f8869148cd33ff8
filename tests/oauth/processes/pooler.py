"""PgBouncer in transaction mode, as hosted PostgreSQL offers it: few servers, shared by all clients."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from sqlalchemy import make_url

from tests.end_to_end.processes import wait_for
from tests.support.ports import free_port

# Debian puts it where only root's PATH leads.
PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


@contextmanager
def pooled(url: str, *, servers: int, wait_seconds: int) -> Iterator[str]:
    """The same database behind a pooler with so many servers; a client waits so long for one."""
    if PGBOUNCER is None:
        pytest.skip("no PgBouncer found; install it with `apt install pgbouncer` to run the pooler tests")
    port, database = free_port(), make_url(url)
    host = str(database.query.get("host", database.host))
    target = {"host": host, "port": database.port, "dbname": database.database, "user": database.username}
    target |= {"password": database.password or None}
    where = " ".join(f"{name}='{value}'" for name, value in target.items() if value)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "pgbouncer.ini"
        file.write_text(
            f"[databases]\n{database.database} = {where}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n"
            f"default_pool_size = {servers}\nquery_wait_timeout = {wait_seconds}\nmax_client_conn = 200\n"
        )
        # It refuses to run as root; the server's socket may be its own user's alone.
        Path(folder).chmod(0o755)
        owner = Path(host).owner() if host.startswith("/") else "nobody"
        as_user = ["-u", owner] if os.geteuid() == 0 else []
        pooler = subprocess.Popen([PGBOUNCER, "-q", *as_user, file], stderr=subprocess.PIPE)
        through = f"postgresql://{database.username or ''}@127.0.0.1:{port}/{database.database}"
        try:
            wait_for("the pooler's start", lambda: _answers(through))
            yield through
        finally:
            pooler.terminate()
            pooler.communicate(timeout=10)


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False
