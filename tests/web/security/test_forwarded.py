"""Whose word about a visitor counts, from the connection to the store; and who controls the sandbox."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from services.access.proxies import PAST_THE_PROXY, PRIVATE_VISITOR, SENTENCES, TOO_MANY_HOPS, UNCOUNTED
from services.problems import Problem
from settings import Settings
from tests.top_level.test_settings import PRODUCTION
from tests.web.conftest import MakeApp, sign_in, use_link
from wiring import Parts, build_services

LIST = PRODUCTION["PUBLIC_LIST_IDS"]
PUBLIC = "https://signup.example.org"
FORGED = {
    "X-Forwarded-For": "8.8.8.8",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Prefix": "/evil",
    "X-Real-Ip": "8.8.8.8",
    "Forwarded": "for=8.8.8.8;host=evil.example;proto=gopher",
}
# What the proxy of our own says of a visitor who forges all of it.
BY_PROXY = FORGED | {
    "X-Forwarded-For": "8.8.8.8, 9.9.9.9",
    "X-Forwarded-Host": "signup.example.org",
    "X-Forwarded-Proto": "https",
}

Produce = Callable[..., tuple[Flask, Parts]]


@pytest.fixture
def produce(tmp_path: Path) -> Iterator[Produce]:
    """Return a production app with other settings over the test's database."""
    made: list[Parts] = []

    def make(**environ: str) -> tuple[Flask, Parts]:
        settings = Settings.from_env(PRODUCTION | {"DATA_DIR": str(tmp_path), **environ})
        made.append(build_services(settings))
        return create_app(settings, made[-1]), made[-1]

    yield make
    for parts in made:
        parts.database.close()


def evidence(parts: Parts) -> list[str | None]:
    """Return the network addresses of the sign-ups, in their order."""
    with parts.database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT network_address FROM signups ORDER BY received_at, id")
        return list(rows.scalars())


def subscribe(app: Flask, peer: str, headers: dict[str, str]) -> Any:
    body = {"email": "ann@example.org", "list_id": LIST}
    return app.test_client().post(
        "/subscribe", json=body, headers=headers, base_url=PUBLIC, environ_overrides={"REMOTE_ADDR": peer}
    )


@pytest.mark.parametrize(
    ("hops", "peer", "headers", "stored"),
    [
        ("0", "9.9.9.9", {}, "9.9.9.9"),
        ("0", "9.9.9.9", FORGED, "9.9.9.9"),
        ("0", "127.0.0.1", FORGED, "127.0.0.1"),
        ("1", "127.0.0.1", BY_PROXY, "9.9.9.9"),
        ("1", "10.0.0.2", BY_PROXY, "9.9.9.9"),
        ("1", "", BY_PROXY, "9.9.9.9"),
        ("1", "9.9.9.9", FORGED, "9.9.9.9"),
        ("1", "2a00:1450::1", FORGED, "2a00:1450::1"),
        ("1", "::ffff:9.9.9.9", FORGED, "::ffff:9.9.9.9"),
        ("2", "127.0.0.1", BY_PROXY | {"X-Forwarded-For": "8.8.8.8, 9.9.9.9, 10.0.0.3"}, "9.9.9.9"),
        ("2", "9.9.9.9", BY_PROXY, "9.9.9.9"),
    ],
)
def test_the_address_that_is_stored_is_the_visitors(
    produce: Produce, hops: str, peer: str, headers: dict[str, str], stored: str
) -> None:
    """The proxies' word counts; headers that a visitor forges change neither address, link nor scheme."""
    app, parts = produce(PROXY_HOPS=hops)
    answer = subscribe(app, peer, headers)
    assert answer.status_code in {201, 202}
    assert evidence(parts) == [stored]
    assert "evil.example" not in f"{answer.headers}{answer.text}"
    page = app.test_client().get("/admin/sign-in", headers=headers, environ_overrides={"REMOTE_ADDR": peer})
    assert "; Secure" in page.headers["Set-Cookie"]
    assert "evil.example" not in f"{page.headers}{page.text}"


def test_one_sender_past_the_proxy_is_one_sender(produce: Produce) -> None:
    """Of 120 sign-ups that each forge another address, as many are believed as of one address."""
    app, parts = produce(PROXY_HOPS="1")
    for number in range(120):
        subscribe(app, "9.9.9.9", FORGED | {"X-Forwarded-For": f"8.{number}.8.8"})
    assert set(evidence(parts)) == {"9.9.9.9"}
    # Twenty a minute, and a new minute may begin meanwhile.
    assert 20 <= len(evidence(parts)) <= 40


def test_a_proxy_with_a_public_address_is_named(produce: Produce) -> None:
    """PROXY_ADDRESSES names a cloud's load balancer."""
    app, parts = produce(PROXY_HOPS="1", PROXY_ADDRESSES="130.211.0.0/22, 35.191.0.0/16")
    subscribe(app, "35.191.0.9", BY_PROXY)
    subscribe(app, "35.192.0.9", BY_PROXY)
    assert evidence(parts) == ["9.9.9.9", "35.192.0.9"]


def of_proxies(parts: Parts) -> list[Problem]:
    return [problem for problem in parts.services.health.report().problems if problem.code in SENTENCES]


