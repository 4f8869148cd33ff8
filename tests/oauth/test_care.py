"""What the source does beyond handing out tokens: early refreshes, lost answers, states, resealing."""

from dataclasses import replace
from pathlib import Path

import pytest
import requests
import responses
from structlog.testing import capture_logs

from oauth.authorization_server import AuthorizationServer
from oauth.bearer import BearerAuth
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.errors import ForeignInstallation, NeedsReauthorization, OAuthError, RefreshUnavailable
from oauth.refresh.refreshing import IDLE, LOST, REFUSED
from oauth.refresh.rescue_file import RescueFile
from oauth.token_source import TokenSource
from tests.oauth.on_file import ConnectionsOnFile
from tests.oauth.vendor import DAY, HOUR, START, Clock, Vendor

EXPIRED = START + DAY
GRANT_DEAD = (400, '{"error": "invalid_grant"}')
API = "https://api.test/v3/contacts"


@pytest.fixture
def rescue(tmp_path: Path, cipher: TokenCipher) -> RescueFile:
    return RescueFile(tmp_path / "rescue", cipher)


@pytest.fixture
def rescued(
    connections: ConnectionsOnFile,
    vendor: Vendor,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
    rescue: RescueFile,
) -> TokenSource:
    """A source that has spent its stored token and could store the new pair in the rescue file only."""
    source = TokenSource(
        OAuthContext(connections, server, cipher, clock=clock, wait=clock.wait), rescue=rescue
    )
    clock.now = EXPIRED
    connections.broken = {"store_refreshed"}
    assert source.current() == "access-secret-1"
    return source


def test_inside_the_soft_margin_the_token_is_handed_out_and_the_background_woken(
    source: TokenSource, vendor: Vendor, clock: Clock
) -> None:
    """Nobody waits for a refresh that is not urgent."""
    clock.now = EXPIRED - 3 * HOUR
    source.current()
    assert not source.refresh_due.is_set()
    clock.now = EXPIRED - 2 * HOUR
    assert source.current() == "access-secret-0"
    assert (source.refresh_due.is_set(), vendor.forms) == (True, [])


def test_tending_refreshes_inside_the_soft_margin_once(
    source: TokenSource, vendor: Vendor, clock: Clock
) -> None:
    """Before the margin nothing happens, in it one refresh, and a second tick finds it done."""
    clock.now = EXPIRED - 3 * HOUR
    source.tend()
    assert vendor.forms == []
    clock.now = EXPIRED - 2 * HOUR
    source.tend()
    source.tend()
    assert len(vendor.forms) == 1
    assert source.current() == "access-secret-1"


def test_a_week_without_use_is_ended_by_a_refresh(
    source: TokenSource, connections: ConnectionsOnFile, clock: Clock
) -> None:
    """The 180 idle days never begin to count, whatever the access token's lifetime."""
    connections.row = replace(connections.row, access_expires_at=START + 60 * DAY)
    clock.now = START + 7 * DAY
    source.tend()
    assert connections.row.generation == 1
    clock.now += 1
    source.tend()
    assert connections.row.generation == 2


def test_memory_answers_for_a_second_without_a_read(
    source: TokenSource, connections: ConnectionsOnFile, clock: Clock
) -> None:
    """A thousand questions in a second cost one read of the row."""
    assert {source.current() for _ in range(1000)} == {"access-secret-0"}
    assert connections.reads == 1
    clock.now += 1000
    source.current()
    assert connections.reads == 2


def test_a_dropped_reply_is_asked_for_once_more(
    source: TokenSource, connections: ConnectionsOnFile, vendor: Vendor, clock: Clock
) -> None:
    """Inside the grace the same token brings the pair."""
    clock.now = EXPIRED
    vendor.canned = [requests.ReadTimeout("late")]
    assert source.current() == "access-secret-1"
    assert [form["refresh_token"] for form in vendor.forms] == ["refresh-secret-0"] * 2
    assert (connections.row.state, connections.row.outcome_unknown) == ("connected", False)


def test_a_dropped_reply_without_grace_is_named_as_the_reason(
    source: TokenSource, connections: ConnectionsOnFile, vendor: Vendor, clock: Clock
) -> None:
    """One replay, then a person is asked for."""
    clock.now = EXPIRED
    vendor.canned = [requests.ReadTimeout("late"), GRANT_DEAD]
    with pytest.raises(NeedsReauthorization, match="answer to a refresh was lost"):
        source.current()
    assert (connections.row.state, connections.row.last_error, len(vendor.forms)) == (
        "needs_reauthorization",
        LOST,
        2,
    )


