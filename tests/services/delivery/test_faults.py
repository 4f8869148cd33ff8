"""Every fault of a call: what becomes of the sign-up, what it costs, and that it arrives in the end."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
import urllib3
from requests.auth import AuthBase

from oauth.errors import NeverSent, RefreshUnavailable
from services.delivery.attempt import Outcome
from settings import Settings
from tests.services.conftest import ENVIRON, System
from wiring.constant_contact import Vendor

BASE = "https://api.cc.email/v3"
CONTACTS = f"{BASE}/contacts"
SIGN_UP = f"{BASE}/contacts/sign_up_form"
DAY = 86_400_000
HOUR = 3_600_000


class Authenticator(AuthBase):
    """Has a token, or has none; a 401 it leaves to the delivery."""

    broken = False

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.broken:
            raise RefreshUnavailable("none", retry_at=None)
        return request


@dataclass(frozen=True)
class Costs:
    """The sign-up's state after the call, its own tries, how long everybody waits (ms, from and to)."""

    state: str = "queued"
    tries: int = 0
    all_wait: tuple[int, int] = (0, 0)


OUTAGE = Costs(all_wait=(1_000, 1_500))
PERSON = Costs(all_wait=(60_000, 90_000))
SERVER = Costs(tries=1)
THROTTLED = Costs(all_wait=(1_500, 1_500))
QUOTA = Costs(all_wait=(5_000, DAY + 90_000))
REFUSED = Costs("parked", tries=1)
CONFLICT = Costs(tries=1)


def said(key: str, *, array: bool = True) -> Any:
    """The vendor's error body: an array mostly, sometimes a bare object."""
    body = {"error_key": key, "error_message": "…"}
    return [body] if array else body


def answers() -> Iterator[tuple[str, dict[str, Any], Costs]]:
    """Status and body of every answer, in each of the vendor's shapes."""
    by_status = {
        400: ("contacts.api.validation", REFUSED),
        401: ("unauthorized", PERSON),
        403: ("forbidden", PERSON),
        404: ("not_found", REFUSED),
        405: ("method_not_allowed", REFUSED),
        406: ("not_acceptable", REFUSED),
        409: ("contacts.api.conflict", CONFLICT),
        413: ("too_large", REFUSED),
        415: ("unsupported_media_type", REFUSED),
        422: ("unprocessable", REFUSED),
        500: ("internal", SERVER),
        502: ("bad_gateway", SERVER),
        503: ("unavailable", SERVER),
        504: ("timeout", SERVER),
    }
    for status, (key, costs) in by_status.items():
        for array in (True, False):
            yield f"{status} {'array' if array else 'object'}", answer(status, said(key, array=array)), costs
    for key, costs in (("throttled", THROTTLED), ("quota_exceeded", QUOTA)):
        for array in (True, False):
            yield f"429 {key} {array}", answer(429, said(key, array=array)), costs
    yield "429 of queued activities", answer(429, {"message": "too many queued activities"}), THROTTLED
    yield "429 without a body", {"status": 429}, THROTTLED
    yield "503 of a proxy", {"status": 503, "body": "<html>down</html>"}, SERVER
    for status in (400, 401, 403, 404, 408, 409, 415, 422, 451):
        yield f"{status} of a proxy", {"status": status, "body": "<html>blocked</html>"}, OUTAGE
    for status in (301, 302, 307, 308):
        headers = {"Location": "https://elsewhere.example.org/"}
        yield f"{status} elsewhere", {"status": status, "headers": headers}, OUTAGE
    yield "200 with HTML", {"status": 200, "body": "<html>Back soon</html>"}, OUTAGE
    yield "200 without a body", {"status": 200, "body": ""}, OUTAGE
    yield "201 with half a body", {"status": 201, "body": '{"contact_id":"c'}, OUTAGE
    yield "201 without an action", answer(201, {"contact_id": "c"}), OUTAGE
    yield "204", {"status": 204}, OUTAGE
    yield "6,000 digits", {"status": 201, "body": "9" * 6_000}, OUTAGE
    yield "200,000 brackets", {"status": 201, "body": "[" * 200_000}, OUTAGE
    yield "half a character", {"status": 400, "body": '[{"error_key":"\\ud800"}]'}, OUTAGE


def answer(status: int, body: Any) -> dict[str, Any]:
    return {"status": status, "json": body}


