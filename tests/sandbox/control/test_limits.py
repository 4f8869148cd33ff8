"""The application's quota."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from flask.testing import FlaskClient

from sandbox.state import World
from tests.sandbox.conftest import Clock
from tests.sandbox.vendor import Vendor

DAY = 86_400
SUMMARY = "/v3/account/summary"


def statuses(vendor: Vendor, token: str, times: int) -> list[int]:
    return [vendor.call(token, "GET", SUMMARY).status_code for _ in range(times)]


def test_four_calls_in_a_sliding_second(client: FlaskClient, clock: Clock) -> None:
    """The fifth call within any second is throttled, whatever the calendar; refused calls use up nothing."""
    vendor = Vendor(client)
    token = vendor.connect()["access_token"]
    clock.now = int(clock.now) + 0.9
    assert statuses(vendor, token, 3) == [200] * 3
    clock.now += 0.5
    assert statuses(vendor, token, 3) == [200, 429, 429]
    clock.now += 0.49
    assert statuses(vendor, token, 1) == [429]
    clock.now += 0.02
    assert statuses(vendor, token, 4) == [200, 200, 200, 429]
    assert vendor.state()["counters"]["throttled"] == 4


def test_throttled_answer(client: FlaskClient) -> None:
    """`throttled` has the array shape and no header that tells when to come back."""
    vendor = Vendor(client)
    vendor.settings(per_second=1)
    token = vendor.connect()["access_token"]
    vendor.works(token)
    answer = vendor.call(token, "GET", SUMMARY)
    assert answer.status_code == 429
    assert (answer.json or [])[0]["error_key"] == "throttled"
    assert not [name for name in dict(answer.headers) if "retry" in name.lower() or "limit" in name.lower()]


def test_day_quota(client: FlaskClient, clock: Clock) -> None:
    """The day's calls end in `quota_exceeded` (bare object) until 00:00:00 UTC; throttled calls count."""
    vendor = Vendor(client)
    vendor.settings(per_day=6)
    token = vendor.connect()["access_token"]
    assert statuses(vendor, token, 5) == [200, 200, 200, 200, 429]
    clock.now += 2
    assert statuses(vendor, token, 1) == [200]
    answer = vendor.call(token, "GET", SUMMARY)
    assert (answer.status_code, (answer.json or {})["error_key"]) == (429, "quota_exceeded")
    assert "Retry-After" not in answer.headers
    clock.now = (clock.now // DAY + 1) * DAY - 0.001
    assert statuses(vendor, token, 1) == [429]
    assert vendor.state()["counters"]["calls_today"] == 8
    clock.now += 0.001
    assert statuses(vendor, token, 1) == [200]
    assert vendor.state()["counters"]["calls_today"] == 1


def test_calls_are_measured_at_the_vendor(client: FlaskClient, clock: Clock) -> None:
    """Exact times of accepted calls; the most that arrived in a sliding second; the calls of each UTC day."""
    vendor = Vendor(client)
    token = vendor.connect()["access_token"]
    first = clock.now = (clock.now // DAY + 1) * DAY - 0.75
    assert statuses(vendor, token, 2) == [200, 200]
    clock.now += 0.9
    assert statuses(vendor, token, 3) == [200, 200, 429]
    clock.now += 0.1
    assert statuses(vendor, token, 2) == [200, 200]
    state = vendor.state()
    times = (client.get("/_sandbox/accepted").json or {})["times"]
    assert times == [first, first, first + 0.9, first + 0.9, first + 1, first + 1]
    assert (state["counters"]["accepted"], state["counters"]["most_in_a_second"]) == (6, 5)
    assert state["days"] == {
        "2026-11-18": {"calls": 2, "accepted": 2},
        "2026-11-19": {"calls": 5, "accepted": 4},
    }


def test_the_measure_does_not_depend_on_the_limit(vendor: Vendor) -> None:
    """Without limits a caller that sends too fast is seen as well."""
    token = vendor.connect()["access_token"]
    assert statuses(vendor, token, 7) == [200] * 7
    assert vendor.state()["counters"]["most_in_a_second"] == 7


def test_token_calls_have_no_limit(client: FlaskClient) -> None:
    """Calls to the token endpoint neither count nor are refused."""
    vendor = Vendor(client)
    vendor.settings(per_second=1, per_day=1)
    token = vendor.connect()["refresh_token"]
    for _ in range(5):
        token = (vendor.refresh(token).json or {})["refresh_token"]
    counters = vendor.state()["counters"]
    assert (counters["token_calls"], counters["api_calls"], counters["calls_today"]) == (6, 0, 0)


def test_rate_limit_off(vendor: Vendor) -> None:
    """`rate_limit` false lifts both limits, and calls are still counted."""
    vendor.settings(per_day=3)
    token = vendor.connect()["access_token"]
    assert statuses(vendor, token, 20) == [200] * 20
    assert vendor.state()["counters"]["calls_today"] == 20


def test_unauthorized_calls_count(client: FlaskClient) -> None:
    """A call without a good token uses the quota like any other."""
    vendor = Vendor(client)
    assert statuses(vendor, "x.y.z", 5) == [401, 401, 401, 401, 429]


def test_limit_holds_under_threads(client: FlaskClient) -> None:
    """Of 160 calls made by 16 threads in one second, exactly four are accepted."""
    vendor = Vendor(client)
    token = vendor.connect()["access_token"]

    def work(_: int) -> list[int]:
        return statuses(Vendor(client.application.test_client()), token, 10)

    with ThreadPoolExecutor(16) as pool:
        counted = Counter(status for result in pool.map(work, range(16)) for status in result)
    assert counted == {200: 4, 429: 156}
    assert vendor.state()["counters"]["api_calls"] == 160


def test_a_call_is_booked_under_the_lock(vendor: Vendor) -> None:
    """While somebody holds the world's lock no call is counted; the race itself is too rare to be tested."""
    token = vendor.connect()["access_token"]
    world: World = vendor.client.application.extensions["sandbox"]
    with ThreadPoolExecutor(1) as pool:
        with world.lock:
            waiting = pool.submit(statuses, vendor, token, 1)
            Event().wait(0.1)
            assert world.counters["api_calls"] == 0
        assert waiting.result() == [200]