def test_an_attempt_that_never_reported_counts_as_a_lost_answer(
    source: TokenSource, connections: ConnectionsOnFile, vendor: Vendor, clock: Clock
) -> None:
    """Who died between the reply and the write is the reason."""
    clock.now = EXPIRED
    connections.take_lease(owner="dead", generation=1, now=EXPIRED - 20_000, until=EXPIRED)
    vendor.canned = [GRANT_DEAD]
    with pytest.raises(NeedsReauthorization):
        source.current()
    assert connections.row.last_error == LOST


@pytest.mark.parametrize(("days", "reason"), [(179, REFUSED), (181, IDLE)])
def test_a_refusal_after_180_idle_days_names_them(
    source: TokenSource, connections: ConnectionsOnFile, vendor: Vendor, clock: Clock, days: int, reason: str
) -> None:
    """One try, then the reason."""
    clock.now = START + days * DAY
    vendor.canned = [GRANT_DEAD]
    source.tend()
    assert (connections.row.last_error, len(vendor.forms)) == (reason, 1)


def test_no_replay_after_another_took_over(
    source: TokenSource, connections: ConnectionsOnFile, vendor: Vendor, clock: Clock
) -> None:
    """With the lease lost, another may hold the successor, and a replay would kill it."""
    clock.now = EXPIRED
    vendor.canned = [requests.ReadTimeout("late")]

    def taken_over() -> None:
        connections.row = replace(connections.row, lease_owner="other", lease_until=EXPIRED + 40_000)

    vendor.meanwhile = taken_over
    with pytest.raises(RefreshUnavailable):
        source.current()
    assert len(vendor.forms) == 1
    assert (connections.row.lease_owner, connections.row.failures) == ("other", 0), (
        "the other's attempt counts"
    )
    assert connections.row.attempt_started_at is not None, "which tells the other that an answer may be lost"


def test_a_forced_refresh_is_limited_over_all_processes(
    source: TokenSource,
    connections: ConnectionsOnFile,
    vendor: Vendor,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
) -> None:
    """The second process does not rotate again."""
    source.after_rejection("access-secret-0")
    other = TokenSource(OAuthContext(connections, server, cipher, clock=clock, wait=clock.wait))
    with pytest.raises(RefreshUnavailable) as caught:
        other.after_rejection("access-secret-1")
    assert (caught.value.state, vendor.issued) == ("api_rejected", 1)


def test_api_rejected_is_noted_and_left_on_success(
    source: TokenSource, connections: ConnectionsOnFile, http: responses.RequestsMock
) -> None:
    """The row says it from the second 401 on, until the API takes a token again."""
    session = requests.Session()
    session.auth = BearerAuth(source, booked=lambda: None)
    http.get(API, status=401)
    http.get(API, status=401)
    http.get(API, status=200)
    session.get(API)
    assert connections.row.state == "api_rejected"
    session.get(API)
    assert (connections.row.state, connections.row.last_error) == ("connected", None)


def test_a_copied_database_makes_no_call(
    connections: ConnectionsOnFile,
    vendor: Vendor,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
) -> None:
    """The row of another installation is noted as such, left alone, and works where it belongs."""
    connections.row = replace(connections.row, fingerprint="here")
    there = TokenSource(
        OAuthContext(connections, server, cipher, clock=clock, wait=clock.wait, fingerprint="there")
    )
    for now in (START, EXPIRED):
        clock.now = now
        there.tend()
        with pytest.raises(ForeignInstallation):
            there.current()
    assert (connections.row.state, connections.row.generation, vendor.forms) == (
        "foreign_installation",
        1,
        [],
    )
    clock.now = START
    TokenSource(
        OAuthContext(connections, server, cipher, clock=clock, wait=clock.wait, fingerprint="here")
    ).tend()
    assert connections.row.state == "connected"


def test_the_right_key_ends_undecryptable(
    source: TokenSource,
    connections: ConnectionsOnFile,
    vendor: Vendor,
    server: AuthorizationServer,
    clock: Clock,
) -> None:
    """A wrong key is noted, the right one leaves the state again."""
    TokenSource(
        OAuthContext(
            connections, server, TokenCipher(["quite another long key"]), clock=clock, wait=clock.wait
        )
    ).tend()
    assert connections.row.state == "undecryptable"
    source.tend()
    assert (connections.row.state, vendor.forms) == ("connected", [])


def test_an_older_key_is_replaced_transparently(
    connections: ConnectionsOnFile, vendor: Vendor, server: AuthorizationServer, clock: Clock
) -> None:
    """After one tick the newest key alone opens both tokens."""
    both = TokenCipher(["a key of newer date", "a key of enough length"])
    TokenSource(OAuthContext(connections, server, both, clock=clock, wait=clock.wait)).tend()
    alone = TokenCipher(["a key of newer date"])
    assert alone.unseal(connections.row.access_sealed or "") == "access-secret-0"
    assert alone.unseal(connections.row.refresh_sealed or "") == "refresh-secret-0"
    assert connections.row.generation == 1


