"""What the environment says about alerts: a mail server, addresses, a webhook."""

import base64
from pathlib import Path

import pytest

from settings import Settings, SettingsError
from settings.alerts import SmtpServer
from tests.top_level.test_settings import PRODUCTION

SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
MAIL = {"SMTP_URL": "smtp://mail.example.org", "MAIL_FROM": "Sign-ups <sign-ups@example.org>"}
HOOK = {"ALERT_WEBHOOK_URL": "https://hooks.example.org/a?b=c", "ALERT_WEBHOOK_SECRET": SECRET}


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.org", SmtpServer("mail.example.org", 587, tls_first=False)),
        ("smtps://mail.example.org", SmtpServer("mail.example.org", 465, tls_first=True)),
        ("smtp://mailpit:1025/", SmtpServer("mailpit", 1025, tls_first=False)),
        (
            "smtps://sign-ups%40example.org:p%40ss%3A%2Fw%25rd%23@[::1]:2465",
            SmtpServer("::1", 2465, tls_first=True, user="sign-ups@example.org", password="p@ss:/w%rd#"),
        ),
    ],
)
def test_the_mail_server_is_read_from_its_address(url: str, server: SmtpServer) -> None:
    """With the usual ports, and the parts of user and password decoded."""
    assert Settings.from_env(PRODUCTION | MAIL | {"SMTP_URL": url}).smtp_url == server


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org:587",
        "http://mail.example.org",
        "smtp://",
        "smtp://user:hunter-secret@mail.example.org:many",
        "smtp://user:hunter-secret/with-slash@mail.example.org",
        "smtp://user:hunter-secret#@mail.example.org",
        "smtp://:hunter-secret@mail.example.org",
        "smtp://hunter-secret@mail.example.org",
        "smtp://user:hunter-secret%0d%0aRSET@mail.example.org",
        "smtp://user:hunter-secret@[mail",
        "smtp://user:hunter-secret@mail.example.org?x=1",
    ],
)
def test_a_wrong_mail_server_is_told_without_its_password(url: str) -> None:
    """The sentence names the variable and shows what one looks like."""
    with pytest.raises(SettingsError, match=r"SMTP_URL: (not an address like|user and password)") as caught:
        Settings.from_env(PRODUCTION | MAIL | {"SMTP_URL": url})
    assert "hunter-secret" not in str(caught.value)
    assert "hunter-secret" not in repr(caught.value.__cause__)


def test_no_repr_shows_the_password_the_webhook_or_its_secret() -> None:
    """The address of a webhook often is its password."""
    with_password = {"SMTP_URL": "smtp://user:hunter-secret@mail.example.org"}
    settings = Settings.from_env(PRODUCTION | MAIL | HOOK | with_password)
    for hidden in ("hunter-secret", "hooks.example.org", SECRET, repr(bytes(range(32)))):
        assert hidden not in repr(settings)
    assert "hunter-secret" not in repr(settings.smtp_url)


def test_the_other_values() -> None:
    """Several addresses, each once, and the webhook's key as bytes."""
    emails = {"ALERT_EMAILS": " ada@example.org,bo@example.org, ada@example.org,"}
    settings = Settings.from_env(PRODUCTION | MAIL | HOOK | emails)
    assert settings.mail_from == "Sign-ups <sign-ups@example.org>"
    assert settings.alert_emails == ("ada@example.org", "bo@example.org")
    assert settings.alert_webhook_url == "https://hooks.example.org/a?b=c"
    assert settings.alert_webhook_secret == bytes(range(32))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAIL_FROM", "Sign-ups"),
        ("MAIL_FROM", "a@example.org\r\nBcc: b@example.org"),
        ("ALERT_EMAILS", "ada@example.org, bo"),
        ("ALERT_EMAILS", "ada@example.org\nRCPT TO:<x@example.org>"),
        ("ALERT_WEBHOOK_URL", "hooks.example.org"),
        ("ALERT_WEBHOOK_URL", "http://hooks.example.org/alerts"),
        ("ALERT_WEBHOOK_URL", "https://user:password@hooks.example.org/alerts"),
        ("ALERT_WEBHOOK_URL", "https://[hooks"),
        ("ALERT_WEBHOOK_SECRET", "secret"),
        ("ALERT_WEBHOOK_SECRET", "whsec_c2hvcnQ="),
        ("ALERT_WEBHOOK_SECRET", base64.b64encode(bytes(32)).decode()),
        ("ALERT_WEBHOOK_SECRET", f"whsec_{base64.b64encode(bytes(65)).decode()}"),
        ("ALERT_WEBHOOK_SECRET", "whsec_not base 64 at all, but long enough for a key"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str) -> None:
    """At the start, and the others are not blamed."""
    with pytest.raises(SettingsError, match=f"- {name}: ") as caught:
        Settings.from_env(PRODUCTION | MAIL | HOOK | {"ALERT_EMAILS": "ada@example.org"} | {name: value})
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("url", ["http://localhost:8000/a", "http://10.0.0.4/a", "http://monitor/a"])
def test_a_webhook_in_ones_own_network_may_be_plain(url: str) -> None:
    """Nobody gets a certificate for a name that only a container network knows."""
    assert Settings.from_env(PRODUCTION | HOOK | {"ALERT_WEBHOOK_URL": url}).alert_webhook_url == url


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({"ALERT_EMAILS": "ada@example.org"}, "SMTP_URL"),
        ({"SMTP_URL": MAIL["SMTP_URL"]}, "MAIL_FROM"),
        ({"ALERT_WEBHOOK_URL": HOOK["ALERT_WEBHOOK_URL"]}, "ALERT_WEBHOOK_SECRET"),
        ({"ALERT_WEBHOOK_SECRET": SECRET}, "ALERT_WEBHOOK_URL"),
    ],
)
def test_half_of_it_is_refused(environ: dict[str, str], missing: str) -> None:
    """Alerts that nobody gets are worse than none: somebody relies on them."""
    with pytest.raises(SettingsError, match=f"{missing} is missing"):
        Settings.from_env(PRODUCTION | environ)


def test_the_sandbox_has_a_mailbox(tmp_path: Path) -> None:
    """Addresses alone are enough there."""
    settings = Settings.from_env({"DATA_DIR": str(tmp_path), "ALERT_EMAILS": "ada@example.org"})
    assert settings.builtin_sandbox
    assert settings.smtp_url is None
