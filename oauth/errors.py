"""What can go wrong between us and the authorization server.

OAuthError                    what callers of this package catch
├── NotConnected              nobody has connected yet, or an admin pressed Disconnect
├── NeedsReauthorization      the grant is dead: a person must press Connect
├── CredentialsRejected       client id or secret refused; the tokens are kept
├── RefreshUnavailable        transient: ask again at ``retry_at``
├── Undecryptable             the encryption key does not fit the stored text
├── ForeignInstallation       the stored tokens were made for another address or application
├── ConnectingFailed          one attempt to connect failed; the old connection is untouched
│   ├── AttemptUnknown        unknown, used or expired state, or another browser
│   ├── ConsentRefused        the person or the vendor said no
│   ├── ScopesMissing         consent came back without what we need
│   ├── ExchangeFailed        the code could not be turned into tokens
│   ├── WrongAccount          consent came from another account than the connected one
│   ├── AccountUnusable       the account or the person's role cannot do what we need
│   └── AccountUnavailable    which account it is could not be found out
└── TokenCallFailed           one call to the token endpoint; never leaves this package
    ├── NeverSent             did not reach the vendor, or was turned away with 429: the token is unspent
    ├── Ambiguous             the vendor may have rotated and we do not know
    ├── InvalidGrant          code or refresh token is dead
    ├── InvalidClient         client id or secret is wrong
    └── Refused               any other refusal
"""

from collections.abc import Sequence


class OAuthError(Exception):
    """Root. The message is for people and holds no secret and no text of the vendor.

    Attributes:
        state: The connection's state as it follows from this failure, None when it says nothing about it.
        retry_at: Epoch ms when asking again makes sense, None when only a person can help.
    """

    default_state: str | None = None

    def __init__(self, message: str, *, state: str | None = None, retry_at: int | None = None) -> None:
        super().__init__(message)
        self.state = state or self.default_state
        self.retry_at = retry_at


class NotConnected(OAuthError):
    """No tokens are stored."""

    default_state = "disconnected"

    def __init__(self) -> None:
        super().__init__("Constant Contact is not connected. An admin must press Connect.")


class NeedsReauthorization(OAuthError):
    """The vendor refused the newest refresh token for good."""

    default_state = "needs_reauthorization"

    def __init__(self, reason: str | None = None) -> None:
        """``reason`` is a sentence; without one the vendor merely ended it."""
        super().__init__(
            f"{reason or 'Constant Contact ended the connection.'} An admin must press Connect again."
        )


class CredentialsRejected(OAuthError):
    """The vendor does not accept our client id and secret; tokens stay valid and stored."""

    default_state = "credentials_rejected"

    def __init__(self, *, public: bool, retry_at: int | None = None) -> None:
        """``public`` says that we sent no secret, since none is set."""
        super().__init__(
            "Constant Contact does not accept CONSTANT_CONTACT_CLIENT_ID without a secret. Compare it with "
            "the application in the developer portal, and set CONSTANT_CONTACT_CLIENT_SECRET unless the "
            "application uses the PKCE flow."
            if public
            else "Constant Contact does not accept CONSTANT_CONTACT_CLIENT_ID and "
            "CONSTANT_CONTACT_CLIENT_SECRET. Compare both with the application in the developer portal.",
            retry_at=retry_at,
        )


class RefreshUnavailable(OAuthError):
    """No valid access token just now, for a reason that passes."""

    default_state = "refresh_failing"


class Undecryptable(OAuthError):
    """Stored text does not open with any of the keys."""

    default_state = "undecryptable"

    def __init__(self) -> None:
        super().__init__(
            "The stored tokens do not open with ENCRYPTION_KEYS. "
            "Add the earlier key back to the list, or press Connect again."
        )


class ForeignInstallation(OAuthError):
    """The row belongs to another installation: using it would end the connection of that one."""

    default_state = "foreign_installation"

    def __init__(self) -> None:
        super().__init__(
            "The stored connection was made for another address or application, as in a copied database. "
            "Restore PUBLIC_BASE_URL and CONSTANT_CONTACT_CLIENT_ID, or press Connect."
        )


class ConnectingFailed(OAuthError):
    """One attempt to connect failed."""


class AttemptUnknown(ConnectingFailed):
    """The callback belongs to no open attempt of this browser."""

    def __init__(self) -> None:
        super().__init__(
            "This connection attempt is unknown, too old, already used, or was started in another browser."
        )


class ConsentRefused(ConnectingFailed):
    """The vendor sent the browser back with an error instead of a code."""


class ScopesMissing(ConnectingFailed):
    """Consent was given for less than we asked.

    Attributes:
        scopes: The missing ones.
    """

    def __init__(self, scopes: Sequence[str]) -> None:
        self.scopes = tuple(scopes)
        super().__init__(f"Constant Contact did not grant: {', '.join(self.scopes)}.")


class ExchangeFailed(ConnectingFailed):
    """The code was not turned into tokens; it is never sent a second time (RFC 6749 section 4.1.2)."""


class WrongAccount(ConnectingFailed):
    """Consent came from another account than the pinned one; nothing was stored."""

    def __init__(self, stored_name: str, offered_name: str) -> None:
        super().__init__(
            f"This service is connected to “{stored_name}”, but access was given to “{offered_name}”. "
            "Sign in to the first account, or press Disconnect before you switch."
        )


class AccountUnusable(ConnectingFailed):
    """The account or the person's role does not allow what we need; nothing was stored."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class AccountUnavailable(ConnectingFailed):
    """Which account gave consent could not be found out; nothing was stored."""

    def __init__(self, reason: str | None = None) -> None:
        """``reason`` is a sentence that names the cause, where it is known."""
        super().__init__(
            "Constant Contact gave access but did not say to which account."
            f"{f' {reason}' if reason else ''} Press Connect again."
        )


class TokenCallFailed(OAuthError):
    """One call to the token endpoint failed."""


class NeverSent(TokenCallFailed):
    """Nothing was processed: the same token may be sent again safely."""


class Ambiguous(TokenCallFailed):
    """The outcome is unknown: the vendor may have rotated the refresh token."""


class InvalidGrant(TokenCallFailed):
    """400 invalid_grant."""


class InvalidClient(TokenCallFailed):
    """401, or invalid_client in either of the vendor's spellings."""


class Refused(TokenCallFailed):
    """Another 4xx."""
