"""The connection row: generations, epochs and the refresh lease."""

from dataclasses import replace

import pytest

from store import ConnectionRow, Connections, Database
from tests.store.conftest import in_threads

NEVER_CONNECTED = ConnectionRow(
    state="disconnected",
    generation=0,
    epoch=0,
    access_sealed=None,
    refresh_sealed=None,
    access_expires_at=None,
    access_issued_at=None,
    scope=None,
    connected_at=None,
    refreshed_at=None,
    failures=0,
    last_error=None,
    next_refresh_at=None,
    lease_owner=None,
    lease_until=None,
)
CONNECTED = replace(
    NEVER_CONNECTED,
    state="connected",
    generation=1,
    epoch=1,
    access_sealed="access-1",
    refresh_sealed="refresh-1",
    access_expires_at=900,
    access_issued_at=90,
    scope="contact_data",
    connected_at=100,
    refreshed_at=100,
)


@pytest.fixture
def connections(database: Database) -> Connections:
    return Connections(database)


def connect(connections: Connections) -> None:
    connections.store_connected(
        access_sealed="access-1",
        refresh_sealed="refresh-1",
        access_issued_at=90,
        access_expires_at=900,
        scope="contact_data",
        now=100,
    )


def refresh(connections: Connections, *, generation: int, refresh_sealed: str | None = "refresh-2") -> bool:
    return connections.store_refreshed(
        generation=generation,
        access_sealed="access-2",
        refresh_sealed=refresh_sealed,
        access_issued_at=190,
        access_expires_at=1_900,
        scope="contact_data",
        now=200,
    )


def test_row_exists_before_the_first_connection(connections: Connections) -> None:
    """A new installation reads as disconnected, generation and epoch 0."""
    assert connections.read() == NEVER_CONNECTED


def test_consent_starts_a_new_epoch(connections: Connections) -> None:
    """Each consent replaces everything, whatever state and lease there was."""
    connect(connections)
    assert connections.read() == CONNECTED
    connections.take_lease(owner="a", generation=1, now=0, until=10**6)
    connections.record_failure(generation=1, state="needs_reauthorization", error="x", next_refresh_at=5)
    connect(connections)
    assert connections.read() == replace(CONNECTED, generation=2, epoch=2)


def test_refreshed_pair_is_a_new_generation(connections: Connections) -> None:
    """A refresh replaces the pair, ends failures and lease, and keeps the epoch."""
    connect(connections)
    connections.record_failure(generation=1, state="refresh_failing", error="503", next_refresh_at=150)
    assert connections.take_lease(owner="a", generation=1, now=100, until=200)
    assert refresh(connections, generation=1)
    assert connections.read() == replace(
        CONNECTED,
        generation=2,
        access_sealed="access-2",
        refresh_sealed="refresh-2",
        access_issued_at=190,
        access_expires_at=1_900,
        refreshed_at=200,
    )


def test_refresh_of_an_old_generation_changes_nothing(connections: Connections) -> None:
    """A late answer to a refresh, after a new consent, is refused: its tokens are not stored."""
    connect(connections)
    connect(connections)
    before = connections.read()
    assert not refresh(connections, generation=1)
    assert not connections.record_failure(
        generation=1, state="refresh_failing", error="x", next_refresh_at=None
    )
    assert connections.read() == before


def test_missing_refresh_token_keeps_the_old_one(connections: Connections) -> None:
    """A vendor that sends no new refresh token means the old one stays valid."""
    connect(connections)
    assert refresh(connections, generation=1, refresh_sealed=None)
    assert connections.read().refresh_sealed == "refresh-1"


def test_lease_is_exclusive_until_it_ends(connections: Connections) -> None:
    """A live lease excludes others, not its owner; an expired one excludes nobody."""
    connect(connections)
    assert connections.take_lease(owner="a", generation=1, now=100, until=120)
    assert not connections.take_lease(owner="b", generation=1, now=119, until=140)
    assert connections.take_lease(owner="a", generation=1, now=119, until=130)
    assert connections.take_lease(owner="b", generation=1, now=130, until=150)
    assert connections.read().lease_owner == "b"


def test_lease_needs_the_current_generation(connections: Connections) -> None:
    """Who saw an older pair must read again instead of refreshing with it."""
    connect(connections)
    assert not connections.take_lease(owner="a", generation=0, now=1, until=2)


def test_only_the_owner_releases_a_lease(connections: Connections) -> None:
    """A late release does not free another's lease."""
    connect(connections)
    connections.take_lease(owner="a", generation=1, now=1, until=20)
    connections.release_lease(owner="b")
    assert connections.read().lease_owner == "a"
    connections.release_lease(owner="a")
    assert connections.take_lease(owner="b", generation=1, now=2, until=20)


def test_one_of_eight_threads_gets_the_lease(connections: Connections) -> None:
    """However many ask at once, one refreshes."""
    connect(connections)
    got = in_threads(8, lambda index: connections.take_lease(owner=str(index), generation=1, now=1, until=20))
    assert got.count(True) == 1


def test_failure_is_recorded_and_frees_the_lease(connections: Connections) -> None:
    """A failed refresh keeps the tokens and the generation, and counts."""
    connect(connections)
    connections.take_lease(owner="a", generation=1, now=1, until=20)
    for _ in range(2):
        assert connections.record_failure(
            generation=1, state="refresh_failing", error="503", next_refresh_at=300
        )
    assert connections.read() == replace(
        CONNECTED, state="refresh_failing", failures=2, last_error="503", next_refresh_at=300
    )


def test_disconnecting_erases_the_tokens(connections: Connections) -> None:
    """After disconnecting no token is left, and a refresh under way cannot bring one back."""
    connect(connections)
    connections.disconnect(now=500)
    row = connections.read()
    assert row == replace(NEVER_CONNECTED, generation=2, epoch=2, refreshed_at=500)
    assert not refresh(connections, generation=1)
