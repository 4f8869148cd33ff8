"""The version of a database's schema, and its migration. Alembic is imported only when one is to run."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect

from store.errors import StoreMisconfigured

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parents[1] / "migrations"
# By the files' names instead of Alembic's own answer: importing Alembic costs a good part of a start.
HEAD = max(file.name[:4] for file in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def is_current(connection: Connection) -> bool:
    """Return whether the schema is the one this code was written for.

    Raises:
        StoreMisconfigured: the schema is newer than this code, or its version cannot be read.
    """
    if not inspect(connection).has_table("alembic_version"):
        return False
    versions = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
    if not versions:
        return False
    if len(versions) > 1 or not (len(versions[0]) == len(HEAD) and versions[0].isdigit()):
        raise StoreMisconfigured(
            f"The table alembic_version holds {versions!r} instead of one version. Restore a backup."
        )
    if versions[0] > HEAD:
        raise StoreMisconfigured(
            f"The database has schema {versions[0]}, this release knows {HEAD}:"
            " a newer release has used it. Run that release again, or restore the backup"
            " taken before the upgrade."
        )
    return bool(versions[0] == HEAD)


def configuration(connection: Connection) -> Config:
    """Return Alembic's configuration for a connection, in place of an alembic.ini."""
    from alembic.config import Config  # noqa: PLC0415 - see HEAD

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Run the missing migrations inside the open transaction of `connection`; the caller commits."""
    from alembic import command  # noqa: PLC0415 - see HEAD

    with _alembic:  # Alembic keeps the migration that runs in a global of its own
        command.upgrade(configuration(connection), HEAD)


_alembic = threading.Lock()


def _new_lock_in_child() -> None:
    global _alembic  # noqa: PLW0603 - a thread of the parent's may hold the old one
    _alembic = threading.Lock()


os.register_at_fork(after_in_child=_new_lock_in_child)
