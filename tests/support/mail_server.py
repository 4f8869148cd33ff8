"""A real SMTP server (aiosmtpd) that keeps what it takes."""

import datetime
import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.ports import free_port

# It reports each step of a conversation as an event worth knowing.
logging.getLogger("mail.log").setLevel(logging.WARNING)

USER, PASSWORD = "sign-ups", "correct horse"


@dataclass
class Inbox:
    """The handler of a server: keeps the mails, or refuses as `answers` say, by the command's name."""

    mails: list[EmailMessage] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    # In what was said: whether TLS was on, who had signed in, and the sender and recipients of the envelope.
    encrypted: list[bool] = field(default_factory=list)
    users: list[bytes] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)

    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]

    async def handle_MAIL(self, _: Any, __: Any, envelope: Any, address: str, ___: Any) -> str:  # noqa: N802 - aiosmtpd's
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, _: Any, __: Any, envelope: Any, address: str, ___: Any) -> str:  # noqa: N802 - aiosmtpd's
        if answer := self.answers.get("RCPT"):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        if answer := self.answers.get("DATA"):
            return answer
        self.mails.append(message_from_bytes(envelope.content, EmailMessage, policy=policy.default))
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        return "250 OK"

    def authenticated(self, _: Any, __: Any, ___: Any, ____: Any, data: LoginPassword) -> AuthResult:
        self.users.append(data.login)
        right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        # "handled" means that the answer to a wrong password was already sent.
        return AuthResult(success=right, handled=False)


@contextmanager
def mail_server(
    inbox: Inbox,
    *,
    port: int | None = None,
    tls: ssl.SSLContext | None = None,
    tls_first: bool = False,
    **options: Any,
) -> Iterator[int]:
    """Run a server on this machine; yield its port. With `tls` it offers STARTTLS, or TLS from the start."""
    port = port or free_port()
    if tls and not tls_first:
        options |= {"tls_context": tls}
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=port,
        ssl_context=tls if tls_first else None,
        **options,
    )
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def server_context(folder: Path) -> ssl.SSLContext:
    """Return TLS with a certificate that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "mail.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "mail.pem")
    return context
