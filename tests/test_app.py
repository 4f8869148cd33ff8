"""The wiring."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from app import build_services, create_app
from sandbox import PRESET_LIST_ID
from settings import Settings
from tests.test_settings import PRODUCTION


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


@pytest.mark.parametrize(
    ("hops", "expected"), [("0", "http://localhost"), ("1", "https://signup.example.org")]
)
def test_forwarded_headers_count_only_behind_a_proxy(tmp_path: Path, hops: str, expected: str) -> None:
    """X-Forwarded-* of a stranger decide nothing; those of our proxy tell scheme and host."""
    app = create_app(Settings.from_env({"DATA_DIR": str(tmp_path), "PROXY_HOPS": hops}))
    answer = app.test_client().post(
        "/subscribe",
        json={"email": "ann@example.org", "list_id": PRESET_LIST_ID},
        headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "signup.example.org"},
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
