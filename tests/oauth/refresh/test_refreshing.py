"""How long one refresh may take, whatever the vendor and the database do."""

import pytest
import requests

from oauth.authorization_server import AuthorizationServer
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.errors import RefreshUnavailable
from oauth.refresh.refreshing import Refresher
from oauth.tokens import TokenPair
from store.engine.database import Database
from store.errors import StoreUnavailable
from tests.oauth.on_file import ConnectionsOnFile
from tests.oauth.vendor import BASE_URL, DAY, START, Clock, Vendor


class Patient(AuthorizationServer):
    """Uses each deadline up, then does what the vendor does."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(requests.Session(), base_url=BASE_URL, client_id="i", client_secret="s")
        self.clock = clock
        self.given: list[float] = []

    def refresh(self, refresh_token: str, now: int, *, seconds: float = 13.0) -> TokenPair:
        self.given.append(seconds)
        self.clock.wait(seconds)
        return super().refresh(refresh_token, now, seconds=seconds)


class Hanging(ConnectionsOnFile):
    """Takes ``hangs`` seconds to say that it cannot store; keeping the lease takes ``checks`` seconds."""

    hangs: float = 5
    checks: float = 0

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database)
        self.clock = clock
        self.tries: list[int] = []

    def renew_lease(self, *, owner: str, now: int, until: int) -> bool:
        self.clock.wait(self.checks)
        return super().renew_lease(owner=owner, now=now, until=until)

    def store_refreshed(self, **_: object) -> bool:
        self.tries.append(self.clock.now)
        self.clock.wait(self.hangs)
        raise StoreUnavailable


@pytest.fixture
def hanging(database: Database, clock: Clock, cipher: TokenCipher) -> Hanging:
    connections = Hanging(database, clock)
    connections.store_connected(
        access_sealed=cipher.seal("access-secret-0"),
        refresh_sealed=cipher.seal("refresh-secret-0"),
        access_issued_at=START,
        access_expires_at=START + DAY,
        scope=None,
        now=START,
    )
    return connections


@pytest.fixture
def patient(clock: Clock) -> Patient:
    return Patient(clock)


@pytest.fixture
def refresher(hanging: Hanging, patient: Patient, cipher: TokenCipher, clock: Clock) -> Refresher:
    return Refresher(
        OAuthContext(hanging, patient, cipher, clock=clock, wait=clock.wait),
        tell=lambda _kind, _detail: None,
        owner="me",
        lease_ms=60_000,
        monotonic=lambda: clock.now / 1000,
    )


def refresh(refresher: Refresher, hanging: Hanging) -> None:
    row = hanging.read()
    assert refresher.take_lease(row, forced=False)
    refresher.refresh(row, "refresh-secret-0")


def test_two_slow_sends_and_a_hanging_database_end_within_a_stop(
    refresher: Refresher, patient: Patient, hanging: Hanging, vendor: Vendor, clock: Clock
) -> None:
    """A stop waits 30 s: 13 s, a pause, the rest of 19 s, one try to store; then memory holds the pair."""
    vendor.canned = [requests.ReadTimeout("late")]
    refresh(refresher, hanging)
    assert patient.given == [13.0, 5.0]
    assert len(hanging.tries) == 1
    assert clock.now - START <= 24_000
    assert refresher.unsaved is not None


def test_no_replay_begins_that_would_end_too_late(
    refresher: Refresher, patient: Patient, hanging: Hanging, vendor: Vendor
) -> None:
    """When the database took the time, the failure is noted, and the next try comes later."""
    hanging.checks = 4
    vendor.canned = [requests.ReadTimeout("late")]
    with pytest.raises(RefreshUnavailable):
        refresh(refresher, hanging)
    assert patient.given == [13.0]
    assert hanging.row.outcome_unknown


def test_a_database_that_refuses_at_once_is_asked_for_five_seconds(
    refresher: Refresher, hanging: Hanging, vendor: Vendor, clock: Clock
) -> None:
    """Long enough for a restart or a failover; the pair that the vendor issued is the only one."""
    hanging.hangs = 0.05
    refresh(refresher, hanging)
    assert len(hanging.tries) == 5
    assert 5_000 <= hanging.tries[-1] - hanging.tries[0] <= 5_500
    assert refresher.unsaved is not None
