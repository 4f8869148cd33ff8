"""What is wrong and how to mend it."""

from dataclasses import replace
from pathlib import Path

import pytest

from services.access.requester import ANONYMOUS
from services.connection.states import WORDS
from services.constant_contact.errors import Rejected
from services.intake.parsing import read_form
from services.intake.record import Evidence
from services.operations.checks import connection, delivery, storage
from services.operations.doctor import Deployment, Doctor
from services.operations.snapshot import FilesState
from services.problems import Level, Problem
from store.engine.database import Database
from store.errors import StoreMisconfigured, StoreUnavailable
from tests.services.conftest import System
from tests.services.vendor import EVENTS, NEWSLETTER

DAY = 86_400_000
REDIRECT = "https://signup.example.org/oauth/callback"


class Control:
    """The connection's control with a known answer; nothing else may be asked of it here."""

    def __init__(self, *, decryptable: bool = True) -> None:
        self._decryptable = decryptable

    def refresh(self) -> tuple[bool, str]:
        raise AssertionError("looking must not refresh")

    def disconnect(self) -> None:
        raise AssertionError("looking must not disconnect")

    def decryptable(self) -> bool:
        return self._decryptable


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(
        warnings=(),
        store_url=f"sqlite:///{tmp_path / 'test.db'}",
        data_dir=tmp_path,
        redirect_uri=REDIRECT,
        public_list_ids=(NEWSLETTER.list_id,),
        vendor_urls=("http://127.0.0.1:1/v3",),
    )


def examine(
    system: System,
    deployment: Deployment,
    *,
    database: Database | None = None,
    decryptable: bool = True,
    online: bool = False,
    delivers_itself: bool = True,
    proxies: tuple[Problem, ...] = (),
) -> list[Problem]:
    reader = replace(system.reader, proxies=lambda: proxies, database=database or system.database)
    if not delivers_itself:
        reader = replace(reader, silent_seconds=None)
    doctor = Doctor(deployment, reader, Control(decryptable=decryptable), reach=lambda _: None)
    return doctor.examine(online=online)


def bad(found: list[Problem]) -> list[str]:
    return [str(finding) for finding in found if finding.level is not Level.OK]


def sign_up(system: System) -> None:
    submission = read_form([("email", "ann@example.org"), ("list_id", NEWSLETTER.list_id)])
    system.intake.accept(submission, ANONYMOUS, Evidence())


@pytest.mark.parametrize("public", [True, False])
def test_a_public_application_is_told_of(system: System, deployment: Deployment, public: bool) -> None:
    """That no secret is set is no fault, but an operator who forgot it sees so before a refresh fails."""
    system.lists.read()
    found = examine(system, replace(deployment, public_client=public))
    assert bad(found) == []
    assert any("no CONSTANT_CONTACT_CLIENT_SECRET" in str(finding) for finding in found) is public


def test_a_sound_deployment_has_nothing_but_ok(
    system: System, deployment: Deployment, tmp_path: Path
) -> None:
    """Each thing looked at is named, the database with its place, the redirect URI to the letter."""
    system.lists.read()
    found = examine(system, deployment)
    assert bad(found) == []
    text = "\n".join(map(str, found))
    for part in (
        "The settings are complete.",
        f"MB are free on the disk of {tmp_path}.",
        f"to the letter: {REDIRECT}",
        f"at {tmp_path}/test.db can be written.",
        "Constant Contact is connected.",
        "ENCRYPTION_KEYS open what is stored.",
        "connection was used: 0, of 180.",
        "The account has every list",
        "No sign-up waits",
    ):
        assert part in text
    assert "SQLite 3." in text
    assert "in the DNS" not in text


def test_every_part_reaches_the_report(system: System, deployment: Deployment) -> None:
    """With faults in every part, each is in the report."""
    system.vendor.script = [Rejected()]
    sign_up(system)
    system.attempt.step()
    sign_up(system)
    system.clock.now += 2 * DAY
    system.lists.read()
    system.connect(lasts_ms=0)
    system.connections.record_failure(
        generation=system.connections.read().generation,
        state="refresh_failing",
        error="No answer.",
        next_refresh_at=None,
    )
    lists = (NEWSLETTER.list_id, "99999999-9999-4999-8999-999999999999")
    faulty = replace(
        deployment, warnings=(Problem("mend", Level.WARNING, "Mend this."),), public_list_ids=lists
    )
    told = "\n".join(bad(examine(system, faulty, decryptable=False, delivers_itself=False)))
    for part in (
        "warning: Mend this.",
        "problem: Renewing the access",
        "No answer.",
        "problem: ENCRYPTION_KEYS do not open",
        "problem: PUBLIC_LIST_IDS names lists that the account does not have: 99999999-",
        "problem: Sign-ups waiting: 1, the oldest for 2880 minutes.",
        "warning: Sign-ups that were put aside and wait for a person: 1.",
        "problem: DELIVERY=off, and for 2880 minutes",
    ):
        assert part in told
    system.quota.pause(until=system.clock.now + 60_000, reason="Constant Contact is away.")
    paused = "\n".join(bad(examine(system, faulty, delivers_itself=False)))
    assert "pauses for another 61 s: Constant Contact is away." in paused
    assert "DELIVERY=off" not in paused


