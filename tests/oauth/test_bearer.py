"""The Authorization header."""

from contextlib import suppress
from dataclasses import replace

import pytest
import requests
import responses

from oauth.bearer import BearerAuth
from oauth.errors import RefreshUnavailable
from oauth.token_source import TokenSource
from tests.oauth.on_file import ConnectionsOnFile
from tests.oauth.vendor import START, Clock, Vendor

API = "https://api.test/v3/contacts/sign_up_form"


class Booked:
    """Counts the repeats, and how many calls were sent before each."""

    def __init__(self, http: responses.RequestsMock) -> None:
        self.http = http
        self.after: list[int] = []
        self.fault: Exception | None = None

    def __call__(self) -> None:
        if self.fault is not None:
            raise self.fault
        self.after.append(len([call for call in self.http.calls if call.request.url == API]))


@pytest.fixture
def booked(http: responses.RequestsMock) -> Booked:
    return Booked(http)


@pytest.fixture
def session(source: TokenSource, booked: Booked) -> requests.Session:
    session = requests.Session()
    session.auth = BearerAuth(source, booked=booked)
    return session


def sent(http: responses.RequestsMock) -> list[tuple[object, object]]:
    calls = [call.request for call in http.calls if call.request.url == API]
    return [(request.headers["Authorization"], request.body) for request in calls]


def test_each_call_carries_the_current_token(session: requests.Session, http: responses.RequestsMock) -> None:
    """RFC 6750 section 2.1: in the header."""
    http.post(API, status=201)
    assert session.post(API, json={"a": 1}).status_code == 201
    assert sent(http) == [("Bearer access-secret-0", b'{"a": 1}')]


def test_a_401_is_repeated_once_with_a_new_token_and_the_same_body(
    session: requests.Session, http: responses.RequestsMock
) -> None:
    """The caller sees the second answer only, and later calls start afresh."""
    http.post(API, status=401)
    http.post(API, status=201)
    answer = session.post(API, json={"a": 1}, timeout=7)
    assert answer.status_code == 201
    assert [each.status_code for each in answer.history] == [401]
    assert sent(http) == [("Bearer access-secret-0", b'{"a": 1}'), ("Bearer access-secret-1", b'{"a": 1}')]
    assert answer.request.headers["Authorization"] == "Bearer access-secret-1"


def test_a_repeat_is_booked_before_it_is_sent(
    session: requests.Session, http: responses.RequestsMock, booked: Booked
) -> None:
    """Every call counts against the vendor's four a second; the first one is booked by its caller."""
    http.post(API, status=401)
    http.post(API, status=201)
    assert session.post(API).status_code == 201
    assert session.post(API).status_code == 201
    assert booked.after == [1]


def test_a_repeat_that_cannot_be_booked_is_not_sent(
    session: requests.Session, http: responses.RequestsMock, booked: Booked
) -> None:
    """Without the database nobody knows how many calls are out."""
    booked.fault = OSError("no database")
    http.post(API, status=401)
    with pytest.raises(OSError, match="no database"):
        session.post(API)
    assert len(sent(http)) == 1


def test_a_second_401_goes_to_the_caller_and_the_next_call_says_why(
    session: requests.Session, http: responses.RequestsMock, vendor: Vendor
) -> None:
    """An API that refuses every token causes one refresh and no loop."""
    http.post(API, status=401)
    assert session.post(API).status_code == 401
    assert len(sent(http)) == 2
    with pytest.raises(RefreshUnavailable) as caught:
        session.post(API)
    assert caught.value.state == "api_rejected"
    assert (len(sent(http)), vendor.issued) == (3, 1)


def test_a_disabled_application_costs_one_forced_refresh_and_recovers_by_itself(
    session: requests.Session,
    http: responses.RequestsMock,
    source: TokenSource,
    connections: ConnectionsOnFile,
    vendor: Vendor,
    clock: Clock,
) -> None:
    """Two days of 401, asked every 10 minutes: only the daily refreshes go on; the first 200 ends it."""
    http.post(API, status=401)
    rotations = []
    for _ in range(2 * 24 * 6):
        with suppress(RefreshUnavailable):
            session.post(API)
        source.tend()
        rotations.append(vendor.issued)
        clock.now += 600_000
    assert connections.row.state == "api_rejected"
    assert rotations[: 21 * 6] == [1] * 21 * 6, "one forced refresh, then none until the token's day is over"
    assert rotations[-1] == 3, "the refreshes of two days"
    http.replace(responses.POST, API, status=201)
    assert session.post(API).status_code == 201
    assert (connections.row.state, connections.row.last_error) == ("connected", None)


@pytest.mark.parametrize("status", [401, 200, 403])
def test_a_proxys_page_says_nothing_about_the_token(
    session: requests.Session,
    http: responses.RequestsMock,
    connections: ConnectionsOnFile,
    vendor: Vendor,
    status: int,
) -> None:
    """Neither that it is refused, which costs a refresh, nor that it is accepted."""
    http.post(API, status=401)
    session.post(API)
    assert connections.row.state == "api_rejected"
    http.replace(responses.POST, API, status=status, body=" \n<html>Sign in to this network</html>")
    connections.row = replace(connections.row, state="api_rejected")
    assert session.post(API).status_code == status
    assert (connections.row.state, vendor.issued) == ("api_rejected", 1)


@pytest.mark.parametrize("status", [400, 403, 409, 429, 500])
def test_other_refusals_never_refresh(
    session: requests.Session, http: responses.RequestsMock, vendor: Vendor, status: int
) -> None:
    """A 403 means scope, role or deactivation, which a new token does not cure."""
    http.post(API, status=status)
    assert session.post(API).status_code == status
    assert len(sent(http)) == 1
    assert vendor.forms == []


def test_without_a_connection_nothing_is_sent(
    session: requests.Session, http: responses.RequestsMock, connections: ConnectionsOnFile
) -> None:
    """The failure names its cause instead of a call without a token."""
    connections.disconnect(now=START)
    with pytest.raises(Exception, match="not connected"):
        session.post(API)
    assert sent(http) == []
