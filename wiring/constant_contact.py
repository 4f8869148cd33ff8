"""Which Constant Contact is called, and the account that is connected there."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask
from requests.auth import AuthBase

import sandbox
from oauth.authorization_server import TOTAL_SECONDS, AuthorizationServer
from oauth.bearer import BearerAuth
from oauth.connecting.account_check import AccountLike
from oauth.errors import AccountUnavailable, AccountUnusable, OAuthError
from oauth.refresh.schedule import lasts
from oauth.token_source import TokenSource
from services.account.fields_and_tags import FieldsAndTags
from services.account.lists import ListCache
from services.account.opt_outs import OptOutTable
from services.connection.status import ConnectionStatus
from services.constant_contact.causes import words_of
from services.constant_contact.client import ConstantContact
from services.constant_contact.errors import ConnectionUnusable, ConstantContactError, Forbidden
from services.constant_contact.quota import LONGEST_CALL_MS, CallQuota
from services.delivery.pacing import NotSent, depart
from settings import Settings
from store.errors import StoreError
from transport.deadline import DeadlineSession
from transport.in_process import InProcessAdapter
from wiring.clock import Tuning
from wiring.storage import Storage

SANDBOX_PATH = "/sandbox"
AUTH_PATH = "/oauth2/default/v1"
IN_PROCESS = "http://sandbox.invalid"
# One API call, its repeat after a 401 included; a delivery's lease is 60 s.
API_SECONDS = LONGEST_CALL_MS / 1000
# To connect, and for each read.
REACH_SECONDS = (3, 10)


@dataclass(frozen=True)
class Vendor:
    """What stands for Constant Contact: the real one, a sandbox on its own port, or one in this process.

    `api` makes the client from what authenticates its calls. `sandbox` is the one in this process, which
    browsers are shown under `SANDBOX_PATH`.
    """

    authorization_server: AuthorizationServer
    api: Callable[[AuthBase], ConstantContact]
    sandbox: Flask | None = None

    @classmethod
    def at(cls, settings: Settings) -> "Vendor":
        """Return the one at the addresses of the settings."""
        return cls(
            AuthorizationServer(
                DeadlineSession(TOTAL_SECONDS),
                base_url=settings.auth_url,
                client_id=settings.client_id or "",
                client_secret=settings.client_secret.get_secret_value(),
                words_of=words_of,
            ),
            lambda auth: _client(DeadlineSession(API_SECONDS, depart=depart), auth, settings.api_url),
        )

    @classmethod
    def in_process(cls, app: Flask) -> "Vendor":
        """Return a sandbox that is called without a socket."""
        session = DeadlineSession(TOTAL_SECONDS)
        session.mount(IN_PROCESS, InProcessAdapter(app, dropped=sandbox.ConnectionDropped))

        def api(auth: AuthBase) -> ConstantContact:
            session = DeadlineSession(API_SECONDS, depart=depart)
            adapter = InProcessAdapter(app, dropped=sandbox.ConnectionDropped, depart=depart)
            session.mount(IN_PROCESS, adapter)
            return _client(session, auth, f"{IN_PROCESS}/v3")

        return cls(
            AuthorizationServer(
                session,
                base_url=f"{IN_PROCESS}{AUTH_PATH}",
                consent_base_url=f"{SANDBOX_PATH}{AUTH_PATH}",
                client_id=sandbox.SANDBOX_CLIENT_ID,
                client_secret=sandbox.SANDBOX_CLIENT_SECRET,
                words_of=words_of,
            ),
            api,
            app,
        )


def vendor_of(settings: Settings) -> Vendor:
    """Return the built-in sandbox where the settings name no application, else what is at their addresses."""
    return Vendor.in_process(sandbox.create_sandbox()) if settings.builtin_sandbox else Vendor.at(settings)


def _client(session: DeadlineSession, auth: AuthBase, base_url: str) -> ConstantContact:
    session.auth = auth
    return ConstantContact(
        session, base_url=base_url, connection_errors=(OAuthError,), own_errors=(NotSent, StoreError)
    )


@dataclass(frozen=True)
class Account:
    """The connected account: its API, the quota of calls, and what is cached of it."""

    api: ConstantContact
    connection: ConnectionStatus
    authorize: Callable[[], None]
    quota: CallQuota
    lists: ListCache
    fields_and_tags: FieldsAndTags
    opt_outs: OptOutTable


def build_account(
    settings: Settings, storage: Storage, vendor: Vendor, tokens: TokenSource, tuning: Tuning
) -> Account:
    """Build the account that `tokens` give access to."""
    store, clock, shared_clock = storage.store, storage.clock, storage.shared_clock
    connection = ConnectionStatus(
        store.connections, lasts=lasts, clock=clock, public_client=settings.public_client
    )
    # A repeat after a 401 is a call that nobody has reserved.
    api = vendor.api(BearerAuth(tokens, booked=lambda: store.quota.count_call(shared_clock())))
    authorize = authorizing(tokens)
    quota = CallQuota(
        store.quota,
        clock=shared_clock,
        authorize=authorize,
        new_event=tuning.new_event,
        monotonic=tuning.monotonic,
    )
    return Account(
        api=api,
        connection=connection,
        authorize=authorize,
        quota=quota,
        lists=ListCache(vendor=api, connection=connection, meta=store.meta, permits=quota, clock=clock),
        fields_and_tags=FieldsAndTags.of(
            vendor=api, connection=connection, meta=store.meta, permits=quota, clock=clock
        ),
        opt_outs=OptOutTable(
            opt_outs=store.opt_outs, vendor=api, permits=quota, connection=connection, clock=shared_clock
        ),
    )


def authorizing(tokens: TokenSource) -> Callable[[], None]:
    """Return a function that makes sure of a valid access token, or raises ConnectionUnusable."""

    def authorize() -> None:
        try:
            tokens.current()
        except OAuthError as error:
            raise ConnectionUnusable(detail=type(error).__name__) from error

    return authorize


def account_of(api: ConstantContact, quota: CallQuota) -> Callable[[str], AccountLike]:
    """Return a function that asks which account an access token is of, within the shared quota."""

    def ask(access_token: str) -> AccountLike:
        try:
            return api.account(access_token, permit=lambda: quota.reserve(urgent=True))
        except Forbidden as error:
            # Pressing Connect again alone changes nothing about a scope, a role or a deactivated application.
            raise AccountUnusable(error.plain) from error
        except ConstantContactError as error:
            raise AccountUnavailable(error.reason) from error

    return ask


def reached(url: str) -> str | None:
    """Make one call without a token, with the TLS, proxies and limits of all calls; return why it failed.

    Any answer counts as success: only a call with a token could tell whether it is Constant Contact's own.
    """
    try:
        with DeadlineSession(API_SECONDS) as session:
            answer = session.get(url, timeout=REACH_SECONDS)
    except Exception as error:  # noqa: BLE001 - every failure is reported
        return words_of(error)
    if 300 <= answer.status_code < 400:
        return f"it answers with a redirect ({answer.status_code}), as a network does that wants a sign-in"
    return None