def test_a_database_that_is_away_spoils_only_its_own_findings(
    system: System, deployment: Deployment, tmp_path: Path
) -> None:
    """Checks that need no database still run, and the database's place and error are named."""
    (tmp_path / "file").touch()
    url = f"sqlite:///{tmp_path}/file/x.db"
    found = examine(system, replace(deployment, store_url=url), database=Database(url), online=True)
    (problem,) = bad(found)
    assert f"problem: The database at {tmp_path}/file/x.db cannot be used" in problem
    assert "local disk" in problem
    assert any(REDIRECT in finding.sentence for finding in found)
    assert "127.0.0.1 is found" in found[-1].sentence


def test_a_database_that_cannot_be_written_is_not_called_sound(
    system: System, deployment: Deployment
) -> None:
    """Opening the database proves nothing, so the doctor writes to it."""
    system.database.prepare()
    with system.database.transaction() as transaction:
        transaction.exec_driver_sql("ALTER TABLE meta RENAME TO meta_gone")
    found = examine(system, deployment)
    assert not any("can be written" in finding.sentence for finding in found)
    assert any("cannot be used" in finding.sentence for finding in found)


def test_a_folder_that_is_not_there_yet_is_no_obstacle(
    system: System, deployment: Deployment, tmp_path: Path
) -> None:
    """With a database server DATA_DIR may not exist; the disk of the nearest folder above it is examined."""
    server = replace(deployment, store_url="postgres://u:p@h/d", data_dir=tmp_path / "not" / "yet")
    assert any(f"the disk of {tmp_path}." in finding.sentence for finding in examine(system, server))


def test_less_than_64_megabytes_is_a_problem() -> None:
    """A full disk refuses sign-ups, so it is a problem before it is full."""
    folder = Path("/srv/data")
    enough = FilesState(disk_free=64 * 1024 * 1024, spooled=0, spool_damaged=0)
    assert storage.disk(enough, folder)[0].level is Level.OK
    (short,) = storage.disk(replace(enough, disk_free=64 * 1024 * 1024 - 1), folder)
    assert (short.level, short.sentence) == (
        Level.PROBLEM,
        "Only 63 MB are free on the disk of /srv/data.",
    )


def test_a_redirect_uri_that_moves_is_a_warning_and_the_sandbox_needs_none() -> None:
    """Without PUBLIC_BASE_URL the redirect URI is not known, so it cannot be registered."""
    (moving,) = connection.redirect(None, sandbox=False)
    assert moving.level is Level.WARNING
    assert "PUBLIC_BASE_URL" in moving.sentence
    assert connection.redirect(None, sandbox=True)[0].level is Level.OK


@pytest.mark.parametrize("state", sorted(set(WORDS) - {"connected"}))
def test_a_state_other_than_connected_is_a_problem_with_its_cure(system: System, state: str) -> None:
    """Connect is the cure where it helps; the level is a warning while the access token lasts."""
    system.connections.record_failure(
        generation=system.connections.read().generation, state=state, error="Why.", next_refresh_at=None
    )
    (finding,) = connection.connection(system.connection.read())
    assert finding.level is (Level.WARNING if state == "refresh_failing" else Level.PROBLEM)
    assert finding.sentence == f"{WORDS[state][0]} The last error: Why."
    assert (finding.cure is not None) is WORDS[state][1]
    system.clock.now += 2 * DAY
    (later,) = connection.connection(system.connection.read())
    assert later.level is Level.PROBLEM


@pytest.mark.parametrize(
    ("days", "level"),
    [(59, Level.OK), (60, Level.WARNING), (149, Level.WARNING), (150, Level.PROBLEM)],
)
def test_an_unused_connection_is_told_in_time(system: System, days: int, level: Level) -> None:
    """A warning from 60 idle days, a problem from 150; the vendor ends it at 180."""
    system.clock.now += days * DAY
    (finding,) = connection.idle(system.connection.read())
    assert (finding.level, str(days) in finding.sentence) == (level, True)


def test_without_a_connection_nothing_is_idle(system: System) -> None:
    """Idle days are counted only where there is a connection."""
    system.connections.disconnect(now=system.clock.now)
    assert connection.idle(system.connection.read()) == []


def test_public_lists_are_compared_with_the_account(system: System) -> None:
    """Lists never fetched are a warning, a list that is gone a problem, no PUBLIC_LIST_IDS nothing."""
    assert connection.public_lists([NEWSLETTER.list_id], None)[0].level is Level.WARNING
    assert connection.public_lists([], None) == []
    known = system.lists.read()
    assert connection.public_lists([NEWSLETTER.list_id, EVENTS.list_id], known)[0].level is Level.OK
    (gone,) = connection.public_lists([NEWSLETTER.list_id, "gone-1"], known)
    assert (gone.level, "gone-1" in gone.sentence) == (Level.PROBLEM, True)
    assert NEWSLETTER.list_id not in gone.sentence


