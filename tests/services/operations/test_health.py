"""Health in plain words."""

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
from tests.services.conftest import System
from tests.services.protection.test_proof_of_work import answer
from tests.services.vendor import EVENTS, NEWSLETTER
from tests.store.conftest import signup


def sign_up(system: System) -> None:
    submission = read_form([("email", "ann@example.org"), ("list_id", NEWSLETTER.list_id)])
    system.intake.accept(submission, ANONYMOUS, Evidence())


def sentences(report: HealthReport) -> str:
    return " ".join(problem.sentence for problem in report.problems)


def test_all_is_well(system: System) -> None:
    """Connected, nothing waiting, no problem."""
    report = system.health.report()
    assert (report.status, report.storable, report.connection) == ("ok", True, "connected")
    assert (report.pending, report.oldest_pending_seconds, report.problems) == (0, 0, ())
    assert report.version == "1.2.3"


def test_a_missing_connection_degrades_and_says_that_sign_ups_are_safe(system: System) -> None:
    """The sentence names what happened and that nothing is lost."""
    system.connections.disconnect(now=system.clock.now)
    report = system.health.report()
    assert (report.status, report.storable, report.connection) == ("degraded", True, "disconnected")
    assert "Sign-ups are safe" in report.problems[0].sentence


def test_the_backlog_is_told_with_its_age(system: System) -> None:
    """Pending counts what waits; the age is the oldest one's, in seconds."""
    sign_up(system)
    system.clock.now += 7_200_000
    report = system.health.report()
    assert (report.pending, report.oldest_pending_seconds) == (1, 7_200)
    assert "120 minutes" in sentences(report)


@pytest.mark.parametrize("silent", [None, 60.5])
def test_a_delivery_that_has_stopped_is_a_problem_once_a_sign_up_waits(
    system: System, silent: float | None
) -> None:
    """An idle delivery is no problem, nor one that is silent for a minute: it may be busy."""
    system.silent_seconds = silent
    assert system.health.report().problems == ()
    sign_up(system)
    system.clock.now += 60_000
    assert system.health.report().problems == ()
    system.clock.now += 1_000
    assert "has not moved for a minute" in sentences(system.health.report())
    system.silent_seconds = 60.0
    assert system.health.report().problems == ()


def test_a_pause_and_refused_sign_ups_are_problems(system: System) -> None:
    """The report names the vendor's absence and the sign-ups that wait for a person."""
    system.vendor.script = [Rejected(), Unreachable()]
    sign_up(system)
    system.attempt.step()
    sign_up(system)
    system.attempt.step()
    problems = sentences(system.health.report())
    assert "cannot be reached" in problems
    assert "put aside and wait for a person: 1" in problems


def test_a_store_that_cannot_be_written_degrades_while_the_spool_can(system: System) -> None:
    """The report says that the database cannot be used, and how many sign-ups are spooled."""
    with system.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE meta RENAME TO meta_gone")
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    sign_up(system)
    report = system.health.report()
    assert (report.status, report.storable) == ("degraded", True)
    assert "database cannot be used" in report.problems[0].sentence
    assert "1 by now" in report.problems[0].sentence


def test_a_store_and_a_spool_that_cannot_be_written_are_unavailable(system: System, tmp_path: Path) -> None:
    """Only then can nothing be stored, which is worth a 503."""
    (tmp_path / "spool").touch()
    system.database.prepare()
    with system.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE meta RENAME TO meta_gone")
    report = system.health.report()
    assert (report.status, report.storable) == ("unavailable", False)
    assert "cannot be stored" in report.problems[0].sentence


def test_what_waits_and_what_was_lost_is_told_until_a_person_acts(system: System, tmp_path: Path) -> None:
    """Spooled sign-ups, spooled lines nobody can read, and a file that had to be read back are problems."""
    sign_up(system)
    system.database.close()
    (tmp_path / "test.db").rename(tmp_path / "test.db.damaged-20260101-000000-1")
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "waiting").write_bytes(b"one\ntwo\n")
    (tmp_path / "spool" / "damaged-1-1").write_bytes(b"one\n")
    problems = sentences(system.health.report())
    assert "2 sign-ups wait in a file" in problems
    assert "1 lines of the spool cannot be read" in problems
    assert "being read back" in problems
    system.salvage.run()
    assert "1 sign-ups were read back, 0 rows" in sentences(system.health.report())
    next(tmp_path.glob("test.db.kept-*")).unlink()
    assert "read back" not in sentences(system.health.report())


