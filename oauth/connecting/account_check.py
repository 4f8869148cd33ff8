"""Find and pin, in the background, the account of a connection that began with a planted refresh token."""

from collections.abc import Callable
from typing import Protocol

import structlog

from oauth.context import OAuthContext
from oauth.errors import OAuthError
from oauth.storage import StoredConnection

_AGAIN_MS = 3_600_000

log = structlog.get_logger(__name__)


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
    """Asks the API for the account where no consent in a browser named it. Once pinned, no other is accepted.

    Args:
        context: What the parts of this package share.
        tokens: Hands out the access token.
        account_of: Whose account an access token opens; raises OAuthError when that cannot be told.
    """

    def __init__(
        self, context: OAuthContext, tokens: AccessToken, account_of: Callable[[str], AccountLike]
    ) -> None:
        self._storage, self._clock, self._audit = context.storage, context.clock, context.audit
        self._tokens = tokens
        self._account_of = account_of
        self._asked_at: int | None = None

    def tend(self) -> None:
        """Pin the account of a connection that names none; the background thread calls it.

        As long as the API does not tell, it is asked once an hour. Never raises: a failure is logged.
        """
        try:
            row = self._storage.read()
            if row.account_id is not None or row.refresh_sealed is None or not self._due():
                return
            token = self._tokens.current()
        except Exception:  # noqa: BLE001 - the token source, tended before, has logged the same failure
            return
        try:
            self._pin(row, token)
        except OAuthError as failure:
            log.warning("account_not_pinned", error=type(failure).__name__)
        except Exception as error:  # noqa: BLE001 - the thread must outlive whatever the storage raises
            log.error("account_not_pinned", error=type(error).__name__)  # noqa: TRY400 - a traceback shows too much

    def _pin(self, row: StoredConnection, access_token: str) -> None:
        self._asked_at = self._clock()
        account = self._account_of(access_token)
        if not account.account_id:
            log.warning("account_not_pinned", error="no account")
            return
        pinned = self._storage.pin_account(
            epoch=row.epoch,
            account_id=account.account_id,
            account_name=account.name,
            account_user=account.user,
        )
        if pinned:
            log.info("account_pinned")
            self._audit("account_pinned", f"The account is “{account.name}”.")

    def _due(self) -> bool:
        return self._asked_at is None or not 0 <= self._clock() - self._asked_at < _AGAIN_MS
