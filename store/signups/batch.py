"""Sign-ups that arrive together: count them, suspect some and store all, in one transaction.

A sign-up over a rate limit, or with a proof that was used before, is suspected. No row makes another fail,
and a flood makes no transaction fail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from store.engine import documents
from store.engine.copies import Entry
from store.engine.statements import insert_together, prune
from store.schema.access import spent_tokens
from store.schema.outbox import deliveries
from store.schema.signups import rates, signups, suspected_signups
from store.signups import idempotency
from store.signups.idempotency import IdempotencyKey
from store.signups.rate_limits import Counted, Flood, Limit, count
from store.signups.suspected_room import CEILING, Room
from store.throttles import spend

# Each sign-up adds at most three rows of its own to `rates`, and pruning removes a hundred.
PRUNE_EVERY = 30
# How likely a suspected sign-up is a person's, which is also the order of the list. PROVEN solved a captcha
# or was sent with an API key: only a person deletes it. UNSURE may be a person's, JUNK is a program's.
PROVEN, UNSURE, JUNK = range(3)
_OF_BOTH = ("received_at", "contact_key")

Row = dict[str, Any]


@dataclass(frozen=True)
class OneTimeUse:
    """Something that counts for one sign-up; `rule` is what a second one breaks, `expires_at` is epoch ms."""

    rule: str
    token_hash: str
    expires_at: int


@dataclass(frozen=True)
class Judgement:
    """What the spam checks say of a sign-up, by default nothing.

    Args:
        broken: the rules that it breaks already.
        limits: the rate limits that it counts for.
        once: what must not count for another sign-up.
        rank: how likely it is a person's, where it is kept apart.
        due_at: when (epoch ms) its delivery is due, None for at once.
        found_out: it gave itself away as a program's. Its sender is not to learn a limit, and gets the answer
            of a sign-up that is kept, although of a flood of these not all are.
    """

    broken: tuple[str, ...] = ()
    limits: Sequence[Limit] = ()
    once: OneTimeUse | None = None
    rank: int = UNSURE
    due_at: int | None = None
    found_out: bool = False


NOTHING_FOUND = Judgement()


@dataclass
class Arrival:
    """A sign-up to be stored; `broken` are the rules it breaks, `rank` is for a suspected one.

    The outcome: the `reasons` for which it is suspected; `flood`, the limits that it is far over, so that it
    is not stored; `dropped`: suspected, and not stored for want of room; on SQLite the id (`number`) of its
    delivery.
    """

    signup: Row
    delivery: Row
    key: IdempotencyKey | None = None
    limits: Sequence[Limit] = ()
    once: OneTimeUse | None = None
    broken: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    flood: tuple[Flood, ...] = ()
    dropped: bool = False
    number: int = 0
    rank: int = UNSURE

    @property
    def stored(self) -> bool:
        """Return whether it has a row."""
        return not self.flood and not self.dropped

    def outcome(self, counted: Counted) -> None:
        """Set the outcome of the rate limits."""
        self.flood, self.reasons = counted.flood, (*self.broken, *counted.over)


class Arrivals:
    """Stores sign-ups in the transaction that is given."""

    def __init__(self, room: Room | None = None) -> None:
        """`room` decides which suspected ones are kept; by default the usual ceiling."""
        self._room = room or Room(CEILING, ample=lambda: True)
        self._since_pruned = 0

    def store(self, connection: Connection, batch: Sequence[Arrival]) -> None:
        """Count each, store those that are not part of a flood, and set the outcome of each.

        Raises:
            KeyTaken: one has an Idempotency-Key that another sign-up has; the transaction must not commit.
        """
        now = max(arrival.signup["received_at"] for arrival in batch)
        counted = count(connection, [arrival.limits for arrival in batch], now=now)
        for arrival, found in zip(batch, counted, strict=True):
            arrival.outcome(found)
        stored = [arrival for arrival in batch if not arrival.flood]
        keys = [(arrival.key, arrival.signup["id"]) for arrival in stored if arrival.key]
        for key, signup_id in keys:
            # KeyTaken fails the transaction; the group commit then stores one by one.
            idempotency.claim(connection, key, signup_id, now)
        for arrival in stored:
            if arrival.once and not spend(connection, arrival.once.token_hash, arrival.once.expires_at):
                arrival.reasons += (arrival.once.rule,)
                arrival.rank = max(arrival.rank, UNSURE)
        _insert_wanted(connection, [arrival for arrival in stored if not arrival.reasons])
        self._keep_apart(connection, [arrival for arrival in stored if arrival.reasons], now)
        self._prune(connection, batch, now)
        if keys:
            idempotency.forget_old(connection, now)

    def _keep_apart(self, connection: Connection, apart: Sequence[Arrival], now: int) -> None:
        if not apart:
            return
        rows = [suspect_row(each.signup, each.delivery, each.reasons, each.rank) for each in apart]
        sizes = [(row["bytes"], row["rank"] == PROVEN) for row in rows]
        kept = self._room.take(connection, sizes, now=now)
        for arrival, stays in zip(apart, kept, strict=True):
            arrival.dropped = not stays
            if arrival.dropped and arrival.key:
                # Sent again with a better proof it is a new sign-up, not a repeat.
                idempotency.give_back(connection, arrival.key)
        if any(kept):
            insert_together(
                connection, suspected_signups, [row for row, stays in zip(rows, kept, strict=True) if stays]
            )

    def _prune(self, connection: Connection, batch: Sequence[Arrival], now: int) -> None:
        """Remove expired counts; last in the transaction, see `prune`."""
        if any(arrival.once for arrival in batch):
            prune(connection, spent_tokens, now)
        self._since_pruned += sum(1 for arrival in batch if arrival.limits)
        if self._since_pruned >= PRUNE_EVERY:
            self._since_pruned = 0
            prune(connection, rates, now)


def copy_of(arrival: Arrival) -> Entry:
    """Return the second copy's entry for a stored sign-up; the delivery's id orders those of a contact."""
    signup = arrival.signup
    if arrival.reasons:
        suspect = suspect_row(signup, arrival.delivery, arrival.reasons, arrival.rank)
        return Entry(signup["id"], signup["received_at"], rows={"suspected_signups": suspect})
    delivery = {**arrival.delivery, "id": arrival.number}
    return Entry(signup["id"], signup["received_at"], rows={"signups": signup, "deliveries": delivery})


def suspect_row(
    signup: Mapping[str, Any], delivery: Mapping[str, Any], reasons: Sequence[str], rank: int
) -> Row:
    """Return the row of a suspected sign-up, with all that releasing it needs."""
    # Values that both rows have are stored once.
    own = {name: value for name, value in delivery.items() if name not in _OF_BOTH}
    document = documents.rows_written({"signup": signup, "delivery": own})
    return {
        "id": signup["id"],
        "received_at": signup["received_at"],
        "form_id": signup["form_id"],
        "rank": rank,
        "contact_key": signup["contact_key"],
        "reasons": documents.written(list(reasons)),
        "document": document,
        "bytes": len(document.encode()),
    }


def rows_kept(document: str) -> tuple[Row, Row]:
    """Return the rows of the sign-up and of its delivery from the document of `suspect_row`."""
    kept = documents.read(document)
    signup = documents.row_read(kept["signup"])
    return signup, {name: signup[name] for name in _OF_BOTH} | documents.row_read(kept["delivery"])


def _insert_wanted(connection: Connection, wanted: Sequence[Arrival]) -> None:
    if wanted:
        insert_together(connection, signups, [arrival.signup for arrival in wanted])
        last = insert_together(connection, deliveries, [arrival.delivery for arrival in wanted])
        for before, arrival in enumerate(reversed(wanted)):
            arrival.number = last - before
