"""The developer's application at the authorization server: confidential with its secret, or public without.

One client id stands for both kinds, which at the vendor are two settings of an application. An exchange
without a secret begins a public connection (vendor page: pkce_flow), and that keeps its kind.
"""

import hmac
from urllib.parse import unquote_plus

from flask import request

from sandbox.errors import TokenRefusal

SANDBOX_CLIENT_ID = "sandbox-client"
SANDBOX_CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - public, it opens nothing but the sandbox
# Those of the contract's securityDefinitions, and the one by which a refresh token is asked for.
SCOPES = (
    "contact_data",
    "campaign_data",
    "account_read",
    "account_update",
    "billing_data",
    "offline_access",
)
USERS = {
    "owner": "Owner (owner@example.com)",
    "campaign_creator": "Campaign Creator",
    "unassigned": "Unassigned user",
}


def authenticated() -> bool:
    """Return whether the caller proved by the secret to be the application; False: it gave only the id.

    A secret is taken by Basic authentication alone, as the vendor has it; both of its parts are form-encoded
    (RFC 6749 §2.3.1). Parameters stand in the body or in the query.

    Raises:
        TokenRefusal: 401 `invalid_client`, in the vendor's two shapes, or 400 for two ways at once.
    """
    basic, named = request.authorization, request.values.getlist("client_id")
    # An empty one may as well be left out (RFC 6749 §2.3.1).
    in_parameters = any(request.values.getlist("client_secret"))
    if basic is not None and basic.type == "basic":
        if in_parameters:
            raise TokenRefusal(
                400,
                {
                    "error": "invalid_request",
                    "error_description": "Client credentials were given in two ways.",
                },
            )
        for name in (*named, unquote_plus(basic.username or "")):
            _check_id(name)
        secret = unquote_plus(basic.password or "")
        if not hmac.compare_digest(secret.encode(), SANDBOX_CLIENT_SECRET.encode()):
            raise _invalid_client("The client secret is invalid.")
        return True
    if len(named) != 1 or in_parameters or "Authorization" in request.headers:
        raise authentication_missing()
    _check_id(named[0])
    return False


def authentication_missing() -> TokenRefusal:
    """Return 401 `invalid_client`, for a caller that must send a secret by Basic authentication."""
    return _invalid_client("Client authentication is missing.")


def invalid_request(description: str) -> TokenRefusal:
    """Return 400 `invalid_request`: a parameter is missing or was given twice."""
    return TokenRefusal(400, {"error": "invalid_request", "error_description": description})


def _check_id(client_id: str) -> None:
    if client_id != SANDBOX_CLIENT_ID:
        raise TokenRefusal(
            401, {"errorCode": "invalid_client", "errorSummary": "Invalid value for 'client_id' parameter."}
        )


def _invalid_client(description: str) -> TokenRefusal:
    return TokenRefusal(401, {"error": "invalid_client", "error_description": description})
