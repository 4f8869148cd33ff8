"""E-mails to a mail server, by SMTP: the only place that opens a connection to one."""

import os
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

from services.mail.channel import NotSent

# For the whole conversation, and for each step of it; both are far below the lease of a message.
TOTAL_SECONDS = 40.0
STEP_SECONDS = 15.0
PERMANENT = 500
# As in "5.7.1 …", RFC 3463.
ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")

# What the server refused by an answer, and why there was no conversation: ends of sentences.
REFUSALS: tuple[tuple[type[Exception], str], ...] = (
    (smtplib.SMTPAuthenticationError, "does not accept the user and password of SMTP_URL"),
    (smtplib.SMTPSenderRefused, "refuses the sender in MAIL_FROM"),
    (smtplib.SMTPDataError, "refuses the message"),
)
CAUSES: tuple[tuple[type[Exception], str], ...] = (
    (socket.gaierror, "is not found in the DNS"),
    (TimeoutError, "did not answer in time"),
    (smtplib.SMTPServerDisconnected, "ended the connection, or did not answer in time"),
)


@dataclass(frozen=True)
class SmtpTransport:
    """Hands e-mails to one server, over TLS.

    With a user the connection must be encrypted and the server's certificate be good, or the password is not
    sent; without one, encryption is used where it is offered. `on_this_machine`: nobody listens on the way.
    """

    host: str
    port: int
    tls_first: bool
    user: str = ""
    password: str = field(default="", repr=False)
    on_this_machine: bool = False
    total_seconds: float = TOTAL_SECONDS
    step_seconds: float = STEP_SECONDS

    def send(self, mail: EmailMessage) -> None:
        """Hand the e-mail over within `total_seconds`; the text of an error is ours, not the server's.

        Raises:
            NotSent: the server was not reached, refused, or did not answer in time.
        """
        try:
            with self._conversation() as smtp:
                self._encrypt(smtp)
                if self.user:
                    smtp.login(self.user, self.password)
                smtp.send_message(mail, parseaddr(mail["From"])[1], [mail["To"]])
        except NotSent:
            raise
        except Exception as error:
            # Known by its place: a message that raises must not stop those behind it.
            raise self._told(error) from error

    @contextmanager
    def _conversation(self) -> Iterator[smtplib.SMTP]:
        """Connect, and say goodbye in the end; the socket is shut down when the time is over."""
        seconds, name = self.step_seconds, _own_name()
        smtp: Any = (
            smtplib.SMTP_SSL(timeout=seconds, local_hostname=name, context=self._context())
            if self.tls_first
            else smtplib.SMTP(timeout=seconds, local_hostname=name)
        )
        # The class takes the name, which TLS needs, only where it connects in its constructor: too early for
        # the timer, which must know the object.
        smtp._host = self.host
        timer = threading.Timer(self.total_seconds, _cut_off, (smtp,))
        timer.daemon = True
        timer.start()
        try:
            smtp.connect(self.host, self.port)
            yield smtp
            # The message is taken by now.
            with suppress(OSError, smtplib.SMTPException):
                smtp.quit()
        finally:
            timer.cancel()
            smtp.close()

    def _encrypt(self, smtp: smtplib.SMTP) -> None:
        if self.tls_first:
            return
        smtp.ehlo_or_helo_if_needed()
        if smtp.has_extn("starttls"):
            smtp.starttls(context=self._context())
        elif self.user and not self.on_this_machine:
            raise NotSent(
                "The mail server offers no encryption (STARTTLS), and the password is not sent without."
                " Try smtps:// and its port in SMTP_URL."
            )

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.on_this_machine:
            # Usually signed by nobody, and there is nobody in between.
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def _told(self, error: Exception) -> NotSent:
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            code, said = next(iter(error.recipients.values()))
            return _answer("refuses the recipient", code, said, refused=code >= PERMANENT)
        if isinstance(error, smtplib.SMTPResponseException):
            code = error.smtp_code
            refused = isinstance(error, smtplib.SMTPDataError) and code >= PERMANENT
            what = next((words for kind, words in REFUSALS if isinstance(error, kind)), "refuses to talk")
            return _answer(what, code, error.smtp_error, refused=refused)
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return NotSent("The mail server asks for no user and password: leave both out of SMTP_URL.")
        return NotSent(f"The mail server at {self.host}:{self.port} {_cause(error)}.")


def _cause(error: Exception) -> str:
    """Return why there was no conversation, as the end of a sentence."""
    for kind, words in CAUSES:
        if isinstance(error, kind):
            return words
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"shows a certificate that is not good: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "does not speak TLS as expected: port 465 wants smtps:// in SMTP_URL, port 587 smtp://"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be reached: {error.strerror}"
    return f"cannot be used: {type(error).__name__}"


def _answer(what: str, code: int, said: bytes | str, *, refused: bool = False) -> NotSent:
    """Return the error of an answer: its codes, without its words, which may name the recipient."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    enhanced = ENHANCED.match(text)
    codes = f"{code} {enhanced[0]}" if enhanced else str(code)
    return NotSent(f"The mail server {what} ({codes}).", refused=refused)


def _own_name() -> str:
    """Return how this machine greets; asking the DNS for a name, as the library does, may take a minute."""
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"


def _cut_off(smtp: smtplib.SMTP) -> None:
    if smtp.sock is None:
        return
    # A duplicate: shutting the TLS object itself down is not safe beside the thread that reads from it.
    with suppress(OSError), socket.socket(fileno=os.dup(smtp.sock.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
