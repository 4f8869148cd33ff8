"""Health in plain words."""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.access.requester import ANONYMOUS
from services.constant_contact.errors import Conflict, QuotaExceeded, Rejected, Unreachable
from services.delivery.attempt import Outcome
from services.intake.parsing import read_form
from services.intake.record import Evidence
from services.operations.checks.delivery import suspected_waiting
from services.operations.health import HealthReport
from services.operations.snapshot import SuspectedState
from services.problems import MORE, Level, Problem, for_strangers
from store.engine.database import Database
from store.signups.accept import Signups
from store.signups.batch import Judgement
from store.signups.suspected import Waiting
from store.signups.suspected_room import SuspectedCeiling, SuspectedRoom
from tests.services.conftest import House
from tests.services.protection.test_proof_of_work import answer
from tests.services.vendor import EVENTS, NEWSLETTER
from tests.store.conftest import signup


def sign_up(house: House) -> None:
    submission = read_form([("email", "ann@example.org"), ("list_id", NEWSLETTER.list_id)])
    house.intake.accept(submission, ANONYMOUS, Evidence())


def sentences(report: HealthReport) -> str:
    return " ".join(problem.sentence for problem in report.problems)


def test_all_is_well(house: House) -> None:
    """Connected, nothing waiting, no problem."""
    report = house.health.report()
    assert (report.status, report.storable, report.connection) == ("ok", True, "connected")
    assert (report.pending, report.oldest_pending_seconds, report.problems) == (0, 0, ())
    assert report.version == "1.2.3"


def test_a_missing_connection_degrades_and_says_that_sign_ups_are_safe(house: House) -> None:
    """The sentence names what happened and that nothing is lost."""
    house.connections.disconnect(now=house.clock.now)
    report = house.health.report()
    assert (report.status, report.storable, report.connection) == ("degraded", True, "disconnected")
    assert "Sign-ups are safe" in report.problems[0].sentence


def test_the_backlog_is_told_with_its_age(house: House) -> None:
    """Pending counts what waits; the age is the oldest one's, in seconds."""
    sign_up(house)
    house.clock.now += 7_200_000
    report = house.health.report()
    assert (report.pending, report.oldest_pending_seconds) == (1, 7_200)
    assert "120 minutes" in sentences(report)


@pytest.mark.parametrize("silent", [None, 60.5])
def test_a_delivery_that_has_stopped_is_a_problem_once_a_sign_up_waits(
    house: House, silent: float | None
) -> None:
    """An idle delivery is no problem, nor one that is silent for a minute: it may be busy."""
    house.silent_seconds = silent
    assert house.health.report().problems == ()
    sign_up(house)
    house.clock.now += 60_000
    assert house.health.report().problems == ()
    house.clock.now += 1_000
    assert "has not moved for a minute" in sentences(house.health.report())
    house.silent_seconds = 60.0
    assert house.health.report().problems == ()


def test_a_pause_and_refused_sign_ups_are_problems(house: House) -> None:
    """The report names the vendor's absence and the sign-ups that wait for a person."""
    house.vendor.script = [Rejected(), Unreachable()]
    sign_up(house)
    house.courier.step()
    sign_up(house)
    house.courier.step()
    problems = sentences(house.health.report())
    assert "cannot be reached" in problems
    assert "put aside and wait for a person: 1" in problems


def test_a_store_that_cannot_be_written_degrades_while_the_spool_can(house: House) -> None:
    """The report says that the database cannot be used, and how many sign-ups are spooled."""
    with house.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE meta RENAME TO meta_gone")
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    sign_up(house)
    report = house.health.report()
    assert (report.status, report.storable) == ("degraded", True)
    assert "database cannot be used" in report.problems[0].sentence
    assert "1 by now" in report.problems[0].sentence


def test_a_store_and_a_spool_that_cannot_be_written_are_unavailable(house: House, tmp_path: Path) -> None:
    """Only then can nothing be stored, which is worth a 503."""
    (tmp_path / "spool").touch()
    house.database.prepare()
    with house.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE meta RENAME TO meta_gone")
    report = house.health.report()
    assert (report.status, report.storable) == ("unavailable", False)
    assert "cannot be stored" in report.problems[0].sentence


def test_what_waits_and_what_was_lost_is_told_until_a_person_acts(house: House, tmp_path: Path) -> None:
    """Spooled sign-ups, spooled lines nobody can read, and a file that had to be read back are problems."""
    sign_up(house)
    house.database.close()
    (tmp_path / "test.db").rename(tmp_path / "test.db.damaged-20260101-000000-1")
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "waiting").write_bytes(b"one\ntwo\n")
    (tmp_path / "spool" / "damaged-1-1").write_bytes(b"one\n")
    problems = sentences(house.health.report())
    assert "2 sign-ups wait in a file" in problems
    assert "1 lines of the spool cannot be read" in problems
    assert "being read back" in problems
    house.salvage.run()
    assert "1 sign-ups were read back, 0 rows" in sentences(house.health.report())
    next(tmp_path.glob("test.db.kept-*")).unlink()
    assert "read back" not in sentences(house.health.report())


