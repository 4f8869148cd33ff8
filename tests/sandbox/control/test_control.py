"""The control endpoints and the front page."""

from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sandbox import PRESET_LIST_ID, create_sandbox, receive_mail
from tests.sandbox.conftest import START, Clock
from tests.sandbox.vendor import SIGN_UP, Vendor, person

Api = Callable[..., TestResponse]


def test_reset_returns_to_the_seed(api: Api, vendor: Vendor) -> None:
    """After a reset contacts, lists, settings, clock, faults, calls and counters are as at the start."""
    fresh = Vendor(create_sandbox(Clock()).test_client()).state()
    api("POST", SIGN_UP, person())
    api("POST", "/v3/contact_lists", {"name": "Extra"})
    vendor.fault(status=500)
    vendor.settings(grace_seconds=5)
    vendor.advance(60)
    assert vendor.state() != fresh
    assert vendor.client.post("/_sandbox/reset").status_code == 200
    assert vendor.state() == fresh
    assert vendor.calls() == []
    assert vendor.client.get("/_sandbox/faults").json == {"faults": []}


def test_state(api: Api, vendor: Vendor) -> None:
    """The state shows contacts, lists with members, tags, tokens' ages, counters, settings and the clock."""
    api("POST", SIGN_UP, person(company_name="Engines"))
    vendor.advance(60)
    state = vendor.state()
    assert set(state) == {
        *("contacts", "lists", "custom_fields", "tags", "tokens"),
        *("counters", "days", "settings", "clock"),
    }
    (contact,) = state["contacts"]
    assert contact["company_name"] == "Engines"
    assert contact["created_at"] == contact["updated_at"] == "2026-11-18T11:06:40.250Z"
    assert contact["deleted_at"] is None
    assert [(item["name"], item["membership_count"]) for item in state["lists"]] == [
        ("Newsletter", 1),
        ("Events", 0),
        ("Volunteers", 0),
    ]
    (family,) = state["tokens"]["families"]
    assert (family["user"], family["age_seconds"], family["refresh"]) == ("owner", 60, "active")
    assert state["clock"] == {"now": START + 60, "advanced": 60}
    assert state["tags"] == []


def test_requests_are_recorded(api: Api, vendor: Vendor, clock: Clock) -> None:
    """Every API and token call is recorded with time, request and answer; nothing else is."""
    clock.now += 5
    api("POST", SIGN_UP, person())
    api("GET", "/v3/contacts?email=ada%40example.com&limit=1")
    api("POST", SIGN_UP, data="{", content_type="application/json")
    vendor.client.get("/")
    exchange, sign_up, search, broken = vendor.calls()
    assert exchange["path"] == "/oauth2/default/v1/token"
    assert (sign_up["time"], sign_up["method"], sign_up["path"]) == (START + 5, "POST", SIGN_UP)
    assert (sign_up["body"], sign_up["status"]) == (person(), 201)
    assert sign_up["answer"]["action"] == "created"
    assert search["query"] == "email=ada%40example.com&limit=1"
    assert (broken["body"], broken["status"]) == ("{", 400)


def numbers(vendor: Vendor, query: str) -> list[int]:
    answer = vendor.client.get(f"/_sandbox/requests?{query}").json or {}
    return [call["number"] for call in answer["requests"]]


def test_calls_are_read_in_parts(vendor: Vendor) -> None:
    """Calls are numbered from 1; `since` leaves out those seen already, `limit` bounds the answer."""
    for _ in range(450):
        vendor.call("none", "GET", "/v3/account/summary")
    assert numbers(vendor, "") == list(range(1, 451))
    assert numbers(vendor, "limit=2") == [1, 2]
    assert numbers(vendor, "since=2&limit=3") == [3, 4, 5]
    assert numbers(vendor, "since=448&limit=9") == [449, 450]
    assert numbers(vendor, "since=450") == numbers(vendor, "limit=0") == []


@pytest.mark.parametrize("query", ["since=-1", "limit=all", "since="])
def test_wrong_parts_are_refused(vendor: Vendor, query: str) -> None:
    """A mistake is named instead of answered with all calls."""
    answer = vendor.client.get(f"/_sandbox/requests?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in (answer.json or {})["error"]


def test_counters_agree_with_the_state(api: Api, vendor: Vendor) -> None:
    """The cheap question gets the numbers of the state, and how many contacts there are."""
    api("POST", SIGN_UP, person())
    state = vendor.state()
    assert vendor.client.get("/_sandbox/counters").json == {
        "counters": state["counters"],
        "contacts": 1,
        "clock": state["clock"],
    }


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"grace_second": 1}, "grace_second"),
        ({"refresh_tokens": "forever"}, "refresh_tokens"),
        ({"grace_seconds": -1}, "grace_seconds"),
        ({"access_token_seconds": "60"}, "access_token_seconds"),
        ({"rate_limit": 1}, "rate_limit"),
        ({"per_second": True}, "per_second"),
        ({"per_second": 0}, "per_second"),
        ({"per_day": 1.5}, "per_day"),
        ({"confirmed_opt_in": None}, "confirmed_opt_in"),
        ({"latency": -0.5}, "latency"),
    ],
)
def test_bad_settings_are_named_and_change_nothing(
    vendor: Vendor, change: dict[str, Any], named: str
) -> None:
    """An unknown key or wrong type is a 400 naming it, and the good keys beside it are not applied."""
    before = vendor.state()["settings"]
    answer = vendor.client.post("/_sandbox/settings", json={"per_day": 7} | change)
    assert answer.status_code == 400
    assert named in (answer.json or {})["error"]
    assert vendor.state()["settings"] == before


