"""The connection row: generations and epochs, failures, disconnecting."""

from dataclasses import replace

import pytest

from store.connection.audit import AuditLog
from store.connection.oauth_connection import OAuthConnections
from store.engine.database import Database
from tests.store.conftest import CONNECTED, NEVER_CONNECTED, connect, in_processes, refresh


def test_row_exists_before_the_first_connection(connections: OAuthConnections) -> None:
    """A new installation reads as disconnected, generation and epoch 0."""
    assert connections.read() == NEVER_CONNECTED


def test_consent_starts_a_new_epoch(connections: OAuthConnections) -> None:
    """Each consent replaces everything, whatever state and lease there was."""
    connect(connections)
    assert connections.read() == CONNECTED
    connections.take_lease(owner="a", generation=1, now=0, until=10**6, forced=True)
    connections.record_failure(
        generation=1,
        state="needs_reauthorization",
        error="x",
        next_refresh_at=5,
        outcome_unknown=True,
        owner="a",
    )
    connections.take_lease(owner="a", generation=1, now=0, until=10**6)
    connect(connections)
    assert connections.read() == replace(CONNECTED, generation=2, epoch=2)


def test_refreshed_pair_is_a_new_generation(connections: OAuthConnections) -> None:
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
        refresh_issued_at=200,
        refresh_used_at=200,
        refreshed_at=200,
    )


def test_a_new_pair_does_not_end_a_rejection_by_the_api(connections: OAuthConnections) -> None:
    """Refreshed or not, the API has the word: a consent does end it."""
    connect(connections)
    connections.note_state(generation=1, state="api_rejected", error="no")
    assert refresh(connections, generation=1)
    assert connections.read().state == "api_rejected"
    connect(connections)
    assert connections.read().state == "connected"


def test_refresh_of_an_old_generation_changes_nothing(connections: OAuthConnections) -> None:
    """A late answer to a refresh, after a new consent, is refused: its tokens are not stored."""
    connect(connections)
    connect(connections)
    before = connections.read()
    assert not refresh(connections, generation=1)
    assert not connections.record_failure(
        generation=1, state="refresh_failing", error="x", next_refresh_at=None
    )
    assert connections.read() == before


def test_missing_refresh_token_keeps_the_old_one(connections: OAuthConnections) -> None:
    """A vendor that sends no new refresh token means the old one stays valid: used now, issued earlier."""
    connect(connections)
    assert refresh(connections, generation=1, refresh_sealed=None)
    row = connections.read()
    assert (row.refresh_sealed, row.refresh_issued_at, row.refresh_used_at) == ("refresh-1", 100, 200)


def test_failure_is_recorded_and_frees_the_lease(connections: OAuthConnections) -> None:
    """A failed refresh keeps the tokens and the generation, and counts."""
    connect(connections)
    connections.take_lease(owner="a", generation=1, now=1, until=20)
    for owner in ("a", None):
        assert connections.record_failure(
            generation=1, state="refresh_failing", error="503", next_refresh_at=300, owner=owner
        )
    assert connections.read() == replace(
        CONNECTED, state="refresh_failing", failures=2, last_error="503", next_refresh_at=300
    )


def test_a_late_failure_leaves_the_lease_of_the_next_holder_alone(connections: OAuthConnections) -> None:
    """Whoever overslept its lease reports to nobody: the attempt that counts is the other's."""
    connect(connections)
    connections.take_lease(owner="slow", generation=1, now=1, until=20)
    connections.take_lease(owner="next", generation=1, now=20, until=40)
    before = connections.read()
    for late in ("slow", None):
        assert not connections.record_failure(
            generation=1, state="needs_reauthorization", error="x", next_refresh_at=None, owner=late
        )
        assert connections.read() == before


