"""What the sandbox refuses, and how the refusal looks on the wire.

SandboxError
├── ApiRefusal            an answer of the API; three body shapes, as the vendor has them
│   ├── Unauthorized      401, bare object
│   ├── Forbidden         403, array
│   ├── Invalid           400, array
│   ├── UnsupportedBody   415, array
│   ├── NotFound          404, array
│   ├── Conflict          409, array
│   ├── Throttled         429, array
│   ├── QuotaExceeded     429, bare object
│   ├── TooManyActivities 429, gateway's object
│   └── NotImitated       501, bare object; the sandbox's own
├── TokenRefusal          an answer of the token endpoint
├── ControlRefused        400 of the control endpoints, naming the member at fault
└── ConnectionDropped     the injected cut: no answer at all
"""

from __future__ import annotations

from typing import Any

VALIDATION = "contacts.api.validation.error"


class SandboxError(Exception):
    """Everything the sandbox raises on purpose."""


class ApiRefusal(SandboxError):
    """An error answer of the API: `status` and `body` are ready to send."""

    status = 400

    def __init__(self, *messages: str, key: str = VALIDATION) -> None:
        super().__init__(*messages)
        self.body: Any = [{"error_key": key, "error_message": message} for message in messages]


class Invalid(ApiRefusal):
    """The body or a parameter breaks the contract; one array entry for each problem."""


class Unauthorized(ApiRefusal):
    """The access token is missing, malformed, expired or revoked."""

    status = 401

    def __init__(self) -> None:
        super().__init__("Unauthorized")
        self.body = {"error_key": "unauthorized", "error_message": "Unauthorized"}


class Forbidden(ApiRefusal):
    """The token is good but lacks the scope, or its user lacks the privilege."""

    status = 403

    def __init__(self, message: str) -> None:
        super().__init__(message, key="contacts.api.forbidden")


class NotFound(ApiRefusal):
    """The operation exists, the resource does not."""

    status = 404

    def __init__(self, message: str) -> None:
        super().__init__(message, key="contacts.api.not_found")


class Conflict(ApiRefusal):
    """The resource exists already, or somebody else is editing it at this moment."""

    status = 409

    def __init__(self, message: str) -> None:
        super().__init__(message, key="contacts.api.conflict")


class UnsupportedBody(ApiRefusal):
    """A body that does not say it is JSON."""

    status = 415

    def __init__(self) -> None:
        super().__init__("Content-Type must be application/json", key="contacts.api.unsupported_media_type")


class Throttled(ApiRefusal):
    """More calls in one sliding second than the application may make."""

    status = 429

    def __init__(self) -> None:
        super().__init__("Too many requests in this second", key="throttled")


class QuotaExceeded(ApiRefusal):
    """More calls in one UTC day than the application may make."""

    status = 429

    def __init__(self) -> None:
        super().__init__("quota_exceeded")
        self.body = {"error_key": "quota_exceeded", "error_message": "The daily quota is used up"}


class TooManyActivities(ApiRefusal):
    """A bulk operation while 1,000 are queued; the vendor's answer has no key."""

    status = 429

    def __init__(self) -> None:
        super().__init__("too many activities")
        self.body = {"message": "Too many requests: 1,000 activities are queued for this account"}


class NotImitated(ApiRefusal):
    """The vendor's contract has it, the sandbox has not; no answer of the vendor looks like this one."""

    status = 501

    def __init__(self, what: str) -> None:
        super().__init__(what)
        message = f"{what} is part of Constant Contact's API, but the sandbox does not imitate it."
        self.body = {"error_key": "sandbox.not_imitated", "error_message": message}


class TokenRefusal(SandboxError):
    """An error answer of the token endpoint (RFC 6749 §5.2, or the vendor's own shape)."""

    def __init__(self, status: int, body: dict[str, str]) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


def invalid_grant(description: str) -> TokenRefusal:
    """400 `invalid_grant`: the code or the refresh token is dead."""
    return TokenRefusal(400, {"error": "invalid_grant", "error_description": description})


class ControlRefused(SandboxError):
    """A control request that cannot be obeyed; the message names the member at fault."""


class ConnectionDropped(SandboxError, ConnectionError):
    """The injected fault cut the connection.

    An in-process transport turns this into its own connection error; werkzeug's server takes any
    `ConnectionError` as a client that went away and sends nothing.
    """
