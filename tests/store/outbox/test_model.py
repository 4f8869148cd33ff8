"""A state machine (hypothesis) tries to break the promises of the outbox by any order of events."""

import itertools
import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from store.engine.database import Database
from store.outbox.claimed import Claimed
from store.outbox.claims import BACKLOG_PER_DAY, DELIVERIES_PER_DAY
from store.outbox.deliveries import Deliveries
from store.quota.ledger import QuotaLedger
from store.quota.state import PER_DAY, PER_SECOND
from tests.store.conftest import accept, opening

NOON = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp() * 1000)
SECOND, HOUR = 1_000, 3_600_000
LEASE = CLOCK_WENT_BACK = 60 * SECOND
UNFINISHED = ("ready", "sending")
FINAL = ("delivered", "merged")

moments = st.sampled_from([0, 1, 60, 1_100, 5 * SECOND, 21 * SECOND, LEASE + 1, HOUR, 13 * HOUR])
picks = st.integers(0, 5)


def seldom(*values: tuple[str, int]) -> st.SearchStrategy[tuple[str, int] | None]:
    """Return mostly None: events that stop all calls for hours would hide the others."""
    return st.sampled_from([None] * 3 * len(values) + list(values))


class Outbox(RuleBasedStateMachine):
    """Some contacts, workers that finish, fail, die or are late, and a clock that is set now and then."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.deliveries = Deliveries(database, monotonic=lambda: 0.0)
        self.quota = QuotaLedger(database, monotonic=lambda: 0.0)
        self.time = NOON  # the real time, by which calls are compared
        self.wrong = 0  # how far the service's clock is ahead of it
        self.names: list[str] = []
        self.working: list[Claimed] = []
        self.owners: dict[int, int] = {}  # the fence under which a delivery was claimed last
        self.calls: list[int] = []
        self.probe: Claimed | None = None
        self.before: dict[int, Any] = {}

    @property
    def now(self) -> int:
        return self.time + self.wrong

    def rows(self) -> dict[int, Any]:
        with self.database.reading() as connection:
            found = connection.exec_driver_sql("SELECT * FROM deliveries ORDER BY id").all()
        return {row.id: row for row in found}

    def unfinished(self, rows: dict[int, Any]) -> list[Any]:
        return [row for row in rows.values() if row.state in UNFINISHED]

    def longest_due(self, rows: dict[int, Any]) -> Any:
        """Return the delivery that is due for longest, of those with no older one of their contact."""
        waiting = self.unfinished(rows)
        free = [
            row
            for row in waiting
            if row.due_at <= self.now
            and (
                row.state == "sending"
                or not any(
                    other.contact_key == row.contact_key and (other.id < row.id or other.state == "sending")
                    for other in waiting
                )
            )
        ]
        return min(free, key=lambda row: (row.due_at, row.id))

    def latest_call(self) -> int:
        """Return the start of the latest call, by the clock of its reservation; 0 before the first."""
        with self.database.reading() as connection:
            calls = json.loads(connection.exec_driver_sql("SELECT calls FROM budget").scalar_one())
        return max(calls, default=0)

    def booked(self, ahead: int = 0) -> None:
        """Record a call that starts so many milliseconds from now."""
        self.calls = sorted([*self.calls, self.time + ahead])
        fifths = zip(self.calls, self.calls[PER_SECOND:], strict=False)
        assert all(fifth - first >= SECOND for first, fifth in fifths)

    @initialize()
    def begin(self) -> None:
        with self.database.transaction() as connection:
            for table in ("attempts", "deliveries", "signups"):
                connection.exec_driver_sql(f"DELETE FROM {table}")
            connection.exec_driver_sql(
                "UPDATE budget SET day = '', used = 0, calls = '[]', paused_until = NULL, failures = 0,"
                " guard_ms = 100, guard_since = NULL, probe_until = NULL, refusals = '{}'"
            )
        for contact in "aabca":
            self.somebody_signs_up(contact)

    @rule(contact=st.sampled_from("abc"), ago=st.sampled_from([0, 0, 5 * SECOND, 2 * HOUR]))
    def somebody_signs_up(self, contact: str, ago: int = 0) -> None:
        """Accept a sign-up of now or of some time ago (spooled since); the order of storing counts."""
        self.names.append(f"s{len(self.names)}")
        accept(self.database, self.names[-1], contact=contact, at=self.now - ago)

    @rule(passed=moments)
    def time_passes(self, passed: int) -> None:
        self.time += passed

    @rule(
        what=seldom(
            *(("clock", hours) for hours in (-24, -1, 1, 24)),
            *(("used", calls) for calls in (7_998, 9_898, 9_998)),
            *((trouble, seconds) for trouble in ("offline", "throttled", "quota") for seconds in (1, 60)),
        )
    )
    def something_goes_wrong(self, what: tuple[str, int] | None) -> None:
        if what is None:
            return
        kind, much = what
        if kind == "clock":
            # Set ahead, any clock forgets the second before: two seconds pass, so that none is in question.
            self.time += 2 * SECOND if much > 0 else 0
            self.wrong += much * HOUR
        elif kind == "used":
            with self.database.transaction() as connection:
                connection.exec_driver_sql(f"UPDATE budget SET used = {much} WHERE used < {much}")
            return
        elif kind == "offline":
            self.quota.pause(until=self.now + much * SECOND, reason=kind, now=self.now)
        elif kind == "throttled":
            self.quota.throttled(self.now)
            return
        else:
            self.quota.quota_exceeded(self.now, self.now + much * SECOND)
        self.probe = None

    @rule()
    def worker_claims_at_once(self) -> None:
        self.worker_claims(0)

    @rule(passed=st.sampled_from([300, 900, 1_100]), ahead=st.sampled_from([0, 250]))
    def worker_claims(self, passed: int, ahead: int = 0) -> None:
        self.time += passed
        before = self.rows()
        used_before, latest_call = self.quota.read(), self.latest_call()
        set_back = latest_call > self.now + CLOCK_WENT_BACK
        claimed = self.deliveries.claim(self.now, lease_ms=LEASE, ahead_ms=ahead)
        if not isinstance(claimed, Claimed):
            assert claimed.until is not None or not self.unfinished(before)
            return
        assert 0 <= claimed.starts_at - self.now <= ahead
        self.booked(claimed.starts_at - self.now)
        if self.quota.read().day == used_before.day:
            assert used_before.used < DELIVERIES_PER_DAY
        row = before[claimed.delivery_id]
        contacts = [other for other in before.values() if other.contact_key == row.contact_key]
        unfinished = [other for other in contacts if other.state in UNFINISHED]
        assert row.state == "sending" or row.id == min(other.id for other in unfinished)
        assert row.state == "sending" or all(other.state == "ready" for other in unfinished)
        # The first to notice brings forward what was due on the clock as it was, all to the same moment.
        assert row.due_at <= (latest_call if set_back else self.now)
        if used_before.used % 4 != 3 and used_before.used < BACKLOG_PER_DAY and not set_back:
            assert row.id == self.longest_due(before).id
        assert (claimed.fence, claimed.attempts) == (row.fence + 1, row.attempts + 1)
        rest = [] if row.alone else [other for other in unfinished if other.id > row.id]
        free = itertools.takewhile(lambda other: other.state == "ready" and not other.alone, rest)
        assert [other.delivery_id for other in claimed.younger] == [other.id for other in free]
        if self.probe is not None:
            assert self.now >= self.probe.starts_at + 20 * SECOND
        self.probe = claimed if claimed.probe else None
        self.owners[claimed.delivery_id] = claimed.fence
        self.working.append(claimed)

    @precondition(lambda self: self.working)
    @rule(pick=picks)
    def worker_is_frozen_past_its_lease(self, pick: int) -> None:
        """Let a worker come back when another one has its delivery."""
        frozen = self.working[pick % len(self.working)]
        self.worker_claims(LEASE + 1)
        if any(each.delivery_id == frozen.delivery_id and each is not frozen for each in self.working):
            self.working.remove(frozen)
            self.working.insert(0, frozen)
            self.call_succeeds(0, 3)

    @rule()
    def another_call_is_booked(self) -> None:
        before = self.quota.read()
        if opening(self.quota, self.now) is None:
            self.booked()
            assert self.quota.read().used <= PER_DAY
            assert self.probe is None or self.now >= self.probe.starts_at + 20 * SECOND
            assert before.used < PER_DAY or self.quota.read().day > before.day
            self.probe = None

    def claimed_call(self, pick: int) -> tuple[Claimed, bool]:
        """Return the claim whose call ends now, and whether its finish still counts."""
        claimed = self.working.pop(pick % len(self.working))
        self.probe = None if self.probe is claimed else self.probe
        mine = self.rows()[claimed.delivery_id]
        return claimed, mine.state == "sending" and self.owners[claimed.delivery_id] == claimed.fence

    @precondition(lambda self: self.working)
    @rule(pick=picks, carries=st.integers(0, 3))
    def call_succeeds(self, pick: int, carries: int) -> None:
        before = self.rows()
        claimed, counts = self.claimed_call(pick)
        if self.quota.read().failures:
            self.probe = None
        self.quota.succeeded(self.now)
        carried = tuple(other.delivery_id for other in claimed.younger[:carries])
        assert counts == self.deliveries.delivered(
            claimed, now=self.now, contact_id="c", action="created", carried=carried
        )
        rows = self.rows()
        changed = {each for each in rows if rows[each] != before[each]}
        assert changed == ({claimed.delivery_id, *carried} if counts else set())
        assert {rows[other].state for other in carried if counts} <= {"merged"}

    @precondition(lambda self: self.working)
    @rule(pick=picks, later=moments, count=st.booleans(), alone=st.booleans())
    def call_is_to_be_repeated(self, pick: int, later: int, count: bool, alone: bool) -> None:
        before = self.rows()
        claimed, counts = self.claimed_call(pick)
        due = self.now + later
        assert counts == self.deliveries.postpone(claimed, due_at=due, error="409", count=count, alone=alone)
        rows, old = self.rows(), before[claimed.delivery_id]
        if not counts:
            assert rows == before
            return
        row = rows[claimed.delivery_id]
        assert (row.state, row.due_at, row.attempts) == ("ready", due, old.attempts - (not count))
        assert bool(row.alone) == (bool(old.alone) or alone)
        for other in rows.values():
            if other.contact_key == row.contact_key and other.state == "ready" and other.id > row.id:
                assert other.due_at == max(due, before[other.id].due_at)

    @precondition(lambda self: self.working)
    @rule(pick=picks)
    def call_is_refused(self, pick: int) -> None:
        claimed, counts = self.claimed_call(pick)
        assert counts == self.deliveries.park(claimed, now=self.now, error="400")

    @precondition(lambda self: self.working)
    @rule(pick=picks)
    def worker_dies(self, pick: int) -> None:
        self.working.pop(pick % len(self.working))

    @precondition(lambda self: self.names)
    @rule(pick=st.integers(0, 50))
    def person_has_it_tried_again(self, pick: int) -> None:
        parked = [row.source_id for row in self.rows().values() if row.state == "parked"]
        names = parked or self.names
        name = names[pick % len(names)]
        (before,) = (row for row in self.rows().values() if row.source_id == name)
        assert self.deliveries.retry(name, now=self.now) == (before.state == "parked")
        after = self.rows()[before.id]
        assert after == before or (after.state, after.due_at, after.attempts) == ("ready", self.now, 0)

    @invariant()
    def nothing_is_lost_and_what_is_done_stays_done(self) -> None:
        rows = self.rows()
        assert sorted(row.source_id for row in rows.values()) == sorted(self.names)
        sending = [row.contact_key for row in rows.values() if row.state == "sending"]
        assert len(sending) == len(set(sending))
        for row in rows.values():
            if row.state == "merged":
                leader = rows[row.merged_into]
                assert (leader.state, leader.contact_key) == ("delivered", row.contact_key)
                assert leader.id < row.id
            else:
                assert row.merged_into is None
        for row in self.before.values():
            if row.state in FINAL:
                assert rows[row.id] == row
            if row.state == "parked":
                assert rows[row.id].state in ("parked", "ready")
        self.before = rows

    def teardown(self) -> None:
        """Deliver all that is left: the vendor answers, no worker dies, and time goes on."""
        self.quota.resume()
        for _ in range(3 * len(self.names) + 20):
            claimed = self.deliveries.claim(self.now, lease_ms=LEASE)
            if isinstance(claimed, Claimed):
                self.deliveries.delivered(claimed, now=self.now, contact_id="c", action="created")
            elif claimed.until is None:
                break
            else:
                self.time = max(claimed.until - self.wrong, self.time + 1)
        assert {row.state for row in self.rows().values()} <= {"delivered", "merged", "parked"}


def test_no_order_of_events_breaks_a_promise(database: Database) -> None:
    """On every engine."""

    class Here(Outbox):
        def __init__(self) -> None:
            super().__init__(database)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
