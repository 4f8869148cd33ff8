"""Cache of the account's lists, custom fields or tags.

Each is fetched anew every hour, kept in the store, and served stale while Constant Contact is unreachable.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog
from pydantic import TypeAdapter

from services.connection.status import ConnectionStatus
from services.constant_contact.catalog import Page
from services.constant_contact.errors import ConstantContactError
from services.constant_contact.paging import Pages
from services.constant_contact.quota import CallQuota
from store.engine.clock import Clock
from store.key_value import KeyValue

log = structlog.get_logger(__name__)

FRESH_MS = 5 * 60_000
# What the background keeps; it costs 24 of the day's 10,000 calls for each collection.
KEEP_MS = 60 * 60_000
JUST_CONNECTED_MS = 10_000
FIRST_PAUSE_MS = 20_000
LOST_KEPT = 1_000

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Collection(Generic[Entry]):
    """What is cached: `name` is its name in log events, `meta_key` the key it is stored under.

    `named` returns an entry's id and the name by which people know it.
    """

    name: str
    meta_key: str
    entries: TypeAdapter[tuple[Entry, ...]]
    named: Callable[[Entry], tuple[str, str]]


@dataclass(frozen=True)
class Cached(Generic[Entry]):
    """The entries and when they were fetched (epoch ms); `stale` if a newer fetch just failed."""

    entries: tuple[Entry, ...]
    fetched_at: int
    stale: bool = False


@dataclass
class AccountCache(Generic[Entry]):
    """All entries of one collection.

    `fetch_page` calls the vendor for the page at a link, for the first page where that is None.
    """

    collection: Collection[Entry]
    fetch_page: Callable[[str | None], Page[Entry]]
    connection: ConnectionStatus
    meta: KeyValue
    permits: CallQuota
    clock: Clock
    _failures: int = field(default=0, init=False)
    _again_at: int = field(default=0, init=False)

    def known(self) -> Cached[Entry] | None:
        """Return the entries as last fetched, without a call; None before the first fetch."""
        kept = self.meta.get(self.collection.meta_key)
        if kept is None:
            return None
        document = json.loads(kept)
        entries = self.collection.entries.validate_python(document[self.collection.name])
        return Cached(entries, document["fetched_at"])

    def known_within(self, milliseconds: int) -> Cached[Entry] | None:
        """Return the entries if they were fetched within that time; no call is made."""
        known = self.known()
        return known if known and self.clock() - known.fetched_at < milliseconds else None

    def read(self, refresh: bool = False) -> Cached[Entry]:
        """Return the entries, at most five minutes old, or marked stale.

        Raises:
            ConstantContactError: They were never fetched and cannot be now.
        """
        if not refresh and (fresh := self.known_within(FRESH_MS)):
            return fresh
        try:
            return self.fetch()
        except ConstantContactError:
            known = self.known()
            if known is None:
                raise
            return Cached(known.entries, known.fetched_at, stale=True)

    def keep_fresh(self) -> bool:
        """Fetch the entries if they are over an hour old and a call can succeed.

        Returns:
            Whether the vendor was called.
        """
        if self.known_within(KEEP_MS) or not self.connection.usable() or self._just_connected():
            return False
        now = self.clock()
        if now < self._again_at <= now + KEEP_MS:
            return False
        try:
            self.fetch()
        except ConstantContactError as error:
            # Each try may cost a call for each page, so the pause between tries doubles up to an hour.
            self._again_at = now + min(KEEP_MS, FIRST_PAUSE_MS << min(self._failures, 10))
            self._failures += 1
            log.warning(
                f"{self.collection.name}_not_fetched",
                error=type(error).__name__,
                error_key=error.key,
                reason=error.reason,
            )
        return True

    def fetch(self, reserve: Callable[[], object] | None = None) -> Cached[Entry]:
        """Fetch the entries now. `reserve` reserves each call; without it the quota does.

        Raises:
            ConstantContactError: A page cannot be fetched.
        """
        now = self.clock()
        entries: list[Entry] = []
        page: str | None = None
        pages = Pages()
        while True:
            (reserve or self.permits.reserve)()
            answer = self.fetch_page(page)
            entries += answer.entries
            page = pages.follow(answer.next)
            if page is None:
                break
        self._failures = 0
        return self._keep(tuple(entries), now)

    def add(self, entry: Entry) -> None:
        """Add an entry that was made at the vendor just now."""
        if known := self.known():
            self._keep((*known.entries, entry), known.fetched_at)

    def names_lost(self) -> dict[str, str]:
        """Return the names of entries that the account once had and has no longer, by their ids."""
        kept = self.meta.get(self._lost_key)
        return json.loads(kept) if kept else {}

    @property
    def _lost_key(self) -> str:
        return f"{self.collection.meta_key}_lost"

    def _remember_lost(self, entries: tuple[Entry, ...]) -> None:
        before = self.known()
        had = dict(map(self.collection.named, before.entries)) if before else {}
        has = dict(map(self.collection.named, entries))
        known = self.names_lost()
        lost = {entry_id: name for entry_id, name in {**known, **had}.items() if entry_id not in has}
        if lost != known:
            # Only the newest are kept: an account may make and delete a list every day.
            self.meta.put(self._lost_key, json.dumps(dict(list(lost.items())[-LOST_KEPT:])))

    def _just_connected(self) -> bool:
        # After connecting, the dashboard fetches the lists itself. A second fetch within that second, which
        # holds the calls for the account as well, would make the first sign-up wait.
        connected_at = self.connection.read().connected_at
        return connected_at is not None and self.clock() - connected_at < JUST_CONNECTED_MS

    def _keep(self, entries: tuple[Entry, ...], fetched_at: int) -> Cached[Entry]:
        self._remember_lost(entries)
        documents: list[Any] = self.collection.entries.dump_python(entries, mode="json")
        self.meta.put(
            self.collection.meta_key, json.dumps({"fetched_at": fetched_at, self.collection.name: documents})
        )
        return Cached(entries, fetched_at)
