"""What whole kinds of sign-ups are refused for: their rows are put aside without a call each.

A cause is a set of traits; a row that has all of them is put aside under it. One of these is sent now and
then, in growing gaps, and once it is taken all go on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace

from store.quota.traits import LIST, digest, kind_and_name

FIRST_PROBE_MS = 60_000
LONGEST_GAP_MS = 1_800_000
# More at a time would be no kinds any more.
MOST = 50


@dataclass(frozen=True)
class Cause:
    """One cause; times are epoch ms.

    `sentence` says it to a person. A probe goes out at `probe_at`, the next one `gap_ms` later; `before` is
    the delivery that was the last probe. A `lifted` cause holds nobody up any more: its rows are made due.
    """

    traits: tuple[str, ...]
    sentence: str
    since: int
    probe_at: int
    gap_ms: int = FIRST_PROBE_MS
    before: int | None = None
    lifted: bool = False

    @classmethod
    def of(cls, traits: Iterable[str], sentence: str, now: int) -> Cause:
        """A cause found at `now` (epoch ms)."""
        return cls(tuple(sorted(traits)), sentence, now, now + FIRST_PROBE_MS)

    @property
    def id(self) -> str:
        """The same for the same traits."""
        return digest("\n".join(self.traits))

    def due(self, now: int) -> bool:
        """Whether a probe is due; also when the clock was set back since the time was chosen."""
        return self.probe_at <= now or self.probe_at > now + 2 * LONGEST_GAP_MS

    def probed(self, delivery_id: int, now: int) -> Cause:
        """With the next probe later, and by another row."""
        gap = min(LONGEST_GAP_MS, self.gap_ms * 2)
        return replace(self, probe_at=now + self.gap_ms, gap_ms=gap, before=delivery_id)


@dataclass(frozen=True)
class Causes:
    """The causes that are known, by their ids; a value that the budget's row keeps."""

    known: dict[str, Cause]

    @classmethod
    def parse(cls, text: str) -> Causes:
        """From the budget's row."""
        causes = (Cause(**{**each, "traits": tuple(each["traits"])}) for each in json.loads(text))
        return cls({cause.id: cause for cause in causes})

    def dump(self) -> str:
        """For the budget's row."""
        documents = [asdict(cause) for cause in self.known.values()]
        return json.dumps(documents, ensure_ascii=False, separators=(",", ":"))

    def __bool__(self) -> bool:
        return bool(self.known)

    def __iter__(self) -> Iterator[Cause]:
        return iter(self.known.values())

    def with_one(self, cause: Cause) -> Causes:
        """With one more, or one changed; beyond MOST the oldest one is lifted."""
        known = {**self.known, cause.id: cause}
        if sum(not each.lifted for each in known.values()) > MOST:
            oldest = min((each for each in known.values() if not each.lifted), key=lambda each: each.since)
            known[oldest.id] = replace(oldest, lifted=True)
        return Causes(known)

    def without(self, cause_id: str) -> Causes:
        """Without one."""
        return Causes({name: cause for name, cause in self.known.items() if name != cause_id})

    def of(self, traits: frozenset[str]) -> Cause | None:
        """The cause for which a row with these traits is put aside.

        A list that is gone is left out of a sign-up for others too, so only a row with no other list has it.
        """
        standing = [cause for cause in self.known.values() if not cause.lifted]
        if not standing:
            return None
        gone = {cause.traits[0]: cause for cause in standing if _is_a_list(cause)}
        lists = [trait for trait in sorted(traits) if kind_and_name(trait)[0] == LIST]
        if lists and all(trait in gone for trait in lists):
            return gone[lists[0]]
        others = (cause for cause in standing if not _is_a_list(cause))
        return next((cause for cause in others if traits.issuperset(cause.traits)), None)

    def after_success(self, traits: frozenset[str]) -> Causes:
        """After a row with these traits was taken: what it would have been put aside for is none."""
        changed, cause = self, self.of(traits)
        while cause is not None:
            changed = changed.with_one(replace(cause, lifted=True))
            cause = changed.of(traits)
        return changed

    def all_lifted(self) -> Causes:
        """With every one lifted, when a person says to try again."""
        return Causes({name: replace(cause, lifted=True) for name, cause in self.known.items()})

    def next_probe_at(self) -> int | None:
        """When (epoch ms) there is something to do for a cause."""
        return min((0 if cause.lifted else cause.probe_at for cause in self.known.values()), default=None)


def _is_a_list(cause: Cause) -> bool:
    return len(cause.traits) == 1 and kind_and_name(cause.traits[0])[0] == LIST
