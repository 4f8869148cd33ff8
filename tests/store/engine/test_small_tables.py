"""Authorization requests, key-value texts, throttles and spent tokens."""

from collections.abc import Callable

from sqlalchemy import Table, func, select

from store.connection.authorization_requests import AuthorizationRequestRow, AuthorizationRequests
from store.engine.database import Database
from store.key_value import KeyValue
from store.schema.access import spent_tokens, throttles
from store.schema.connection import oauth_attempts
from store.throttles import SpentTokens, Throttles
from tests.store.conftest import in_threads


def rows(database: Database, table: Table) -> int:
    """Return how many rows a table has."""
    with database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def start(attempts: AuthorizationRequests, state: str, *, now: int = 0, expires_at: int = 600) -> None:
    attempts.start(
        state_hash=state,
        browser_hash="browser",
        verifier_sealed="sealed",
        redirect_uri="https://example.org/oauth/callback",
        now=now,
        expires_at=expires_at,
    )


def test_attempt_comes_back_once(database: Database) -> None:
    """The callback finds what was started; a second callback with the same state finds nothing."""
    attempts = AuthorizationRequests(database)
    start(attempts, "state", now=5)
    assert attempts.consume(state_hash="other", now=10) is None
    assert attempts.consume(state_hash="state", now=10) == AuthorizationRequestRow(
        "browser", "sealed", "https://example.org/oauth/callback", 5, 600
    )
    assert attempts.consume(state_hash="state", now=10) is None


def test_expired_attempt_does_not_come_back(database: Database) -> None:
    """At its expiry an attempt is over, and the next start removes it."""
    attempts = AuthorizationRequests(database)
    start(attempts, "old", expires_at=600)
    assert attempts.consume(state_hash="old", now=600) is None
    start(attempts, "new", now=600, expires_at=1_200)
    assert rows(database, oauth_attempts) == 1
    assert attempts.consume(state_hash="new", now=601) is not None


def test_ten_thousand_forgotten_attempts_are_cleared_away_bit_by_bit(database: Database) -> None:
    """Each start removes a hundred, so that no visitor pays for all, and those still open stay."""
    attempts = AuthorizationRequests(database)
    start(attempts, "open", expires_at=1_200)
    with database.transaction() as connection:
        connection.execute(
            oauth_attempts.insert(),
            [
                {
                    "state_hash": f"old-{number}",
                    "browser_hash": "browser",
                    "verifier_sealed": "sealed",
                    "redirect_uri": "https://example.org/oauth/callback",
                    "created_at": 0,
                    "expires_at": 600,
                }
                for number in range(10_000)
            ],
        )
    start(attempts, "new", now=700, expires_at=1_300)
    assert rows(database, oauth_attempts) == 10_002 - 100
    for number in range(9):
        start(attempts, f"new-{number}", now=700, expires_at=1_300)
    assert rows(database, oauth_attempts) == 10_011 - 1_000
    assert attempts.consume(state_hash="open", now=701) is not None


def test_one_of_eight_callbacks_gets_the_attempt(database: Database) -> None:
    """Simultaneous callbacks with one state: one wins."""
    attempts = AuthorizationRequests(database)
    start(attempts, "state")
    got = in_threads(8, lambda _index: attempts.consume(state_hash="state", now=1))
    assert len([attempt for attempt in got if attempt]) == 1


def test_documents_are_replaced(database: Database) -> None:
    """A key holds the last text put there."""
    meta = KeyValue(database)
    assert meta.get("lists") is None
    meta.put("lists", "[1]")
    meta.put("lists", "[2]")
    assert meta.get("lists") == "[2]"


def test_a_document_is_added_once(database: Database) -> None:
    """Of several that add the same key one is told so, and the first text stays."""
    meta = KeyValue(database)
    got = in_threads(8, lambda index: meta.add("key", str(index)))
    assert got.count(True) == 1
    assert meta.get("key") == str(got.index(True))


def test_hits_are_counted_over_all_processes(
    url: str, database: Database, open_database: Callable[[str], Database]
) -> None:
    """Two engines count into one window, keys apart."""
    ours, theirs = Throttles(database), Throttles(open_database(url))
    assert ours.hit("a", window_ms=1_000, now=1_100) == 1
    assert theirs.hit("a", window_ms=1_000, now=1_999) == 2
    assert theirs.hit("b", window_ms=1_000, now=1_100) == 1
    assert ours.hit("a", window_ms=1_000, now=1_500) == 3


def test_window_begins_anew(database: Database) -> None:
    """In the next window counting starts at one, and old windows of other keys are removed."""
    counts = Throttles(database)
    counts.hit("a", window_ms=1_000, now=1_100)
    counts.hit("b", window_ms=1_000, now=1_100)
    assert counts.hit("a", window_ms=1_000, now=2_000) == 1
    assert rows(database, throttles) == 1


def test_cleared_key_counts_from_zero(database: Database) -> None:
    """A success wipes its key's count and no other."""
    counts = Throttles(database)
    counts.hit("a", window_ms=1_000, now=1)
    counts.hit("b", window_ms=1_000, now=1)
    counts.clear("a")
    assert counts.hit("a", window_ms=1_000, now=1) == 1
    assert counts.hit("b", window_ms=1_000, now=1) == 2


def test_no_hit_is_lost_under_contention(database: Database) -> None:
    """Eight threads counting at once get eight different counts."""
    counts = Throttles(database)
    got = in_threads(8, lambda _index: counts.hit("a", window_ms=1_000, now=1))
    assert sorted(got) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_token_is_spent_once(database: Database) -> None:
    """However many spend it at once, one succeeds, and nobody after."""
    tokens = SpentTokens(database)
    got = in_threads(8, lambda _index: tokens.spend("hash", expires_at=100, now=1))
    assert got.count(True) == 1
    assert not tokens.spend("hash", expires_at=100, now=2)
    assert tokens.spend("other", expires_at=100, now=2)


def test_expired_tokens_are_removed_and_refused(database: Database) -> None:
    """A token at its expiry cannot be spent; remembered ones are removed after theirs."""
    tokens = SpentTokens(database)
    assert tokens.spend("old", expires_at=100, now=1)
    assert not tokens.spend("late", expires_at=100, now=100)
    assert tokens.spend("new", expires_at=200, now=100)
    assert rows(database, spent_tokens) == 1
