"""What was refused of late, and what the next call should find out: is it those rows, or everybody?

The vendor's word on one sign-up says little about the others. So after a refusal the next call is a control,
a row that shares as little as possible with the refused ones. It succeeds: what it has in common with them is
cleared, and calls go on elsewhere, while the oldest rows get every second, fourth, … thirty-second call. What
five refused contacts have in common, and nobody who was taken, is their cause.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from store.quota.traits import digest

# As many different contacts refused in the same words are not each one's own fault.
SUSPICIOUS = 5
SELDOMEST = 32
_KEPT = 24
_CLEARED_KEPT = 400


@dataclass(frozen=True)
class Refused:
    """One refusal: of which contact (a hash) and delivery, in which words, and the delivery's traits.

    `control`: the delivery had been chosen for being unlike those that were refused before.
    """

    contact: str
    delivery_id: int
    alike: str
    traits: frozenset[str]
    control: bool = False

    @classmethod
    def of(cls, contact_key: str, delivery_id: int, alike: str, traits: Iterable[str]) -> Refused:
        """`alike` is the same for refusals in the same words.

        Addresses do not belong into this row: nobody who erases a person would look here.
        """
        return cls(digest(contact_key), delivery_id, alike, frozenset(traits))


@dataclass(frozen=True)
class Common:
    """What five or more refused contacts share, and nobody who was taken since; and their deliveries."""

    traits: frozenset[str]
    delivery_ids: tuple[int, ...]
    alike: str = ""


@dataclass(frozen=True)
class Refusals:
    """The refusals of late, oldest first; a value that the budget's row keeps, empty while all is well.

    `run` counts from the end those that came since the last success. `elsewhere` calls go to other rows than
    the oldest, `spacing` is how many after the next refusal among the oldest. While all wait because the
    refused have nothing to be told apart by, `waits` says from when until when (epoch ms), and a sign-up that
    came since is tried at `newcomer_at`.
    """

    refused: tuple[Refused, ...] = ()
    run: int = 0
    cleared: frozenset[str] = frozenset()
    elsewhere: int = 0
    spacing: int = 0
    waits: tuple[int, int] | None = None
    newcomer_at: int = 0

    @classmethod
    def parse(cls, text: str) -> Refusals:
        """From the budget's row; what an earlier release wrote there counts as nothing."""
        document = json.loads(text)
        if "cleared" not in document:
            return cls()
        refused = tuple(
            Refused(each[0], each[1], each[2], frozenset(each[3]), each[4])
            for each in document.pop("refused")
        )
        waits = document.pop("waits")
        cleared = frozenset(document.pop("cleared"))
        return cls(refused=refused, cleared=cleared, waits=tuple(waits) if waits else None, **document)

    def dump(self) -> str:
        """For the budget's row."""
        if self == Refusals():
            return "{}"
        refused = [
            [each.contact, each.delivery_id, each.alike, sorted(each.traits), each.control]
            for each in self.refused
        ]
        document = {
            "refused": refused,
            "run": self.run,
            "cleared": sorted(self.cleared),
            "elsewhere": self.elsewhere,
            "spacing": self.spacing,
            "waits": self.waits,
            "newcomer_at": self.newcomer_at,
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))

    def with_one(self, new: Refused, *, control: bool) -> Refusals:
        """After one more refusal; `control` tells that the call went to a row of this object's choosing."""
        others = tuple(each for each in self.refused if each.contact != new.contact)
        run = sum(each.contact != new.contact for each in self._run())
        spacing = self.spacing if control else min(SELDOMEST, self.spacing * 2)
        return replace(
            self,
            refused=(*others, replace(new, control=control))[-_KEPT:],
            run=min(_KEPT, run + 1),
            spacing=max(1, spacing),
            elsewhere=max(1, self.elsewhere if control else spacing),
        )

    def after_success(self, traits: Iterable[str], *, control: bool) -> Refusals:
        """After a delivery with these traits; once the oldest rows are taken again, all is forgotten."""
        if not self.refused:
            return Refusals()
        spacing = self.spacing if control else self.spacing // 2
        if not control and spacing == 0:
            return Refusals()
        cleared = self.cleared | frozenset(traits)
        return replace(
            self,
            run=0,
            cleared=cleared if len(cleared) <= _CLEARED_KEPT else self.cleared,
            spacing=spacing,
            elsewhere=self.elsewhere if control else spacing,
            waits=None,
        )

    def waiting(self, since: int, until: int) -> Refusals:
        """While all wait from `since` until then (epoch ms); who comes in may be tried meanwhile."""
        began = self.waits[0] if self.waits else since
        return replace(self, waits=(began, until))

    def alike(self, alike: str) -> tuple[Refused, ...]:
        """The refusals in these words since the last success, each of another contact."""
        return tuple(each for each in self._run() if each.alike == alike)

    def shared(self, traits: frozenset[str]) -> int:
        """How much a row with these traits has in common with the refused, and with nobody who was taken."""
        doubtful = traits - self.cleared
        return sum(len(doubtful & each.traits) for each in self.refused)

    def common(self) -> Common | None:
        """What to put aside, if anything: known only once somebody was taken who does not share it."""
        if not self.cleared:
            return None
        groups: dict[str, list[Refused]] = {}
        for each in self.refused:
            groups.setdefault(each.alike, []).append(each)
        for group in groups.values():
            counted = Counter(trait for each in group for trait in each.traits - self.cleared)
            most = max(counted.values(), default=0)
            if most < SUSPICIOUS:
                continue
            first = next(trait for trait in sorted(counted) if counted[trait] == most)
            sharing = [each for each in group if first in each.traits]
            traits = frozenset.intersection(*(each.traits for each in sharing)) - self.cleared
            return Common(traits, tuple(each.delivery_id for each in sharing), group[0].alike)
        return None

    def without(self, delivery_ids: Iterable[int]) -> Refusals:
        """Without those whose cause is known now."""
        gone = frozenset(delivery_ids)
        kept = tuple(each for each in self.refused if each.delivery_id not in gone)
        if not kept:
            return Refusals()
        return replace(self, refused=kept, run=min(self.run, len(kept)), spacing=1, elsewhere=0)

    def _run(self) -> tuple[Refused, ...]:
        return self.refused[-self.run :] if self.run else ()
