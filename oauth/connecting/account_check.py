"""The account of a connection that began with a planted token: found out and pinned in the background."""

from collections.abc import Callable
from typing import Protocol

import structlog

from oauth.errors import OAuthError
from oauth.storage import ConnectionStorage, StoredConnection

_AGAIN_MS = 3_600_000

_log = structlog.get_logger(__name__)


class AccountLike(Protocol):
    """The account that an access token opens; ``account_id`` is empty where its user belongs to none."""

    @property
    def account_id(self) -> str: ...  # noqa: D102 - explained at the class
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def user(self) -> str: ...  # noqa: D102
    @property
    def may_manage_contacts(self) -> bool: ...  # noqa: D102


class AccessToken(Protocol):
    """What hands out access tokens: the token source."""

    def current(self) -> str:
        """Return a valid access token; raise OAuthError when there is none."""
        ...


class AccountCheck:
    """Nobody consented in a browser, so nobody was asked; from the pin on, no other account is taken.

    Args:
        vault: Where the connection row lives.
        tokens: Hands out the access token.
        account_of: Whose account an access token opens; raises OAuthError when that cannot be told.
        clock: Epoch ms.
        on_event: Hears of the pin.
    """

    def __init__(
        self,
        vault: ConnectionStorage,
        tokens: AccessToken,
        account_of: Callable[[str], AccountLike],
        *,
        clock: Callable[[], int],
        on_event: Callable[[str, str | None], None],
    ) -> None:
        self._vault = vault
        self._tokens = tokens
        self._account_of = account_of
        self._clock = clock
        self._on_event = on_event
        self._asked_at: int | None = None

    def tend(self) -> None:
        """Pin the account of a connection that names none; the background thread calls it.

        Asks once an hour as long as there is no answer. Never raises: a failure is logged.
        """
        try:
            row = self._vault.read()
            if row.account_id is None and row.refresh_sealed is not None and self._due():
                self._pin(row, self._tokens.current())
        except OAuthError as failure:
            _log.warning("account_not_pinned", error=type(failure).__name__)
        except Exception as error:  # noqa: BLE001 - the thread must outlive whatever the vault raises
            _log.error("account_not_pinned", error=type(error).__name__)

    def _pin(self, row: StoredConnection, access_token: str) -> None:
        self._asked_at = self._clock()
        account = self._account_of(access_token)
        if not account.account_id:
            _log.warning("account_not_pinned", error="no account")
            return
        pinned = self._vault.pin_account(
            epoch=row.epoch,
            account_id=account.account_id,
            account_name=account.name,
            account_user=account.user,
        )
        if pinned:
            _log.info("account_pinned")
            self._on_event("account_pinned", f"The account is “{account.name}”.")

    def _due(self) -> bool:
        return self._asked_at is None or not 0 <= self._clock() - self._asked_at < _AGAIN_MS
