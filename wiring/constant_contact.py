"""Which Constant Contact we talk to: the real one, a sandbox on its own port, or the one built in."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

import sandbox
from oauth.authorization_server import TOTAL_SECONDS, AuthorizationServer
from oauth.bearer import BearerAuth
from oauth.connecting.account_check import AccountLike
from oauth.errors import AccountUnavailable, AccountUnusable, OAuthError
from oauth.token_source import TokenSource
from services.constant_contact.causes import words_of
from services.constant_contact.client import ConstantContact
from services.constant_contact.errors import ConnectionUnusable, ConstantContactError, Forbidden
from services.constant_contact.quota import CallQuota
from services.delivery.pacing import NotSent, depart
from settings import Settings
from store.errors import StoreError
from transport.deadline import DeadlineSession
from transport.in_process import InProcessAdapter

SANDBOX_PATH = "/sandbox"
AUTH_PATH = "/oauth2/default/v1"
IN_PROCESS = "http://sandbox.invalid"
# One API call, its repeat after a 401 included; a delivery's lease is 60 s.
API_SECONDS = 15.0
# To connect, and for each read.
REACH_SECONDS = (3, 10)


def authorization_server(settings: Settings, stand_in: Flask | None) -> AuthorizationServer:
    """The token endpoint; `stand_in` is the built-in sandbox, reached without a socket."""
    session = DeadlineSession(TOTAL_SECONDS)
    if stand_in is None:
        return AuthorizationServer(
            session,
            base_url=settings.auth_url,
            client_id=settings.client_id or "",
            client_secret=settings.client_secret.get_secret_value(),
            words_of=words_of,
        )
    session.mount(IN_PROCESS, InProcessAdapter(stand_in, dropped=sandbox.ConnectionDropped))
    return AuthorizationServer(
        session,
        base_url=f"{IN_PROCESS}{AUTH_PATH}",
        consent_base_url=f"{SANDBOX_PATH}{AUTH_PATH}",
        client_id=sandbox.SANDBOX_CLIENT_ID,
        client_secret=sandbox.SANDBOX_CLIENT_SECRET,
        words_of=words_of,
    )


def constant_contact(
    settings: Settings, stand_in: Flask | None, keeper: TokenSource, *, booked: Callable[[], None]
) -> ConstantContact:
    """The API, with the keeper's tokens; `booked` hears of each repeat after a 401, before it is sent."""
    session = DeadlineSession(API_SECONDS, depart=depart)
    session.auth = BearerAuth(keeper, booked=booked)
    base_url = settings.api_url
    if stand_in is not None:
        adapter = InProcessAdapter(stand_in, dropped=sandbox.ConnectionDropped, depart=depart)
        session.mount(IN_PROCESS, adapter)
        base_url = f"{IN_PROCESS}/v3"
    return ConstantContact(
        session, base_url=base_url, connection_errors=(OAuthError,), own_errors=(NotSent, StoreError)
    )


def authorizing(keeper: TokenSource) -> Callable[[], None]:
    """What sees to a valid access token before a call is booked; raises ConnectionUnusable."""

    def authorize() -> None:
        try:
            keeper.current()
        except OAuthError as error:
            raise ConnectionUnusable(detail=type(error).__name__) from error

    return authorize


def account_of(vendor: ConstantContact, permits: CallQuota) -> Callable[[str], AccountLike]:
    """Whose account an access token opens, asked out of the shared budget."""

    def ask(access_token: str) -> AccountLike:
        try:
            return vendor.account(access_token, permit=lambda: permits.take(urgent=True))
        except Forbidden as error:
            # Pressing Connect again alone changes nothing about a scope, a role or a deactivated application.
            raise AccountUnusable(error.plain) from error
        except ConstantContactError as error:
            raise AccountUnavailable(error.reason) from error

    return ask


def reached(url: str) -> str | None:
    """Make one call without a token, as any other with its TLS, proxies and limits; why it failed, in words.

    Any answer will do: whether it is Constant Contact's own shows only with a token.
    """
    try:
        with DeadlineSession(API_SECONDS) as session:
            answer = session.get(url, timeout=REACH_SECONDS)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is to be told of
        return words_of(error)
    if 300 <= answer.status_code < 400:
        return f"it answers with a redirect ({answer.status_code}), as a network does that wants a sign-in"
    return None