def test_settings_are_updated_partially(client: FlaskClient) -> None:
    """Only what is named changes; the defaults are the vendor's."""
    answer = client.post("/_sandbox/settings", json={"grace_seconds": 0.5}).json or {}
    assert answer["settings"] == {
        "refresh_tokens": "rotating",
        "grace_seconds": 0.5,
        "access_token_seconds": 86_400,
        "rate_limit": True,
        "per_second": 4,
        "per_day": 10_000,
        "confirmed_opt_in": False,
        "latency": 0,
        "activity_seconds": 2,
    }


@pytest.mark.parametrize("body", [{"advance": -1}, {"advance": "1"}, {"advance": True}, {}, {"set": 1}, []])
def test_clock_only_moves_forward(vendor: Vendor, body: Any) -> None:
    """Anything but a forward step is a 400."""
    assert vendor.client.post("/_sandbox/clock", json=body).status_code == 400


def test_front_page_shows_who_arrived(api: Api, vendor: Vendor) -> None:
    """The front page lists the contacts of each list, escaped, with the credentials to use."""
    api("POST", SIGN_UP, person(first_name="<b>Ada</b>"))
    page = vendor.client.get("/")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "ada@example.com" in page.text
    assert "&lt;b&gt;Ada&lt;/b&gt;" in page.text
    assert PRESET_LIST_ID in page.text
    assert "sandbox-client" in page.text
    assert page.text.index("ada@example.com") < page.text.index("Events")


def test_sandboxes_share_nothing() -> None:
    """Two sandboxes of one process are two accounts."""
    first, second = Vendor(create_sandbox().test_client()), Vendor(create_sandbox().test_client())
    first.settings(per_day=5)
    assert second.state()["settings"]["per_day"] == 10_000


@pytest.mark.parametrize(
    ("peer", "status"),
    [("127.0.0.1", 200), ("::1", 200), ("9.9.9.9", 403), ("10.0.0.2", 403), ("2a00::1", 403), ("x", 403)],
)
def test_only_this_machine_controls_it(peer: str, status: int) -> None:
    """Also where `flask sandbox --host` opens it to others; no header says who the caller is."""
    client = create_sandbox().test_client()
    answer = client.get(
        "/_sandbox/state",
        headers={"X-Forwarded-For": "127.0.0.1"},
        environ_overrides={"REMOTE_ADDR": peer},
    )
    assert answer.status_code == status
    assert client.get("/", environ_overrides={"REMOTE_ADDR": peer}).status_code == 200


def mail(subject: str, text: str) -> bytes:
    """Return an e-mail as the application sends it."""
    message = EmailMessage()
    message["From"] = "Sign-ups <sign-ups@example.org>"
    message["To"] = "ada@example.org"
    message["Subject"] = subject
    message.set_content(text, cte="quoted-printable")
    return message.as_bytes()


def test_the_mailbox_shows_what_was_sent(clock: Clock) -> None:
    """For tests as JSON, oldest first, and for people as a page, newest first; a reset empties it."""
    app = create_sandbox(clock)
    client = app.test_client()
    assert client.get("/_sandbox/mail").json == {"mail": []}
    assert "No mail yet." in client.get("/mail/").text
    receive_mail(app, mail("Zuerst: über", "Look: https://signup.example.org/admin/\n"))
    clock.now += 60
    receive_mail(app, mail("<b>Then</b>", "<script>alert(1)</script>"))
    answer: Any = client.get("/_sandbox/mail").json
    first, then = answer["mail"]
    assert (first["subject"], first["to"]) == ("Zuerst: über", "ada@example.org")
    assert first["sender"] == "Sign-ups <sign-ups@example.org>"
    assert first["text"] == "Look: https://signup.example.org/admin/\n"
    assert first["headers"]["Subject"] == "Zuerst: über"
    assert (first["at"], then["at"]) == (START, START + 60)
    page = client.get("/mail/").text
    assert page.index("Then") < page.index("Zuerst")
    assert '<a href="https://signup.example.org/admin/"' in page
    assert "<script>" not in page
    assert "<b>" not in page
    assert client.post("/_sandbox/reset").status_code == 200
    assert client.get("/_sandbox/mail").json == {"mail": []}


def test_the_mailbox_keeps_the_latest_500() -> None:
    """It is in memory."""
    app = create_sandbox()
    for number in range(502):
        receive_mail(app, mail(f"no. {number}", "text"))
    answer: Any = app.test_client().get("/_sandbox/mail").json
    assert [each["subject"] for each in answer["mail"]] == [f"no. {number}" for number in range(2, 502)]


def test_strangers_do_not_read_the_mailbox() -> None:
    """As all control endpoints."""
    app = create_sandbox()
    answer = app.test_client().get("/_sandbox/mail", environ_base={"REMOTE_ADDR": "192.0.2.1"})
    assert answer.status_code == 403
