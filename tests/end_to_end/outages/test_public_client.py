"""A deployment without a client secret connects by PKCE, delivers, and stays connected."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox import PRESET_LIST_ID
from tests.end_to_end.consent import connect
from tests.end_to_end.processes import Deployment, wait_for

TOKEN_PATH = "/oauth2/default/v1/token"


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path, preset_list=PRESET_LIST_ID, CONSTANT_CONTACT_CLIENT_SECRET="")
    deployment.start()
    yield deployment
    deployment.stop()


def test_connects_delivers_and_refreshes(deployment: Deployment) -> None:
    """From the button to a contact, and past the end of an access token."""
    settings = {"access_token_seconds": 10, "grace_seconds": 0}
    requests.post(f"{deployment.sandbox_base}/_sandbox/settings", json=settings, timeout=5)
    connect(deployment)
    deployment.subscribe("ann@example.org")
    wait_for("the delivery", lambda: deployment.contact("ann@example.org"))
    wait_for("a refresh", lambda: deployment.sandbox_state()["counters"]["refreshes"] >= 1, seconds=40)
    deployment.subscribe("bob@example.org")
    wait_for("a delivery with the new token", lambda: deployment.contact("bob@example.org"))
    assert deployment.health()["connection"] == "connected"
    log = requests.get(f"{deployment.sandbox_base}/_sandbox/requests", timeout=5).json()["requests"]
    calls = [call["body"] for call in log if call["path"] == TOKEN_PATH]
    assert {call["grant_type"] for call in calls} == {"authorization_code", "refresh_token"}
    assert {call["client_id"] for call in calls} == {"sandbox-client"}
    assert not any("client_secret" in call for call in calls)