def transports() -> Iterator[tuple[str, dict[str, Any], Costs]]:
    """What happens to a connection, as requests reports it."""
    unresolved = urllib3.exceptions.NameResolutionError(
        "api.cc.email", urllib3.connection.HTTPConnection("api.cc.email"), socket.gaierror(-2, "unknown")
    )
    faults: dict[str, Exception] = {
        "refused": requests.ConnectionError(ConnectionRefusedError(111, "refused")),
        "host not found": requests.ConnectionError(unresolved),
        "certificate": requests.exceptions.SSLError("certificate verify failed"),
        "connect time-out": requests.ConnectTimeout(),
        "read time-out": requests.ReadTimeout(),
        "reset": requests.ConnectionError(ConnectionResetError(104, "reset")),
        "proxy": requests.exceptions.ProxyError("proxy"),
        "cut off": requests.exceptions.ChunkedEncodingError("incomplete read"),
        "undecodable": requests.exceptions.ContentDecodingError("gzip"),
        "certificates missing": OSError("Could not find a suitable TLS CA certificate bundle"),
        "a fault of urllib3": AttributeError("'NoneType' object has no attribute 'readline'"),
        "an odd address": UnicodeError("label too long"),
        "too deep": RecursionError(),
    }
    for name, fault in faults.items():
        yield name, {"body": fault}, OUTAGE


FAULTS = [*answers(), *transports()]


class Connected(System):
    """The system with the real client, whose HTTP is scripted."""

    def __init__(self, path: Path) -> None:
        shipped = Vendor.at(Settings.from_env(ENVIRON | {"DATA_DIR": str(path)}))
        self.authenticator = Authenticator()
        super().__init__(path, vendor=shipped.api(self.authenticator))

    def next_step(self) -> Outcome:
        """The next step that is not idle, at its time."""
        for _ in range(5):
            step = self.attempt.step()
            if step.outcome is not Outcome.IDLE:
                return step.outcome
            assert step.until is not None
            self.clock.now = step.until
        raise AssertionError("it never comes")


def sign_ups() -> int:
    """How many calls were sign-ups; the others looked who had opted out."""
    return sum(str(call.request.url) == SIGN_UP for call in responses.calls)


def nobody_left() -> None:
    """The vendor answers what is asked about contacts."""
    responses.get(CONTACTS, json={"contacts": []})


@pytest.fixture(scope="module")
def one_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connected]:
    system = Connected(tmp_path_factory.mktemp("faults"))
    system.connect()
    yield system
    system.database.close()


@pytest.fixture
def system(one_system: Connected) -> Connected:
    """One database for all: each fault ends with a delivery, which leaves nothing of it behind."""
    one_system.clock.now += 10_000
    assert one_system.deliveries.pending_up_to(1) == 0
    assert one_system.quota.read().failures == 0
    return one_system


@responses.activate
@pytest.mark.parametrize(
    ("fault", "costs"), [(fault, costs) for _, fault, costs in FAULTS], ids=[name for name, *_ in FAULTS]
)
def test_a_fault_costs_one_call_and_the_sign_up_arrives_once_it_is_over(
    system: Connected, fault: dict[str, Any], costs: Costs
) -> None:
    """State, tries, calls and pause are as the table says; the next call, at its time, delivers."""
    nobody_left()
    responses.post(SIGN_UP, **fault)
    signup_id = system.sign_up()
    system.attempt.step()
    view = system.view(signup_id)
    assert (view.status, view.attempts) == (costs.state, costs.tries)
    waited = max(0, (system.quota.read().paused_until or 0) - system.clock.now)
    assert costs.all_wait[0] <= waited <= costs.all_wait[1]
    assert sign_ups() == 1

    responses.replace("POST", SIGN_UP, status=201, json={"contact_id": "c", "action": "created"})
    if costs.state == "parked":
        assert system.attempt.step().until is None
        assert system.deliveries.retry(signup_id, now=system.clock.now)
    assert system.next_step() is Outcome.DELIVERED
    assert system.view(signup_id).status == "subscribed"
    assert sign_ups() == 2


@responses.activate
@pytest.mark.parametrize("at", ["before the claim", "during the call"])
def test_without_a_token_nothing_is_sent_and_no_try_is_used_up(system: Connected, at: str) -> None:
    """Before the claim it costs not even a booking."""
    system.nobody_left()
    signup_id, used = system.sign_up(), system.quota.read().used
    if at == "before the claim":
        system.connect(lasts_ms=0)
        system.authorization.fault = NeverSent("away")
    else:
        system.authenticator.broken = True
    system.attempt.step()
    assert (system.view(signup_id).status, system.view(signup_id).attempts) == ("queued", 0)
    assert system.quota.read().used - used == (0 if at == "before the claim" else 1)
    assert len(responses.calls) == 0
    system.authorization.fault, system.authenticator.broken = None, False
    system.connect()
    nobody_left()
    responses.post(SIGN_UP, status=201, json={"contact_id": "c", "action": "created"})
    assert system.next_step() is Outcome.DELIVERED


