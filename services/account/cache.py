"""What the account has of one kind: fetched seldom, kept in the store, known while the vendor is away."""

from __future__ import annotations

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
# In the background an hour is near enough, and costs 24 of the day's 10,000 calls for each kind.
KEEP_MS = 60 * 60_000
JUST_CONNECTED_MS = 10_000
FIRST_PAUSE_MS = 20_000
LOST_KEPT = 1_000

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Kind(Generic[Entry]):
    """Which entries: `name` is what they are called, in the log too, `meta_key` where they are kept."""

    name: str
    meta_key: str
    entries: TypeAdapter[tuple[Entry, ...]]
    # An entry's id and the name by which people know it.
    named: Callable[[Entry], tuple[str, str]]


@dataclass(frozen=True)
class Cached(Generic[Entry]):
    """The entries, when they were fetched (epoch ms), and whether newer ones could not be had."""

    entries: tuple[Entry, ...]
    fetched_at: int
    stale: bool = False


@dataclass
class AccountCache(Generic[Entry]):
    """Knows all entries of one kind; `fetch_page` calls the vendor for the page of that link."""

    kind: Kind[Entry]
    fetch_page: Callable[[str | None], Page[Entry]]
    connection: ConnectionStatus
    meta: KeyValue
    permits: CallQuota
    clock: Clock
    _failures: int = field(default=0, init=False)
    _again_at: int = field(default=0, init=False)

    def known(self) -> Cached[Entry] | None:
        """The entries as last fetched, without any call; None before the first time."""
        kept = self.meta.get(self.kind.meta_key)
        if kept is None:
            return None
        document = json.loads(kept)
        entries = self.kind.entries.validate_python(document[self.kind.name])
        return Cached(entries, document["fetched_at"])

    def known_within(self, milliseconds: int) -> Cached[Entry] | None:
        """The entries, if they were fetched within that time; no call is made."""
        known = self.known()
        return known if known and self.clock() - known.fetched_at < milliseconds else None

    def read(self, refresh: bool = False) -> Cached[Entry]:
        """The entries, at most five minutes old, or marked stale.

        Raises:
            ConstantContactError: they were never fetched and cannot be now.
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
        """Fetch them before anybody asks, when they are over an hour old and a call can succeed.

        Returns:
            Whether the vendor was asked.
        """
        if self.known_within(KEEP_MS) or not self.connection.usable() or self._just_connected():
            return False
        now = self.clock()
        if now < self._again_at <= now + KEEP_MS:
            return False
        try:
            self.fetch()
        except ConstantContactError as error:
            # Each try may cost many calls of the day, so they come ever more seldom: hourly in the end.
            self._again_at = now + min(KEEP_MS, FIRST_PAUSE_MS << min(self._failures, 10))
            self._failures += 1
            log.warning(
                f"{self.kind.name}_not_fetched",
                error=type(error).__name__,
                error_key=error.key,
                reason=error.reason,
            )
        return True

    def fetch(self, book: Callable[[], object] | None = None) -> Cached[Entry]:
        """Ask the vendor now; `book` comes before each call, else a permit is taken.

        Raises:
            ConstantContactError: they cannot be had.
        """
        now = self.clock()
        entries: list[Entry] = []
        page: str | None = None
        pages = Pages()
        while True:
            (book or self.permits.take)()
            answer = self.fetch_page(page)
            entries += answer.entries
            page = pages.follow(answer.next)
            if page is None:
                break
        self._failures = 0
        return self._keep(tuple(entries), now)

    def add(self, entry: Entry) -> None:
        """Know one more, which was made just now."""
        if known := self.known():
            self._keep((*known.entries, entry), known.fetched_at)

    def names_lost(self) -> dict[str, str]:
        """The names of entries that the account once had and has no longer, by their ids."""
        kept = self.meta.get(self._lost_key)
        return json.loads(kept) if kept else {}

    @property
    def _lost_key(self) -> str:
        return f"{self.kind.meta_key}_lost"

    def _remember_lost(self, entries: tuple[Entry, ...]) -> None:
        before = self.known()
        had = dict(map(self.kind.named, before.entries)) if before else {}
        has = dict(map(self.kind.named, entries))
        known = self.names_lost()
        lost = {entry_id: name for entry_id, name in {**known, **had}.items() if entry_id not in has}
        if lost != known:
            # The newest of them: an account that makes lists for each day loses as many.
            self.meta.put(self._lost_key, json.dumps(dict(list(lost.items())[-LOST_KEPT:])))

    def _just_connected(self) -> bool:
        # Connecting leads to the dashboard, which asks itself. Asked twice within the second that also holds
        # the account's calls, the first sign-up would have to wait for the next.
        connected_at = self.connection.read().connected_at
        return connected_at is not None and self.clock() - connected_at < JUST_CONNECTED_MS

    def _keep(self, entries: tuple[Entry, ...], fetched_at: int) -> Cached[Entry]:
        self._remember_lost(entries)
        documents: list[Any] = self.kind.entries.dump_python(entries, mode="json")
        self.meta.put(self.kind.meta_key, json.dumps({"fetched_at": fetched_at, self.kind.name: documents}))
        return Cached(entries, fetched_at)
