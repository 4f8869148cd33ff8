"""One row per call: begun with the claim, ended with the finish, open while the outcome is unknown."""

from store.engine.database import Database
from store.outbox.calls import EndedCall
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from tests.store.conftest import accept

Attempt = tuple[int, int, int | None, str, str | None]


def attempts(database: Database) -> list[Attempt]:
    """Return delivery, start, end, carried ids and outcome of each call, oldest first."""
    with database.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT delivery_id, started_at, ended_at, carried, outcome FROM attempts ORDER BY id"
        ).all()
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


def outbox(database: Database) -> Deliveries:
    return Deliveries(database, monotonic=lambda: 0.0)


def claim(database: Database, now: int) -> Claimed:
    result = outbox(database).claim(now)
    assert isinstance(result, Claimed), result
    return result


def test_call_is_on_record_before_it_is_made(database: Database) -> None:
    """A process that dies with it leaves an open row: outcome unknown; the next try has a row of its own."""
    accept(database, "s1", contact="ada@example.org")
    accept(database, "s2", contact="ada@example.org")
    first = claim(database, 10)
    (younger,) = first.younger
    carried = f"[{younger.delivery_id}]"
    assert attempts(database) == [(first.delivery_id, 10, None, carried, None)]
    second = claim(database, 60_010)
    assert second.attempt_id != first.attempt_id
    assert outbox(database).delivered(second, now=60_200, contact_id="c", action="created")
    assert attempts(database) == [
        (first.delivery_id, 10, None, carried, None),
        (first.delivery_id, 60_010, 60_200, "[]", "delivered"),
    ]


def test_finish_ends_the_call(database: Database) -> None:
    """With what happened, when, and what the call carried."""
    accept(database, "s1", contact="ada@example.org")
    accept(database, "s2", contact="ada@example.org")
    deliveries = outbox(database)
    claimed = claim(database, 10)
    assert deliveries.postpone(claimed, due_at=40, error="409", count=True, call=EndedCall(30))
    claimed = claim(database, 40)
    assert deliveries.postpone(claimed, due_at=50, error="not sent", count=False)
    claimed = claim(database, 50)
    carried = tuple(other.delivery_id for other in claimed.younger)
    assert deliveries.delivered(claimed, now=60, contact_id="c", action="created", carried=carried)
    accept(database, "s3")
    assert deliveries.park(claim(database, 2_000), now=2_100, error="bad address")
    ended = [(end, outcome) for _, _, end, _, outcome in attempts(database)]
    assert ended == [
        (30, "postponed: 409"),
        (40, "postponed: not sent"),
        (60, "delivered"),
        (2_100, "parked: bad address"),
    ]
    assert attempts(database)[2][3] == f"[{carried[0]}]"


def test_finish_that_comes_too_late_ends_its_call_only(database: Database) -> None:
    """The delivery is another's by now."""
    accept(database, "s1")
    deliveries = outbox(database)
    late = claim(database, 10)
    owner = claim(database, 60_010)
    assert not deliveries.delivered(late, now=60_020, contact_id="late", action="created")
    assert attempts(database)[0][2:] == (60_020, "[]", "delivered (too late: the lease was over)")
    assert attempts(database)[1][2:] == (None, "[]", None)
    assert deliveries.delivered(owner, now=60_030, contact_id="c", action="created")


def test_claim_that_finds_nothing_leaves_no_attempt(database: Database) -> None:
    """No call, no row."""
    accept(database, "s1", at=1_000)
    outbox(database).claim(10)
    assert attempts(database) == []
