"""Lists that the account no longer has: left out of a sign-up, which is delivered to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import ClassVar

from services.account.lists import ListCache
from services.constant_contact.errors import ConstantContactError, Remedy
from services.delivery.merge import Merged
from store.quota.traits import LIST

# Many sign-ups for one lost list must not each ask the vendor for all lists.
JUST_FETCHED_MS = 60_000


class ListGone(ConstantContactError):
    """The account has none of the lists that the sign-up is for."""

    remedy: ClassVar[Remedy] = Remedy.PARK
    plain: ClassVar[str] = "The list no longer exists at Constant Contact."

    def __init__(self, list_id: str, sentence: str) -> None:
        """`list_id` is the first of the lists; `sentence` names them all."""
        super().__init__()
        self.shared = f"{LIST}:{list_id}"
        self._sentence = sentence

    @property
    def reason(self) -> str:
        """The sentence."""
        return self._sentence


class LiveLists:
    """Tells the lists of a sign-up apart: those that are there, and those that are gone."""

    def __init__(self, lists: ListCache) -> None:
        self._lists = lists

    def kept(self, merged: Merged) -> Merged:
        """The wish without the lists of which it is known that they are gone.

        Raises:
            ListGone: none is left.
        """
        wanted = merged.body["list_memberships"]
        gone = self._lists.gone()
        left = [list_id for list_id in wanted if list_id not in gone]
        if len(left) == len(wanted):
            return merged
        if not left:
            raise ListGone(wanted[0], gone_sentence(wanted, gone))
        return replace(merged, body={**merged.body, "list_memberships": left})

    def kept_anew(self, merged: Merged, book: Callable[[], object]) -> Merged:
        """The same after the account's lists were looked up at the vendor, unless that was just done.

        `book` comes before each call.

        Raises:
            ListGone: none is left.
            ConstantContactError: a call failed.
        """
        self._lists.missing(merged.body["list_memberships"], book, fetched_within=JUST_FETCHED_MS)
        return self.kept(merged)

    def kept_if_back(self, merged: Merged, book: Callable[[], object]) -> Merged:
        """The same, after a look whether those of its lists are there again that were gone.

        Raises:
            ListGone: none is left.
            ConstantContactError: a call failed.
        """
        if not self._lists.gone().keys().isdisjoint(merged.body["list_memberships"]):
            self._lists.missing(merged.body["list_memberships"], book, fetched_within=0)
        return self.kept(merged)

    def left_out(self, wanted: Iterable[str]) -> str | None:
        """What to tell a person of the lists that were left out of a delivered sign-up."""
        gone = self._lists.gone()
        missing = [list_id for list_id in wanted if list_id in gone]
        if not missing:
            return None
        return f"It was delivered without a list. {gone_sentence(missing, gone)}"


def gone_sentence(list_ids: Iterable[str], names: dict[str, str | None]) -> str:
    """Which lists are gone, by the names they had, and how to send their sign-ups to another."""
    told = []
    for list_id in list_ids:
        name = names.get(list_id)
        told.append(
            f"The list '{name}' no longer exists at Constant Contact."
            if name
            else f"The list {list_id} does not exist at Constant Contact."
        )
    first = next(iter(list_ids))
    cure = (
        "Choose another on the form, and send what waits to it with"
        f" `flask signups retry --list {first}=NEW-ID` or under Sign-ups at /admin/signups/."
    )
    return " ".join([*told, cure])
