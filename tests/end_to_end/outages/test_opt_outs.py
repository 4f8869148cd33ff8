"""Real processes and a sandbox behind a port: who left stays away, and whoever asks to come back is asked."""

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
    """One connected deployment per engine."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else ""
    deployment = Deployment(tmp_path_factory.mktemp("left"), database_url=url, preset_list=PRESET_LIST_ID)
    deployment.start()
    connect(deployment)
    yield deployment
    deployment.stop()


def control(deployment: Deployment, call: str, body: dict[str, Any]) -> None:
    requests.post(f"{deployment.sandbox_base}/_sandbox/{call}", json=body, timeout=5).raise_for_status()


def by_key(deployment: Deployment, email: str, **fields: Any) -> str:
    """A sign-up by another server of the organisation; its id."""
    answer = requests.post(
        f"{deployment.base}/subscribe",
        json={"email": email, "list_id": PRESET_LIST_ID, **fields},
        headers={"Authorization": f"Bearer {deployment.api_key}"},
        timeout=30,
    )
    answer.raise_for_status()
    return str(answer.json()["id"])


def by_stranger(deployment: Deployment, email: str, **fields: Any) -> str:
    """A sign-up by whoever typed the address into a form; what every stranger reads, and its id."""
    body = {"email": email, "list_id": PRESET_LIST_ID, **fields}
    answer = requests.post(f"{deployment.base}/subscribe", json=body, timeout=30)
    assert (answer.status_code, answer.json()["status"]) == (202, "received")
    return str(answer.json()["id"])


def standing(deployment: Deployment, signup_id: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {deployment.api_key}"}
    answer = requests.get(f"{deployment.base}/signups/{signup_id}", headers=headers, timeout=5)
    return dict(answer.json())


def reaches(deployment: Deployment, signup_id: str, status: str) -> dict[str, Any]:
    wait_for(status, lambda: standing(deployment, signup_id)["status"] == status, seconds=45)
    return standing(deployment, signup_id)


def permission(deployment: Deployment, email: str) -> str:
    return str((deployment.contact(email) or {})["permission_to_send"])


def test_ann_stays_unsubscribed_when_the_vendor_comes_back(connected: Deployment) -> None:
    """She signed up, the vendor was away, she unsubscribed, and it came back."""
    ann = "ann@example.org"
    reaches(connected, by_key(connected, ann), "subscribed")
    connected.faults(status=503, body={"message": "later"})
    signup_id = by_key(connected, ann, first_name="Ann")
    wait_for("a failed try", lambda: standing(connected, signup_id)["last_error"] is not None)
    control(connected, "unsubscribe", {"email": ann})
    connected.heal()
    assert "left since" in reaches(connected, signup_id, "parked")["last_error"]
    assert permission(connected, ann) == "unsubscribed"


def test_a_stranger_who_types_an_address_brings_nobody_back(connected: Deployment) -> None:
    """The vendor asks its owner once; an admin's word by key subscribes, and the old wish stays put aside."""
    bob = "bob@example.org"
    reaches(connected, by_key(connected, bob), "subscribed")
    control(connected, "unsubscribe", {"email": bob})
    connected.app.stop()
    connected.app.start()
    reaches(connected, by_stranger(connected, bob, first_name="Mallory"), "confirmation_sent")
    contact = connected.contact(bob) or {}
    assert (contact["permission_to_send"], contact["first_name"]) == ("unsubscribed", None)
    assert contact["return_asked_at"]
    again = reaches(connected, by_stranger(connected, bob), "parked")
    assert "only once" in again["last_error"]
    reaches(connected, by_key(connected, bob, returning="accept"), "subscribed")
    assert permission(connected, bob) == "explicit"
