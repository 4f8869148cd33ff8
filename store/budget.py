"""The vendor's call budget: one row that every caller, in every process, locks before it calls."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import and_, bindparam, case, null, or_, update

from store.allowance import LOCK, PER_DAY, READ, ROW, BudgetState, Wait, locked_allowance, state_of
from store.database import Database
from store.schema import budget

THROTTLE_PAUSE_MS = 1_500
REFUSALS_KEPT = 5

_NO_REFUSALS = "{}"
_RESUME = (
    update(budget)
    .where(ROW)
    .values(paused_until=None, pause_reason=None, failures=0, probe_until=None, refusals=_NO_REFUSALS)
)
_REFUSED = update(budget).where(ROW).values(refusals=bindparam("noted"))


class Budget:
    """The shared budget, for calls that are not deliveries, and for what answers mean to everybody."""

    def __init__(self, database: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic

    def book(self, now: int, *, own_probe: bool = False, ahead_ms: int = 0) -> int | Wait:
        """Book one call and return when it starts (epoch ms), or book nothing and return when to ask again.

        After failures the call is itself the probe: all others wait until its outcome is told by `succeeded`
        or `pause`, or 20 s. `own_probe`: a further call of a claim that is the probe, which need not wait.
        `ahead_ms` is how long before its start it may be booked.
        """
        with locked_allowance(self._database, now, self._monotonic) as (connection, allowance):
            opens_at = allowance.opens_at(own_probe=own_probe, ahead_ms=ahead_ms)
            if opens_at is not None:
                return Wait(opens_at)
            allowance.booked(allowance.starts_at, probe=allowance.half_open).save(connection)
            return allowance.starts_at

    def note(self, now: int) -> None:
        """Count a call at `now` (epoch ms) that goes out in any case: a token call, a repeat after a 401."""
        with locked_allowance(self._database, now, self._monotonic) as (connection, allowance):
            allowance.booked(allowance.now, probe=False).save(connection)

    def clock_set_forward(self, now: int) -> None:
        """Let nothing out for a second from `now` (epoch ms): what left just before has times long past."""
        with locked_allowance(self._database, now, self._monotonic) as (connection, allowance):
            allowance.exhausted().save(connection)

    def read(self) -> BudgetState:
        """The row as it is; a pause in it may be over by now."""
        with self._database.reading() as connection:
            return state_of(connection.execute(READ).one())

    def pause(self, *, until: int, reason: str, now: int | None = None) -> None:
        """Stop all calls until `until` (epoch ms) and count a failure; a longer pause stays as it is.

        With `now`, a failure met while a pause for failures lasts is not counted: of several calls that were
        under way when the vendor went away, each would make the next gap longer. Call it before the delivery
        is postponed, which ends the probe.
        """
        longer = or_(budget.c.paused_until.is_(None), budget.c.paused_until < until)
        known = and_(budget.c.failures > 0, budget.c.paused_until > now) if now is not None else null()
        with self._database.transaction() as connection:
            connection.execute(
                update(budget)
                .where(ROW)
                .values(
                    paused_until=case((longer, until), else_=budget.c.paused_until),
                    pause_reason=case((longer, reason), else_=budget.c.pause_reason),
                    failures=case((known, budget.c.failures), else_=budget.c.failures + 1),
                    probe_until=None,
                )
            )

    def throttled(self, now: int, *, reason: str = "Constant Contact asked for fewer calls.") -> None:
        """After "too many calls in a second" at `now` (epoch ms): a short pause for all, and a gentler pace.

        Not a failure: the vendor is there, and no probe is needed.
        """
        with locked_allowance(self._database, now, self._monotonic) as (connection, allowance):
            until = allowance.now + THROTTLE_PAUSE_MS
            allowance.throttled().paused(until, reason).save(connection)

    def quota_exceeded(
        self, now: int, until: int, *, reason: str = "The day's calls to Constant Contact are used up."
    ) -> None:
        """After "quota exceeded" at `now`: pause until `until` (both epoch ms), then send one probe.

        A pause beyond the UTC day also sets the day's count to its limit: other users of the key took the
        rest. A shorter one leaves the count, for answers just after midnight that still mean yesterday.
        """
        with locked_allowance(self._database, now, self._monotonic) as (connection, allowance):
            state = replace(allowance.state, failures=max(1, allowance.state.failures), probe_until=None)
            if until >= allowance.day_ends_at():
                state = replace(state, used=max(PER_DAY, state.used))
            replace(allowance, state=state).paused(until, reason).save(connection)

    def refused(self, key: str, contact_key: str) -> int:
        """Note that the vendor refused this contact with the error `key`.

        Returns:
            How many different contacts (5 at most) it refused with that key since another key or a success.
        """
        # Addresses do not belong into this row: nobody who erases a person would look here.
        contact = hashlib.sha256(contact_key.encode()).hexdigest()[:16]
        with self._database.transaction() as connection:
            noted = json.loads(connection.execute(LOCK).one().refusals)
            before = noted["contacts"] if noted.get("key") == key else []
            contacts = [*(other for other in before if other != contact), contact][-REFUSALS_KEPT:]
            connection.execute(_REFUSED, {"noted": json.dumps({"key": key, "contacts": contacts})})
        return len(contacts)

    def succeeded(self, now: int) -> None:
        """After a success at `now` (epoch ms): forget failures and refusals; writes only when there are any.

        A pause that still lasts stays: another call was told of it while this one was under way.
        """
        with self._database.reading() as connection:
            row = connection.execute(READ).one()
        if not row.failures and row.refusals == _NO_REFUSALS:
            return
        over = or_(budget.c.paused_until.is_(None), budget.c.paused_until <= now)
        with self._database.transaction() as connection:
            if not connection.execute(_RESUME.where(over)).rowcount:
                connection.execute(_REFUSED, {"noted": _NO_REFUSALS})

    def resume(self) -> None:
        """End the pause, whatever its cause, and forget the failures."""
        with self._database.transaction() as connection:
            connection.execute(_RESUME)
