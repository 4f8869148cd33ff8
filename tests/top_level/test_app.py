"""The wiring."""

import gc
import os
import runpy
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from app import create_app
from sandbox import PRESET_LIST_ID
from settings import Settings
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.recovery.spool import Spool
from store.signups.accept import Signups
from store.throttles import SpentTokens
from tests.store.conftest import signup
from tests.top_level.test_settings import PRODUCTION
from wiring import Parts, build_services
from wiring.clock import real_clock


def test_making_the_app_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No socket and no database: a host may import it before its network is there."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("create_app used the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    create_app(
        Settings.from_env(
            PRODUCTION
            | {"DATABASE_URL": "postgres://u:p@db.example.org/d", "DATA_DIR": str(tmp_path / "data")}
        )
    )
    assert not (tmp_path / "data").exists()


def test_a_database_that_is_away_leaves_the_front_page_standing(tmp_path: Path) -> None:
    """Hosts probe `/`; /health says 503 and why, /subscribe refuses honestly, no text of the driver shows."""
    (tmp_path / "spool").touch()
    environ = {"DATABASE_URL": "postgres://u:p@127.0.0.1:1/nothing", "DATA_DIR": str(tmp_path)}
    app = create_app(Settings.from_env(PRODUCTION | environ))
    client = app.test_client()
    assert client.get("/").status_code == 200
    health = client.get("/health")
    assert (health.status_code, health.json["status"]) == (503, "unavailable")  # type: ignore[index]
    refused = client.post(
        "/subscribe", json={"email": "ann@example.org", "list_id": PRODUCTION["PUBLIC_LIST_IDS"]}
    )
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "30")
    signup = client.get("/signups/0192f0c1-2345-7abc-8def-0123456789ab")
    assert signup.status_code == 503
    for answer in (health, refused, signup):
        assert b"psycopg" not in answer.data
        assert b"127.0.0.1" not in answer.data


def test_the_sandbox_is_mounted_in_development_only(tmp_path: Path) -> None:
    """In production, and with a client id, there is nothing at /sandbox."""
    development = create_app(Settings.from_env({"DATA_DIR": str(tmp_path)})).test_client()
    assert development.get("/sandbox/_sandbox/state").status_code == 200
    production = create_app(Settings.from_env(PRODUCTION)).test_client()
    assert production.get("/sandbox/_sandbox/state").status_code == 404


def test_the_sandboxes_list_is_open_by_itself(tmp_path: Path) -> None:
    """A first try needs no PUBLIC_LIST_IDS, with the built-in sandbox and with one on its own port."""
    environ = {"DATA_DIR": str(tmp_path)}
    alone = {
        "CONSTANT_CONTACT_CLIENT_ID": "sandbox-client",
        "CONSTANT_CONTACT_CLIENT_SECRET": "sandbox-secret",
    }
    assert create_app(Settings.from_env(environ)).config["PUBLIC_LIST_IDS"] == (PRESET_LIST_ID,)
    assert create_app(Settings.from_env(environ | alone)).config["PUBLIC_LIST_IDS"] == (PRESET_LIST_ID,)
    own = {"CONSTANT_CONTACT_CLIENT_ID": "mine", "CONSTANT_CONTACT_CLIENT_SECRET": "secret"}
    assert create_app(Settings.from_env(environ | own)).config["PUBLIC_LIST_IDS"] == ()


def test_the_services_can_be_replaced(tmp_path: Path) -> None:
    """Keyword arguments override the real thing."""
    settings = Settings.from_env({"DATA_DIR": str(tmp_path)})
    parts = build_services(settings)
    assert create_app(settings, parts).extensions["services"] is parts.services


def test_what_waits_in_the_spool_is_stored_before_the_next_sign_up(tmp_path: Path) -> None:
    """Also where the housekeeping has not come by yet."""
    app = create_app(Settings.from_env({"DATA_DIR": str(tmp_path)}))
    Spool(tmp_path / "spool").keep(signup("spooled", at=real_clock()), kind="sign_up", payload={})
    body = {"email": "ann@example.org", "list_id": PRESET_LIST_ID}
    accepted = app.test_client().post("/subscribe", json=body, headers={"Prefer": "respond-async"})
    database = app.extensions["parts"].database
    with database.reading() as connection:
        stored = connection.exec_driver_sql("SELECT source_id FROM deliveries ORDER BY id").scalars().all()
    assert stored == ["spooled", accepted.get_json()["id"]]
    database.close()


