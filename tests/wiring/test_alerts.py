"""Alerts of a first try, which has set nothing: they land in the sandbox's mailbox."""

from pathlib import Path
from typing import Any

import pytest

from app import create_app
from services.operations.alerts.words import Target
from settings import Settings
from tests.top_level.test_alert_settings import HOOK, MAIL
from tests.top_level.test_settings import PRODUCTION
from wiring import build_services


def test_the_sandbox_needs_no_setting(tmp_path: Path) -> None:
    """A lost connection is told to somebody, and read at /sandbox/mail/."""
    app = create_app(Settings.from_env({"DATA_DIR": str(tmp_path)}))
    parts = app.extensions["parts"]
    store = parts.storage.store
    with store.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE connection SET state = 'needs_reauthorization'")
    client = app.test_client()
    parts.services.alerts.look()
    # As if it had been seen a minute ago.
    with store.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE alerts SET began_at = began_at - 60000")
    parts.services.alerts.look()
    assert parts.services.outbox.send_due() == 1
    answer: Any = client.get("/sandbox/_sandbox/mail").json
    (mail,) = answer["mail"]
    assert (mail["to"], mail["sender"]) == (
        "admin@example.org",
        "Subscriber Sync <subscriber-sync@example.org>",
    )
    assert mail["subject"] == "[Subscriber Sync] The connection to Constant Contact needs attention"
    assert mail["headers"]["Message-ID"].endswith("@example.org>")
    assert "The connection to Constant Contact needs attention" in client.get("/sandbox/mail/").text
    store.database.close()


@pytest.mark.parametrize(
    ("environ", "targets"),
    [
        ({}, []),
        (MAIL, []),
        (MAIL | {"ALERT_EMAILS": "a@example.org,b@example.org"}, ["a@example.org", "b@example.org"]),
        (HOOK, ["webhook"]),
        (MAIL | HOOK | {"ALERT_EMAILS": "a@example.org"}, ["a@example.org", "webhook"]),
    ],
)
def test_who_is_told(tmp_path: Path, environ: dict[str, str], targets: list[str]) -> None:
    """Whom the settings name; in production nobody is told by default."""
    parts = build_services(Settings.from_env(PRODUCTION | {"DATA_DIR": str(tmp_path)} | environ))
    assert [str(target) for target in parts.services.alerts.targets] == targets
    assert all(target.channel in parts.services.alerts.channels for target in parts.services.alerts.targets)


def test_a_mail_server_takes_the_place_of_the_mailbox(tmp_path: Path) -> None:
    """And then nobody is told unless somebody is named."""
    environ = {"DATA_DIR": str(tmp_path)} | MAIL
    assert build_services(Settings.from_env(environ)).services.alerts.targets == ()
    named = environ | {"ALERT_EMAILS": "a@example.org"}
    assert build_services(Settings.from_env(named)).services.alerts.targets == (
        Target("email", "a@example.org"),
    )
