"""The outbox: a row is one change to one contact, claimed under a lease, finished by its fencing token."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, update
from sqlalchemy.sql.dml import ReturningUpdate

from store import opt_outs
from store.engine.copies import Entry
from store.engine.database import Database
from store.outbox import calls, claims, payloads, put_aside
from store.outbox.backlog import BACKLOG, COUNTED_UP_TO, PENDING_UP_TO, WAITING_BEYOND, Backlog, OwnWait
from store.outbox.calls import EndedCall
from store.outbox.claimed import Carried, Claimed
from store.outbox.finish import BEHIND, DELIVERED, MERGED, POSTPONED, POSTPONED_ALONE, ended, finish, outcome
from store.outbox.finish import PARKED as SET_ASIDE
from store.outbox.selection import Selected, select_newcomer, select_next
from store.quota.causes import Cause, Causes
from store.quota.ledger import CAUSES_NOTED, REFUSALS_NOTED
from store.quota.refusals import Refusals
from store.quota.state import LOCK, READ, Wait, locked_quota
from store.schema.outbox import PARKED, deliveries

# As long as a damaged file of a million rows takes to be read back. Then claims go on without the rest.
_READ_BACK_MS = 600_000
_LOOK_AGAIN_MS = 1_000


RETRIED = (
    update(deliveries)
    .where(deliveries.c.source_id == bindparam("sought"), PARKED)
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
# Not the same ones again and again.
_PUT_BACK = (
    update(deliveries)
    .where(deliveries.c.id.in_(bindparam("ids", expanding=True)), PARKED, deliveries.c.attempts <= 2)
    .values(state="ready", due_at=bindparam("now"), finished_at=None, cause=None)
    .returning(deliveries.c.source_id, deliveries.c.received_at)
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
        """Reserve one call and take the delivery that goes next, in one transaction.

        Args:
            now: epoch ms.
            lease_ms: how long the row is ours; after that anybody may claim it again.
            ahead_ms: how long before its time a call can be reserved, so that the time which a commit takes
                is not lost.

        Returns:
            The delivery to send at its `starts_at`, or Wait, with nothing reserved.
        """
        noted = list[Entry]()
        with locked_quota(
            self._database, now, self._monotonic, committed=lambda: self._database.copies.write(noted)
        ) as (connection, quota):
            since = self._database.reading_back_since()
            if since is not None and 0 <= now - since < _READ_BACK_MS:
                # An older delivery of the same contact may be among what is still to be read back.
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
        """Return whether deliveries are put aside for causes, which claims probe and release."""
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
        done = {"now": now, "vendor_id": contact_id, "done": action, "remark": note}
        columns: dict[str, Any] = {"contact_id": contact_id, "action": action, "note": note}
        copied = [ended(claimed, "delivered", now, **columns)]
        with self._database.transaction(committed=lambda: self._database.copies.write(copied)) as connection:
            kept = finish(connection, claimed, DELIVERED, done)
            said = outcome("delivered", kept=kept)
            calls.end(connection, claimed.attempt_id, now=now, outcome=said, carried=carried)
            if kept and carried:
                rows = {"carried": carried, "contact": claimed.contact_key, "leader": claimed.delivery_id}
                connection.execute(MERGED, done | rows)
                columns |= {"merged_into": claimed.delivery_id}
                younger = [other for other in claimed.younger if other.delivery_id in carried]
                copied += [ended(other, "merged", now, **columns) for other in younger]
        return kept

    def postpone(
        self,
        claimed: Claimed,
        *,
        due_at: int,
        error: str | None,
        count: bool,
        alone: bool = False,
        call: EndedCall | None = None,
    ) -> bool:
        """Try again at `due_at` (epoch ms); the contact's younger deliveries wait as long.

        Args:
            claimed: the delivery.
            due_at: when it may be claimed again.
            error: a sentence, None where nothing was sent.
            count: whether the attempt counts; else it is given back.
            alone: from now on it goes out by itself, since a call that carried others was refused.
            call: how the call ended; None where nothing was sent.
        """
        call = call or EndedCall(claimed.starts_at)
        values = {"due": due_at, "error": error, "said": call.vendor_said, "given_back": 0 if count else 1}
        with self._database.transaction() as connection:
            kept = finish(connection, claimed, POSTPONED_ALONE if alone else POSTPONED, values)
            if kept:
                behind = {"contact": claimed.contact_key, "leader": claimed.delivery_id, "due": due_at}
                connection.execute(BEHIND, behind)
            begins = calls.FAILED_ALONE if call.failed_alone else "postponed: "
            said = outcome("given back" if error is None else f"{begins}{error}", kept=kept)
            calls.end(connection, claimed.attempt_id, now=call.at, outcome=said, vendor_said=call.vendor_said)
        return kept

    def failed_alone(self, claimed: Claimed) -> int:
        """Return how many of the delivery's calls failed while those of others succeeded, by `EndedCall`."""
        with self._database.reading() as connection:
            return calls.failed_alone(connection, claimed.delivery_id)

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
        copied = list[Entry]()
        with self._database.transaction(committed=lambda: self._database.copies.write(copied)) as connection:
            kept = finish(connection, claimed, SET_ASIDE, values)
            if kept:
                columns = {"last_error": error, "cause": cause, "vendor_said": vendor_said}
                copied.append(ended(claimed, "parked", now, **columns))
            said = outcome(f"parked: {error}", kept=kept)
            calls.end(connection, claimed.attempt_id, now=now, outcome=said, vendor_said=vendor_said)
        return kept

    def retry(self, source_id: str, *, now: int) -> bool:
        """Make a parked delivery due at `now` (epoch ms), as if never tried; False when it is not parked.

        It is sent whatever others were refused for.
        """
        values = {"sought": source_id, "now": now}
        return self._due_again(RETRIED, values, cause=put_aside.BY_PERSON) == 1

    def put_back(self, delivery_ids: Sequence[int], *, due_at: int) -> int:
        """Make those due at `due_at` (epoch ms) that are parked after 1 or 2 attempts; return how many."""
        return self._due_again(_PUT_BACK, {"ids": list(delivery_ids), "now": due_at})

    def establish(self, cause: Cause, delivery_ids: Sequence[int], *, now: int) -> None:
        """From `now` (epoch ms) on put aside what has this cause, first the deliveries that showed it.

        The others are put aside by the claims that would take them.
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
        """Return how many deliveries wait and how many need a person, each up to COUNTED_UP_TO."""
        with self._database.reading() as connection:
            return Backlog(**connection.execute(BACKLOG, {"at_most": COUNTED_UP_TO}).one()._mapping)

    def waiting_beyond(self, moment: int) -> OwnWait | None:
        """Return which deliveries are due after `moment` (epoch ms), a thousand at most; None for none."""
        with self._database.reading() as connection:
            rows = connection.execute(WAITING_BEYOND, {"moment": moment}).all()
        if not rows:
            return None
        return OwnWait(len(rows), rows[0].due_at, rows[0].last_error)

    def pending_up_to(self, limit: int) -> int:
        """Return how many deliveries wait, counted up to `limit`: cheap however long the backlog is."""
        with self._database.reading() as connection:
            return connection.scalar(PENDING_UP_TO, {"at_most": limit}) or 0


def _claimed(connection: Connection, selected: Selected) -> Claimed:
    quota, row = selected.quota, selected.row
    others = claims.younger(connection, row)
    payload, *more = payloads.wholes(connection, [(each.source_id, each.payload) for each in (row, *others)])
    younger = tuple(
        Carried(other.id, each, other.received_at, other.source_id)
        for other, each in zip(others, more, strict=True)
    )
    attempt_id = calls.begin(
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
