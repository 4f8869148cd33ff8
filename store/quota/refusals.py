"""The latest refusals, and what the next call should find out: does the vendor refuse those rows, or all?

The refusal of one sign-up says little about the others. So after a refusal the next call is a control: the
delivery that shares the fewest traits with the refused ones. If the vendor takes the control, the traits that
it shares with them are cleared of suspicion, and calls go on with other rows, while the oldest rows get every
second, fourth, … thirty-second call. Traits that five refused contacts share, and no contact that was taken,
are the cause.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from store.quota.traits import digest

# So many different contacts, refused in the same words, have a cause in common.
SUSPICIOUS = 5
# The oldest rows get at least one call in so many.
SELDOMEST = 32
_REFUSALS_KEPT = 24
_CLEARED_TRAITS_KEPT = 400


@dataclass(frozen=True)
class Refused:
    """One refusal: the contact (a hash), the delivery, its traits, and a key of the vendor's words.

    `control`: the delivery had been chosen for sharing few traits with those that were refused before.
    """

    contact: str
    delivery_id: int
    alike: str
    traits: frozenset[str]
    control: bool = False

    @classmethod
    def of(cls, contact_key: str, delivery_id: int, alike: str, traits: Iterable[str]) -> "Refused":
        """Make a refusal; `alike` is the same for refusals in the same words.

        The address is hashed: erasing a person does not look into the quota's row.
        """
        return cls(digest(contact_key), delivery_id, alike, frozenset(traits))


@dataclass(frozen=True)
class Common:
    """Traits that five or more refused contacts share and no taken one has; with the deliveries."""

    traits: frozenset[str]
    delivery_ids: tuple[int, ...]
    alike: str = ""


@dataclass(frozen=True)
class Refusals:
    """The latest refusals, oldest first; an immutable value, stored in the quota's row, empty without any.

    `run` is how many of them, counted from the end, came since the last success. `cleared` are traits of
    deliveries that were taken. The next `elsewhere` calls go to other rows than the oldest; `spacing` is what
    `elsewhere` becomes after the next refusal among the oldest. While all calls pause because the refused
    rows share no trait that others lack, `waits` is the begin and end of that pause (epoch ms), and a sign-up
    that came in since its begin is tried at `newcomer_at`.
    """

    refused: tuple[Refused, ...] = ()
    run: int = 0
    cleared: frozenset[str] = frozenset()
    elsewhere: int = 0
    spacing: int = 0
    waits: tuple[int, int] | None = None
    newcomer_at: int = 0

    @classmethod
    def parse(cls, text: str) -> "Refusals":
        """Read the value of the quota row's column `refusals`; that of an earlier release counts as empty."""
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
        """Return the value for the quota row's column `refusals`."""
        if self == Refusals():
            return "{}"
        refused = [
            [each.contact, each.delivery_id, each.alike, sorted(each.traits), each.control]
            for each in self.refused
        ]
        document = vars(self) | {"refused": refused, "cleared": sorted(self.cleared)}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))

    def with_one(self, new: Refused, *, control: bool) -> "Refusals":
        """Return the value after one more refusal; `control`: the call was a control."""
        others = tuple(each for each in self.refused if each.contact != new.contact)
        run = sum(each.contact != new.contact for each in self._run())
        spacing = self.spacing if control else min(SELDOMEST, self.spacing * 2)
        return replace(
            self,
            refused=(*others, replace(new, control=control))[-_REFUSALS_KEPT:],
            run=min(_REFUSALS_KEPT, run + 1),
            spacing=max(1, spacing),
            elsewhere=max(1, self.elsewhere if control else spacing),
        )

    def after_success(self, traits: Iterable[str], *, control: bool) -> "Refusals":
        """Return the value after a delivery with these traits; empty once the oldest rows are taken again."""
        if not self.refused:
            return Refusals()
        spacing = self.spacing if control else self.spacing // 2
        if not control and spacing == 0:
            return Refusals()
        cleared = self.cleared | frozenset(traits)
        return replace(
            self,
            run=0,
            cleared=cleared if len(cleared) <= _CLEARED_TRAITS_KEPT else self.cleared,
            spacing=spacing,
            elsewhere=self.elsewhere if control else spacing,
            waits=None,
        )

    def waiting(self, since: int, until: int) -> "Refusals":
        """Return the value for a pause of all calls until `until`, begun at `since` if new (epoch ms)."""
        began = self.waits[0] if self.waits else since
        return replace(self, waits=(began, until))

    def alike(self, alike: str) -> tuple[Refused, ...]:
        """Return the refusals in these words since the last success, each of another contact."""
        return tuple(each for each in self._run() if each.alike == alike)

    def shared(self, traits: frozenset[str]) -> int:
        """Return how often the refused deliveries have one of these traits that is not cleared."""
        doubtful = traits - self.cleared
        return sum(len(doubtful & each.traits) for each in self.refused)

    def common(self) -> Common | None:
        """Return the traits to put aside, None as long as no delivery without them was taken."""
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

    def without(self, delivery_ids: Iterable[int]) -> "Refusals":
        """Return the value without the refusals of these deliveries, whose cause is known now."""
        gone = frozenset(delivery_ids)
        kept = tuple(each for each in self.refused if each.delivery_id not in gone)
        if not kept:
            return Refusals()
        return replace(self, refused=kept, run=min(self.run, len(kept)), spacing=1, elsewhere=0)

    def _run(self) -> tuple[Refused, ...]:
        return self.refused[-self.run :] if self.run else ()
