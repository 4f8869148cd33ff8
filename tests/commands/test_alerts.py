"""`flask alerts test`: whether alerts arrive, and if not, why."""

from pathlib import Path

import pytest
from click.testing import Result

from app import create_app
from settings import Settings
from tests.support.mail_server import Inbox, mail_server
from tests.support.ports import free_port
from tests.support.webhook import SECRET, Received, webhook_server
from tests.top_level.test_settings import PRODUCTION


def alerts_test(folder: Path, environ: dict[str, str]) -> Result:
    app = create_app(Settings.from_env(environ | {"DATA_DIR": str(folder)}))
    try:
        return app.test_cli_runner().invoke(args=["alerts", "test"])
    finally:
        app.extensions["parts"].database.close()


def test_each_way_is_tried_and_told(tmp_path: Path) -> None:
    """Exit code 1 where one fails."""
    inbox, received, port = Inbox(), Received(), free_port()
    with webhook_server(received) as url:
        environ = PRODUCTION | {
            "SMTP_URL": f"smtp://127.0.0.1:{port}",
            "MAIL_FROM": "sign-ups@example.org",
            "ALERT_EMAILS": "ada@example.org,bo@example.org",
            "ALERT_WEBHOOK_URL": url,
            "ALERT_WEBHOOK_SECRET": SECRET,
        }
        with mail_server(inbox, port=port):
            sent = alerts_test(tmp_path, environ)
        received.status = 401
        failed = alerts_test(tmp_path, environ)
    assert sent.exit_code == 0
    assert sent.output == "ada@example.org: sent\nbo@example.org: sent\nwebhook: sent\n"
    assert [mail["To"] for mail in inbox.mails] == ["ada@example.org", "bo@example.org"]
    assert failed.exit_code == 1
    assert failed.output.splitlines() == [
        f"ada@example.org: The mail server at 127.0.0.1:{port} cannot be reached: Connection refused.",
        f"bo@example.org: The mail server at 127.0.0.1:{port} cannot be reached: Connection refused.",
        "webhook: The webhook at ALERT_WEBHOOK_URL answers 401.",
    ]


@pytest.mark.parametrize(("environ", "says"), [(PRODUCTION, "Nobody is told"), ({}, "built-in sandbox")])
def test_nothing_to_try(tmp_path: Path, environ: dict[str, str], says: str) -> None:
    """Without a setting, and in the sandbox, whose mailbox is in the web process."""
    result = alerts_test(tmp_path, environ)
    assert result.exit_code == 1
    assert says in result.output
