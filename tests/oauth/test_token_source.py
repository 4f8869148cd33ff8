"""The token source: what it hands out and what each failure leaves behind."""

from dataclasses import replace

import pytest
import requests

from oauth.authorization_server import AuthorizationServer
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.errors import (
    CredentialsRejected,
    NeedsReauthorization,
    NotConnected,
    OAuthError,
    RefreshUnavailable,
    Undecryptable,
)
from oauth.token_source import TokenSource
from store.connection.oauth_connection import ConnectionRow
from store.errors import StoreUnavailable
from tests.oauth.on_file import ConnectionsOnFile
from tests.oauth.vendor import DAY, HOUR, START, Answer, Clock, Vendor

EXPIRED = START + DAY
GRANT_DEAD = (400, '{"error": "invalid_grant"}')


def tokens(row: ConnectionRow) -> tuple[str | None, str | None]:
    return row.access_sealed, row.refresh_sealed


def newer_pair(connections: ConnectionsOnFile, cipher: TokenCipher, clock: Clock) -> None:
    """Another process stores a pair."""
    connections.store_refreshed(
        generation=connections.row.generation,
        access_sealed=cipher.seal("access-of-another"),
        refresh_sealed=cipher.seal("refresh-of-another"),
        access_issued_at=clock.now,
        access_expires_at=clock.now + DAY,
        scope=None,
        now=clock.now,
    )


def test_a_stored_token_that_lasts_is_handed_out_without_a_call(source: TokenSource, vendor: Vendor) -> None:
    """No refresh while there is a token."""
    assert source.current() == "access-secret-0"
    assert vendor.forms == []


@pytest.mark.parametrize(
    ("lifetime", "margin"), [(DAY, 120_000), (HOUR, 120_000), (600_000, 60_000), (10_000, 1_000)]
)
def test_a_token_is_refreshed_in_its_last_moments(
    source: TokenSource, connections: ConnectionsOnFile, clock: Clock, lifetime: int, margin: int
) -> None:
    """The margin is 120 s, or a tenth of the lifetime when that is shorter."""
    connections.row = replace(connections.row, access_expires_at=START + lifetime)
    clock.now = START + lifetime - margin - 1
    assert source.current() == "access-secret-0"
    clock.now += 1
    assert source.current() == "access-secret-1"


def test_a_refreshed_pair_is_stored_sealed_with_the_next_generation(
    source: TokenSource, connections: ConnectionsOnFile, cipher: TokenCipher, clock: Clock
) -> None:
    """The row holds the new pair, connected, without lease or failures."""
    clock.now = EXPIRED
    assert source.current() == "access-secret-1"
    row = connections.row
    assert (row.state, row.generation, row.epoch, row.failures) == ("connected", 2, 1, 0)
    assert row.lease_owner is None
    assert cipher.unseal(row.access_sealed or "") == "access-secret-1"
    assert cipher.unseal(row.refresh_sealed or "") == "refresh-secret-1"
    assert row.access_expires_at == EXPIRED + DAY


@pytest.mark.parametrize("refresh", [None, "", "refresh-secret-0"])
def test_an_answer_without_a_new_refresh_token_keeps_the_old_one(
    source: TokenSource,
    connections: ConnectionsOnFile,
    vendor: Vendor,
    cipher: TokenCipher,
    clock: Clock,
    refresh: str | None,
) -> None:
    """Long-lived refresh tokens stay in the row."""
    clock.now = EXPIRED
    vendor.extra = {"refresh_token": refresh}
    assert source.current() == "access-secret-1"
    assert cipher.unseal(connections.row.refresh_sealed or "") == "refresh-secret-0"
    assert connections.row.state == "connected"


