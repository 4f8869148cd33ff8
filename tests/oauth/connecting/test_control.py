"""What a person may do to the connection from a shell."""

import pytest

from oauth.authorization_server import AuthorizationServer
from oauth.connecting.connector import Connector
from oauth.connecting.control import ConnectionControl
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.token_source import TokenSource
from tests.oauth.consent import Account, Happenings
from tests.oauth.on_file import AttemptsOnFile, ConnectionsOnFile
from tests.oauth.vendor import START, Clock, Vendor


class Refreshed:
    """Counts how often it was told."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def refreshed() -> Refreshed:
    return Refreshed()


@pytest.fixture
def control(
    source: TokenSource,
    connections: ConnectionsOnFile,
    attempts: AttemptsOnFile,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
    refreshed: Refreshed,
    happenings: Happenings,
) -> ConnectionControl:
    connector = Connector(
        OAuthContext(connections, server, cipher, clock=clock, audit=happenings),
        attempts,
        lambda _: Account(),
        scopes=("contact_data", "offline_access"),
        pkce=True,
        on_connected=lambda: None,
    )
    return ConnectionControl(
        OAuthContext(connections, server, cipher, clock=clock), source, connector, on_refreshed=refreshed
    )


def test_a_refresh_on_demand_renews_tokens_that_are_still_good(
    control: ConnectionControl, source: TokenSource, connections: ConnectionsOnFile, refreshed: Refreshed
) -> None:
    """Whatever the margins say, a new pair is stored and handed out, and the delivery is told."""
    assert source.current() == "access-secret-0"
    assert control.refresh() == (True, "The connection is refreshed.")
    assert connections.read().generation == 2
    assert source.current() == "access-secret-1"
    assert refreshed.times == 1


def test_a_refresh_on_demand_does_not_wait_for_the_next_try(
    control: ConnectionControl, connections: ConnectionsOnFile
) -> None:
    """After the secret was corrected, a person need not wait out the pause."""
    connections.record_failure(
        generation=1, state="credentials_rejected", error="no", next_refresh_at=START + 900_000
    )
    assert control.refresh() == (True, "The connection is refreshed.")
    assert connections.read().state == "connected"


def test_a_dead_token_is_not_sent_again(
    control: ConnectionControl, connections: ConnectionsOnFile, vendor: Vendor, refreshed: Refreshed
) -> None:
    """Replaying what was refused could revoke more; the sentence says to connect."""
    connections.record_failure(generation=1, state="needs_reauthorization", error="no", next_refresh_at=None)
    refreshed_now, sentence = control.refresh()
    assert not refreshed_now
    assert "press Connect" in sentence
    assert vendor.forms == []
    assert refreshed.times == 0


def test_a_refresh_under_way_elsewhere_is_left_alone(
    control: ConnectionControl, connections: ConnectionsOnFile, vendor: Vendor
) -> None:
    """Another process holds the lease: two refreshes at once would cost the connection."""
    assert connections.take_lease(owner="other", generation=1, now=START, until=START + 20_000)
    assert control.refresh() == (False, "A new access token is on its way.")
    assert vendor.forms == []


def test_disconnecting_forgets_the_tokens(
    control: ConnectionControl, connections: ConnectionsOnFile, happenings: Happenings
) -> None:
    """Afterwards there is nothing to refresh, and that is said; the audit knows where it was done."""
    control.disconnect()
    assert (happenings.told, happenings.actors) == ([("disconnected", None)], ["command line"])
    assert connections.read().refresh_sealed is None
    assert "not connected" in control.refresh()[1]


def test_it_is_known_whether_the_keys_fit(control: ConnectionControl, connections: ConnectionsOnFile) -> None:
    """Stored tokens open or they do not; nothing stored is no problem."""
    assert control.decryptable()
    connections.store_connected(
        access_sealed="other",
        refresh_sealed="other",
        access_issued_at=START,
        access_expires_at=START + 1,
        scope=None,
        now=START,
    )
    assert not control.decryptable()
    connections.disconnect(now=START)
    assert control.decryptable()
