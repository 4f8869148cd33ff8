"""The guarded updates that end a claim: each must touch one row, that of the claim's fencing token."""

from typing import Any

from sqlalchemy import Connection, Update, bindparam, update

from store.engine.copies import Entry
from store.outbox.claimed import Carried, Claimed
from store.quota.state import PROBE_MS, ROW
from store.schema.outbox import UNFINISHED, budget, deliveries

_OURS = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("ours"), deliveries.c.fence == bindparam("our_fence"))
    .where(deliveries.c.state == "sending")
)
DELIVERED = _OURS.values(
    state="delivered",
    due_at=None,
    finished_at=bindparam("now"),
    contact_id=bindparam("vendor_id"),
    action=bindparam("done"),
    last_error=None,
    cause=None,
    note=bindparam("remark"),
    vendor_said=None,
)
MERGED = (
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
        note=bindparam("remark"),
        vendor_said=None,
    )
)
PARKED = _OURS.values(
    state="parked",
    due_at=None,
    finished_at=bindparam("now"),
    last_error=bindparam("error"),
    cause=bindparam("why"),
    vendor_said=bindparam("said"),
)
POSTPONED = _OURS.values(
    state="ready",
    due_at=bindparam("due"),
    last_error=bindparam("error"),
    vendor_said=bindparam("said"),
    attempts=deliveries.c.attempts - bindparam("given_back"),
)
# The contact's younger deliveries, which wait for this one. Left due, each claim would look at all of them.
BEHIND = (
    update(deliveries)
    .where(
        UNFINISHED, deliveries.c.contact_key == bindparam("contact"), deliveries.c.id > bindparam("leader")
    )
    .where(deliveries.c.state == "ready", deliveries.c.due_at < bindparam("due"))
    .values(due_at=bindparam("due"))
)
POSTPONED_ALONE = POSTPONED.values(alone=True)
_PROBE_ENDED = (
    update(budget).where(ROW, budget.c.probe_until == bindparam("our_probe")).values(probe_until=None)
)


def ended(delivery: Claimed | Carried, state: str, now: int, **more: object) -> Entry:
    """Return the second copy's entry for the end of a delivery whose call was made.

    Also where the lease was over: the row may be lost with a damaged file, and must not be sent once more.
    """
    change = {"state": state, "due_at": None, "finished_at": now, **more}
    return Entry(delivery.source_id, delivery.received_at, changes={"deliveries": change})


def finish(connection: Connection, claimed: Claimed, statement: Update, values: dict[str, Any]) -> bool:
    """End the half-open probe and update the row; return False when the lease was lost meanwhile."""
    if claimed.probe:
        # The quota's row first, like the claim: in the other order two transactions could deadlock.
        connection.execute(_PROBE_ENDED, {"our_probe": claimed.starts_at + PROBE_MS})
    guard = {"ours": claimed.delivery_id, "our_fence": claimed.fence}
    return connection.execute(statement, guard | values).rowcount == 1


def outcome(said: str, *, kept: bool) -> str:
    """Return what the record of a call says of its end; `kept`: whether the lease lasted until then."""
    return said if kept else f"{said} (too late: the lease was over)"