def test_waiting_is_a_problem_after_an_hour(system: System) -> None:
    """A backlog is normal; one whose oldest sign-up waits for over an hour is not."""
    sign_up(system)
    queue = system.reader.read_queue()
    assert delivery.waiting(replace(queue, now=queue.now + 3_600_000))[0].level is Level.OK
    assert delivery.waiting(replace(queue, now=queue.now + 3_601_000))[0].level is Level.PROBLEM


def test_a_missing_worker_shows_by_what_waits(system: System) -> None:
    """With DELIVERY=off, a quarter of an hour without delivery is a problem, unless none can be made."""
    sign_up(system)
    reader = replace(system.reader, silent_seconds=None)
    received_at = system.clock.now

    def worker(seconds: int, *, usable: bool = True, delivers_itself: bool = False) -> list[Problem]:
        system.clock.now = received_at + seconds * 1_000
        found = reader.read_delivery(reader.read_queue())
        return delivery.worker(replace(found, delivers_itself=delivers_itself), usable=usable)

    assert worker(10_000, delivers_itself=True) == []
    assert worker(900)[0].level is Level.OK
    assert worker(901)[0].level is Level.PROBLEM
    assert worker(901, usable=False)[0].level is Level.OK
    system.quota.pause(until=system.clock.now + 60_000, reason="Constant Contact is away.")
    assert worker(901)[0].level is Level.OK


def test_hosts_are_looked_for_once_each() -> None:
    """A host that is not found is named, and the next host is still looked for."""
    asked = []

    def resolve(host: str, _: None) -> None:
        asked.append(host)
        if host == "api.example.org":
            raise OSError

    urls = ("https://api.example.org/v3", "https://authz.example.org/a", "https://authz.example.org/b")
    found = connection.hosts(urls, resolve)
    assert asked == ["api.example.org", "authz.example.org"]
    assert [finding.level for finding in found] == [Level.PROBLEM, Level.OK]


def test_a_misconfigured_database_names_its_own_cure() -> None:
    """The store's message holds the cure; for a server that is away the doctor adds one."""
    url = "postgres://u:p@db.example.org/app"
    (wrong,) = storage.database_away(url, StoreMisconfigured("Wrong. Do this."))
    assert (wrong.level, wrong.cure) == (Level.PROBLEM, None)
    (away,) = storage.database_away(url, StoreUnavailable("refused"))
    assert "server runs" in (away.cure or "")


def test_sign_ups_outside_the_database_are_told(
    system: System, deployment: Deployment, tmp_path: Path
) -> None:
    """Spooled sign-ups are a warning; unreadable lines and a lost database file are problems."""
    system.database.prepare()
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "waiting").write_bytes(b"one\ntwo\n")
    (tmp_path / "spool" / "damaged-1-1").write_bytes(b"one\n")
    (tmp_path / "test.db.damaged-20260101-000000-1").touch()
    told = "\n".join(bad(examine(system, deployment)))
    assert f"warning: Sign-ups that wait in {tmp_path}/spool for the database: 2." in told
    assert f"problem: Lines in {tmp_path}/spool that could not be imported: 1." in told
    assert "problem: The database file was damaged or taken away." in told


def test_a_second_copy_that_cannot_be_written(system: System, deployment: Deployment, tmp_path: Path) -> None:
    """A failing second copy is a problem, with its cure in the sentence."""
    (tmp_path / "copies").touch()
    (problem,) = [found for found in examine(system, deployment) if found.level is Level.PROBLEM]
    assert "second copy" in problem.sentence
    assert "Make room" in problem.sentence


def test_what_requests_showed_of_the_proxies_is_a_finding(system: System, deployment: Deployment) -> None:
    """The problem is a warning with its cure, since sign-ups get in."""
    sight = Problem(
        "proxy_not_counted", Level.WARNING, "A proxy is not counted. Set PROXY_HOPS=1.", public=False
    )
    found = [f for f in examine(system, deployment, proxies=(sight,)) if "PROXY_HOPS" in f.sentence]
    assert found == [sight]
    found = [f for f in examine(system, deployment) if "PROXY_HOPS" in f.sentence]
    assert [finding.level for finding in found] == [Level.OK]


def test_a_host_that_cannot_be_used_is_a_problem_with_its_cause() -> None:
    """A host in the DNS may still be unusable: certificates and proxies stand between."""
    (good,) = connection.reached("https://api.cc.email/v3", None)
    assert (good.level, good.sentence) == (Level.OK, "api.cc.email answers.")
    (bad,) = connection.reached("https://api.cc.email/v3", "the certificate file /x.pem is missing")
    assert bad.level is Level.PROBLEM
    assert bad.sentence == "api.cc.email cannot be used: the certificate file /x.pem is missing."