def test_a_pair_the_store_refused_is_rescued_and_imported_by_another_process(
    rescued: TokenSource,
    connections: ConnectionsOnFile,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
    rescue: RescueFile,
    tmp_path: Path,
) -> None:
    """The file is private and sealed; a new process stores its pair and removes it."""
    file = tmp_path / "rescue"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "secret" not in file.read_text()
    connections.broken.clear()
    TokenSource(OAuthContext(connections, server, cipher, clock=clock, wait=clock.wait), rescue=rescue).tend()
    assert cipher.unseal(connections.row.refresh_sealed or "") == "refresh-secret-1"
    assert list(tmp_path.iterdir()) == []


def test_a_rescue_file_of_an_earlier_generation_is_discarded(
    rescued: TokenSource,
    connections: ConnectionsOnFile,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
    rescue: RescueFile,
) -> None:
    """A disconnect meanwhile stays, and the file goes."""
    connections.broken.clear()
    connections.disconnect(now=EXPIRED)
    told: list[str] = []

    def listen(kind: str, detail: str | None, _actor: str | None = None) -> None:
        told.append(kind)

    TokenSource(
        OAuthContext(connections, server, cipher, clock=clock, wait=clock.wait, audit=listen), rescue=rescue
    ).tend()
    assert told == []
    assert (connections.row.state, rescue.read()) == ("disconnected", None)


@pytest.mark.parametrize(("generation", "epoch"), [(2, 1), (1, 2)], ids=["newer pair", "other consent"])
def test_a_rescue_file_that_does_not_follow_the_row_is_not_imported(
    rescued: TokenSource,
    connections: ConnectionsOnFile,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
    rescue: RescueFile,
    *,
    generation: int,
    epoch: int,
) -> None:
    """Both numbers must fit: a database restored or begun anew may have the one without the other."""
    connections.broken.clear()
    connections.row = before = replace(
        connections.row,
        generation=generation,
        epoch=epoch,
        access_expires_at=EXPIRED + DAY,
        refresh_issued_at=EXPIRED,
        lease_owner=None,
        lease_until=None,
    )
    told: list[str] = []

    def listen(kind: str, detail: str | None, _actor: str | None = None) -> None:
        told.append(kind)

    TokenSource(
        OAuthContext(connections, server, cipher, clock=clock, wait=clock.wait, audit=listen), rescue=rescue
    ).tend()
    assert (connections.row, told, rescue.read()) == (before, [], None)


def test_without_room_for_a_rescue_file_memory_serves(
    connections: ConnectionsOnFile,
    vendor: Vendor,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither row nor file takes the pair: its access token is used, and an alarm tells of it without it."""
    nowhere = RescueFile(tmp_path / "absent" / "rescue", cipher)
    source = TokenSource(
        OAuthContext(connections, server, cipher, clock=clock, wait=clock.wait), rescue=nowhere
    )
    clock.now = EXPIRED
    connections.broken = {"store_refreshed"}
    with capture_logs() as events:
        assert {source.current(), source.current()} == {"access-secret-1"}
    assert len(vendor.forms) == 1
    alarms = [event for event in events if event["log_level"] == "critical"]
    told = repr(alarms) + caplog.text
    assert "rescue_file_not_written" in told
    assert "secret" not in repr(events) + caplog.text


def test_tending_never_raises(source: TokenSource, connections: ConnectionsOnFile) -> None:
    """The thread outlives a database that is away."""
    connections.broken = {"read"}
    source.tend()
    connections.broken.clear()
    assert source.current() == "access-secret-0"


def test_events_are_told_once_a_transition(
    connections: ConnectionsOnFile,
    vendor: Vendor,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
) -> None:
    """An outage is one event, and its end another; a listener that fails costs no token."""
    events: list[str] = []

    def listen(kind: str, detail: str | None, _actor: str | None = None) -> None:
        events.append(kind)
        raise OSError

    source = TokenSource(
        OAuthContext(connections, server, cipher, clock=clock, wait=clock.wait, audit=listen)
    )
    clock.now = EXPIRED
    vendor.canned = [(429, "")] * 3
    for _ in range(3):
        with pytest.raises(OAuthError) as caught:
            source.current()
        clock.now = caught.value.retry_at or 0
    assert source.current() == "access-secret-1"
    assert events == ["refresh_failed", "recovered"]
