"""The vendor's call budget: one row that every caller, in every process, locks before it calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import and_, bindparam, case, null, or_, update

from store.engine.database import Database
from store.quota.causes import Causes
from store.quota.refusals import SUSPICIOUS, Common, Refusals, Refused
from store.quota.state import LOCK, PER_DAY, READ, ROW, QuotaState, Wait, locked_allowance, state_of
from store.schema import budget

THROTTLE_PAUSE_MS = 1_500

_NO_REFUSALS = Refusals().dump()
_RESUME = update(budget).where(ROW).values(paused_until=None, pause_reason=None, failures=0, probe_until=None)
REFUSALS_NOTED = update(budget).where(ROW).values(refusals=bindparam("noted"))
CAUSES_NOTED = update(budget).where(ROW).values(causes=bindparam("causes_now"))


@dataclass(frozen=True)
class SameRefusals:
    """What a refusal met: those in the same words since the last success, it included, one for each contact.

    `common` is what it has shown to be their cause. `again`: this contact was among them already.
    """

    alike: tuple[Refused, ...] = ()
    common: Common | None = None
    again: bool = False

    @property
    def count(self) -> int:
        """How many contacts were refused alike; no suspicious number before a control was among them.

        Those that were under way together show nothing about others, nor do those whose cause is found.
        """
        controlled = self.common is None and any(each.control for each in self.alike)
        return len(self.alike) if controlled else min(len(self.alike), SUSPICIOUS - 1)


class QuotaLedger:
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

    def read(self) -> QuotaState:
        """The row as it is; a pause in it may be over by now."""
        with self._database.reading() as connection:
            return state_of(connection.execute(READ).one())

    def pause(self, *, until: int, reason: str, now: int | None = None, refused: bool = False) -> None:
        """Stop all calls until `until` (epoch ms) and count a failure; a longer pause stays as it is.

        With `now`, a failure met while a pause for failures lasts is not counted: of several calls that were
        under way when the vendor went away, each would make the next gap longer. Call it before the delivery
        is postponed, which ends the probe. `refused`: it is for what was refused, so a sign-up that comes in
        meanwhile may be tried.
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
            if refused and now is not None:
                row = connection.execute(LOCK).one()
                noted = Refusals.parse(row.refusals).waiting(now, row.paused_until)
                connection.execute(REFUSALS_NOTED, {"noted": noted.dump()})

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

    def refused(self, refusal: Refused, *, control: bool) -> SameRefusals:
        """Note that the vendor refused a delivery; `control` as the claim of it said."""
        with self._database.transaction() as connection:
            refusals = Refusals.parse(connection.execute(LOCK).one().refusals)
            again = any(each.contact == refusal.contact for each in refusals.alike(refusal.alike))
            noted = refusals.with_one(refusal, control=control)
            connection.execute(REFUSALS_NOTED, {"noted": noted.dump()})
        return SameRefusals(noted.alike(refusal.alike), noted.common(), again)

    def succeeded(
        self, now: int, traits: frozenset[str] = frozenset(), *, control: bool = False
    ) -> Common | None:
        """After a success at `now` (epoch ms): forget failures; writes only when there are any, or refusals.

        A pause that still lasts stays: another call was told of it while this one was under way. `traits` and
        `control` are the delivery's; a cause for which it would have been put aside is lifted.

        Returns:
            What this success has shown to be the cause of earlier refusals.
        """
        with self._database.reading() as connection:
            row = connection.execute(READ).one()
        if not row.failures and row.refusals == _NO_REFUSALS and not Causes.parse(row.causes).of(traits):
            return None
        with self._database.transaction() as connection:
            row = connection.execute(LOCK).one()
            before = Refusals.parse(row.refusals)
            # That all wait for what was refused is refuted by this.
            waited = before.waits[1] if before.waits else None
            over = or_(
                budget.c.paused_until.is_(None),
                budget.c.paused_until <= now,
                budget.c.paused_until == waited,
            )
            noted = before.after_success(traits, control=control)
            causes = Causes.parse(row.causes).after_success(traits)
            connection.execute(REFUSALS_NOTED, {"noted": noted.dump()})
            connection.execute(CAUSES_NOTED, {"causes_now": causes.dump()})
            connection.execute(_RESUME.where(over))
        return noted.common()

    def try_again(self) -> None:
        """Lift every cause, and end a pause for what was refused: a person says that it is mended."""
        with self._database.transaction() as connection:
            row = connection.execute(LOCK).one()
            causes, refusals = Causes.parse(row.causes), Refusals.parse(row.refusals)
            connection.execute(CAUSES_NOTED, {"causes_now": causes.all_lifted().dump()})
            if refusals.waits and row.paused_until == refusals.waits[1]:
                connection.execute(_RESUME)
            connection.execute(REFUSALS_NOTED, {"noted": _NO_REFUSALS})

    def resume(self) -> None:
        """End the pause, whatever its cause, and forget the failures."""
        with self._database.transaction() as connection:
            connection.execute(_RESUME)
            connection.execute(REFUSALS_NOTED, {"noted": _NO_REFUSALS})
