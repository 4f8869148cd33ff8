"""E-mails to a real server: encrypted, in time, and with sentences for what goes wrong."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.mail.channel import NotSent
from services.mail.email import Email, email_of
from services.mail.smtp import SmtpTransport
from store.mail.messages import Message
from tests.support.mail_server import PASSWORD, USER, Inbox, mail_server, server_context
from tests.support.ports import free_port

MESSAGE = Message(
    channel="email",
    recipient="ada@example.org",
    subject="Über eine Stunde: “waiting”",
    body="Sign-ups wait. " * 20 + "\n\n.\nWeiß-blau\n",
    id=1,
    message_id="msg_0123",
    created_at=1_790_000_000_000,
    attempts=1,
    fence=1,
)
SENDER = "Sign-ups <sign-ups@example.org>"
ACCOUNT = {"user": USER, "password": PASSWORD}


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def server(port: int, **options: Any) -> SmtpTransport:
    return SmtpTransport(**{"host": "127.0.0.1", "port": port, "tls_first": False, **options})


def refusal(transport: SmtpTransport) -> NotSent:
    with pytest.raises(NotSent) as caught:
        transport.send(email_of(MESSAGE, SENDER))
    assert "ada@example.org" not in str(caught.value)
    assert PASSWORD not in str(caught.value)
    return caught.value


def test_a_message_arrives_as_it_was_written(inbox: Inbox) -> None:
    """With its headers; a line with a single dot ends nothing."""
    with mail_server(inbox) as port:
        Email(server(port), SENDER).send(MESSAGE, now=0)
    (mail,) = inbox.mails
    assert (mail["From"], mail["To"], mail["Subject"]) == (SENDER, MESSAGE.recipient, MESSAGE.subject)
    assert mail["Date"].datetime.timestamp() == 1_790_000_000
    assert mail["Message-ID"] == "<msg_0123@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().replace("\r\n", "\n") == MESSAGE.body
    assert inbox.envelopes == [("sign-ups@example.org", ["ada@example.org"])]
    assert inbox.encrypted == [False]


def test_a_long_subject_is_not_folded(inbox: Inbox) -> None:
    """Some programs would show it with a space in front."""
    subject = "[signup.example.org] Still: Sign-ups have been waiting for over an hour"
    with mail_server(inbox) as port:
        Email(server(port), SENDER).send(replace(MESSAGE, subject=subject), now=0)
    assert inbox.subjects() == [subject]
    assert max(map(len, str(inbox.mails[0].get_payload()).splitlines())) <= 78


@pytest.mark.parametrize("tls_first", [False, True])
def test_the_password_travels_encrypted(inbox: Inbox, tmp_path: Path, tls_first: bool) -> None:
    """By STARTTLS, or by TLS from the first byte; on this machine any certificate will do."""
    # The server knows of no TLS but its own STARTTLS.
    options: dict[str, Any] = {"authenticator": inbox.authenticated, "auth_require_tls": not tls_first}
    with mail_server(inbox, tls=server_context(tmp_path), tls_first=tls_first, **options) as port:
        server(port, tls_first=tls_first, on_this_machine=True, **ACCOUNT).send(email_of(MESSAGE, SENDER))
    assert len(inbox.mails) == 1
    assert inbox.users == [USER.encode()]
    assert inbox.encrypted == [True]


def test_without_encryption_the_password_is_not_sent(inbox: Inbox) -> None:
    """Not even to a server that would take it."""
    options: dict[str, Any] = {"authenticator": inbox.authenticated, "auth_require_tls": False}
    with mail_server(inbox, **options) as port:
        error = refusal(server(port, **ACCOUNT))
    assert "offers no encryption (STARTTLS)" in str(error)
    assert inbox.users == []


@pytest.mark.parametrize("tls_first", [False, True])
def test_a_certificate_must_be_good(inbox: Inbox, tmp_path: Path, tls_first: bool) -> None:
    """Whoever is in between could read the password otherwise."""
    with mail_server(inbox, tls=server_context(tmp_path), tls_first=tls_first) as port:
        error = refusal(server(port, host="localhost", tls_first=tls_first, **ACCOUNT))
    assert "certificate that is not good" in str(error)
    assert inbox.users == []
    assert inbox.mails == []


@pytest.mark.parametrize(
    ("answers", "sentence", "refused"),
    [
        ({"RCPT": "550 5.1.1 <ada@example.org> unknown"}, "refuses the recipient (550 5.1.1)", True),
        ({"RCPT": "451 4.7.1 ada@example.org, come back later"}, "refuses the recipient (451 4.7.1)", False),
        ({"MAIL": "553 not yours"}, "refuses the sender in MAIL_FROM (553)", False),
        ({"DATA": "554 looks like spam to ada@example.org"}, "refuses the message (554)", True),
        ({"DATA": "452 disk full"}, "refuses the message (452)", False),
    ],
)
def test_what_a_server_refuses_is_told_by_its_codes(
    inbox: Inbox, answers: dict[str, str], sentence: str, *, refused: bool
) -> None:
    """Its own words may name the recipient. What it refuses for good concerns this message alone."""
    inbox.answers = answers
    with mail_server(inbox) as port:
        error = refusal(server(port))
    assert str(error) == f"The mail server {sentence}."
    assert error.refused is refused


def test_a_wrong_password_is_told(inbox: Inbox, tmp_path: Path) -> None:
    """It concerns every message, so none is refused alone."""
    options: dict[str, Any] = {"auth_required": True, "authenticator": inbox.authenticated}
    with mail_server(inbox, tls=server_context(tmp_path), **options) as port:
        error = refusal(server(port, on_this_machine=True, user=USER, password="wrong"))
    assert "does not accept the user and password of SMTP_URL (535" in str(error)
    assert not error.refused


def test_a_server_without_accounts_is_told(inbox: Inbox) -> None:
    """Some relays know their senders by their addresses."""
    with mail_server(inbox) as port:
        error = refusal(server(port, on_this_machine=True, **ACCOUNT))
    assert "asks for no user and password" in str(error)


def test_nobody_there(inbox: Inbox, tmp_path: Path) -> None:
    """Nothing listens, no such name, and the wrong kind of port."""
    port = free_port()
    assert (
        str(refusal(server(port)))
        == f"The mail server at 127.0.0.1:{port} cannot be reached: Connection refused."
    )
    assert "is not found in the DNS" in str(refusal(server(port, host="mail.invalid")))
    with mail_server(inbox) as plain:
        assert "does not speak TLS as expected" in str(refusal(server(plain, tls_first=True)))
    with mail_server(inbox, tls=server_context(tmp_path), tls_first=True) as encrypted:
        error = refusal(replace(server(encrypted), step_seconds=0.3))
    assert "in time" in str(error)


@pytest.fixture
def dripping() -> Iterator[int]:
    """A server that greets letter by letter, and never ends."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            peer, _ = listening.accept()
            with peer:
                while not stop.wait(0.02):
                    try:
                        peer.send(b"2")
                    except OSError:
                        return

        thread = threading.Thread(target=greet)
        thread.start()
        yield listening.getsockname()[1]
        stop.set()
        thread.join()


def test_a_server_that_drips_is_left_in_time(dripping: int) -> None:
    """Each step is answered in time, and the whole never ends; the lease of the message would."""
    began = time.monotonic()
    error = refusal(server(dripping, total_seconds=0.3, step_seconds=5.0))
    assert "in time" in str(error)
    assert time.monotonic() - began < 4
