"""Whatever the vendor does, a sign-up is accepted quickly and arrives in the end."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox import PRESET_LIST_ID
from tests.end_to_end.consent import connect
from tests.end_to_end.processes import Deployment, wait_for


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def connected(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """One connected deployment per engine, shared by the tests of this file."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else ""
    deployment = Deployment(tmp_path_factory.mktemp("away"), database_url=url, preset_list=PRESET_LIST_ID)
    deployment.start()
    connect(deployment)
    yield deployment
    deployment.stop()


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500, "body": [{"error_key": "contacts.api.internal", "error_message": "no"}]},
        {"delay": 10},
        {"drop": "before"},
        {"drop": "after"},
        {"garbage": True},
        {"half_body": True},
    ],
    ids=lambda fault: "-".join(f"{name}-{value}" for name, value in fault.items() if name != "body"),
)
def test_a_fault_is_answered_with_202_and_healed_by_itself(
    connected: Deployment, fault: dict[str, Any]
) -> None:
    """The answer comes within the wait, says "queued", and the contact arrives after the fault is gone."""
    email = f"{'-'.join(map(str, fault))}@example.org"
    connected.faults(**fault)
    began = time.monotonic()
    answer = connected.subscribe(email)
    took = time.monotonic() - began
    connected.heal()
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert took < 3, "SUBSCRIBE_WAIT_SECONDS is 1.2; the vendor's time must not be added"
    wait_for("the delivery", lambda: connected.status(answer.json()["id"]) == "subscribed", seconds=45)
    assert connected.contact(email)


def test_the_lists_are_served_stale_while_the_vendor_is_away(connected: Deployment) -> None:
    """/lists answers from the store and says so."""
    headers = {"Authorization": f"Bearer {connected.api_key}"}
    fresh = requests.get(f"{connected.base}/lists?refresh=1", headers=headers, timeout=10).json()
    assert not fresh["stale"]
    connected.sandbox.stop()
    stale = requests.get(f"{connected.base}/lists?refresh=1", headers=headers, timeout=10)
    connected.sandbox.start()
    assert stale.status_code == 200
    assert stale.json()["stale"]
    assert [entry["name"] for entry in stale.json()["lists"]] == [entry["name"] for entry in fresh["lists"]]


def test_a_kill_after_the_answer_loses_nothing(connected: Deployment) -> None:
    """SIGKILL of all processes right after a 202: after a restart the sign-up arrives."""
    connected.faults(status=500, body=[])
    signup_id = connected.subscribe("killed@example.org").json()["id"]
    connected.app.kill_all()
    connected.heal()
    connected.app.start()
    wait_for("the delivery after the kill", lambda: connected.status(signup_id) == "subscribed", seconds=90)


def test_no_secret_reached_a_log(connected: Deployment) -> None:
    """After all of the above the log holds no token, code, password, key or address."""
    log = connected.app.log.read_text()
    for secret in (connected.password, connected.api_key, connected.secret_key, connected.encryption_key):
        assert secret not in log
    assert not re.search(r"eyJ[\w-]+\.", log), "a JWT"
    assert not re.search(r"code=|state=[\w-]{20}|sandbox-secret", log)
    assert "@example.org" not in re.sub(r"\w\*\*\*@example\.org", "", log)
    assert "signup_delivered" in log
