"""The account's lists, as the web and the commands show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import TypeAdapter

from services.connection import ConnectionStatus
from services.constant_contact import ConstantContact, ConstantContactError, ContactList, Page
from services.directory import KEEP_MS, Directory, Kind, Known
from services.errors import ListsUnavailable
from services.permits import CallPermits
from store import Meta

__all__ = ["KEEP_MS", "ListDirectory", "ListsView"]

LISTS = Kind("lists", "contact_lists", TypeAdapter(tuple[ContactList, ...]))


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

        def fetch_page(page: str | None) -> Page[ContactList]:
            answer = vendor.contact_lists(page)
            return Page(answer.lists, answer.next)

        self._directory = Directory(
            LISTS, fetch_page, connection=connection, meta=meta, permits=permits, clock=clock
        )

    def known(self) -> ListsView | None:
        """The lists as last fetched, without any call; None before the first time."""
        known = self._directory.known()
        return _view(known) if known else None

    def known_within(self, milliseconds: int) -> ListsView | None:
        """The lists, if they were fetched within that time; no call is made."""
        known = self._directory.known_within(milliseconds)
        return _view(known) if known else None

    def read(self, refresh: bool = False) -> ListsView:
        """The lists, at most five minutes old, or marked stale.

        Raises:
            ListsUnavailable: they were never fetched and cannot be now.
        """
        try:
            return _view(self._directory.read(refresh))
        except ConstantContactError as error:
            raise ListsUnavailable(f"The lists are not known yet. {error.reason}") from error

    def keep_fresh(self) -> bool:
        """Fetch the lists before anybody asks; whether the vendor was asked."""
        return self._directory.keep_fresh()


def _view(known: Known[ContactList]) -> ListsView:
    return ListsView(lists=known.entries, fetched_at=known.fetched_at, stale=known.stale)
