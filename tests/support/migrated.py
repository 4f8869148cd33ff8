"""A database file that is migrated already: copying one takes a fifth of the time of migrating each."""

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from store.engine.database import Database


@cache
def _folder() -> TemporaryDirectory[str]:
    """One for the whole run; it is removed at the end of the process."""
    folder = TemporaryDirectory(prefix="migrated-")
    database = Database(f"sqlite:///{folder.name}/template.db")
    database.prepare()
    database.close()
    return folder


def copy_migrated(to: Path) -> None:
    """Put an empty database of the newest schema at `to`, unless a file is there."""
    if not to.exists():
        shutil.copy(Path(_folder().name) / "template.db", to)
