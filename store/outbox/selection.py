"""Choose the delivery for the next call by what is known of refusals and their causes."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row

from store.engine.copies import Entry
from store.outbox import claims, controls, put_aside
from store.quota.causes import Causes
from store.quota.refusals import Refusals
from store.quota.state import LockedQuota, Wait


@dataclass(frozen=True)
class Selected:
    """A delivery marked as `sending`, and the quota from which its call is still to be reserved.

    `control`: it was chosen for being unlike those that were refused. `probe_of` is the cause that it tests.
    """

    row: Row[Any]
    quota: LockedQuota
    control: bool = False
    probe_of: str | None = None


def select_next(
    connection: Connection, quota: LockedQuota, lease_ms: int, noted: list[Entry]
) -> Selected | Wait:
    """Mark the next delivery as `sending`; add what was set aside or released to `noted`."""
    now, refusals = quota.now, Refusals.parse(quota.state.refusals)
    known = Causes.parse(quota.state.causes)
    causes = put_aside.release(connection, known, now, noted)
    probe, causes = put_aside.probe(connection, causes, quota, lease_ms)
    if causes is not known:
        quota = put_aside.with_causes(quota, causes)
    if probe:
        tested: Row[Any] = connection.execute(claims.TAKEN, {"this": probe}).one()
        return Selected(tested, quota, control=True, probe_of=tested.cause)
    control = None
    if refusals.elsewhere:
        control = controls.take(connection, quota, refusals, causes, lease_ms)
    row = claims.take(connection, quota, lease_ms) if control is None else control
    if row is None:
        return _nothing(connection, quota, causes, changed=causes is not known)
    if control is None and _goes_aside(connection, causes, row, now):
        put_aside.put_aside(connection, causes, row, now, noted)
        # Take another one now instead of putting aside a whole backlog first.
        row = control = controls.take(connection, quota, refusals, causes, lease_ms)
        if row is None:
            return _later(connection, quota, now, changed=causes is not known)
    if control is None:
        return Selected(row, quota)
    # Where there is no other, a refused one is sent again, and is no control.
    unlike = row.id not in {each.delivery_id for each in refusals.refused}
    quota = _with(quota, replace(refusals, elsewhere=max(0, refusals.elsewhere - 1)))
    return Selected(row, quota, control=unlike)


def select_newcomer(
    connection: Connection, quota: LockedQuota, lease_ms: int, *, ahead_ms: int
) -> Selected | None:
    """Take a delivery received since all began to wait after refusals: it may show that others are accepted.

    One each NEWCOMER_EVERY_MS, so that strangers who send what is refused do not use up the day's calls.
    """
    state, refusals = quota.state, Refusals.parse(quota.state.refusals)
    if refusals.waits is None or refusals.waits[1] != state.paused_until:
        return None
    if quota.now < refusals.newcomer_at <= quota.now + controls.NEWCOMER_EVERY_MS:
        return None
    free = replace(quota, state=replace(state, paused_until=None))
    if free.opens_at(per_day=claims.DELIVERIES_PER_DAY, ahead_ms=ahead_ms) is not None:
        return None
    row = controls.newcomer(connection, quota, refusals.waits[0], lease_ms)
    if row is None:
        return None
    noted = replace(refusals, newcomer_at=quota.now + controls.NEWCOMER_EVERY_MS)
    return Selected(row, _with(quota, noted), control=True)


def _nothing(connection: Connection, quota: LockedQuota, causes: Causes, *, changed: bool) -> Wait:
    due_at, probe_at = claims.next_due(connection, quota), causes.next_probe_at()
    times = [at for at in (due_at, probe_at) if at is not None]
    return _later(connection, quota, min(times) if times else None, changed=changed)


def _later(connection: Connection, quota: LockedQuota, until: int | None, *, changed: bool) -> Wait:
    if changed:
        quota.save(connection)
    return Wait(until if until is None else max(until, quota.now))


def _goes_aside(connection: Connection, causes: Causes, row: Row[Any], now: int) -> bool:
    if not causes or row.cause == put_aside.BY_PERSON:
        return False
    ((_, traits),) = put_aside.with_traits(connection, [row], now)
    return causes.of(traits) is not None


def _with(quota: LockedQuota, refusals: Refusals) -> LockedQuota:
    return replace(quota, state=replace(quota.state, refusals=refusals.dump()))
