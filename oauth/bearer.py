"""The Authorization header of every API call, and the one repeat after a 401."""

from collections.abc import Callable
from typing import Any, Protocol

import requests
from requests.auth import AuthBase


class AccessTokens(Protocol):
    """What hands out access tokens: the token source."""

    def current(self) -> str:
        """Return a valid access token."""
        ...

    def after_rejection(self, rejected: str) -> str:
        """Return another access token, after the API refused ``rejected`` with 401."""
        ...

    def rejected_again(self) -> None:
        """Note that the API refused the replacement, too."""
        ...

    def accepted(self) -> None:
        """Note that the API accepted the token."""
        ...


class BearerAuth(AuthBase):
    """Set as ``session.auth``. Bodies must be text or bytes, so that they can be sent again.

    A 401 means the token, so the call is repeated once with another one; a 403 means scope, role or a
    deactivated application, which no token cures, so it is handed on (constant-contact error table). A web
    page is a proxy's, with whatever status, and says nothing about the token.

    Args:
        tokens: Hands out the tokens.
        booked: Called before the repeat, to reserve a further call of the quota. What it raises comes out of
            the call, and the repeat is not sent.

    Raises:
        OAuthError: From the call itself, when there is no valid token.
    """

    def __init__(self, tokens: AccessTokens, *, booked: Callable[[], None]) -> None:
        self._tokens = tokens
        self._booked = booked

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Give ``request`` a valid token, and have it repeated once after a 401."""
        token = self._tokens.current()
        request.headers["Authorization"] = f"Bearer {token}"
        request.register_hook("response", self._repeat_once(token))
        return request

    def _repeat_once(self, token: str) -> Callable[..., requests.Response]:
        def on_response(response: requests.Response, **send: Any) -> requests.Response:
            if _is_a_page(response):
                return response
            if response.status_code != 401:
                self._tokens.accepted()
                return response
            replacement = self._tokens.after_rejection(token)
            self._booked()
            response.content  # noqa: B018 - read to the end, so that the connection is free again
            again = response.request.copy()
            again.headers["Authorization"] = f"Bearer {replacement}"
            # The adapter calls no hooks, so a second 401 goes to the caller and nothing loops.
            repeated: requests.Response = response.connection.send(again, **send)
            repeated.history.append(response)
            if _is_a_page(repeated):
                return repeated
            if repeated.status_code == 401:
                self._tokens.rejected_again()
            else:
                self._tokens.accepted()
            return repeated

        return on_response


def _is_a_page(response: requests.Response) -> bool:
    return response.content.lstrip()[:1] == b"<"
