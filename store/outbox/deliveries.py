"""The outbox: a row is one change wanted for one contact, claimed under a lease, finished by its fence."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Update, bindparam, func, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from store import opt_outs
from store.engine.copies import Entry
from store.engine.database import Database
from store.outbox import calls as attempts
from store.outbox import claims, payloads, put_aside
from store.outbox.selection import Selected, select_newcomer, select_next
from store.quota.causes import Cause, Causes
from store.quota.ledger import CAUSES_NOTED, REFUSALS_NOTED
from store.quota.refusals import Refusals
from store.quota.state import LOCK, PROBE_MS, READ, ROW, Wait, locked_quota
from store.quota.traits import traits_of
from store.schema import PARKED, UNFINISHED, budget, deliveries

# For a million rows. After it something is in the way, for which the others must not wait.
_READ_BACK_MS = 600_000
_LOOK_AGAIN_MS = 1_000


@dataclass(frozen=True)
class Carried:
    """A younger delivery of the same contact, which the same call may carry; `received_at` is epoch ms."""

    delivery_id: int
    payload: Mapping[str, Any]
    received_at: int
    source_id: str = ""


@dataclass(frozen=True)
class Claimed:
    """A delivery that is ours until its lease ends, with one call reserved for it; times are epoch ms.

    The call goes out at `starts_at`. `attempts` counts this one. `younger`, oldest first, wait for this
    delivery; name those that the call carried to `delivered`. A `probe` goes out after failures, and all
    other calls wait for its outcome. A `control` was chosen for being unlike what was refused; `probe_of` is
    the cause that others are put aside for, and that it tests.
    """

    delivery_id: int
    source: str
    source_id: str
    kind: str
    contact_key: str
    payload: Mapping[str, Any]
    received_at: int
    attempts: int
    fence: int
    attempt_id: int
    starts_at: int
    probe: bool
    alone: bool
    younger: tuple[Carried, ...]
    form_id: int | None = None
    control: bool = False
    probe_of: str | None = None

    @property
    def log_id(self) -> dict[str, str]:
        """What names it in the log."""
        return {f"{self.source}_id": self.source_id}

    @property
    def traits(self) -> frozenset[str]:
        """What it has in common with others."""
        return traits_of(
            self.payload,
            kind=self.kind,
            form_id=self.form_id,
            received_at=self.received_at,
            now=self.starts_at,
        )


@dataclass(frozen=True)
class Backlog:
    """What is not delivered: `pending` rows go on by themselves, `parked` ones need a person.

    Each is counted up to COUNTED_UP_TO, and is at least that many then.
    """

    pending: int
    oldest_received_at: int | None
    parked: int


@dataclass(frozen=True)
class OwnWait:
    """Deliveries that wait for a time of their own: how many, the first time (epoch ms), its last error."""

    count: int
    first_due_at: int
    last_error: str | None


# A probe asks every few seconds, and counting a million rows takes a third of a second.
COUNTED_UP_TO = 10_000

PENDING_UP_TO = select(func.count()).select_from(
    # Ordered for the sake of the plan, see `claims.ANY_WAITING`.
    select(deliveries.c.id)
    .where(UNFINISHED)
    .order_by(deliveries.c.received_at)
    .limit(bindparam("at_most"))
    .subquery()
)
_PARKED_UP_TO = select(func.count()).select_from(
    select(deliveries.c.id).where(PARKED).order_by(deliveries.c.id).limit(bindparam("at_most")).subquery()
)
BACKLOG = select(
    PENDING_UP_TO.scalar_subquery().label("pending"),
    select(func.min(deliveries.c.received_at))
    .where(UNFINISHED)
    .scalar_subquery()
    .label("oldest_received_at"),
    _PARKED_UP_TO.scalar_subquery().label("parked"),
)
WAITING_BEYOND = (
    select(deliveries.c.due_at, deliveries.c.last_error)
    .where(UNFINISHED, deliveries.c.due_at > bindparam("moment"), deliveries.c.state == "ready")
    .order_by(deliveries.c.due_at)
    .limit(1_000)
)
_OURS = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("ours"), deliveries.c.fence == bindparam("our_fence"))
    .where(deliveries.c.state == "sending")
)
_DELIVERED = _OURS.values(
    state="delivered",
    due_at=None,
    finished_at=bindparam("now"),
    contact_id=bindparam("vendor_id"),
    action=bindparam("done"),
    last_error=None,
    cause=None,
    note=bindparam("told"),
    vendor_said=None,
)
_MERGED = (
    update(deliveries)
    .where(deliveries.c.id.in_(bindparam("carried", expanding=True)), deliveries.c.state == "ready")
    .where(deliveries.c.contact_key == bindparam("contact"), deliveries.c.id > bindparam("leader"))
    .values(
        state="merged",
        merged_into=bindparam("leader"),
        due_at=None,
        finished_at=bindparam("now"),
        contact_id=bindparam("vendor_id"),
        action=bindparam("done"),
        last_error=None,
        cause=None,
        note=bindparam("told"),
        vendor_said=None,
    )
)
_PARKED = _OURS.values(
    state="parked",
    due_at=None,
    finished_at=bindparam("now"),
    last_error=bindparam("error"),
    cause=bindparam("why"),
    vendor_said=bindparam("said"),
)
_POSTPONED = _OURS.values(
    state="ready",
    due_at=bindparam("due"),
    last_error=bindparam("error"),
    vendor_said=bindparam("said"),
    attempts=deliveries.c.attempts - bindparam("given_back"),
)
# They could not go before it anyway; left due, each claim would look at all of them.
BEHIND = (
    update(deliveries)
    .where(
        UNFINISHED, deliveries.c.contact_key == bindparam("contact"), deliveries.c.id > bindparam("leader")
    )
    .where(deliveries.c.state == "ready", deliveries.c.due_at < bindparam("due"))
    .values(due_at=bindparam("due"))
)
_POSTPONED_ALONE = _POSTPONED.values(alone=True)
RETRIED = (
    update(deliveries)
    .where(deliveries.c.source_id == bindparam("signup"), PARKED)
    .values(
        state="ready",
        due_at=bindparam("now"),
        attempts=0,
        alone=False,
        finished_at=None,
        cause=put_aside.BY_PERSON,
    )
    .returning(deliveries.c.source_id, deliveries.c.received_at)
)
# Not again and again the same ones.
_PUT_BACK = (
    update(deliveries)
    .where(deliveries.c.id.in_(bindparam("ids", expanding=True)), PARKED, deliveries.c.attempts <= 2)
    .values(state="ready", due_at=bindparam("now"), finished_at=None, cause=None)
    .returning(deliveries.c.source_id, deliveries.c.received_at)
)
_PROBE_ENDED = (
    update(budget).where(ROW, budget.c.probe_until == bindparam("our_probe")).values(probe_until=None)
)


class Deliveries:
    """The outbox. Per contact strictly oldest first and one in flight; between contacts no order.

    A finish (`delivered`, `postpone`, `park`) also ends the call's record and the probe: tell `QuotaLedger`
    before it what the answer means to all. When the lease was lost meanwhile, it leaves the delivery and
    returns False.
    """

    def __init__(self, database: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic

    def claim(self, now: int, *, lease_ms: int = claims.LEASE_MS, ahead_ms: int = 0) -> Claimed | Wait:
        """Book one call and take the delivery that goes next, in one transaction.

        Args:
            now: epoch ms.
            lease_ms: how long the row is ours; after that anybody may claim it again.
            ahead_ms: how long before the call may start it can be reserved, so that the time which a commit
                takes is not lost.

        Returns:
            The delivery to send at its `starts_at`, or Wait, with nothing reserved.
        """
        noted = list[Entry]()
        with locked_quota(
            self._database, now, self._monotonic, committed=lambda: self._database.copies.write(noted)
        ) as (connection, quota):
            since = self._database.reading_back_since()
            if since is not None and 0 <= now - since < _READ_BACK_MS:
                # An older wish of the same person may be among what is to come.
                return Wait(now + _LOOK_AGAIN_MS)
            opens_at = quota.opens_at(per_day=claims.DELIVERIES_PER_DAY, ahead_ms=ahead_ms)
            if opens_at is None:
                selected = select_next(connection, quota, lease_ms, noted)
            else:
                newcomer = select_newcomer(connection, quota, lease_ms, ahead_ms=ahead_ms)
                selected = newcomer or Wait(opens_at)
            if isinstance(selected, Wait):
                return selected
            reserved = selected.quota.reserved(quota.starts_at, probe=quota.half_open)
            reserved.save(connection)
            return _claimed(connection, selected)

    def waits_for_causes(self) -> bool:
        """Whether there are causes for which deliveries are put aside, which a claim sees to."""
        with self._database.reading() as connection:
            return bool(Causes.parse(connection.execute(READ).one().causes))

    def delivered(
        self,
        claimed: Claimed,
        *,
        now: int,
        contact_id: str | None,
        action: str,
        carried: tuple[int, ...] = (),
        note: str | None = None,
    ) -> bool:
        """Finish with success at `now` (epoch ms), together with the younger rows that the call carried.

        `note` is what a person should know of it, such as a list that was left out.
        """
        done = {"now": now, "vendor_id": contact_id, "done": action, "told": note}
        ended = [_ended(claimed, "delivered", now, contact_id=contact_id, action=action, note=note)]
        with self._database.transaction(committed=lambda: self._database.copies.write(ended)) as connection:
            kept = _finish(connection, claimed, _DELIVERED, done)
            _end_attempt(connection, claimed, now, "delivered", kept=kept, carried=carried)
            if kept and carried:
                rows = {"carried": carried, "contact": claimed.contact_key, "leader": claimed.delivery_id}
                connection.execute(_MERGED, done | rows)
                ended += [
                    _ended(
                        other,
                        "merged",
                        now,
                        contact_id=contact_id,
                        action=action,
                        note=note,
                        merged_into=claimed.delivery_id,
                    )
                    for other in claimed.younger
                    if other.delivery_id in carried
                ]
        return kept

    def postpone(
        self,
        claimed: Claimed,
        *,
        due_at: int,
        error: str | None,
        count: bool,
        alone: bool = False,
        failed_alone: bool = False,
        now: int | None = None,
        vendor_said: str | None = None,
    ) -> bool:
        """Try again at `due_at`; without `count` this attempt is given back. Times are epoch ms.

        The contact's younger deliveries wait as long. `alone`: from now on the row goes out by itself, since
        a call that carried others was refused. `error`: a sentence, None where nothing was sent.
        `now`: when the call ended, for the record of attempts; its start where nothing was sent.
        `failed_alone` is for that record, too, see there; `vendor_said` is the vendor's own sentence behind
        `error`, fit to be shown to an admin.
        """
        statement = _POSTPONED_ALONE if alone else _POSTPONED
        values = {"due": due_at, "error": error, "said": vendor_said, "given_back": 0 if count else 1}
        with self._database.transaction() as connection:
            kept = _finish(connection, claimed, statement, values)
            if kept:
                behind = {"contact": claimed.contact_key, "leader": claimed.delivery_id, "due": due_at}
                connection.execute(BEHIND, behind)
            ended = claimed.starts_at if now is None else now
            noted = attempts.FAILED_ALONE if failed_alone else "postponed: "
            outcome = "given back" if error is None else f"{noted}{error}"
            _end_attempt(connection, claimed, ended, outcome, kept=kept, vendor_said=vendor_said)
        return kept

    def failed_alone(self, claimed: Claimed) -> int:
        """How many of the delivery's calls failed while those of others succeeded, as `postpone` was told."""
        with self._database.reading() as connection:
            return attempts.failed_alone(connection, claimed.delivery_id)

    def park(
        self,
        claimed: Claimed,
        *,
        now: int,
        error: str,
        cause: str | None = None,
        vendor_said: str | None = None,
    ) -> bool:
        """Set aside at `now` (epoch ms), for a person or until the `cause` has gone; the row stays.

        `vendor_said` is the vendor's own sentence behind `error`, fit to be shown to an admin.
        """
        values = {"now": now, "error": error, "why": cause, "said": vendor_said}
        ended = list[Entry]()
        with self._database.transaction(committed=lambda: self._database.copies.write(ended)) as connection:
            kept = _finish(connection, claimed, _PARKED, values)
            if kept:
                told = {"last_error": error, "cause": cause, "vendor_said": vendor_said}
                ended.append(_ended(claimed, "parked", now, **told))
            _end_attempt(connection, claimed, now, f"parked: {error}", kept=kept, vendor_said=vendor_said)
        return kept

    def retry(self, signup_id: str, *, now: int) -> bool:
        """Make a parked delivery due at `now` (epoch ms), as if never tried; False when it is not parked.

        It is sent whatever others were refused for.
        """
        values = {"signup": signup_id, "now": now}
        return self._due_again(RETRIED, values, cause=put_aside.BY_PERSON) == 1

    def put_back(self, delivery_ids: Sequence[int], *, due_at: int) -> int:
        """Make those of them due at `due_at` (epoch ms) that are parked after a try or two; how many."""
        return self._due_again(_PUT_BACK, {"ids": list(delivery_ids), "now": due_at})

    def establish(self, cause: Cause, delivery_ids: Sequence[int], *, now: int) -> None:
        """From `now` (epoch ms) put aside what has this cause, at first those that showed it.

        The others are put aside by the claims that meet them.
        """
        noted = list[Entry]()
        with self._database.transaction(committed=lambda: self._database.copies.write(noted)) as connection:
            row = connection.execute(LOCK).one()
            causes, refusals = Causes.parse(row.causes), Refusals.parse(row.refusals)
            standing = causes.known.get(cause.id)
            if standing is None or standing.lifted:
                causes = causes.with_one(cause)
                connection.execute(CAUSES_NOTED, {"causes_now": causes.dump()})
            connection.execute(REFUSALS_NOTED, {"noted": refusals.without(delivery_ids).dump()})
            put_aside.set_aside(connection, cause, delivery_ids, now, noted)

    def _due_again(
        self, statement: ReturningUpdate[Any], values: dict[str, Any], cause: str | None = None
    ) -> int:
        noted = list[Entry]()
        change = {"state": "ready", "due_at": values["now"], "finished_at": None, "cause": cause}
        with self._database.transaction(committed=lambda: self._database.copies.write(noted)) as connection:
            for row in connection.execute(statement, values):
                noted.append(Entry(row.source_id, row.received_at, changes={"deliveries": change}))
            if noted:
                opt_outs.doubt(connection)
        return len(noted)

    def backlog(self) -> Backlog:
        """Count what is waiting and what needs a person, each up to COUNTED_UP_TO."""
        with self._database.reading() as connection:
            return Backlog(**connection.execute(BACKLOG, {"at_most": COUNTED_UP_TO}).one()._mapping)

    def waiting_beyond(self, moment: int) -> OwnWait | None:
        """Which deliveries wait for a time of their own beyond `moment` (epoch ms), a thousand at most."""
        with self._database.reading() as connection:
            rows = connection.execute(WAITING_BEYOND, {"moment": moment}).all()
        if not rows:
            return None
        return OwnWait(len(rows), rows[0].due_at, rows[0].last_error)

    def pending_up_to(self, limit: int) -> int:
        """Count what is waiting, but no further than `limit`: cheap however long the backlog is."""
        with self._database.reading() as connection:
            return connection.scalar(PENDING_UP_TO, {"at_most": limit}) or 0


