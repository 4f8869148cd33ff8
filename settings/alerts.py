"""Where alerts go: the mail server, the addresses, and the webhook with its secret."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator

from settings.values import CommaList

# The usual ports: 587 submits mail with STARTTLS (RFC 6409), 465 with TLS from the first byte (RFC 8314).
PORTS = {"smtp": 587, "smtps": 465}
WHSEC = "whsec_"
# Standard Webhooks asks for 24 to 64 random bytes.
KEY_BYTES = range(24, 65)
MAKE_ONE = 'echo "whsec_$(openssl rand -base64 32)"'
# Strict on purpose: the address is put into a header and into an SMTP command.
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


@dataclass(frozen=True)
class SmtpServer:
    """A mail server that takes our mail. `tls_first`: TLS from the first byte, else STARTTLS.

    Without a user nothing is proven to the server, as to a relay in one's own network.
    """

    host: str
    port: int
    tls_first: bool
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def on_this_machine(self) -> bool:
        """Whether what is sent never leaves this machine."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return whether the host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_private(host: str) -> bool:
    """Return whether the host is in one's own network: a private address, or a name without a dot."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal"))


def _smtp_server(value: object) -> object:
    if not isinstance(value, str):
        return value
    wrong = ValueError(
        "not an address like smtp://user:password@mail.example.org:587 or smtps://…:465; write"
        " @ : / # ? and % in user or password as %40 %3A %2F %23 %3F %25"
    )
    try:
        parts = urlsplit(value.strip())
        port, host = parts.port, parts.hostname
    except ValueError:
        # The library's own sentence would quote a part of the password.
        raise wrong from None
    if parts.scheme not in PORTS or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise wrong
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(password):
        raise ValueError("user and password belong together; for a server that asks for none leave both out")
    if not host.isascii() or any(ord(character) < 32 for character in user + password):
        raise wrong
    return SmtpServer(host, port or PORTS[parts.scheme], parts.scheme == "smtps", user, password)


def _address(value: str) -> str:
    if not ADDRESS.fullmatch(value):
        raise ValueError(f"“{value}” is not an e-mail address")
    return value


def _sender(value: str) -> str:
    _, address = parseaddr(value)
    if not ADDRESS.fullmatch(address) or any(ord(character) < 32 for character in value):
        raise ValueError(f"“{value}” is not a sender like Sign-ups <alerts@example.org>")
    return value


def _webhook_url(value: str) -> str:
    try:
        parts = urlsplit(value.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or parts.fragment or parts.username is not None:
        # The path of a webhook's address is often its password, so it is not repeated.
        raise ValueError("not an address like https://hooks.example.org/alerts")
    if parts.scheme == "http" and not is_private(host):
        raise ValueError("must start with https:// unless it is in your own network")
    return value.strip()


def _webhook_secret(value: str) -> bytes:
    try:
        key = base64.b64decode(value.strip().removeprefix(WHSEC), validate=True)
    except binascii.Error:
        key = b""
    if not value.strip().startswith(WHSEC) or len(key) not in KEY_BYTES:
        raise ValueError(f"not a secret of Standard Webhooks; make one with: {MAKE_ONE}")
    return key


def _text_to(read: Callable[[str], Any]) -> Callable[[object], object]:
    return lambda value: read(value) if isinstance(value, str) else value


Smtp = Annotated[SmtpServer, BeforeValidator(_smtp_server)]
Sender = Annotated[str, AfterValidator(_sender)]
Addresses = Annotated[
    CommaList, AfterValidator(lambda values: tuple(dict.fromkeys(_address(value) for value in values)))
]
WebhookUrl = Annotated[str, AfterValidator(_webhook_url)]
WebhookSecret = Annotated[bytes, BeforeValidator(_text_to(_webhook_secret))]


def halves(values: dict[str, object], *, sandbox: bool) -> list[str]:
    """Return a sentence for each setting that another one needs; `values` are by the variables' names.

    `sandbox`: mail goes to the sandbox's mailbox where no server is named.
    """
    found = []
    if values["ALERT_EMAILS"] and not values["SMTP_URL"] and not sandbox:
        found.append("SMTP_URL is missing: ALERT_EMAILS needs a mail server, or remove ALERT_EMAILS")
    if values["SMTP_URL"] and not values["MAIL_FROM"]:
        found.append("MAIL_FROM is missing: set it to the address that the mails of this service come from")
    if values["ALERT_WEBHOOK_URL"] and not values["ALERT_WEBHOOK_SECRET"]:
        found.append(f"ALERT_WEBHOOK_SECRET is missing: set it to the output of {MAKE_ONE}")
    if values["ALERT_WEBHOOK_SECRET"] and not values["ALERT_WEBHOOK_URL"]:
        found.append("ALERT_WEBHOOK_URL is missing: set it to the address that takes the alerts")
    return found
