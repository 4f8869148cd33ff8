"""Which delivery goes first when calls are scarce: fresh sign-ups, the backlog, one probe after an outage."""

from collections.abc import Callable
from datetime import UTC, datetime

from store.engine.database import Database
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.quota.ledger import QuotaLedger
from store.quota.state import PER_DAY, Wait
from tests.store.conftest import accept, in_threads, opening

NOON = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp() * 1000)
MIDNIGHT = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
HOUR = 3_600_000
DAY = 24 * HOUR


def outbox(database: Database) -> Deliveries:
    return Deliveries(database, monotonic=lambda: 0.0)


def claim(database: Database, now: int) -> Claimed:
    result = outbox(database).claim(now)
    assert isinstance(result, Claimed), result
    return result


def used(database: Database, count: int, *, day: str = "2026-03-01") -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE budget SET day = '{day}', used = {count}")


def backlog(database: Database, count: int) -> None:
    for number in range(count):
        accept(database, f"old{number}", at=NOON - DAY + number)


def test_every_fourth_call_is_for_a_fresh_sign_up(database: Database) -> None:
    """The other three calls go to the backlog, oldest first."""
    backlog(database, 8)
    accept(database, "fresh1", at=NOON - HOUR + 10_000)
    accept(database, "fresh2", at=NOON - 5)
    taken = [claim(database, NOON + number * 300).source_id for number in range(8)]
    assert taken == ["old0", "old1", "old2", "fresh1", "old3", "old4", "old5", "fresh2"]


def test_fourth_call_goes_on_with_the_backlog_when_nothing_is_fresh(database: Database) -> None:
    """No call is left unused; an hour after it was received a sign-up is one of many."""
    backlog(database, 4)
    accept(database, "an hour old", at=NOON - HOUR)
    taken = [claim(database, NOON + number * 300).source_id for number in range(4)]
    assert taken == ["old0", "old1", "old2", "old3"]


def test_fresh_lane_keeps_the_order_within_a_contact(database: Database) -> None:
    """A fresh sign-up does not overtake the same person's older one, and is merged into its call."""
    backlog(database, 5)
    accept(database, "ada again", contact="old4@example.org", at=NOON - 10)
    accept(database, "not due", at=NOON + 2_000)
    used(database, 3)
    assert claim(database, NOON).source_id == "old0"
    for number in range(1, 4):
        claim(database, NOON + number * 300)
    last = claim(database, NOON + 1_200)
    assert last.source_id == "old4"
    assert [other.payload["signup"] for other in last.younger] == ["ada again"]


def test_last_fifth_of_the_day_is_kept_for_fresh_sign_ups(database: Database) -> None:
    """From call 8,000 on the backlog waits for the next day, and fresh sign-ups do not."""
    backlog(database, 3)
    used(database, 7_999)
    assert claim(database, NOON).source_id == "old0"
    assert outbox(database).claim(NOON + 300) == Wait(MIDNIGHT)
    accept(database, "fresh", at=NOON + 400)
    assert claim(database, NOON + 500).source_id == "fresh"
    accept(database, "soon", at=NOON + 3_000)
    assert outbox(database).claim(NOON + 800) == Wait(NOON + 3_000)
    assert claim(database, MIDNIGHT).source_id == "old1"


def test_nothing_waiting_is_told_also_late_in_the_day(database: Database) -> None:
    """None means: sleep until woken, whatever is left of the quota."""
    used(database, 8_500)
    assert outbox(database).claim(NOON) == Wait(None)


def test_last_hundred_calls_are_not_for_deliveries(database: Database) -> None:
    """Lists and account checks still find some; nothing goes beyond 10,000."""
    accept(database, "fresh1", at=NOON)
    accept(database, "fresh2", at=NOON)
    used(database, 9_899)
    assert claim(database, NOON).source_id == "fresh1"
    assert outbox(database).claim(NOON + 2_000) == Wait(MIDNIGHT)
    quota = QuotaLedger(database, monotonic=lambda: 0.0)
    for number in range(100):
        assert opening(quota, NOON + 5_000 + number * 300) is None
    assert opening(quota, NOON + 100_000) == MIDNIGHT
    assert quota.read().used == PER_DAY


def test_after_an_outage_one_delivery_probes(database: Database) -> None:
    """The claim is marked as the probe, and all others wait for its outcome, or 20 s."""
    backlog(database, 4)
    quota = QuotaLedger(database)
    quota.pause(until=NOON, reason="offline")
    probe = claim(database, NOON)
    assert probe.probe
    assert outbox(database).claim(NOON + 1) == Wait(NOON + 20_000)
    quota.pause(until=NOON + 2_000, reason="offline")
    assert outbox(database).postpone(probe, due_at=NOON + 100, error="offline", count=False)
    assert outbox(database).claim(NOON + 1_000) == Wait(NOON + 2_000)
    probe = claim(database, NOON + 2_000)
    assert probe.probe
    quota.succeeded(NOON + 2_100)
    assert outbox(database).delivered(probe, now=NOON + 2_100, contact_id="c", action="created")
    assert [claim(database, NOON + 2_200).probe for _ in range(2)] == [False, False]


def test_refused_probe_makes_room_for_the_next(database: Database) -> None:
    """An answer that neither ends the failures nor pauses ends the probe, too; the next call probes."""
    backlog(database, 3)
    QuotaLedger(database).pause(until=NOON, reason="offline")
    assert outbox(database).park(claim(database, NOON), now=NOON + 50, error="400")
    assert claim(database, NOON + 60).probe


