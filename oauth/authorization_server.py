"""Constant Contact's authorization server: the consent page's address and the token endpoint.

Facts: https://developer.constantcontact.com/api_guide/server_flow.html and pkce_flow.html; the latter is for
public clients, those without a secret (RFC 6749 section 2.1).
"""

import json
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3 import Timeout
from urllib3.exceptions import LocationParseError, NewConnectionError

from oauth.errors import Ambiguous, InvalidClient, InvalidGrant, NeverSent, Refused, TokenCallFailed
from oauth.tokens import TokenPair, UnusableAnswer, parse_token_answer

_CONNECT_SECONDS = 3
_READ_SECONDS = 10
# For each call as a whole; the session ends it by then.
TOTAL_SECONDS = 13.0
_LARGEST_BODY = 64 * 1024
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
_UNSENT = (
    requests.ConnectTimeout,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
    LocationParseError,
)


def _class_name(error: BaseException) -> str:
    return type(error).__name__


class AuthorizationServer:
    """Calls one authorization server for one application. Sends every call exactly once.

    Args:
        session: Without an automatic retry: a second send of a rotating token can end the connection. It must
            end each call at the ``total`` of its ``urllib3.Timeout``, what its response hook reads included.
        base_url: Such as ``https://authz.constantcontact.com/oauth2/default/v1``.
        client_id: The application's API key.
        client_secret: Its secret; goes out in the Basic header only (RFC 6749 section 2.3.1). Empty for a
            public client, which names itself in the body instead and must use PKCE.
        consent_base_url: Where the browser finds the same server, when that is another address than ours.
        words_of: Says in a few words why a call came to nothing, without anything that was sent.
    """

    def __init__(
        self,
        session: requests.Session,
        *,
        base_url: str,
        client_id: str,
        client_secret: str,
        consent_base_url: str | None = None,
        words_of: Callable[[BaseException], str] = _class_name,
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._consent_base_url = (consent_base_url or base_url).rstrip("/")
        self._client_id = client_id
        self.public = not client_secret
        self._proof: AuthBase = _NoPassword() if self.public else HTTPBasicAuth(client_id, client_secret)
        self._words_of = words_of

    def authorize_url(
        self, redirect_uri: str, state: str, scopes: Sequence[str], code_challenge: str | None
    ) -> str:
        """Return the consent page's address; spaces become %20, which the vendor requires."""
        query = {
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": " ".join(scopes),
            "state": state,
        }
        if code_challenge is not None:
            query |= {"code_challenge": code_challenge, "code_challenge_method": "S256"}
        return f"{self._consent_base_url}/authorize?{urlencode(query, quote_via=quote)}"

    def exchange(self, code: str, redirect_uri: str, verifier: str | None, now: int) -> TokenPair:
        """Exchange a code for the first pair ("Exchange the authorization code", server_flow).

        Raises:
            TokenCallFailed: One of its subclasses. The code must not be sent again in any case.
        """
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if verifier is not None:
            form["code_verifier"] = verifier
        return self._call(form, now)

    def refresh(self, refresh_token: str, now: int, *, seconds: float = TOTAL_SECONDS) -> TokenPair:
        """Exchange a refresh token for a new pair ("Refresh an access token", server_flow).

        Args:
            refresh_token: The newest one.
            now: Epoch ms.
            seconds: After which the call is cut off.

        Raises:
            TokenCallFailed: One of its subclasses.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._call(form, now, seconds=seconds)

    def _call(self, form: Mapping[str, str], now: int, *, seconds: float = TOTAL_SECONDS) -> TokenPair:
        # "from None": a transport exception holds the request, and its body is the token.
        try:
            status, body = self._post(form, seconds)
        except TokenCallFailed:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the call raises is classified
            raise _transport_failure(error, self._words_of(error)) from None
        if status != 200:
            raise _refusal(status, body)
        try:
            return parse_token_answer(body, now=now)
        except UnusableAnswer as unusable:
            raise Ambiguous(f"Constant Contact's token answer is unusable: {unusable}.") from None

    def _post(self, form: Mapping[str, str], seconds: float) -> tuple[int, bytes]:
        body = bytearray()
        named = {"client_id": self._client_id} if self.public else {}

        def read(response: requests.Response, **_: Any) -> None:
            with response:
                for piece in response.iter_content(4096):
                    body.extend(piece)
                    if len(body) > _LARGEST_BODY:
                        raise Ambiguous("Constant Contact's token answer did not end.")

        response = self._session.post(
            f"{self._base_url}/token",
            data={**form, **named},
            auth=self._proof,
            headers={"Accept": "application/json"},
            # Documented at HTTPAdapter.send; the type stubs do not know it.
            timeout=Timeout(total=seconds, connect=_CONNECT_SECONDS, read=_READ_SECONDS),  # type: ignore[arg-type]
            allow_redirects=False,
            stream=True,
            # Within the call, so that the deadline covers the body, too.
            hooks={"response": read},
        )
        return response.status_code, bytes(body)


class _NoPassword(AuthBase):
    """Adds nothing; where a call has no authentication, requests takes a password from ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def _transport_failure(error: Exception, words: str) -> TokenCallFailed:
    if isinstance(error, _UNSENT) or _before_sending(error):
        return NeverSent(f"Constant Contact could not be reached: {words}.")
    return Ambiguous(f"Constant Contact's token answer was lost: {words}.")


def _before_sending(error: BaseException) -> bool:
    """Tell whether no connection was made: DNS, refused, a certificate that does not hold or is not there."""
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        # What fails on the wire has a class of requests; this is the file of certificates, read before.
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, NewConnectionError):
        return True
    causes: tuple[object, ...] = getattr(reason, "args", ())
    return bool(causes) and isinstance(causes[0], ssl.SSLCertVerificationError)


def _refusal(status: int, body: bytes) -> TokenCallFailed:
    code = _error_code(body)
    words = f"Constant Contact's token endpoint answered {status} {code or ''}".rstrip() + "."
    if status == 429:
        return NeverSent(words)
    if status >= 500 or status < 400 or code is None:
        # Without an error code it may be the page of a proxy, while the vendor's answer was lost.
        return Ambiguous(words if status >= 500 else f"{words[:-1]}, but not as Constant Contact does.")
    if status == 401 or code == "invalid_client":
        return InvalidClient(words)
    if status == 400 and code == "invalid_grant":
        return InvalidGrant(words)
    return Refused(words)


def _error_code(body: bytes) -> str | None:
    """Return ``error``, or ``errorCode`` as for an unknown client id; empty where it is no plain code.

    None where the body is in neither form: then it was not the authorization server that answered. An empty
    object stands for no reason given.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if answer == {}:
        return ""
    code = answer.get("error") or answer.get("errorCode") if isinstance(answer, dict) else None
    if not isinstance(code, str):
        return None
    return code if _ERROR_CODE.fullmatch(code) else ""
