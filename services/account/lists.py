"""The account's lists, and which of those that sign-ups name are gone."""

import json
from collections.abc import Callable, Iterable

from pydantic import TypeAdapter

from services.account.cache import AccountCache, Cached, Collection
from services.connection.status import ConnectionStatus
from services.constant_contact.client import ConstantContact, ContactList
from services.constant_contact.errors import ConstantContactError
from services.constant_contact.quota import CallQuota
from services.errors import ListsUnavailable
from store.engine.clock import Clock
from store.key_value import KeyValue

LISTS = Collection(
    "lists",
    "contact_lists",
    TypeAdapter(tuple[ContactList, ...]),
    lambda entry: (entry.list_id, entry.name),
)
# Lists that a sign-up was refused for because the account does not have them: JSON, id to last known name.
GONE_KEY = "lists_gone"
GONE_KNOWN_MS = 5_000


KnownLists = Cached[ContactList]


class ListCache(AccountCache[ContactList]):
    """The account's lists, and those that sign-ups were refused for because they are gone."""

    def __init__(
        self,
        *,
        vendor: ConstantContact,
        connection: ConnectionStatus,
        meta: KeyValue,
        permits: CallQuota,
        clock: Clock,
    ) -> None:
        """Nothing is fetched yet."""
        super().__init__(
            LISTS, vendor.contact_lists, connection=connection, meta=meta, permits=permits, clock=clock
        )
        self._gone: tuple[int, dict[str, str | None]] | None = None

    def read(self, refresh: bool = False) -> KnownLists:
        """Return the lists, at most five minutes old, or marked stale.

        Raises:
            ListsUnavailable: They were never fetched and cannot be now.
        """
        try:
            return super().read(refresh)
        except ConstantContactError as error:
            raise ListsUnavailable(f"The lists are not known yet. {error.reason}") from error

    def gone(self) -> dict[str, str | None]:
        """Return the lists that are gone: their last known names by their ids, None where never known.

        The answer is at most five seconds old, since each delivery asks.
        """
        now = self.clock()
        if self._gone is None or not 0 <= now - self._gone[0] < GONE_KNOWN_MS:
            self._gone = (now, self._gone_now())
        return self._gone[1]

    def _gone_now(self) -> dict[str, str | None]:
        kept = self.meta.get(GONE_KEY)
        gone: dict[str, str | None] = json.loads(kept) if kept else {}
        known = self.known() if gone else None
        there = {entry.list_id for entry in known.entries} if known else set()
        return {list_id: name for list_id, name in gone.items() if list_id not in there}

    def missing(
        self, wanted: Iterable[str], reserve: Callable[[], object], *, fetched_within: int
    ) -> dict[str, str | None]:
        """Return which of `wanted` the account does not have, after a refusal; note that they are gone.

        A list that exists again is noted as not gone. The lists are fetched unless that was done within
        `fetched_within` ms; `reserve` reserves each call.

        Raises:
            ConstantContactError: The lists cannot be fetched.
        """
        known = self.known_within(fetched_within) or self.fetch(reserve)
        there = {entry.list_id for entry in known.entries}
        names = self.names_lost()
        before = self.gone()
        gone = {list_id: name for list_id, name in before.items() if list_id not in there}
        missing = {list_id: names.get(list_id) for list_id in wanted if list_id not in there}
        gone |= missing
        if gone != before:
            self.meta.put(GONE_KEY, json.dumps(gone))
            self._gone = None
        return missing

    def names(self) -> dict[str, str]:
        """Return the name of each list by its id, those that are gone included."""
        known = self.known()
        there = {entry.list_id: entry.name for entry in known.entries} if known else {}
        return self.names_lost() | there
