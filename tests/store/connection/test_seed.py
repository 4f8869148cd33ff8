"""A refresh token planted from outside: at most once, and never over a stored one."""

from dataclasses import replace

import pytest

from store.connection.oauth_connection import OAuthConnections
from tests.store.conftest import NEVER_CONNECTED, connect, in_threads, refresh


def plant(connections: OAuthConnections, *, refresh_sealed: str = "seed", seed_hash: str = "hash") -> bool:
    return connections.plant_seed(
        refresh_sealed=refresh_sealed, seed_hash=seed_hash, fingerprint="here", now=700
    )


def test_planted_seed_is_a_connection_that_is_due(connections: OAuthConnections) -> None:
    """A seed makes the row connected, with an access token that is over, so that the next use refreshes."""
    assert plant(connections)
    planted = replace(
        NEVER_CONNECTED,
        state="connected",
        generation=1,
        epoch=1,
        refresh_sealed="seed",
        access_expires_at=0,
        refresh_issued_at=700,
        fingerprint="here",
        connected_at=700,
        seed_hash="hash",
    )
    assert connections.read() == planted
    assert connections.take_lease(owner="a", generation=1, now=700, until=720)
    assert refresh(connections, generation=1)
    assert connections.read().seed_hash == "hash"


def test_stored_connection_is_never_replaced_by_a_seed(connections: OAuthConnections) -> None:
    """While a refresh token is stored, however it stands with it, no seed is planted."""
    connect(connections)
    connections.record_failure(generation=1, state="needs_reauthorization", error="x", next_refresh_at=None)
    before = connections.read()
    assert not plant(connections)
    assert connections.read() == before


def test_seed_works_once(connections: OAuthConnections) -> None:
    """Neither a disconnect nor a consent makes a used seed good again; after both another seed may follow."""
    assert plant(connections)
    connections.disconnect(now=800)
    assert not plant(connections)
    connect(connections)
    connections.disconnect(now=900)
    assert not plant(connections)
    assert connections.read() == replace(
        NEVER_CONNECTED, generation=4, epoch=4, refreshed_at=900, seed_hash="hash"
    )
    assert plant(connections, refresh_sealed="seed-2", seed_hash="hash-2")
    assert connections.read().refresh_sealed == "seed-2"


@pytest.mark.parametrize("hashes", [["hash"], ["hash", "hash-2"]])
def test_one_of_eight_threads_plants_a_seed(connections: OAuthConnections, hashes: list[str]) -> None:
    """However many start at once, with one seed or with several, one is planted."""
    got = in_threads(
        8,
        lambda index: plant(
            connections, refresh_sealed=f"seed-{index}", seed_hash=hashes[index % len(hashes)]
        ),
    )
    assert got.count(True) == 1
    row = connections.read()
    assert (row.generation, row.refresh_sealed) == (1, f"seed-{got.index(True)}")
