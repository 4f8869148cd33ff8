"""What happens between reading the row and taking the lease."""

from collections.abc import Callable
from typing import Any

import pytest

from oauth.authorization_server import AuthorizationServer
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.errors import NeedsReauthorization, OAuthError, RefreshUnavailable
from oauth.refresh.refreshing import REFUSED
from oauth.token_source import TokenSource
from store.engine.database import Database
from tests.oauth.on_file import ConnectionsOnFile
from tests.oauth.vendor import DAY, START, Answer, Clock, Vendor


class Overtaken(ConnectionsOnFile):
    """Another process is quicker: ``meanwhile`` runs once, after the row was read."""

    meanwhile: Callable[[], None] | None = None

    def take_lease(self, **asked: Any) -> bool:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return super().take_lease(**asked)


@pytest.mark.parametrize(
    ("answer", "failure", "state", "reason"),
    [
        ((400, '{"error": "invalid_grant"}'), NeedsReauthorization, "needs_reauthorization", REFUSED),
        ((429, ""), RefreshUnavailable, "refresh_failing", "429"),
    ],
    ids=["refused for good", "throttled"],
)
def test_a_try_that_failed_a_moment_ago_is_not_repeated(
    database: Database,
    vendor: Vendor,
    server: AuthorizationServer,
    cipher: TokenCipher,
    clock: Clock,
    *,
    answer: Answer,
    failure: type[OAuthError],
    state: str,
    reason: str,
) -> None:
    """Its verdict stands: one call, the true reason on record, and no lease left behind."""
    connections = Overtaken(database)
    connections.store_connected(
        access_sealed=cipher.seal("access-secret-0"),
        refresh_sealed=cipher.seal("refresh-secret-0"),
        access_issued_at=START,
        access_expires_at=START + DAY,
        scope=None,
        now=START,
    )
    clock.now = START + DAY
    vendor.canned = [answer, answer]
    quick, slow = (
        TokenSource(OAuthContext(connections, server, cipher, clock=clock, wait=clock.wait)) for _ in range(2)
    )

    def overtake() -> None:
        with pytest.raises(failure):
            quick.current()

    connections.meanwhile = overtake
    with pytest.raises(failure):
        slow.current()
    assert len(vendor.forms) == 1
    assert (connections.row.state, connections.row.failures, connections.row.lease_owner) == (state, 1, None)
    assert reason in (connections.row.last_error or "")