def test_a_second_copy_that_cannot_be_written_is_told(system: System, tmp_path: Path) -> None:
    """Sign-ups are stored nevertheless, so the status is degraded."""
    (tmp_path / "copies").touch()
    sign_up(system)
    report = system.health.report()
    assert (report.status, report.storable) == ("degraded", True)
    assert [problem.code for problem in report.problems] == ["second_copy_failing"]
    assert "Make room" in sentences(report)


def test_suspected_sign_ups_are_named_and_no_fault_of_the_service(system: System) -> None:
    """Those that solved a captcha are named; the status is the same with and without them."""
    form = system.forms.save(
        {"slug": "news", "name": "News", "list_ids": [EVENTS.list_id], "protection": "captcha"}
    )
    system.sign_up(website="x")
    report = system.health.report()
    assert (report.status, report.pending, report.suspected) == ("ok", 0, 1)
    (problem,) = report.problems
    assert (problem.code, problem.of_signups) == ("suspected_waiting", True)
    assert problem.sentence == "One sign-up looks like a program's and waits for you under Suspected."
    pairs = {
        "form": "news",
        "email": "ann@mailinator.com",
        "form_token": system.protection.token(form, shown_before=True),
        "altcha": answer(system.proofs.challenge("news")),
    }
    system.intake.accept(read_form(pairs.items()), ANONYMOUS, Evidence())
    report = system.health.report()
    assert report.status == "ok"
    assert sentences(report) == (
        "2 sign-ups look like a program's and wait for you under Suspected."
        " Most likely people's, for they solved a captcha: 1."
    )
    for view in system.suspected.waiting(10):
        system.suspected.delete(view.id)
    assert system.health.report().problems == ()


def test_a_flood_of_suspected_ones_is_not_counted_to_its_end() -> None:
    """The sentence says “or more” where a rank was not counted to its end."""
    room = SuspectedRoom(rows=0, bytes=0, dropped=0, dropped_at=None)
    (problem,) = suspected_waiting(SuspectedState(Waiting(proven=2, unsure=0, junk=1_000), room))
    assert problem.sentence.startswith("1002 or more sign-ups look like a program's")
    assert suspected_waiting(SuspectedState(Waiting(0, 0, 0), room)) == []


def booked(system: System, calls: int) -> None:
    day = datetime.fromtimestamp(system.clock.now / 1000, UTC).date().isoformat()
    with system.database.transaction() as connection:
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
def test_a_day_that_is_used_up_has_a_name(system: System, calls: int, age_ms: int, said: str | None) -> None:
    """While deliveries wait for midnight, health says so and is degraded; on the next day it is not."""
    sign_up(system)
    system.clock.now += age_ms
    booked(system, calls)
    sentences = [each.sentence for each in system.health.report().problems if each.code != "backlog_old"]
    system.nobody_left()
    assert system.attempt.step().outcome is (Outcome.IDLE if said else Outcome.DELIVERED)
    if said is None:
        assert not any("00:00 UTC" in sentence for sentence in sentences)
        return
    assert [said in sentence for sentence in sentences if "UTC" in sentence] == [True]
    assert system.health.report().status == "degraded"
    system.clock.now += 86_400_000
    assert not any("00:00 UTC" in problem.sentence for problem in system.health.report().problems)


def test_a_vendor_that_says_the_day_is_used_up_is_named_once(system: System) -> None:
    """Other users of the API key took the rest; the quota's pause is the same wait."""
    system.vendor.script = [QuotaExceeded()]
    sign_up(system)
    system.attempt.step()
    sentences = [problem.sentence for problem in system.health.report().problems]
    assert sentences == ["Today's 10,000 calls are used up; delivery goes on at 00:00 UTC."]


def test_an_address_that_the_vendor_has_flagged_waits_for_48_hours_and_says_so(system: System) -> None:
    """The service is well, so the status is ok; strangers are not told, since it is about one sign-up."""
    system.vendor.script = [Rejected(key="contacts.api.invalid_email", detail="invalid email address")]
    sign_up(system)
    system.attempt.step()
    (problem,) = system.health.report().problems
    assert (problem.code, problem.level, problem.of_signups) == (
        "signups_wait_for_their_time",
        Level.OK,
        True,
    )
    assert "One sign-up waits for a time of its own at 20" in problem.sentence
    assert "48 hours" in problem.sentence
    assert system.health.report().status == "ok"


