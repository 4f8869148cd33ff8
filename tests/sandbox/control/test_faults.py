"""Injected faults, in-process."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from werkzeug.test import TestResponse

from sandbox import ConnectionDropped
from sandbox.state import World
from tests.sandbox.vendor import SIGN_UP, TOKEN, Vendor, person

Api = Callable[..., TestResponse]
SUMMARY = "/v3/account/summary"


def test_status_with_body(api: Api, vendor: Vendor) -> None:
    """A status fault answers in place of the operation, as often as ordered."""
    vendor.fault(times=2, status=503, body={"message": "later"}, headers={"X-Trace": "7"})
    for _ in range(2):
        answer = api("POST", SIGN_UP, person())
        assert (answer.status_code, answer.json) == (503, {"message": "later"})
        assert answer.headers["X-Trace"] == "7"
    assert vendor.state()["contacts"] == []
    assert api("POST", SIGN_UP, person()).status_code == 201


def test_text_and_empty_bodies(api: Api, vendor: Vendor) -> None:
    """A string is sent as it is, no body as an empty one; a header may set the type."""
    vendor.fault(status=502, body="<h1>Bad gateway</h1>", headers={"Content-Type": "text/html"})
    vendor.fault(status=500)
    first, second = api("GET", SUMMARY), api("GET", SUMMARY)
    assert (first.status_code, first.text, first.mimetype) == (502, "<h1>Bad gateway</h1>", "text/html")
    assert (second.status_code, second.data) == (500, b"")


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ({}, True),
        ({"method": "post"}, True),
        ({"method": "GET"}, False),
        ({"path": SIGN_UP}, True),
        ({"path": "/v3/contacts"}, True),
        ({"path": "/v3/contact_lists"}, False),
        ({"path": "*/sign_up_form"}, True),
        ({"path": "/v3/*/x"}, False),
        ({"method": "POST", "path": TOKEN}, False),
    ],
)
def test_match(api: Api, vendor: Vendor, match: dict[str, str], hit: bool) -> None:
    """Method and path are both optional; a path is a prefix, or a pattern when it holds a star."""
    vendor.client.post("/_sandbox/faults", json={"match": match, "fault": {"status": 500}})
    assert (api("POST", SIGN_UP, person()).status_code == 500) == hit


def test_list_and_clear(api: Api, vendor: Vendor) -> None:
    """Faults on order are listed as they were ordered with the times that are left, and can be cancelled."""
    vendor.fault(times=None, status=500)
    vendor.fault(times=3, path="/v3/contacts", delay=0.5, drop="after")
    api("GET", SUMMARY)
    faults = (vendor.client.get("/_sandbox/faults").json or {})["faults"]
    assert faults == [
        {"match": {"path": "/v3/"}, "times": None, "fault": {"status": 500}},
        {"match": {"path": "/v3/contacts"}, "times": 3, "fault": {"delay": 0.5, "drop": "after"}},
    ]
    vendor.client.delete("/_sandbox/faults")
    assert api("GET", SUMMARY).status_code == 200


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ({"fault": {"status": 500}, "tiems": 1}, "tiems"),
        ({"fault": {"status": 99}}, "status"),
        ({"fault": {"explode": True}}, "explode"),
        ({"fault": {}}, "fault"),
        ({}, "fault"),
        ({"fault": {"delay": -1}}, "delay"),
        ({"fault": {"drop": "during"}}, "drop"),
        ({"fault": {"body": "x"}}, "status"),
        ({"fault": {"status": 500}, "times": 0}, "times"),
        ({"fault": {"status": 500}, "match": {"verb": "GET"}}, "verb"),
        ({"fault": {"status": 500}, "match": {"method": 1}}, "match"),
    ],
)
def test_bad_orders_name_the_member(vendor: Vendor, order: dict[str, Any], named: str) -> None:
    """A mistyped order is refused instead of never firing."""
    answer = vendor.client.post("/_sandbox/faults", json=order)
    assert answer.status_code == 400
    assert named in (answer.json or {})["error"]


def test_drop_before_and_after(api: Api, vendor: Vendor) -> None:
    """Dropped before: nothing happened. Dropped after: it happened, and the caller cannot know."""
    vendor.fault(drop="before")
    vendor.fault(drop="after")
    with pytest.raises(ConnectionDropped):
        api("POST", SIGN_UP, person())
    assert vendor.state()["contacts"] == []
    with pytest.raises(ConnectionError):
        api("POST", SIGN_UP, person())
    assert len(vendor.state()["contacts"]) == 1
    before, after = vendor.calls()[-2:]
    assert (before["status"], before["fault"]) == (None, {"drop": "before"})
    assert (after["status"], after["fault"]) == (201, {"drop": "after"})


def test_lost_reply_of_the_token_endpoint(vendor: Vendor) -> None:
    """A reply dropped after rotation leaves the old token good for a replay within the grace."""
    pair = vendor.connect()
    vendor.fault(path=TOKEN, drop="after")
    with pytest.raises(ConnectionDropped):
        vendor.refresh(pair["refresh_token"])
    assert vendor.refresh(pair["refresh_token"]).status_code == 200
    assert vendor.state()["counters"]["grace_hits"] == 1


def test_garbage_and_half_body(api: Api, vendor: Vendor) -> None:
    """Garbage is HTML with 200 in place of the operation; half a body breaks off below its Content-Length."""
    vendor.fault(garbage=True)
    answer = api("POST", SIGN_UP, person())
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert vendor.state()["contacts"] == []
    vendor.fault(half_body=True)
    answer = api("POST", SIGN_UP, person())
    assert answer.status_code == 201
    parts: list[bytes] = []
    with pytest.raises(ConnectionDropped):
        read_into(parts, answer)
    assert 0 < len(b"".join(parts)) < int(answer.headers["Content-Length"])
    assert len(vendor.state()["contacts"]) == 1


def read_into(parts: list[bytes], answer: TestResponse) -> None:
    parts.extend(answer.iter_encoded())


def test_delay_then_proceed(api: Api, vendor: Vendor) -> None:
    """A delayed call takes its time and then does what it always does."""
    vendor.fault(delay=0.1)
    started = time.monotonic()
    assert api("GET", SUMMARY).status_code == 200
    assert time.monotonic() - started >= 0.1


def test_delay_holds_up_nobody_else(api: Api, vendor: Vendor) -> None:
    """While one call is delayed, others and the control endpoints are answered at once."""
    vendor.fault(path=SIGN_UP, delay=1.5)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(api, "POST", SIGN_UP, person())
        wait_until_edited(vendor)
        assert api("POST", SIGN_UP, person(email_address="bob@example.com")).status_code == 201
        assert not slow.done()
    assert slow.result().status_code == 201


@pytest.mark.parametrize("how", ["fault", "setting"])
def test_steady_latency_is_the_same_for_calls_at_once(api: Api, vendor: Vendor, how: str) -> None:
    """Eight calls at once take as long as one: each waits for itself, however the latency was ordered."""
    if how == "fault":
        vendor.fault(times=None, delay=0.3)
    else:
        vendor.settings(latency=0.3)

    def sign_up(number: int) -> float:
        started = time.monotonic()
        assert api("POST", SIGN_UP, person(email_address=f"p{number}@example.com")).status_code == 201
        return time.monotonic() - started

    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert min(pool.map(sign_up, range(8))) >= 0.3
    assert time.monotonic() - started < 1.5


def test_latency_adds_to_faults(api: Api, vendor: Vendor) -> None:
    """The setting slows every call down and uses up no fault."""
    vendor.settings(latency=0.1)
    vendor.fault(status=503, delay=0.1)
    started = time.monotonic()
    assert api("GET", SUMMARY).status_code == 503
    assert time.monotonic() - started >= 0.2
    assert api("GET", SUMMARY).status_code == 200
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("second", ["sign_up", "replace", "delete"])
def test_simultaneous_edits(api: Api, vendor: Vendor, second: str) -> None:
    """While one edit of a contact is being processed, any other edit of it is a 409; afterwards it passes."""
    path = f"/v3/contacts/{(api('POST', SIGN_UP, person()).json or {})['contact_id']}"
    edits: dict[str, tuple[Any, ...]] = {
        "sign_up": ("POST", SIGN_UP, person(email_address="ADA@example.com")),
        "replace": ("PUT", path, {"update_source": "Account"}),
        "delete": ("DELETE", path),
    }
    vendor.fault(path=SIGN_UP, delay=0.3)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(api, "POST", SIGN_UP, person(first_name="Ada"))
        wait_until_edited(vendor)
        answer = api(*edits[second])
    assert answer.status_code == 409
    assert (answer.json or [])[0]["error_key"] == "contacts.api.conflict"
    assert first.result().status_code == 200
    assert vendor.contact()["first_name"] == "Ada"
    assert vendor.state()["counters"]["conflicts"] == 1
    assert api(*edits[second]).status_code in (200, 204)


def wait_until_edited(vendor: Vendor) -> None:
    """Until the delayed edit holds its contact, for five seconds at most."""
    world: World = vendor.client.application.extensions["sandbox"]
    for _ in range(1_000):
        if world.editing:
            return
        Event().wait(0.005)
    raise AssertionError("the edit never began")


def test_throttled_calls_use_up_no_fault(api: Api, vendor: Vendor) -> None:
    """A call refused by the limits leaves the fault for the next one."""
    vendor.settings(rate_limit=True, per_second=1)
    api("GET", SUMMARY)
    vendor.fault(status=503)
    assert api("GET", SUMMARY).status_code == 429
    vendor.settings(rate_limit=False)
    assert api("GET", SUMMARY).status_code == 503