def test_late_finish_of_a_probe_does_not_end_the_next_one(database: Database) -> None:
    """The finish of a process that was frozen for longer than 20 s leaves the present probe alone."""
    backlog(database, 3)
    QuotaLedger(database).pause(until=NOON, reason="offline")
    frozen = claim(database, NOON)
    claim(database, NOON + 20_000)
    assert outbox(database).postpone(frozen, due_at=NOON + 30_000, error="late", count=False)
    assert outbox(database).claim(NOON + 21_000) == Wait(NOON + 40_000)


def test_empty_outbox_starts_no_probe(database: Database) -> None:
    """Only a call does."""
    QuotaLedger(database).pause(until=NOON, reason="offline")
    assert outbox(database).claim(NOON) == Wait(None)
    assert QuotaLedger(database).read().probe_until is None


def test_lease_of_a_clock_that_was_ahead_ends_within_a_minute(database: Database) -> None:
    """Set back by an hour, the clock does not keep a dead owner's row for an hour."""
    accept(database, "s1", at=NOON)
    claim(database, NOON + HOUR)
    assert outbox(database).claim(NOON + 10) == Wait(NOON + 10 + 60_000)
    assert claim(database, NOON + 10 + 60_000).fence == 2


def test_sign_ups_of_a_clock_that_was_ahead_are_due_now(database: Database) -> None:
    """They do not wait until the time that the clock had reached; a few seconds ahead, they do."""
    accept(database, "tomorrow", at=NOON + DAY)
    assert outbox(database).claim(NOON) == Wait(NOON)
    assert claim(database, NOON).source_id == "tomorrow"
    accept(database, "in a moment", at=NOON + 5_000)
    assert outbox(database).claim(NOON + 1) == Wait(NOON + 5_000)


def test_what_was_put_off_by_a_clock_that_was_ahead_does_not_wait_for_that_day(database: Database) -> None:
    """Due times up to the wrong time become now; later ones are moved back by the clock's error."""
    for name in ("at once", "in a while", "call"):
        accept(database, name, at=NOON)
    deliveries, minute = outbox(database), 60_000
    at_once, later, last = (claim(database, NOON + DAY + second) for second in (0, 1, 2))
    assert deliveries.postpone(at_once, due_at=NOON + DAY, error="throttled", count=False)
    assert deliveries.postpone(later, due_at=NOON + DAY + 15 * minute, error="conflict", count=True)
    assert deliveries.delivered(last, now=NOON + DAY + 2, contact_id="c", action="created")
    first = claim(database, NOON)
    assert first.source_id == "at once"
    assert deliveries.delivered(first, now=NOON, contact_id="c", action="created")
    waits = deliveries.claim(NOON + 2_000)
    assert isinstance(waits, Wait)
    assert waits.until == NOON + 15 * minute - 2


def test_clock_that_jumps_ahead_does_no_harm(database: Database) -> None:
    """Leases end early; then the fence decides whose finish counts, and the contact is not served twice."""
    accept(database, "s1", contact="ada@example.org", at=NOON)
    accept(database, "s2", contact="ada@example.org", at=NOON)
    early = claim(database, NOON)
    owner = claim(database, NOON + HOUR)
    assert (owner.delivery_id, owner.fence) == (early.delivery_id, early.fence + 1)
    assert isinstance(outbox(database).claim(NOON + HOUR + 1), Wait)
    assert not outbox(database).delivered(early, now=NOON + HOUR, contact_id="early", action="created")
    assert outbox(database).delivered(owner, now=NOON + HOUR, contact_id="c", action="created")
    assert claim(database, NOON + HOUR + 2).source_id == "s2"


def six_ask(url: str, times: range, ask: Callable[[Database, int], bool]) -> int:
    """Return how often six senders, each with connections of its own, reserve a call at those times."""

    def sender(number: int) -> int:
        own = Database(url)
        try:
            return sum(ask(own, now + number) for now in times)
        finally:
            own.close()

    return sum(in_threads(6, sender))


def test_six_senders_stop_at_the_days_limits_and_go_on_at_midnight(database: Database, url: str) -> None:
    """Deliveries stop at 9,900, all other calls at 10,000; not one more before 00:00 UTC, not even ahead."""
    for number in range(30):
        accept(database, f"s{number}", at=MIDNIGHT - 50_000 + number)
    used(database, 9_895)

    def claims(own: Database, now: int) -> bool:
        got = Deliveries(own, monotonic=lambda: 0.0).claim(now, ahead_ms=250)
        return isinstance(got, Claimed)

    def books(own: Database, now: int) -> bool:
        return isinstance(QuotaLedger(own, monotonic=lambda: 0.0).reserve(now, ahead_ms=250), int)

    evening = range(MIDNIGHT - 40_000, MIDNIGHT - 20_000, 2_000)
    assert six_ask(url, evening, claims) == 5
    used(database, 9_997)
    assert six_ask(url, range(MIDNIGHT - 19_000, MIDNIGHT, 2_000), books) == 3
    assert six_ask(url, range(MIDNIGHT - 1_000, MIDNIGHT, 100), claims) == 0
    assert QuotaLedger(database).read().used == PER_DAY
    assert six_ask(url, range(MIDNIGHT, MIDNIGHT + 3_000, 100), claims) >= 8
    state = QuotaLedger(database).read()
    assert (state.day, state.used <= 12) == ("2026-03-02", True)


def test_no_call_of_tomorrow_is_reserved_today(database: Database) -> None:
    """The vendor would count it tomorrow, and then one call too many that day."""
    backlog(database, 5)
    last = MIDNIGHT - 1_000
    for _ in range(4):
        claim(database, last)
    assert outbox(database).claim(MIDNIGHT - 100, ahead_ms=250) == Wait(MIDNIGHT)
    assert outbox(database).claim(MIDNIGHT - 400, ahead_ms=250) == Wait(MIDNIGHT - 170)
