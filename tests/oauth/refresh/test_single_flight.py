"""What happens between reading the row and taking the lease."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oauth.authorization_server import AuthorizationServer
from oauth.encryption import TokenCipher
from oauth.errors import NeedsReauthorization, OAuthError, RefreshUnavailable
from oauth.refresh.refreshing import REFUSED
from oauth.token_source import TokenSource
from tests.oauth.vault_in_memory import VaultInMemory
from tests.oauth.vendor import DAY, START, Answer, Clock, Vendor


class Overtaken(VaultInMemory):
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
    vendor: Vendor,
    server: AuthorizationServer,
    sealer: TokenCipher,
    clock: Clock,
    answer: Answer,
    failure: type[OAuthError],
    state: str,
    reason: str,
) -> None:
    """Its verdict stands: one call, the true reason on record, and no lease left behind."""
    vault = Overtaken()
    vault.store_connected(
        access_sealed=sealer.seal("access-secret-0"),
        refresh_sealed=sealer.seal("refresh-secret-0"),
        access_issued_at=START,
        access_expires_at=START + DAY,
        scope=None,
        now=START,
    )
    clock.now = START + DAY
    vendor.canned = [answer, answer]
    quick, slow = (TokenSource(vault, server, sealer, clock=clock, wait=clock.wait) for _ in range(2))

    def overtake() -> None:
        with pytest.raises(failure):
            quick.current()

    vault.meanwhile = overtake
    with pytest.raises(failure):
        slow.current()
    assert len(vendor.forms) == 1
    assert (vault.row.state, vault.row.failures, vault.row.lease_owner) == (state, 1, None)
    assert reason in (vault.row.last_error or "")
