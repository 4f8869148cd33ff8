"""The refresh lease: one refreshes at a time, and none waits for a holder that is gone."""

import os
from dataclasses import replace

import pytest

from store.connection.oauth_connection import OAuthConnections
from store.engine.database import Database
from tests.store.conftest import CONNECTED, connect, in_processes, in_threads, refresh


def test_lease_is_exclusive_until_it_ends(connections: OAuthConnections) -> None:
    """A live lease excludes others, not its owner; an expired one excludes nobody."""
    connect(connections)
    assert connections.take_lease(owner="a", generation=1, now=100, until=120)
    assert not connections.take_lease(owner="b", generation=1, now=119, until=140)
    assert connections.take_lease(owner="a", generation=1, now=119, until=130)
    assert connections.take_lease(owner="b", generation=1, now=130, until=150)
    assert connections.read().lease_owner == "b"


def test_lease_dates_the_attempt(connections: OAuthConnections) -> None:
    """An attempt begins when its lease is taken; only a forced one counts as forced."""
    connect(connections)
    connections.take_lease(owner="a", generation=1, now=100, until=120, forced=True)
    assert (connections.read().attempt_started_at, connections.read().forced_at) == (100, 100)
    connections.take_lease(owner="b", generation=1, now=130, until=150)
    assert (connections.read().attempt_started_at, connections.read().forced_at) == (130, 100)
    connections.release_lease(owner="b")
    assert (connections.read().attempt_started_at, connections.read().forced_at) == (None, 100)


def test_renewed_lease_is_the_same_attempt(connections: OAuthConnections) -> None:
    """A renewed lease keeps others out until its new end, and the attempt's start stays."""
    connect(connections)
    connections.take_lease(owner="a", generation=1, now=100, until=120)
    assert connections.renew_lease(owner="a", now=119, until=139)
    assert connections.read() == replace(CONNECTED, lease_owner="a", lease_until=139, attempt_started_at=100)
    assert not connections.take_lease(owner="b", generation=1, now=138, until=158)


def test_lost_lease_is_not_renewed(connections: OAuthConnections) -> None:
    """A lease that is over, in another's hands or ended by a newer pair is neither given nor taken back."""
    connect(connections)
    connections.take_lease(owner="a", generation=1, now=100, until=120)
    assert not connections.renew_lease(owner="a", now=120, until=140)
    connections.take_lease(owner="b", generation=1, now=120, until=140)
    taken = connections.read()
    assert not connections.renew_lease(owner="a", now=121, until=141)
    assert connections.read() == taken
    refresh(connections, generation=1)
    assert not connections.renew_lease(owner="b", now=122, until=142)
    assert connections.read().lease_owner is None


def test_lease_needs_the_current_generation(connections: OAuthConnections) -> None:
    """Who saw an older pair must read again instead of refreshing with it."""
    connect(connections)
    assert not connections.take_lease(owner="a", generation=0, now=1, until=2)


def test_only_the_owner_releases_a_lease(connections: OAuthConnections) -> None:
    """A late release does not free another's lease."""
    connect(connections)
    connections.take_lease(owner="a", generation=1, now=1, until=20)
    connections.release_lease(owner="b")
    assert connections.read().lease_owner == "a"
    connections.release_lease(owner="a")
    assert connections.take_lease(owner="b", generation=1, now=2, until=20)


def test_one_of_eight_threads_gets_the_lease(connections: OAuthConnections) -> None:
    """However many ask at once, one refreshes."""
    connect(connections)
    got = in_threads(8, lambda index: connections.take_lease(owner=str(index), generation=1, now=1, until=20))
    assert got.count(True) == 1


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_two_processes_never_hold_the_lease_at_once(database: Database) -> None:
    """The lease that one process was given is never given to another before it is released."""
    connect(OAuthConnections(database))

    def keep_leasing() -> None:
        mine, owner = OAuthConnections(database), str(os.getpid())
        for _ in range(15):
            if mine.take_lease(owner=owner, generation=1, now=1, until=20):
                assert mine.renew_lease(owner=owner, now=2, until=21)
                assert mine.read().lease_owner == owner
                mine.release_lease(owner=owner)

    assert in_processes(2, keep_leasing) == [0, 0]
