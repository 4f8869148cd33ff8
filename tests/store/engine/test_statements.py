"""Inserting several rows by one statement."""

import pytest

from store.engine.database import Database
from store.engine.statements import insert_together
from store.errors import StoreUnavailable
from store.key_value import KeyValue
from store.schema.access import meta


def test_rows_of_one_statement_keep_their_own_values(database: Database) -> None:
    """Whatever their number, each row has its own values."""
    for count in (1, 2, 8):
        with database.transaction() as connection:
            rows = [{"key": f"{count}-{number}", "value": f"v{number}"} for number in range(count)]
            insert_together(connection, meta, rows)
        found = [KeyValue(database).get(f"{count}-{number}") for number in range(count)]
        assert found == [f"v{number}" for number in range(count)]


def test_rows_of_one_statement_are_stored_all_or_none(database: Database) -> None:
    """A row that exists already refuses the whole statement."""
    with database.transaction() as connection:
        insert_together(connection, meta, [{"key": "b", "value": "first"}])
    with pytest.raises(StoreUnavailable), database.transaction() as connection:
        insert_together(connection, meta, [{"key": key, "value": "second"} for key in "abc"])
    assert [KeyValue(database).get(key) for key in "abc"] == [None, "first", None]