@pytest.mark.parametrize("expires_in", [None, 0, -1, "86400", START // 1000, 28800])
def test_no_expires_in_leads_to_a_refresh_loop(
    source: TokenSource, vendor: Vendor, clock: Clock, expires_in: object
) -> None:
    """One refresh lasts, whatever the vendor says about its lifetime."""
    clock.now = EXPIRED
    vendor.extra = {"expires_in": expires_in}
    assert {source.current() for _ in range(5)} == {"access-secret-1"}
    assert len(vendor.forms) == 1


def test_a_pair_stored_by_another_process_counts_after_a_second(
    source: TokenSource, connections: ConnectionsOnFile, cipher: TokenCipher, clock: Clock
) -> None:
    """Memory outlives its generation by 1 s at most."""
    source.current()
    newer_pair(connections, cipher, clock)
    clock.now += 1000
    assert source.current() == "access-of-another"


def test_a_disconnect_by_another_process_counts_after_a_second(
    source: TokenSource, connections: ConnectionsOnFile, clock: Clock
) -> None:
    """Then no token is handed out, and nothing is asked of the vendor."""
    source.current()
    connections.disconnect(now=START)
    clock.now += 1000
    with pytest.raises(NotConnected) as caught:
        source.current()
    assert (caught.value.state, caught.value.retry_at) == ("disconnected", None)


def test_the_token_is_opened_once_a_generation(
    source: TokenSource, connections: ConnectionsOnFile, cipher: TokenCipher
) -> None:
    """Memory serves until the generation changes or the source is told to forget."""
    source.current()
    connections.row = replace(connections.row, access_sealed=cipher.seal("something else"))
    assert source.current() == "access-secret-0"
    source.forget()
    assert source.current() == "something else"


TRANSIENT: list[Answer] = [
    requests.ConnectTimeout("late"),
    requests.ReadTimeout("late"),
    requests.ConnectionError("reset"),
    (429, '{"error_key": "throttled"}'),
    (500, ""),
    (503, "<html>"),
    (200, "<html>"),
    (200, ""),
    (200, '{"token_type": "Bearer", "refresh_token": "r"}'),
    (200, "x" * 100_000),
    (400, '{"error": "invalid_request"}'),
    (403, ""),
]


@pytest.mark.parametrize("answer", TRANSIENT)
def test_a_transient_failure_is_never_final(
    source: TokenSource, connections: ConnectionsOnFile, vendor: Vendor, clock: Clock, answer: Answer
) -> None:
    """Tokens stay byte for byte, the next try is dated, and then the same token works."""
    clock.now = EXPIRED
    before = tokens(connections.row)
    vendor.canned = [answer] * 2
    with pytest.raises(RefreshUnavailable) as caught:
        source.current()
    vendor.canned.clear()
    row, sent = connections.row, len(vendor.forms)
    assert (row.state, row.failures, row.lease_owner) == ("refresh_failing", 1, None)
    assert tokens(row) == before
    assert row.next_refresh_at is not None
    assert row.next_refresh_at == caught.value.retry_at
    assert row.next_refresh_at > clock.now

    with pytest.raises(RefreshUnavailable):
        source.current()
    assert len(vendor.forms) == sent, "the pause must be obeyed"

    clock.now = row.next_refresh_at
    assert source.current() == "access-secret-1"
    assert connections.row.state == "connected"


def test_pauses_grow_to_a_quarter_of_an_hour(
    source: TokenSource, connections: ConnectionsOnFile, vendor: Vendor, clock: Clock
) -> None:
    """An outage of hours costs few calls and never the connection."""
    clock.now = EXPIRED
    pauses = []
    vendor.canned = [(503, "")] * 9
    for _ in range(8):
        with pytest.raises(RefreshUnavailable):
            source.current()
        assert connections.row.next_refresh_at is not None
        pauses.append(connections.row.next_refresh_at - clock.now)
        clock.now = connections.row.next_refresh_at
    for pause, middle in zip(pauses, [30, 60, 120, 300, 900, 900, 900, 900], strict=True):
        assert 800 * middle <= pause <= 1200 * middle
    assert len(vendor.forms) == 9, "only the first lost answer is asked for again"
    assert len(set(pauses[4:])) > 1, "processes must not come back in step"
    assert source.current() == "access-secret-1"


def test_an_unforeseen_refusal_is_tried_again_in_a_quarter_of_an_hour(
    source: TokenSource, vendor: Vendor, clock: Clock
) -> None:
    """An earlier retry would be refused in the same way."""
    clock.now = EXPIRED
    vendor.canned = [(400, '{"error": "unsupported_grant_type"}')]
    with pytest.raises(RefreshUnavailable) as caught:
        source.current()
    assert caught.value.retry_at == EXPIRED + 900_000


def test_a_lost_answer_is_asked_for_again_at_once_also_after_other_failures(
    source: TokenSource, vendor: Vendor, clock: Clock
) -> None:
    """The vendor's grace period does not depend on how often it could not be reached before."""
    clock.now = EXPIRED
    vendor.canned = [(429, "")] * 3 + [requests.ReadTimeout("late")]
    for _ in range(3):
        with pytest.raises(RefreshUnavailable) as caught:
            source.current()
        clock.now = caught.value.retry_at or 0
    assert source.current() == "access-secret-1"
    assert len(vendor.forms) == 5


def test_a_pause_dated_by_a_clock_since_set_back_is_ignored(
    source: TokenSource, connections: ConnectionsOnFile, clock: Clock
) -> None:
    """A clock that was set by 26 hours does not stop refreshing for 26 hours."""
    clock.now = EXPIRED
    connections.row = replace(connections.row, next_refresh_at=clock.now + 26 * HOUR)
    assert source.current() == "access-secret-1"


def test_invalid_grant_on_the_newest_generation_is_final(
    source: TokenSource, connections: ConnectionsOnFile, vendor: Vendor, clock: Clock
) -> None:
    """The state says so once, the tokens are kept, and the vendor is not asked again."""
    clock.now = EXPIRED
    before = tokens(connections.row)
    vendor.canned = [GRANT_DEAD]
    for _ in range(3):
        with pytest.raises(NeedsReauthorization) as caught:
            source.current()
    assert caught.value.state == "needs_reauthorization"
    assert caught.value.retry_at is None
    assert (connections.row.state, connections.row.failures) == ("needs_reauthorization", 1)
    assert tokens(connections.row) == before
    assert len(vendor.forms) == 1


def test_a_dead_grant_does_not_waste_a_living_access_token(
    source: TokenSource, connections: ConnectionsOnFile
) -> None:
    """The access token is used until it expires."""
    connections.row = replace(connections.row, state="needs_reauthorization")
    assert source.current() == "access-secret-0"


@pytest.mark.parametrize("answer", [GRANT_DEAD, (503, ""), (401, "{}"), requests.ReadTimeout("late")])
def test_a_failure_of_a_superseded_token_is_ignored(
    source: TokenSource,
    connections: ConnectionsOnFile,
    vendor: Vendor,
    cipher: TokenCipher,
    clock: Clock,
    answer: Answer,
) -> None:
    """When another process stored a newer pair meanwhile, that pair is adopted and the state stays."""
    clock.now = EXPIRED
    vendor.canned = [answer]
    vendor.meanwhile = lambda: newer_pair(connections, cipher, clock)
    assert source.current() == "access-of-another"
    assert (connections.row.state, connections.row.failures) == ("connected", 0)


def test_a_late_answer_does_not_overwrite_a_newer_pair(
    source: TokenSource, connections: ConnectionsOnFile, vendor: Vendor, cipher: TokenCipher, clock: Clock
) -> None:
    """A holder that was paused drops its own result."""
    clock.now = EXPIRED
    vendor.meanwhile = lambda: newer_pair(connections, cipher, clock)
    assert source.current() == "access-of-another"
    assert cipher.unseal(connections.row.refresh_sealed or "") == "refresh-of-another"


def test_a_disconnect_during_a_refresh_stays(
    source: TokenSource, connections: ConnectionsOnFile, vendor: Vendor, clock: Clock
) -> None:
    """The late pair is not stored and not handed out."""
    clock.now = EXPIRED
    vendor.meanwhile = lambda: connections.disconnect(now=clock.now)
    with pytest.raises(NotConnected):
        source.current()
    assert (connections.row.state, tokens(connections.row)) == ("disconnected", (None, None))


@pytest.mark.parametrize(
    "body", ['{"error": "invalid_client"}', '{"errorCode": "invalid_client", "errorSummary": "x"}']
)
def test_wrong_credentials_keep_the_tokens_and_are_tried_every_quarter_of_an_hour(
    source: TokenSource, connections: ConnectionsOnFile, vendor: Vendor, clock: Clock, body: str
) -> None:
    """A wrong client secret is not a lost connection."""
    clock.now = EXPIRED
    before = tokens(connections.row)
    vendor.canned = [(401, body)]
    for _ in range(2):
        with pytest.raises(CredentialsRejected, match="CONSTANT_CONTACT_CLIENT_SECRET") as caught:
            source.current()
        assert caught.value.retry_at == EXPIRED + 900_000
    assert connections.row.state == "credentials_rejected"
    assert tokens(connections.row) == before
    clock.now += 900_000
    assert source.current() == "access-secret-1"


def test_tokens_of_another_key_are_left_untouched(
    connections: ConnectionsOnFile, vendor: Vendor, server: AuthorizationServer, clock: Clock
) -> None:
    """Only the state is noted and nothing is sent; the right key makes everything work again."""
    source = TokenSource(
        OAuthContext(
            connections, server, TokenCipher(["quite another long key"]), clock=clock, wait=clock.wait
        )
    )
    before = connections.row
    for now in (START, EXPIRED):
        clock.now = now
        with pytest.raises(Undecryptable):
            source.current()
    assert connections.row == replace(before, state="undecryptable", last_error=connections.row.last_error)
    assert vendor.forms == []


def test_nothing_is_sent_when_the_store_cannot_be_written(
    source: TokenSource, connections: ConnectionsOnFile, vendor: Vendor, clock: Clock
) -> None:
    """The lease is the write test: a token that could not be stored is not asked for."""
    clock.now = EXPIRED
    connections.broken = {"take_lease"}
    with pytest.raises(StoreUnavailable):
        source.current()
    assert vendor.forms == []


def test_a_short_failure_to_store_is_retried_before_the_token_is_handed_out(
    server: AuthorizationServer,
    connections: ConnectionsOnFile,
    vendor: Vendor,
    clock: Clock,
    cipher: TokenCipher,
) -> None:
    """The pair is stored when the caller gets its token."""
    clock.now = EXPIRED
    vendor.meanwhile = lambda: connections.broken.add("store_refreshed")
    slow = TokenSource(
        OAuthContext(connections, server, cipher, clock=clock, wait=lambda _: connections.broken.clear())
    )
    assert slow.current() == "access-secret-1"
    assert cipher.unseal(connections.row.refresh_sealed or "") == "refresh-secret-1"


def test_a_pair_that_cannot_be_stored_is_held_and_stored_later(
    source: TokenSource, connections: ConnectionsOnFile, vendor: Vendor, clock: Clock, cipher: TokenCipher
) -> None:
    """The pair in memory is the only one: its refresh token is not sent until it is stored."""
    clock.now = EXPIRED
    connections.broken = {"store_refreshed"}
    assert source.current() == "access-secret-1"
    assert source.current() == "access-secret-1"
    clock.now += DAY
    with pytest.raises(RefreshUnavailable):
        source.current()
    assert len(vendor.forms) == 1
    connections.broken.clear()
    assert source.current() == "access-secret-2"
    assert [form["refresh_token"] for form in vendor.forms] == ["refresh-secret-0", "refresh-secret-1"]
    assert cipher.unseal(connections.row.refresh_sealed or "") == "refresh-secret-2"
    connections.broken = {"store_refreshed"}
    assert source.current() == "access-secret-2", "what is stored is no longer held"


def test_a_held_pair_gives_way_to_a_newer_one(
    source: TokenSource, connections: ConnectionsOnFile, clock: Clock, cipher: TokenCipher
) -> None:
    """An admin who reconnected meanwhile wins."""
    clock.now = EXPIRED
    connections.broken = {"store_refreshed"}
    source.current()
    connections.broken.clear()
    newer_pair(connections, cipher, clock)
    assert source.current() == "access-of-another"


def test_a_lease_of_another_process_is_waited_for_but_not_for_ever(
    source: TokenSource, connections: ConnectionsOnFile, vendor: Vendor, clock: Clock
) -> None:
    """A caller waits 12 s at most; a lease left by a dead process ends by itself."""
    clock.now = EXPIRED
    connections.row = replace(connections.row, lease_owner="dead", lease_until=EXPIRED + 20_000)
    with pytest.raises(RefreshUnavailable) as caught:
        source.current()
    assert clock.now == EXPIRED + 12_000
    assert caught.value.retry_at == EXPIRED + 20_000
    assert vendor.forms == []
    clock.now = EXPIRED + 20_000
    assert source.current() == "access-secret-1"


def test_a_rejected_token_is_replaced_by_a_newer_stored_one_without_a_refresh(
    source: TokenSource, connections: ConnectionsOnFile, vendor: Vendor, cipher: TokenCipher, clock: Clock
) -> None:
    """A 401 for an old generation costs no refresh."""
    old = source.current()
    newer_pair(connections, cipher, clock)
    assert source.after_rejection(old) == "access-of-another"
    assert vendor.forms == []


def test_a_rejected_newest_token_is_refreshed_once_in_five_minutes(
    source: TokenSource, vendor: Vendor, clock: Clock
) -> None:
    """An API that answers 401 to everything rotates the tokens once, not once a call."""
    assert source.after_rejection(source.current()) == "access-secret-1"
    for _ in range(3):
        with pytest.raises(RefreshUnavailable) as caught:
            source.after_rejection(source.current())
    assert (caught.value.state, caught.value.retry_at) == ("api_rejected", START + 300_000)
    assert vendor.issued == 1
    clock.now += 300_000
    assert source.after_rejection(source.current()) == "access-secret-2"


@pytest.mark.parametrize("step", [26 * HOUR, -26 * HOUR])
def test_a_step_of_the_clock_causes_no_storm(
    source: TokenSource, vendor: Vendor, clock: Clock, step: int
) -> None:
    """At most one refresh by expiry and one by rejection."""
    source.current()
    clock.now += step
    source.after_rejection(source.current())
    clock.now -= step
    for _ in range(5):
        source.current()
    assert vendor.issued <= 2


@pytest.mark.parametrize(
    ("state", "expected"), [("needs_reauthorization", NeedsReauthorization), ("disconnected", NotConnected)]
)
def test_a_rejection_cannot_revive_a_dead_connection(
    source: TokenSource,
    connections: ConnectionsOnFile,
    vendor: Vendor,
    state: str,
    expected: type[OAuthError],
) -> None:
    """Where only a person can help, the vendor is not called."""
    token = source.current()
    if state == "disconnected":
        connections.disconnect(now=START)
    connections.row = replace(connections.row, state=state)
    with pytest.raises(expected):
        source.after_rejection(token)
    assert vendor.forms == []