@responses.activate
def test_an_hour_of_outage_costs_twenty_calls_and_then_everybody_arrives(system: Connected) -> None:
    """One probe at a time, in growing gaps; no sign-up is lost, put aside or tried in vain."""
    for method, address in (("POST", SIGN_UP), ("GET", CONTACTS)):
        responses.add(method, address, body=requests.ConnectTimeout())
    ids = [system.sign_up(f"p{number}@example.org") for number in range(12)]
    ends = system.clock.now + HOUR
    while system.clock.now < ends:
        step = system.attempt.step()
        if step.outcome is Outcome.IDLE:
            assert step.until is not None
            system.clock.now = step.until
    assert len(responses.calls) <= 20
    responses.replace("POST", SIGN_UP, status=201, json={"contact_id": "c", "action": "created"})
    responses.replace("GET", CONTACTS, json={"contacts": []})
    for _ in ids:
        assert system.next_step() is Outcome.DELIVERED
    assert {(system.view(each).status, system.view(each).attempts) for each in ids} == {("subscribed", 1)}


@responses.activate
def test_a_vendor_that_throttles_everything_is_not_asked_all_day(system: Connected) -> None:
    """A few calls show that a gentler pace does not help; then it is left alone for a quarter of an hour."""
    for method, address in (("POST", SIGN_UP), ("GET", CONTACTS)):
        responses.add(method, address, status=429, json={"message": "no"})
    signup_id = system.sign_up()
    ends = system.clock.now + HOUR
    while system.clock.now < ends:
        step = system.attempt.step()
        system.clock.now = max(step.until or 0, system.clock.now)
    assert len(responses.calls) <= 20
    responses.replace("POST", SIGN_UP, status=201, json={"contact_id": "c", "action": "created"})
    responses.replace("GET", CONTACTS, json={"contacts": []})
    assert system.next_step() is Outcome.DELIVERED
    assert system.view(signup_id).attempts == 1


@responses.activate
def test_after_a_used_up_day_the_first_call_is_soon_after_midnight(system: Connected) -> None:
    """Within two minutes of 00:00 UTC, and not a call before."""
    nobody_left()
    responses.post(SIGN_UP, status=429, json=said("quota_exceeded"))
    system.sign_up()
    system.attempt.step()
    midnight = (system.clock.now // DAY + 1) * DAY
    responses.replace("POST", SIGN_UP, status=201, json={"contact_id": "c", "action": "created"})
    assert system.quota.read().used == 10_000
    assert system.next_step() is Outcome.DELIVERED
    assert midnight < system.clock.now < midnight + 120_000


STUCK = "stuck@example.org"


@responses.activate
@pytest.mark.parametrize(
    "bad",
    [
        (403, {}, "<html>blocked</html>"),
        (201, {}, "[" * 200_000),
        requests.ConnectionError("reset"),
        OSError("odd"),
    ],
    ids=["a filter's page", "brackets", "reset", "something else"],
)
def test_a_sign_up_that_alone_gets_no_answer_holds_up_nobody_and_is_put_aside(
    system: Connected, bad: Exception | tuple[int, dict[str, str], str]
) -> None:
    """Eight calls of its own, each behind the others' sign-ups, which wait seconds; then it says why."""
    calls: list[int] = []

    def said(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        assert isinstance(request.body, bytes)
        if STUCK not in request.body.decode():
            return 201, {}, '{"contact_id": "c", "action": "created"}'
        calls.append(system.clock.now)
        if isinstance(bad, Exception):
            raise bad
        return bad

    responses.add_callback("POST", SIGN_UP, callback=said)
    nobody_left()
    stuck = system.sign_up(STUCK)
    for number in range(200):
        other, began = system.sign_up(f"p{number}@example.org"), system.clock.now
        while system.view(other).status != "subscribed":
            system.next_step()
        assert system.clock.now - began <= 5_000
        if system.view(stuck).status == "parked":
            break
        system.clock.now += 30_000
    view = system.view(stuck)
    assert view.status == "parked"
    # Once or twice it is the probe after a failure, which counts for nobody.
    assert 8 <= len(calls) <= 10
    assert "Constant Contact" in (view.last_error or "")
    assert system.attempt.step().until is None


@responses.activate
def test_an_outage_of_hours_puts_nobody_aside(system: Connected) -> None:
    """However many calls come to nothing: the others' do as well."""
    responses.post(SIGN_UP, status=403, body="<html>blocked</html>")
    nobody_left()
    ids = [system.sign_up(f"d{number}@example.org") for number in range(3)]
    ends = system.clock.now + 6 * HOUR
    while system.clock.now < ends:
        step = system.attempt.step()
        system.clock.now = max(step.until or 0, system.clock.now)
    assert {system.view(each).status for each in ids} == {"queued"}
    assert "a web page" in (system.quota.read().pause_reason or "")
    responses.replace("POST", SIGN_UP, status=201, json={"contact_id": "c", "action": "created"})
    for _ in ids:
        assert system.next_step() is Outcome.DELIVERED
