"""What a stranger can tell of a sign-up from outside, in a real server: nothing, and never by waiting."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox import PRESET_LIST_ID
from tests.end_to_end.consent import connect
from tests.end_to_end.processes import Deployment, wait_for
from tests.support.postgresql_server import new_database

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
UNLIMITED = {f"SIGNUPS_PER_MINUTE_AND_{limit}": "0" for limit in ("ADDRESS", "NETWORK", "FORM")}
# Differs between any two answers of any server; whether it ends the connection depends on its other ones.
PASSING = {"Date", "X-Request-Id", "Connection"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def waiting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """A connected deployment that would let a caller wait for ten seconds."""
    environ = UNLIMITED | {"SUBSCRIBE_WAIT_SECONDS": "10"}
    if request.param == "sqlite":
        yield from served(Deployment(tmp_path, preset_list=PRESET_LIST_ID, **environ))
        return
    with new_database(request.getfixturevalue("postgresql_url")) as url:
        yield from served(Deployment(tmp_path, preset_list=PRESET_LIST_ID, database_url=url, **environ))


def served(deployment: Deployment) -> Iterator[Deployment]:
    try:
        deployment.start()
        connect(deployment)
        yield deployment
    finally:
        deployment.stop()


def post(
    deployment: Deployment,
    fields: Mapping[str, str],
    *,
    page: bool = False,
    headers: Mapping[str, str] | None = None,
) -> requests.Response:
    """As a visitor's script does, or the visitor's browser."""
    body = {"list_id": deployment.preset_list, **fields}
    sent: dict[str, Any] = {"data": body} if page else {"json": body}
    url = f"{deployment.base}/subscribe"
    accept = {"Accept": "text/html"} if page else {}
    return requests.post(
        url, headers={**accept, **(headers or {})}, timeout=30, allow_redirects=False, **sent
    )


def outside(answer: requests.Response) -> tuple[int, str, dict[str, str]]:
    """All of an answer but what differs between any two."""
    headers = {name: value for name, value in answer.headers.items() if name not in PASSING}
    return answer.status_code, ID.sub("", answer.text), headers


def fates(deployment: Deployment) -> list[dict[str, str]]:
    """What to post to each end: a new contact, one that Constant Contact knows, one that is kept apart."""
    deployment.subscribe("known@example.org").raise_for_status()
    wait_for("the contact that is known", lambda: deployment.contact("known@example.org"))
    return [
        {"email": "new@example.org"},
        {"email": "known@example.org"},
        {"email": "trap@example.org", "website": "x"},
    ]


def test_every_stranger_is_answered_alike(waiting: Deployment) -> None:
    """Status, headers and body, to a script and to a page, and of what the id leads to."""
    posts = fates(waiting)
    for page, status in ((False, 202), (True, 303)):
        answers = [post(waiting, fields, page=page) for fields in posts]
        first, *others = map(outside, answers)
        assert first[0] == status
        assert others == [first] * len(others)
        if not page:
            urls = [f"{waiting.base}/signups/{answer.json()['id']}" for answer in answers]
            first, *others = (outside(requests.get(url, timeout=5)) for url in urls)
            assert first[0] == 200
            assert others == [first] * len(others)


def test_no_stranger_waits_for_the_vendor(waiting: Deployment) -> None:
    """All are answered, whatever they prefer, while the vendor still holds the first one's call."""
    posts = fates(waiting)
    waiting.faults(delay=8)
    for fields in posts:
        for prefer in ({}, {"Prefer": "wait=10"}):
            answer = post(waiting, fields, headers=prefer)
            assert (answer.status_code, answer.json()["status"]) == (202, "received")
            assert "Preference-Applied" not in answer.headers
    assert waiting.contact("new@example.org") is None
    waiting.heal()
    wait_for("the delivery", lambda: waiting.contact("new@example.org"), seconds=45)
    assert waiting.contact("trap@example.org") is None


def test_the_public_counts_do_not_tell_a_trapped_sign_up(waiting: Deployment) -> None:
    """While the vendor is down each post adds one, believed or not, and a key's holder knows better."""
    waiting.faults(status=503, body=[])
    post(waiting, {"email": "first@example.org"})
    wait_for("the pause", lambda: "Delivery pauses" in " ".join(waiting.health()["problems"]))

    def public() -> int:
        pending: int = requests.get(f"{waiting.base}/health", timeout=5).json()["pending"]
        return pending

    for number, trap in enumerate(({"website": "x"}, {}, {"website": "x"}), start=2):
        post(waiting, {"email": f"n{number}@example.org", **trap})
        assert public() == number
    assert waiting.health()["pending"] == 2
    waiting.heal()
    wait_for("the delivery", lambda: waiting.health()["pending"] == 0, seconds=45)
    wait_for("the end of the first five seconds", lambda: public() == 0)