def test_a_sign_up_that_is_tried_again_later_is_named_with_its_time(system: System) -> None:
    """A retry that is more than a minute away is named with its time."""
    system.vendor.script = [Conflict()] * 8
    sign_up(system)
    for _ in range(8):
        step = system.attempt.step()
        while step.outcome is Outcome.IDLE:
            assert step.until is not None
            system.clock.now = step.until
            step = system.attempt.step()
    (problem,) = system.health.report().problems
    assert "waits for a time of its own" in problem.sentence
    assert "being changed at the same moment" in problem.sentence


def test_a_delivery_elsewhere_is_named_while_something_waits(system: System) -> None:
    """With DELIVERY=off waiting sign-ups are named, and the status is ok."""
    health = system.health_of(silent_seconds=None)
    assert health.report().problems == ()
    sign_up(system)
    (problem,) = health.report().problems
    assert problem.code == "delivery_elsewhere"
    assert "flask worker" in problem.sentence
    assert health.report().status == "ok"


def test_a_database_that_is_being_upgraded_is_said_to_be(system: System, tmp_path: Path) -> None:
    """Another process holds the migration lock; sign-ups go to the spool meanwhile, which is counted."""
    lock = os.open(tmp_path / "test.db-migration-lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    upgrading = Database(f"sqlite:///{tmp_path / 'test.db'}")
    upgrading.patience_seconds = 0.1
    report = system.health_of(database=upgrading).report()
    os.close(lock)
    upgrading.close()
    assert (report.status, report.storable) == ("degraded", True)
    assert [problem.code for problem in report.problems] == ["database_upgrading"]
    assert "is being upgraded" in report.problems[0].sentence


def test_suspected_ones_that_were_not_kept_are_told_for_a_day(system: System) -> None:
    """Admins are told for a day, with what can be done about it."""
    small = Signups(system.database, ceiling=SuspectedCeiling(rows=0))
    said = signup("s1", at=system.clock.now)
    assert small.accept(said, kind="sign_up", payload={}, judgement=Judgement(broken=("honeypot",))) == (
        "honeypot",
    )
    (problem,) = system.health.report().problems
    assert (problem.code, problem.of_signups) == ("suspected_not_kept", True)
    assert "by now: 1" in problem.sentence
    system.clock.now += 86_400_001
    assert system.health.report().problems == ()


FATES = ["believed", "suspected", "delivered", "refused"]


def fate(system: System, what: str) -> None:
    """Sign up anonymously, and let this happen to it."""
    if what == "refused":
        system.vendor.script = [Rejected()]
    system.sign_up("ann@example.org", **({"website": "x"} if what == "suspected" else {}))
    if what in {"delivered", "refused"}:
        system.attempt.step()


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize("seconds", [0, 5, 3_700])
def test_strangers_are_told_the_same_whatever_became_of_a_sign_up(
    tmp_path: Path, seconds: int, *, connected: bool
) -> None:
    """Status, counts and problems are equal, also an hour later while nothing can be delivered."""
    told = {}
    for what in FATES if connected else ["believed", "suspected"]:
        (tmp_path / what).mkdir()
        system = System(tmp_path / what)
        if connected:
            system.connect()
        fate(system, what)
        system.clock.now += seconds * 1_000
        if connected and seconds > 5:
            system.attempt.step()
        report = system.health.report(for_all=True)
        told[what] = report
        system.database.close()
    assert len(set(told.values())) == 1, told
    if not connected:
        assert (report.pending, report.oldest_pending_seconds) == (1, seconds)


def test_strangers_are_told_of_no_weakness_and_no_secret(system: System) -> None:
    """Strangers are told that there is something; holders of a key are told what."""
    row = system.connections.read()
    system.connections.record_failure(
        generation=row.generation, state="credentials_rejected", error="why", next_refresh_at=None
    )
    assert [each.code for each in system.health.report().problems] == ["connection_credentials_rejected"]
    told = system.health.report(for_all=True)
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