def test_a_second_copy_that_cannot_be_written_is_told(house: House, tmp_path: Path) -> None:
    """Sign-ups are stored nevertheless, so the status is degraded."""
    (tmp_path / "copies").touch()
    sign_up(house)
    report = house.health.report()
    assert (report.status, report.storable) == ("degraded", True)
    assert [problem.code for problem in report.problems] == ["second_copy_failing"]
    assert "Make room" in sentences(report)


def test_suspected_sign_ups_are_named_and_no_fault_of_the_service(house: House) -> None:
    """Those that solved a captcha are named; the status is the same with and without them."""
    form = house.forms.save(
        {"slug": "news", "name": "News", "list_ids": [EVENTS.list_id], "protection": "captcha"}
    )
    house.sign_up(website="x")
    report = house.health.report()
    assert (report.status, report.pending, report.suspected) == ("ok", 0, 1)
    (problem,) = report.problems
    assert (problem.code, problem.of_signups) == ("suspected_waiting", True)
    assert problem.sentence == "One sign-up looks like a program's and waits for you under Suspected."
    pairs = {
        "form": "news",
        "email": "ann@mailinator.com",
        "form_token": house.protection.token(form, shown_before=True),
        "altcha": answer(house.proofs.challenge("news")),
    }
    house.intake.accept(read_form(pairs.items()), ANONYMOUS, Evidence())
    report = house.health.report()
    assert report.status == "ok"
    assert sentences(report) == (
        "2 sign-ups look like a program's and wait for you under Suspected."
        " Most likely people's, for they solved a captcha: 1."
    )
    for view in house.suspected.waiting(10):
        house.suspected.delete(view.id)
    assert house.health.report().problems == ()


def test_a_flood_of_suspected_ones_is_not_counted_to_its_end() -> None:
    """The sentence says “or more” where a rank was not counted to its end."""
    room = SuspectedRoom(rows=0, bytes=0, dropped=0, dropped_at=None)
    (problem,) = suspected_waiting(SuspectedState(Waiting(proven=2, unsure=0, junk=1_000), room))
    assert problem.sentence.startswith("1002 or more sign-ups look like a program's")
    assert suspected_waiting(SuspectedState(Waiting(0, 0, 0), room)) == []


def booked(house: House, calls: int) -> None:
    day = datetime.fromtimestamp(house.clock.now / 1000, UTC).date().isoformat()
    with house.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE budget SET day = ?, used = ?", (day, calls))


@pytest.mark.parametrize(
    ("calls", "age_ms", "said"),
    [
        (10_000, 0, "Today's 10,000 calls are used up; delivery goes on at 00:00 UTC."),
        (9_900, 0, "Today's 9,900 calls for deliveries are used up, and the other 100 are kept"),
        (8_000, 3_600_001, "the delivery of older ones goes on at 00:00 UTC"),
        (8_000, 0, None),
        (7_999, 3_600_001, None),
    ],
)
def test_a_day_that_is_used_up_has_a_name(house: House, calls: int, age_ms: int, said: str | None) -> None:
    """While deliveries wait for midnight, health says so and is degraded; on the next day it is not."""
    sign_up(house)
    house.clock.now += age_ms
    booked(house, calls)
    sentences = [each.sentence for each in house.health.report().problems if each.code != "backlog_old"]
    house.nobody_left()
    assert house.courier.step().outcome is (Outcome.IDLE if said else Outcome.DELIVERED)
    if said is None:
        assert not any("00:00 UTC" in sentence for sentence in sentences)
        return
    assert [said in sentence for sentence in sentences if "UTC" in sentence] == [True]
    assert house.health.report().status == "degraded"
    house.clock.now += 86_400_000
    assert not any("00:00 UTC" in problem.sentence for problem in house.health.report().problems)


def test_a_vendor_that_says_the_day_is_used_up_is_named_once(house: House) -> None:
    """Other users of the API key took the rest; the quota's pause is the same wait."""
    house.vendor.script = [QuotaExceeded()]
    sign_up(house)
    house.courier.step()
    sentences = [problem.sentence for problem in house.health.report().problems]
    assert sentences == ["Today's 10,000 calls are used up; delivery goes on at 00:00 UTC."]


def test_an_address_that_the_vendor_has_flagged_waits_for_48_hours_and_says_so(house: House) -> None:
    """The service is well, so the status is ok; strangers are not told, since it is about one sign-up."""
    house.vendor.script = [Rejected(key="contacts.api.invalid_email", detail="invalid email address")]
    sign_up(house)
    house.courier.step()
    (problem,) = house.health.report().problems
    assert (problem.code, problem.level, problem.of_signups) == (
        "signups_wait_for_their_time",
        Level.OK,
        True,
    )
    assert "One sign-up waits for a time of its own at 20" in problem.sentence
    assert "48 hours" in problem.sentence
    assert house.health.report().status == "ok"


