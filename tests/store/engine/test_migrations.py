"""The schema: created once by many, recognised, refused when newer, equal to the tables in code."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from store.engine.database import Database
from store.engine.migrate import HEAD, configuration
from store.engine.sqlite import driver
from store.errors import StoreMisconfigured
from store.schema.columns import metadata
from store.signups.records import SignupFilter, SignupRecords
from tests.store.conftest import accept, in_processes, in_threads


def test_head_is_the_latest_migration(database: Database) -> None:
    """The constant that spares each start an import names the newest script."""
    with database.reading() as connection:
        assert ScriptDirectory.from_config(configuration(connection)).get_heads() == [HEAD]


def test_migrated_schema_equals_the_tables_in_code(database: Database) -> None:
    """No column, type or index differs between migrations and metadata."""
    with database.transaction() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrated_constraints_equal_the_tables_in_code(tmp_path: Path) -> None:
    """Checks and partial indexes, which Alembic does not compare, read the same in both."""
    migrated = Database(f"sqlite:///{tmp_path}/migrated.db")
    migrated.prepare()
    migrated.close()
    engine = create_engine(f"sqlite:///{tmp_path}/created.db", module=driver)
    metadata.create_all(engine)
    engine.dispose()

    def definitions(name: str) -> set[frozenset[str]]:
        reader = driver.connect(str(tmp_path / name))
        rows = reader.execute("SELECT sql FROM sqlite_master WHERE sql NOT LIKE '%alembic_version%'")
        # Column by column: migrations name constraints in another order, and put later columns last. One that
        # rewrote a table's definition has left it on one line.
        found = {
            frozenset(part.strip(" \t,()") for part in re.split(r"\n|\( (?=\w)|, (?=\w)", sql)) - {""}
            for (sql,) in rows
        }
        reader.close()
        return found

    assert definitions("migrated.db") == definitions("created.db")


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_six_processes_may_start_at_once(empty_url: str, open_database: Callable[[str], Database]) -> None:
    """On an empty database all of them come up, and the schema is created once."""

    def start() -> None:
        database = Database(empty_url)
        accept(database, f"s{os.getpid()}")
        database.close()

    assert in_processes(6, start) == [0] * 6
    database = open_database(empty_url)
    assert len(SignupRecords(database).newest(SignupFilter(), 10)) == 6
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").all() == [(HEAD,)]
        assert connection.exec_driver_sql("SELECT count(*) FROM budget").scalar() == 1


@pytest.mark.parametrize(
    ("change", "cure"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "newer release"),
        ("UPDATE alembic_version SET version_num = 'what'", "Restore a backup"),
        ("INSERT INTO alembic_version VALUES ('0001')", "Restore a backup"),
    ],
)
def test_unknown_schema_is_refused(
    database: Database, url: str, open_database: Callable[[str], Database], change: str, cure: str
) -> None:
    """A schema this release does not know is left alone, and the message says what to do."""
    with database.transaction() as connection:
        connection.exec_driver_sql(change)
    with pytest.raises(StoreMisconfigured, match=cure):
        open_database(url).prepare()


def test_alembic_is_imported_only_to_migrate(tmp_path: Path) -> None:
    """A start on a current schema does not pay for Alembic."""
    url = f"sqlite:///{tmp_path}/app.db"
    database = Database(url)
    database.prepare()
    database.close()
    script = "import sys, store; store.Database(sys.argv[1]).probe(); print('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_two_threads_may_migrate_at_the_same_time(tmp_path: Path) -> None:
    """As when one repairs a damaged file while another begins a new one: Alembic alone would mix them up."""

    def migrate_one(number: int) -> str:
        database = Database(f"sqlite:///{tmp_path / str(number) / 'app.db'}")
        try:
            return database.description()
        finally:
            database.close()

    assert all(in_threads(2, migrate_one))
