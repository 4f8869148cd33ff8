"""The account's lists: fetched seldom, kept in the store, served also while the vendor is away."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import structlog

from services.connection import ConnectionStatus
from services.constant_contact import ConstantContact, ConstantContactError, ContactList
from services.errors import ListsUnavailable
from services.permits import CallPermits
from store import Meta

log = structlog.get_logger(__name__)

META_KEY = "contact_lists"
FRESH_MS = 5 * 60_000
# In the background an hour is near enough, and costs 24 of the day's 10,000 calls.
KEEP_MS = 60 * 60_000
JUST_CONNECTED_MS = 10_000


@dataclass(frozen=True)
class ListsView:
    """The lists, when they were fetched (epoch ms), and whether newer ones could not be had."""

    lists: tuple[ContactList, ...]
    fetched_at: int
    stale: bool


class ListDirectory:
    """Knows the account's lists."""

    def __init__(
        self,
        *,
        vendor: ConstantContact,
        connection: ConnectionStatus,
        meta: Meta,
        permits: CallPermits,
        clock: Callable[[], int],
    ) -> None:
        """`clock` tells epoch milliseconds."""
        self._vendor = vendor
        self._connection = connection
        self._meta = meta
        self._permits = permits
        self._clock = clock

    def known(self) -> ListsView | None:
        """The lists as last fetched, without any call; None before the first time."""
        kept = self._meta.get(META_KEY)
        if kept is None:
            return None
        document = json.loads(kept)
        lists = tuple(ContactList(**entry) for entry in document["lists"])
        return ListsView(lists=lists, fetched_at=document["fetched_at"], stale=False)

    def known_within(self, milliseconds: int) -> ListsView | None:
        """The lists, if they were fetched within that time; no call is made."""
        known = self.known()
        return known if known and self._clock() - known.fetched_at < milliseconds else None

    def read(self, refresh: bool = False) -> ListsView:
        """The lists, at most five minutes old, or marked stale.

        Raises:
            ListsUnavailable: they were never fetched and cannot be now.
        """
        if not refresh and (fresh := self.known_within(FRESH_MS)):
            return fresh
        try:
            return self._fetch()
        except ConstantContactError as error:
            known = self.known()
            if known is None:
                raise ListsUnavailable(f"The lists are not known yet. {error.plain}") from error
            return ListsView(lists=known.lists, fetched_at=known.fetched_at, stale=True)

    def keep_fresh(self) -> None:
        """Fetch the lists before anybody asks, when they are over an hour old and a call can succeed."""
        if self.known_within(KEEP_MS) is None and self._connection.usable() and not self._just_connected():
            try:
                self._fetch()
            except ConstantContactError as error:
                log.warning("lists_not_fetched", error=type(error).__name__, error_key=error.key)

    def _just_connected(self) -> bool:
        # Connecting leads to the dashboard, which asks itself. Asked twice within the second that also holds
        # the account's calls, the first sign-up would have to wait for the next.
        connected_at = self._connection.read().connected_at
        return connected_at is not None and self._clock() - connected_at < JUST_CONNECTED_MS

    def _fetch(self) -> ListsView:
        now = self._clock()
        lists: list[ContactList] = []
        page: str | None = None
        while True:
            self._permits.take()
            answer = self._vendor.contact_lists(page)
            lists += answer.lists
            page = answer.next
            if page is None:
                break
        self._meta.put(META_KEY, json.dumps({"fetched_at": now, "lists": [asdict(entry) for entry in lists]}))
        return ListsView(lists=tuple(lists), fetched_at=now, stale=False)