def test_a_sign_up_that_is_tried_again_later_is_named_with_its_time(house: House) -> None:
    """A retry that is more than a minute away is named with its time."""
    house.vendor.script = [Conflict()] * 8
    sign_up(house)
    for _ in range(8):
        step = house.courier.step()
        while step.outcome is Outcome.IDLE:
            assert step.until is not None
            house.clock.now = step.until
            step = house.courier.step()
    (problem,) = house.health.report().problems
    assert "waits for a time of its own" in problem.sentence
    assert "being changed at the same moment" in problem.sentence


def test_a_delivery_elsewhere_is_named_while_something_waits(house: House) -> None:
    """With DELIVERY=off waiting sign-ups are named, and the status is ok."""
    health = house.health_of(silent_seconds=None)
    assert health.report().problems == ()
    sign_up(house)
    (problem,) = health.report().problems
    assert problem.code == "delivery_elsewhere"
    assert "flask worker" in problem.sentence
    assert health.report().status == "ok"


def test_a_database_that_is_being_upgraded_is_said_to_be(house: House, tmp_path: Path) -> None:
    """Another process holds the migration lock; sign-ups go to the spool meanwhile, which is counted."""
    lock = os.open(tmp_path / "test.db-migration-lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    upgrading = Database(f"sqlite:///{tmp_path / 'test.db'}")
    upgrading.patience_seconds = 0.1
    report = house.health_of(database=upgrading).report()
    os.close(lock)
    upgrading.close()
    assert (report.status, report.storable) == ("degraded", True)
    assert [problem.code for problem in report.problems] == ["database_upgrading"]
    assert "is being upgraded" in report.problems[0].sentence


def test_suspected_ones_that_were_not_kept_are_told_for_a_day(house: House) -> None:
    """Admins are told for a day, with what can be done about it."""
    small = Signups(house.database, ceiling=SuspectedCeiling(rows=0))
    said = signup("s1", at=house.clock.now)
    assert small.accept(said, kind="sign_up", payload={}, judgement=Judgement(broken=("honeypot",))) == (
        "honeypot",
    )
    (problem,) = house.health.report().problems
    assert (problem.code, problem.of_signups) == ("suspected_not_kept", True)
    assert "by now: 1" in problem.sentence
    house.clock.now += 86_400_001
    assert house.health.report().problems == ()


FATES = ["believed", "suspected", "delivered", "refused"]


def fate(house: House, what: str) -> None:
    """Sign up anonymously, and let this happen to it."""
    if what == "refused":
        house.vendor.script = [Rejected()]
    house.sign_up("ann@example.org", **({"website": "x"} if what == "suspected" else {}))
    if what in {"delivered", "refused"}:
        house.courier.step()


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize("seconds", [0, 5, 3_700])
def test_strangers_are_told_the_same_whatever_became_of_a_sign_up(
    tmp_path: Path, seconds: int, *, connected: bool
) -> None:
    """Status, counts and problems are equal, also an hour later while nothing can be delivered."""
    told = {}
    for what in FATES if connected else ["believed", "suspected"]:
        (tmp_path / what).mkdir()
        house = House(tmp_path / what)
        if connected:
            house.connect()
        fate(house, what)
        house.clock.now += seconds * 1_000
        if connected and seconds > 5:
            house.courier.step()
        report = house.health.report(for_all=True)
        told[what] = report
        house.database.close()
    assert len(set(told.values())) == 1, told
    if not connected:
        assert (report.pending, report.oldest_pending_seconds) == (1, seconds)


def test_strangers_are_told_of_no_weakness_and_no_secret(house: House) -> None:
    """Strangers are told that there is something; holders of a key are told what."""
    row = house.connections.read()
    house.connections.record_failure(
        generation=row.generation, state="credentials_rejected", error="why", next_refresh_at=None
    )
    assert [each.code for each in house.health.report().problems] == ["connection_credentials_rejected"]
    told = house.health.report(for_all=True)
    assert (told.status, told.connection) == ("degraded", "credentials_rejected")
    assert [each.code for each in told.problems] == ["more_for_admins"]
    assert "secret" not in sentences(told)


def test_what_became_of_sign_ups_does_not_even_show_in_the_status() -> None:
    """Problems of single sign-ups are hidden from strangers; one that is not public is replaced by a hint."""
    of_signups = Problem("signups_parked", Level.WARNING, "3 were refused.", of_signups=True)
    weakness = Problem("secrets_short", Level.WARNING, "Make a longer one.", public=False)
    plain = Problem("delivery_paused", Level.WARNING, "Delivery pauses.")
    assert for_strangers([of_signups]) == ()
    assert for_strangers([of_signups, plain]) == (plain,)
    assert for_strangers([weakness, plain, weakness]) == (plain, MORE)
    assert for_strangers([Problem("wait", Level.OK, "It ends by itself.", public=False)]) == ()
