"""What the sandbox refuses, and how the refusal looks on the wire.

SandboxError
├── ApiRefusal            an answer of the API; the body is an array, as the vendor's mostly is
│   ├── Forbidden         403
│   ├── Invalid           400
│   ├── UnsupportedBody   415
│   ├── NotFound          404
│   ├── Conflict          409
│   ├── Throttled         429
│   ├── TooManyActivities 429, the body of the vendor's gateway
│   └── BareRefusal       the body is one object
│       ├── Unauthorized  401
│       ├── QuotaExceeded 429
│       └── NotImitated   501, the sandbox's own
├── TokenRefusal          an answer of the token endpoint
├── ControlRefused        400 of the control endpoints, naming the member at fault
└── ConnectionDropped     the injected cut: no answer at all
"""

from typing import Any


class SandboxError(Exception):
    """Everything the sandbox raises on purpose."""


class ApiRefusal(SandboxError):
    """An error answer of the API: `status` and `body` are ready to send."""

    status = 400
    key = "contacts.api.validation.error"
    message = ""

    def __init__(self, *messages: str, key: str = "") -> None:
        """The body is an array with an entry for each message, by default that of the class."""
        messages = messages or (self.message,)
        super().__init__(*messages)
        self.body: Any = [{"error_key": key or self.key, "error_message": message} for message in messages]


class BareRefusal(ApiRefusal):
    """An error answer whose body is one object, without an array around it."""

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.body = self.body[0]


class Invalid(ApiRefusal):
    """The body or a parameter breaks the contract; one array entry for each problem."""


class Unauthorized(BareRefusal):
    """The access token is missing, malformed, expired or revoked."""

    status, key, message = 401, "unauthorized", "Unauthorized"


class Forbidden(ApiRefusal):
    """The token is good but lacks the scope, or its user lacks the privilege."""

    status, key = 403, "contacts.api.forbidden"


class NotFound(ApiRefusal):
    """The operation exists, the resource does not."""

    status, key = 404, "contacts.api.not_found"


class Conflict(ApiRefusal):
    """The resource exists already, or another request is editing it at this moment."""

    status, key = 409, "contacts.api.conflict"


class UnsupportedBody(ApiRefusal):
    """A body whose content type is not JSON."""

    status, key = 415, "contacts.api.unsupported_media_type"
    message = "Content-Type must be application/json"


class Throttled(ApiRefusal):
    """More calls in one sliding second than the application may make."""

    status, key, message = 429, "throttled", "Too many requests in this second"


class QuotaExceeded(BareRefusal):
    """More calls in one UTC day than the application may make."""

    status, key, message = 429, "quota_exceeded", "The daily quota is used up"


class TooManyActivities(ApiRefusal):
    """A bulk operation while 1,000 are queued; the vendor's answer has no key."""

    status = 429

    def __init__(self) -> None:
        super().__init__("too many activities")
        self.body = {"message": "Too many requests: 1,000 activities are queued for this account"}


class NotImitated(BareRefusal):
    """The vendor's contract has it, the sandbox has not; no answer of the vendor looks like this one."""

    status, key = 501, "sandbox.not_imitated"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is part of Constant Contact's API, but the sandbox does not imitate it.")


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
