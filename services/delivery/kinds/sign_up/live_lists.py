"""Lists that the account no longer has: left out of a sign-up, which is delivered to the others."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from services.account.lists import ListCache
from services.delivery.errors import ListGone
from services.delivery.payload import ContactChange
from store.quota.traits import LIST

# Many sign-ups for one lost list must not each ask the vendor for all lists.
JUST_FETCHED_MS = 60_000


class LiveLists:
    """Leaves the lists that the account no longer has out of a change."""

    def __init__(self, lists: ListCache) -> None:
        self._lists = lists

    def without_gone(self, change: ContactChange) -> ContactChange:
        """Return the change without the lists that are known to be gone.

        Raises:
            ListGone: none is left.
        """
        gone = self._lists.gone()
        left = tuple(list_id for list_id in change.list_ids if list_id not in gone)
        if len(left) == len(change.list_ids):
            return change
        if not left:
            raise ListGone(gone_sentence(change.list_ids, gone), f"{LIST}:{change.list_ids[0]}")
        return replace(change, list_ids=left)

    def without_missing(self, change: ContactChange, reserve: Callable[[], object]) -> ContactChange:
        """Return the same after the account's lists were looked up, unless that was just done.

        `reserve` is called before each call.

        Raises:
            ListGone: none is left.
            ConstantContactError: a call failed.
        """
        self._lists.missing(change.list_ids, reserve, fetched_within=JUST_FETCHED_MS)
        return self.without_gone(change)

    def with_restored(self, change: ContactChange, reserve: Callable[[], object]) -> ContactChange:
        """Return the same, after a look whether those of its lists exist again that were gone.

        Raises:
            ListGone: none is left.
            ConstantContactError: a call failed.
        """
        if not self._lists.gone().keys().isdisjoint(change.list_ids):
            self._lists.missing(change.list_ids, reserve, fetched_within=0)
        return self.without_gone(change)

    def left_out(self, wanted: Iterable[str]) -> str | None:
        """Return a sentence about the lists that were left out of a delivered sign-up, None for none."""
        gone = self._lists.gone()
        missing = [list_id for list_id in wanted if list_id in gone]
        if not missing:
            return None
        return f"It was delivered without a list. {gone_sentence(missing, gone)}"


def gone_sentence(list_ids: Iterable[str], names: dict[str, str | None]) -> str:
    """Return which lists are gone, by the names they had, and how to send their sign-ups to another."""
    sentences = []
    for list_id in list_ids:
        name = names.get(list_id)
        sentences.append(
            f"The list '{name}' no longer exists at Constant Contact."
            if name
            else f"The list {list_id} does not exist at Constant Contact."
        )
    first = next(iter(list_ids))
    cure = (
        "Choose another on the form, and send what waits to it with"
        f" `flask signups retry --list {first}=NEW-ID` or under Sign-ups at /admin/signups/."
    )
    return " ".join([*sentences, cure])
