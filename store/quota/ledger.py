"""The vendor's quota of calls: one row that every process locks before it makes a call."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import and_, bindparam, case, null, or_, update

from store.engine.database import Database
from store.quota.causes import Causes
from store.quota.refusals import SUSPICIOUS, Common, Refusals, Refused
from store.quota.state import LOCK, PER_DAY, READ, ROW, QuotaState, Wait, locked_quota, state_of
from store.schema.outbox import budget

THROTTLE_PAUSE_MS = 1_500

_NO_REFUSALS = Refusals().dump()
_RESUME = update(budget).where(ROW).values(paused_until=None, pause_reason=None, failures=0, probe_until=None)
REFUSALS_NOTED = update(budget).where(ROW).values(refusals=bindparam("noted"))
CAUSES_NOTED = update(budget).where(ROW).values(causes=bindparam("causes_now"))


@dataclass(frozen=True)
class SameRefusals:
    """The refusals in the same words since the last success, the newest included, one for each contact.

    `common` is the cause that the newest one has revealed. `again`: the same contact was refused before.
    """

    alike: tuple[Refused, ...] = ()
    common: Common | None = None
    again: bool = False

    @property
    def count(self) -> int:
        """How many contacts were refused in these words; below SUSPICIOUS until one of them was a control.

        Calls that were under way together say nothing about other rows, nor do those whose cause is known.
        """
        controlled = self.common is None and any(each.control for each in self.alike)
        return len(self.alike) if controlled else min(len(self.alike), SUSPICIOUS - 1)


class QuotaLedger:
    """The shared quota: calls that are not deliveries, and what the vendor's answers change in it."""

    def __init__(self, database: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic

    def reserve(self, now: int, *, own_probe: bool = False, ahead_ms: int = 0) -> int | Wait:
        """Reserve one call and return its start (epoch ms), or reserve none and return when to ask again.

        After failures the call is the half-open probe: all others wait until `succeeded` or `pause` reports
        its outcome, or 20 s. `own_probe`: a further call of the delivery that is the probe, which need not
        wait. `ahead_ms` is how long before its start a call may be reserved.
        """
        with locked_quota(self._database, now, self._monotonic) as (connection, quota):
            opens_at = quota.opens_at(own_probe=own_probe, ahead_ms=ahead_ms)
            if opens_at is not None:
                return Wait(opens_at)
            quota.reserved(quota.starts_at, probe=quota.half_open).save(connection)
            return quota.starts_at

    def count_call(self, now: int) -> None:
        """Count a call that goes out at `now` (epoch ms) in any case: a token call, a repeat after a 401."""
        with locked_quota(self._database, now, self._monotonic) as (connection, quota):
            quota.reserved(quota.now, probe=False).save(connection)

    def clock_set_forward(self, now: int) -> None:
        """Let no call start for a second from `now` (epoch ms): the latest starts are recorded too early."""
        with locked_quota(self._database, now, self._monotonic) as (connection, quota):
            quota.exhausted().save(connection)

    def read(self) -> QuotaState:
        """Return the row as stored; a pause in it may be over by now."""
        with self._database.reading() as connection:
            return state_of(connection.execute(READ).one())

    def pause(self, *, until: int, reason: str, now: int | None = None, refused: bool = False) -> None:
        """Stop all calls until `until` (epoch ms) and count a failure; a longer pause stays as it is.

        With `now`, a failure during a pause for failures is not counted: of several calls that were under way
        when the vendor became unreachable, each would lengthen the next gap. Call this before the delivery is
        postponed, which ends the probe. `refused`: the pause is for refusals, so a sign-up that comes in
        meanwhile may be tried.
        """
        longer = or_(budget.c.paused_until.is_(None), budget.c.paused_until < until)
        pausing = and_(budget.c.failures > 0, budget.c.paused_until > now) if now is not None else null()
        with self._database.transaction() as connection:
            connection.execute(
                update(budget)
                .where(ROW)
                .values(
                    paused_until=case((longer, until), else_=budget.c.paused_until),
                    pause_reason=case((longer, reason), else_=budget.c.pause_reason),
                    failures=case((pausing, budget.c.failures), else_=budget.c.failures + 1),
                    probe_until=None,
                )
            )
            if refused and now is not None:
                row = connection.execute(LOCK).one()
                noted = Refusals.parse(row.refusals).waiting(now, row.paused_until)
                connection.execute(REFUSALS_NOTED, {"noted": noted.dump()})

    def throttled(self, now: int, *, reason: str = "Constant Contact asked for fewer calls.") -> None:
        """Pause all calls for 1.5 s and widen the margin, after a 429 for calls a second at `now` (epoch ms).

        This is no failure: the vendor answers, and no probe is needed.
        """
        with locked_quota(self._database, now, self._monotonic) as (connection, quota):
            until = quota.now + THROTTLE_PAUSE_MS
            quota.throttled().paused(until, reason).save(connection)

    def quota_exceeded(
        self, now: int, until: int, *, reason: str = "The day's calls to Constant Contact are used up."
    ) -> None:
        """Pause until `until`, after a 429 for the day's quota at `now` (both epoch ms); then send one probe.

        A pause beyond the UTC day also sets the day's count to its limit, since other users of the API key
        took the rest. A shorter pause leaves the count: just after midnight such an answer still means
        yesterday.
        """
        with locked_quota(self._database, now, self._monotonic) as (connection, quota):
            state = replace(quota.state, failures=max(1, quota.state.failures), probe_until=None)
            if until >= quota.day_ends_at():
                state = replace(state, used=max(PER_DAY, state.used))
            replace(quota, state=state).paused(until, reason).save(connection)

    def refused(self, refusal: Refused, *, control: bool) -> SameRefusals:
        """Record that the vendor refused a delivery; `control` is that of its claim."""
        with self._database.transaction() as connection:
            refusals = Refusals.parse(connection.execute(LOCK).one().refusals)
            again = any(each.contact == refusal.contact for each in refusals.alike(refusal.alike))
            noted = refusals.with_one(refusal, control=control)
            connection.execute(REFUSALS_NOTED, {"noted": noted.dump()})
        return SameRefusals(noted.alike(refusal.alike), noted.common(), again)

    def succeeded(
        self, now: int, traits: frozenset[str] = frozenset(), *, control: bool = False
    ) -> Common | None:
        """Forget failures after a success at `now` (epoch ms); write only if there are any, or refusals.

        A pause that still lasts stays: another call began it while this one was under way. `traits` and
        `control` are the delivery's; a cause under which it would have been put aside is lifted.

        Returns:
            The cause of earlier refusals that this success has revealed, None without one.
        """
        with self._database.reading() as connection:
            row = connection.execute(READ).one()
        if not row.failures and row.refusals == _NO_REFUSALS and not Causes.parse(row.causes).of(traits):
            return None
        with self._database.transaction() as connection:
            row = connection.execute(LOCK).one()
            before = Refusals.parse(row.refusals)
            # This success also ends a pause of all calls for refusals, since not all are refused.
            for_refusals = before.waits[1] if before.waits else None
            over = or_(
                budget.c.paused_until.is_(None),
                budget.c.paused_until <= now,
                budget.c.paused_until == for_refusals,
            )
            noted = before.after_success(traits, control=control)
            causes = Causes.parse(row.causes).after_success(traits)
            connection.execute(REFUSALS_NOTED, {"noted": noted.dump()})
            connection.execute(CAUSES_NOTED, {"causes_now": causes.dump()})
            connection.execute(_RESUME.where(over))
        return noted.common()

    def try_again(self) -> None:
        """Lift every cause and end a pause for refusals, for an admin who has removed the reason."""
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