def test_unknown_outcome_stays_until_a_pair_is_stored(connections: OAuthConnections) -> None:
    """Later failures, whose outcome is known, do not make a lost answer forgotten; a stored pair does."""
    connect(connections)
    unknown = []
    for lost in (False, True, False):
        connections.record_failure(
            generation=1, state="refresh_failing", error="x", next_refresh_at=None, outcome_unknown=lost
        )
        unknown.append(connections.read().outcome_unknown)
    assert unknown == [False, True, True]
    refresh(connections, generation=1)
    assert connections.read().outcome_unknown is False


def test_noted_state_touches_nothing_else(connections: OAuthConnections) -> None:
    """A state noted beside the refreshing keeps tokens, failures and another's lease."""
    connect(connections)
    connections.record_failure(generation=1, state="refresh_failing", error="503", next_refresh_at=300)
    connections.take_lease(owner="a", generation=1, now=300, until=320)
    before = connections.read()
    assert connections.note_state(generation=1, state="undecryptable", error="the key is another")
    assert connections.read() == replace(before, state="undecryptable", last_error="the key is another")
    assert connections.note_state(generation=1, state="connected", error=None)
    assert connections.read() == replace(before, state="connected", last_error=None)
    assert not connections.note_state(generation=0, state="api_rejected", error="late")
    assert connections.read().state == "connected"


def test_resealing_keeps_the_generation(connections: OAuthConnections) -> None:
    """The same tokens under a newer key are no new pair; what is not given stays, and an old pair is gone."""
    connect(connections)
    connections.take_lease(owner="a", generation=1, now=100, until=120)
    before = connections.read()
    assert connections.reseal(generation=1, access_sealed=None, refresh_sealed="refresh-again")
    assert connections.read() == replace(before, refresh_sealed="refresh-again")
    assert connections.reseal(generation=1, access_sealed="access-again", refresh_sealed=None)
    resealed = replace(before, access_sealed="access-again", refresh_sealed="refresh-again")
    assert connections.read() == resealed
    assert not connections.reseal(generation=0, access_sealed="late", refresh_sealed="late")
    assert connections.read() == resealed


def test_an_account_is_named_once(connections: OAuthConnections) -> None:
    """Only where none is named, for the consent it was asked about, and while there are tokens."""
    assert not connections.pin_account(epoch=0, account_id="a", account_name="A", account_user="u")
    connections.plant_seed(refresh_sealed="seed", seed_hash="hash", fingerprint="here", now=1)
    before = connections.read()
    assert not connections.pin_account(epoch=0, account_id="a", account_name="A", account_user="u")
    assert connections.read() == before
    assert connections.pin_account(epoch=1, account_id="a", account_name="A", account_user="u")
    pinned = replace(before, account_id="a", account_name="A", account_user="u")
    assert connections.read() == pinned
    assert not connections.pin_account(epoch=1, account_id="b", account_name="B", account_user="v")
    assert connections.read() == pinned


def test_disconnecting_erases_tokens_and_account(connections: OAuthConnections) -> None:
    """After disconnecting neither token nor account is left, and a refresh under way brings none back."""
    connect(connections)
    connections.take_lease(owner="a", generation=1, now=100, until=120, forced=True)
    refresh(connections, generation=1)
    connections.disconnect(now=500)
    row = connections.read()
    assert row == replace(NEVER_CONNECTED, generation=3, epoch=2, refreshed_at=500)
    assert not refresh(connections, generation=2)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_two_processes_never_replace_the_same_generation(database: Database) -> None:
    """Of two processes that refresh without a lease, one wins each generation; no pair is overwritten."""
    connect(OAuthConnections(database))

    def keep_refreshing() -> None:
        mine, events = OAuthConnections(database), AuditLog(database)
        for _ in range(15):
            generation = mine.read().generation
            if refresh(mine, generation=generation):
                events.record("refreshed", now=1, detail=str(generation))

    assert in_processes(2, keep_refreshing) == [0, 0]
    won = sorted(int(event.detail or 0) for event in AuditLog(database).recent(100))
    assert won == list(range(1, OAuthConnections(database).read().generation))