def _claimed(connection: Connection, selected: Selected) -> Claimed:
    quota, row = selected.quota, selected.row
    others = claims.younger(connection, row)
    payload, *more = payloads.wholes(connection, [(each.source_id, each.payload) for each in (row, *others)])
    younger = tuple(
        Carried(other.id, wish, other.received_at, other.source_id)
        for other, wish in zip(others, more, strict=True)
    )
    attempt_id = attempts.begin(
        connection,
        delivery_id=row.id,
        now=quota.starts_at,
        may_carry=tuple(other.delivery_id for other in younger),
    )
    columns = dict(row._mapping) | {"payload": payload}
    del columns["cause"]
    return Claimed(
        delivery_id=columns.pop("id"),
        alone=bool(columns.pop("alone")),
        **columns,
        attempt_id=attempt_id,
        starts_at=quota.starts_at,
        probe=quota.half_open,
        younger=younger,
        control=selected.control,
        probe_of=selected.probe_of,
    )


def _ended(delivery: Claimed | Carried, state: str, now: int, **more: object) -> Entry:
    """For the copies; of a call that was made also without a lease: its row may have gone with a file."""
    change = {"state": state, "due_at": None, "finished_at": now, **more}
    return Entry(delivery.source_id, delivery.received_at, changes={"deliveries": change})


def _finish(connection: Connection, claimed: Claimed, statement: Update, values: dict[str, Any]) -> bool:
    """One guarded update that must touch one row; False when the lease was lost meanwhile."""
    if claimed.probe:
        # Before the row, like the claim: in the other order two transactions could wait for each other.
        connection.execute(_PROBE_ENDED, {"our_probe": claimed.starts_at + PROBE_MS})
    guard = {"ours": claimed.delivery_id, "our_fence": claimed.fence}
    return connection.execute(statement, guard | values).rowcount == 1


def _end_attempt(
    connection: Connection,
    claimed: Claimed,
    now: int,
    outcome: str,
    *,
    kept: bool,
    carried: tuple[int, ...] | None = None,
    vendor_said: str | None = None,
) -> None:
    told = outcome if kept else f"{outcome} (too late: the lease was over)"
    attempts.end(
        connection, claimed.attempt_id, now=now, outcome=told, carried=carried, vendor_said=vendor_said
    )
