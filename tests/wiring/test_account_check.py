"""How what the vendor's API says about an account reaches the one who connects."""

from pathlib import Path

import pytest
import requests
import responses

from oauth.errors import AccountUnavailable, AccountUnusable, OAuthError
from services.constant_contact.client import ConstantContact
from services.constant_contact.quota import CallQuota
from store.engine.database import Database
from store.quota.ledger import QuotaLedger
from wiring.constant_contact import account_of

API = "https://api.test/v3"


@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [
        (403, AccountUnusable, "role.*permission.*application is switched off"),
        (401, AccountUnavailable, "Press Connect again"),
        (503, AccountUnavailable, "Press Connect again"),
    ],
)
def test_an_account_check_that_is_refused_says_why(
    tmp_path: Path, status: int, expected: type[OAuthError], words: str
) -> None:
    """A 403 means scope, role or a deactivated application, which pressing Connect again does not mend."""
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    permits = CallQuota(QuotaLedger(database), clock=lambda: 1_790_000_000_000)
    ask = account_of(ConstantContact(requests.Session(), base_url=API), permits)
    with responses.RequestsMock() as http:
        http.get(f"{API}/account/summary", status=status, json=[{"error_key": "x"}])
        with pytest.raises(expected, match=words):
            ask("access")
    assert QuotaLedger(database).read().used == 1
    database.close()