def test_a_worker_starts_where_it_may_not_choose_its_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some hosts forbid it; a worker that ended there would be started again for ever."""

    def forbid(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbid)
    hooks = runpy.run_path("gunicorn.conf.py")
    app = create_app(Settings.from_env({"DATA_DIR": str(tmp_path)}))
    worker = SimpleNamespace(place=0, app=SimpleNamespace(callable=app))
    hooks["post_worker_init"](worker)
    try:
        assert gc.get_freeze_count() > 10_000
        assert app.test_client().get("/").status_code == 200
    finally:
        gc.unfreeze()
        hooks["worker_exit"](None, worker)


class TestHousekeeping:
    """One turn of what a serving process does now and then, with the collaborators it really has."""

    @pytest.fixture
    def parts(self, tmp_path: Path) -> Iterator[Parts]:
        parts = build_services(Settings.from_env({"DATA_DIR": str(tmp_path)}))
        yield parts
        parts.database.close()

    def test_it_imports_what_was_spooled(self, parts: Parts, tmp_path: Path) -> None:
        """A sign-up that the database refused is in it after the first turn that finds it well."""
        late = signup("spooled", at=real_clock())
        Spool(tmp_path / "spool").keep(late, kind="sign_up", payload={})
        assert self.deliveries(parts) == []
        parts.services.housekeeping.turn()
        assert self.deliveries(parts) == [("spooled", "ready", "{}")]

    def test_it_forgets_payloads_after_their_time(self, parts: Parts) -> None:
        """What was delivered more than thirty days ago keeps its sign-up, not what was sent, nor a copy."""
        long_ago, deliveries = real_clock() - 31 * 86_400_000, Deliveries(parts.database)
        payload = {"email_address": "old@example.org"}
        Signups(parts.database).accept(signup("old", at=long_ago), kind="sign_up", payload=payload)
        claimed = deliveries.claim(long_ago)
        assert isinstance(claimed, Claimed)
        deliveries.delivered(claimed, now=long_ago, contact_id="c", action="created")
        assert self.deliveries(parts) == [("old", "delivered", '{"email_address":"\x06email"}')]
        assert len(parts.database.copies.files()) == 1
        parts.services.housekeeping.turn()
        assert self.deliveries(parts) == [("old", "delivered", "{}")]
        assert parts.database.copies.files() == []

    def test_it_forgets_sign_in_links_after_their_time(self, parts: Parts) -> None:
        """A link that was used is remembered only for as long as it could be used again."""
        spent = SpentTokens(parts.database)
        spent.spend("link", now=1, expires_at=2)
        parts.services.housekeeping.turn()
        with parts.database.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM spent_tokens").scalar() == 0

    @staticmethod
    def deliveries(parts: Parts) -> list[tuple[str, str, str]]:
        with parts.database.reading() as connection:
            rows = connection.exec_driver_sql("SELECT source_id, state, payload FROM deliveries").all()
        return [(row[0], row[1], row[2]) for row in rows]


@pytest.mark.parametrize(
    ("hops", "expected"), [("0", "http://localhost"), ("1", "https://signup.example.org")]
)
def test_forwarded_headers_count_only_behind_a_proxy(tmp_path: Path, hops: str, expected: str) -> None:
    """X-Forwarded-* of a stranger decide nothing; those of our proxy tell scheme and host."""
    key = "key-of-the-shop-0123456789"
    app = create_app(Settings.from_env({"DATA_DIR": str(tmp_path), "PROXY_HOPS": hops, "API_KEYS": key}))
    answer = app.test_client().post(
        "/subscribe",
        json={"email": "ann@example.org", "list_id": PRESET_LIST_ID},
        headers={
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "signup.example.org",
            "Authorization": f"Bearer {key}",
        },
    )
    assert answer.json is not None
    assert answer.json["status_url"].startswith(f"{expected}/signups/")


@pytest.mark.parametrize("command", ["worker", "drain", "lists"])
def test_no_second_process_delivers_into_a_sandbox_of_its_own(tmp_path: Path, command: str) -> None:
    """The built-in sandbox is the web process's; what another one delivers or renews is lost to it."""
    app = create_app(Settings.from_env({"DATA_DIR": str(tmp_path)}))
    answer = app.test_cli_runner().invoke(args=[command])
    assert answer.exit_code == 1
    assert "flask sandbox" in answer.output
