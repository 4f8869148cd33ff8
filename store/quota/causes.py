"""Causes for which the vendor refuses all deliveries with certain traits: those are put aside without calls.

A cause is a set of traits; a delivery that has all of them is put aside under it. One of these is sent as a
probe in growing gaps, and once the vendor takes it all of them are due again.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace

from store.quota.traits import LIST, digest, kind_and_name

FIRST_PROBE_MS = 60_000
LONGEST_GAP_MS = 1_800_000
# Causes that hold rows up at a time; the oldest one is lifted when a further one is found.
MOST = 50


@dataclass(frozen=True)
class Cause:
    """One cause; times are epoch ms.

    `sentence` describes the cause to an admin. A probe goes out at `probe_at`, the next one `gap_ms` later;
    `before` is the delivery that was the last probe. A `lifted` cause holds no row up any more: its rows are
    made due.
    """

    traits: tuple[str, ...]
    sentence: str
    since: int
    probe_at: int
    gap_ms: int = FIRST_PROBE_MS
    before: int | None = None
    lifted: bool = False

    @classmethod
    def of(cls, traits: Iterable[str], sentence: str, now: int) -> "Cause":
        """Return a cause found at `now` (epoch ms)."""
        return cls(tuple(sorted(traits)), sentence, now, now + FIRST_PROBE_MS)

    @property
    def id(self) -> str:
        """An id that is the same for the same traits."""
        return digest("\n".join(self.traits))

    def due(self, now: int) -> bool:
        """Return whether a probe is due at `now`, or the clock was set back since `probe_at` was chosen."""
        return self.probe_at <= now or self.probe_at > now + 2 * LONGEST_GAP_MS

    def probed(self, delivery_id: int, now: int) -> "Cause":
        """Return the cause after a probe at `now`: the next one comes later, and is another row."""
        gap = min(LONGEST_GAP_MS, self.gap_ms * 2)
        return replace(self, probe_at=now + self.gap_ms, gap_ms=gap, before=delivery_id)


@dataclass(frozen=True)
class Causes:
    """The known causes by their ids; an immutable value, stored in the quota's row."""

    known: dict[str, Cause]

    @classmethod
    def parse(cls, text: str) -> "Causes":
        """Read the value of the quota row's column `causes`."""
        causes = (Cause(**{**each, "traits": tuple(each["traits"])}) for each in json.loads(text))
        return cls({cause.id: cause for cause in causes})

    def dump(self) -> str:
        """Return the value for the quota row's column `causes`."""
        documents = [asdict(cause) for cause in self.known.values()]
        return json.dumps(documents, ensure_ascii=False, separators=(",", ":"))

    def __bool__(self) -> bool:
        return bool(self.known)

    def __iter__(self) -> Iterator[Cause]:
        return iter(self.known.values())

    def with_one(self, cause: Cause) -> "Causes":
        """Return the causes with one added or changed; beyond MOST the oldest one is lifted."""
        known = {**self.known, cause.id: cause}
        if sum(not each.lifted for each in known.values()) > MOST:
            oldest = min((each for each in known.values() if not each.lifted), key=lambda each: each.since)
            known[oldest.id] = replace(oldest, lifted=True)
        return Causes(known)

    def without(self, cause_id: str) -> "Causes":
        """Return the causes without one."""
        return Causes({name: cause for name, cause in self.known.items() if name != cause_id})

    def of(self, traits: frozenset[str]) -> Cause | None:
        """Return the cause under which a delivery with these traits is put aside, None without one.

        A delivery leaves out a list that was deleted and goes to the others, so such a cause is only that of
        a delivery all of whose lists are gone.
        """
        active = [cause for cause in self.known.values() if not cause.lifted]
        if not active:
            return None
        gone_lists = {cause.traits[0]: cause for cause in active if _is_a_list(cause)}
        lists = [trait for trait in sorted(traits) if kind_and_name(trait)[0] == LIST]
        if lists and all(trait in gone_lists for trait in lists):
            return gone_lists[lists[0]]
        others = (cause for cause in active if not _is_a_list(cause))
        return next((cause for cause in others if traits.issuperset(cause.traits)), None)

    def after_success(self, traits: frozenset[str]) -> "Causes":
        """Return the causes after the vendor took a delivery with these traits: its own are lifted."""
        changed, cause = self, self.of(traits)
        while cause is not None:
            changed = changed.with_one(replace(cause, lifted=True))
            cause = changed.of(traits)
        return changed

    def all_lifted(self) -> "Causes":
        """Return every cause as lifted, for an admin who says to try again."""
        return Causes({name: replace(cause, lifted=True) for name, cause in self.known.items()})

    def next_probe_at(self) -> int | None:
        """Return when (epoch ms) the next probe is due; 0 while a lifted cause has rows to make due."""
        return min((0 if cause.lifted else cause.probe_at for cause in self.known.values()), default=None)


def _is_a_list(cause: Cause) -> bool:
    return len(cause.traits) == 1 and kind_and_name(cause.traits[0])[0] == LIST
