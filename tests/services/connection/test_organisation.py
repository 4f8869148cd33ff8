"""The organisation's name, for pages."""

from dataclasses import replace

import pytest

from services.connection.organisation import KEEP_SECONDS, Organisation
from store.connection.oauth_connection import ConnectionRow, OAuthConnections
from store.engine.database import Database
from store.errors import StoreUnavailable


class Stored(OAuthConnections):
    """A row that the test sets; None stands for a store that is away."""

    def __init__(self, row: ConnectionRow) -> None:
        self.row: ConnectionRow | None = row
        self.reads = 0

    def read(self) -> ConnectionRow:
        self.reads += 1
        if self.row is None:
            raise StoreUnavailable
        return self.row


@pytest.fixture
def stored(each_database: Database) -> Stored:
    row = OAuthConnections(each_database).read()
    return Stored(replace(row, account_id="a07e1", account_name="Sandbox Society"))


def test_the_name_is_read_every_five_seconds(stored: Stored) -> None:
    """However many pages show it."""
    now = [0.0]
    organisation = Organisation(stored, monotonic=lambda: now[0])
    assert [organisation.name() for _ in range(3)] == ["Sandbox Society"] * 3
    assert stored.reads == 1
    assert stored.row is not None
    stored.row = replace(stored.row, account_id=None, account_name=None)
    assert organisation.name() == "Sandbox Society"
    now[0] = KEEP_SECONDS
    assert organisation.name() is None


def test_an_account_without_a_name_has_none(stored: Stored) -> None:
    """Its id stands in the name's place, and is no matter of visitors."""
    assert stored.row is not None
    stored.row = replace(stored.row, account_name="a07e1")
    assert Organisation(stored).name() is None


def test_while_the_store_is_away_the_last_name_stands(stored: Stored) -> None:
    """A page for visitors must not fail for it, from the start or later."""
    row, now = stored.row, [0.0]
    stored.row = None
    organisation = Organisation(stored, monotonic=lambda: now[0])
    assert organisation.name() is None
    stored.row, now[0] = row, 10.0
    assert organisation.name() == "Sandbox Society"
    stored.row, now[0] = None, 20.0
    assert organisation.name() == "Sandbox Society"