@pytest.mark.parametrize(
    ("hops", "peer", "headers", "code", "words"),
    [
        ("0", "127.0.0.1", {"X-Forwarded-For": "9.9.9.9"}, UNCOUNTED, "PROXY_HOPS is 0"),
        ("0", "10.0.0.2", {}, PRIVATE_VISITOR, "not public (10.0.0.2)"),
        ("2", "127.0.0.1", {"X-Forwarded-For": "9.9.9.9"}, TOO_MANY_HOPS, "Set PROXY_HOPS=1"),
        ("1", "9.9.9.9", FORGED, PAST_THE_PROXY, "Set BIND=127.0.0.1"),
    ],
)
def test_a_wrong_number_of_proxies_is_told_everywhere_but_to_strangers(
    produce: Produce, hops: str, peer: str, headers: dict[str, str], code: str, words: str
) -> None:
    """Health, doctor and dashboard say so, in any process, until the setting was corrected."""
    app, _ = produce(PROXY_HOPS=hops)
    subscribe(app, peer, headers)
    app.extensions["services"].housekeeping.turn()
    _, other = produce(PROXY_HOPS=hops)
    (problem,) = of_proxies(other)
    assert (problem.code, problem.public) == (code, False)
    assert words in problem.sentence
    assert problem in other.services.doctor.examine()
    _, corrected = produce(PROXY_HOPS=str(int(hops) + 1))
    assert of_proxies(corrected) == []


def test_the_dashboard_shows_it(produce: Produce) -> None:
    """The admin, who can correct the setting, reads it."""
    app, parts = produce(PROXY_HOPS="0")
    browser = app.test_client()
    link = parts.services.admin.new_link_token()
    use_link(browser, f"/admin/sign-in/{link}", base_url=PUBLIC, headers={"X-Forwarded-For": "9.9.9.9"})
    assert "PROXY_HOPS is 0" in browser.get("/admin/", base_url=PUBLIC).text


def test_a_direct_visitor_and_a_probe_leave_nothing_to_tell(produce: Produce) -> None:
    """Nor does a stranger who sends forwarding headers where no proxy is."""
    app, parts = produce(PROXY_HOPS="0")
    subscribe(app, "9.9.9.9", FORGED)
    app.test_client().get("/health", base_url="http://127.0.0.1:5000")
    assert of_proxies(parts) == []


class TestSandbox:
    """The built-in sandbox's control routes show and delete every contact: strangers may not call them."""

    CALLS = (("GET", "state"), ("GET", "requests"), ("POST", "reset"), ("POST", "faults"))

    @pytest.mark.parametrize(
        ("peer", "headers"),
        [
            ("9.9.9.9", {}),
            ("10.0.0.2", {}),
            ("2a00:1450::1", {}),
            ("9.9.9.9", {"X-Forwarded-For": "127.0.0.1"}),
            ("10.0.0.2", {"X-Forwarded-For": "::1"}),
            ("127.0.0.1", {"X-Forwarded-For": "9.9.9.9"}),
            ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
            ("127.0.0.1", {"Forwarded": "for=9.9.9.9"}),
            ("127.0.0.1", {"X-Forwarded-Proto": "https"}),
        ],
    )
    @pytest.mark.parametrize("hops", ["0", "1"])
    def test_strangers_control_nothing(
        self, make_app: MakeApp, peer: str, headers: dict[str, str], hops: str
    ) -> None:
        """Forged headers and a proxy on this machine do not help; the consent page stays open to all."""
        client = make_app(PROXY_HOPS=hops).test_client()
        for method, call in self.CALLS:
            for path in (f"/sandbox/_sandbox/{call}", f"/sandbox//_sandbox/{call}"):
                answer = client.open(
                    path, method=method, json={}, headers=headers, environ_overrides={"REMOTE_ADDR": peer}
                )
                assert answer.status_code == 403, path
        home = client.get("/sandbox/", headers=headers, environ_overrides={"REMOTE_ADDR": peer})
        assert home.status_code == 200

    def test_this_machine_and_admins_do(self, client: FlaskClient, admin: FlaskClient) -> None:
        """An admin may from anywhere, until signing out."""
        for peer in ("127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"):
            answer = client.get("/sandbox/_sandbox/state", environ_overrides={"REMOTE_ADDR": peer})
            assert answer.status_code == 200
        elsewhere = {"environ_overrides": {"REMOTE_ADDR": "9.9.9.9"}}
        assert admin.get("/sandbox/_sandbox/state", **elsewhere).status_code == 200
        assert admin.post("/sandbox/_sandbox/reset", **elsewhere).status_code == 200
        other = client.application.test_client()
        sign_in(other)
        other.set_cookie("subscriber_sync", "forged")
        assert other.get("/sandbox/_sandbox/state", **elsewhere).status_code == 403


def test_in_development_this_machine_has_no_limit(make_app: MakeApp, produce: Produce, list_id: str) -> None:
    """A developer sends more than a visitor; in production 127.0.0.1 may be a proxy."""
    limits = {"SIGNUPS_PER_MINUTE_AND_NETWORK": "1", "SIGNUPS_PER_MINUTE_AND_FORM": "1"}
    developing = make_app(**limits).test_client()
    producing, parts = produce(**limits)
    suspected = parts.services.suspected
    for peer, kept_apart in (("127.0.0.1", 0), ("10.1.2.3", 2)):
        for _ in range(3):
            body = {"email": "ann@example.org", "list_id": list_id}
            answer = developing.post("/subscribe", json=body, environ_base={"REMOTE_ADDR": peer})
            assert answer.status_code == 202
        assert suspected.counts().total == kept_apart
    # One database for both, and the minute has had its one.
    body = {"email": "ann@example.org", "list_id": LIST}
    producing.test_client().post("/subscribe", json=body, environ_base={"REMOTE_ADDR": "127.0.0.1"})
    assert suspected.counts().total == 3
