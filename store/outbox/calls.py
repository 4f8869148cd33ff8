"""The record of calls to the vendor: a row is inserted with the claim, and completed when it is finished."""

import json
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, insert, select, update

from store.schema.outbox import attempts

# How the outcome of a call begins that failed although other calls at about that time did not.
FAILED_ALONE = "postponed, while others went through: "


@dataclass(frozen=True)
class EndedCall:
    """How a call ended that failed.

    `at` is epoch ms. `failed_alone`: other calls, at about that time, did not fail. `vendor_said` is the
    vendor's own sentence, fit to be shown to an admin.
    """

    at: int
    failed_alone: bool = False
    vendor_said: str | None = None


FAILED_ALONE_BEFORE = select(func.count()).where(
    attempts.c.delivery_id == bindparam("delivery"), attempts.c.outcome.startswith(FAILED_ALONE)
)
_BEGIN = insert(attempts).returning(attempts.c.id)
_END = (
    update(attempts)
    .where(attempts.c.id == bindparam("attempt_id"))
    .values(ended_at=bindparam("ended"), outcome=bindparam("result"), vendor_said=bindparam("said"))
)
_END_CARRYING = _END.values(carried=bindparam("ids"))


def begin(connection: Connection, *, delivery_id: int, now: int, may_carry: tuple[int, ...]) -> int:
    """Record a call that starts at `now` (epoch ms); return the id of the record."""
    values = {"delivery_id": delivery_id, "started_at": now, "carried": json.dumps(may_carry)}
    return int(connection.execute(_BEGIN, values).scalar_one())


def end(
    connection: Connection,
    attempt_id: int,
    *,
    now: int,
    outcome: str,
    carried: tuple[int, ...] | None = None,
    vendor_said: str | None = None,
) -> None:
    """Record how a call ended; `carried` are the ids of the deliveries it carried, where that is known.

    `vendor_said` is the vendor's own sentence where it refused.
    """
    values: dict[str, object] = {
        "attempt_id": attempt_id,
        "ended": now,
        "result": outcome,
        "said": vendor_said,
    }
    if carried is None:
        connection.execute(_END, values)
    else:
        connection.execute(_END_CARRYING, values | {"ids": json.dumps(carried)})


def failed_alone(connection: Connection, delivery_id: int) -> int:
    """Return how many calls for that delivery failed while those for others did not."""
    return connection.scalar(FAILED_ALONE_BEFORE, {"delivery": delivery_id}) or 0
