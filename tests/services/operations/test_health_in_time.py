"""Health in time: an answer within a second, whatever hangs."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.operations.health import Health, HealthReport
from services.operations.health_in_time import HealthInTime
from services.operations.reader import DATABASE, FOLDER, SnapshotReader
from store.engine.database import Database
from store.engine.sqlite import driver
from store.errors import StoreUnavailable
from store.recovery.spool import Spool
from tests.services.conftest import System

GOOD = HealthReport("ok", True, "connected", 0, 0, (), "1")


class Reader(SnapshotReader):
    """Reads nothing, and says what it reads."""

    def __init__(self) -> None:
        self.looks_at = DATABASE


class Hanging(Health):
    """Health whose report hangs for as long as a test likes."""

    def __init__(self) -> None:
        super().__init__(Reader(), warnings=(), version="1")
        self.go_on = threading.Event()
        self.looks = 0

    def report(self, *, for_all: bool = False) -> HealthReport:
        self.looks += 1
        assert self.go_on.wait(20)
        return GOOD


class HangingSpool(Spool):
    """A spool on a disk that does not answer, or refuses."""

    def __init__(self, folder: Path, *, refuses: bool = False) -> None:
        super().__init__(folder)
        self.go_on = threading.Event()
        self.refuses = refuses

    def check(self) -> None:
        if self.refuses:
            raise StoreUnavailable("full")
        assert self.go_on.wait(20)


@contextmanager
def in_a_second() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 1.5, "0.8 s, and a busy machine"


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    health = Hanging()
    yield health
    health.go_on.set()


def test_what_hangs_is_named_with_its_time(hanging: Hanging, tmp_path: Path) -> None:
    """Sign-ups go to the spool meanwhile; once the database answers, the report is the usual one."""
    now = [0.0]
    health = HealthInTime(hanging, Spool(tmp_path), monotonic=lambda: now[0])
    with in_a_second():
        report = health.report()
    assert (report.status, report.storable) == ("degraded", True)
    assert report.problems[0].code == "no_answer"
    assert report.problems[0].sentence.startswith("The database has not answered for 1 s. Sign-ups are safe")
    now[0] += 12
    assert "for 12 s" in health.report().problems[0].sentence
    hanging.go_on.set()
    for _ in range(500):
        if (report := health.report()) == GOOD:
            break
        time.sleep(0.01)
    assert report == GOOD


def test_however_many_ask_one_thread_hangs(hanging: Hanging, tmp_path: Path) -> None:
    """Probes come every few seconds for as long as the database hangs, and share one thread."""
    health = HealthInTime(hanging, Spool(tmp_path))
    with in_a_second():
        threads = [threading.Thread(target=health.report) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    with in_a_second():
        for _ in range(30):
            health.report()
    assert hanging.looks == 1
    assert len([thread for thread in threading.enumerate() if thread.name == "health"]) <= 2


@pytest.mark.parametrize("refuses", [True, False])
def test_a_spool_that_hangs_or_refuses_as_well_is_worth_a_503(
    hanging: Hanging, tmp_path: Path, refuses: bool
) -> None:
    """Where database and spool both fail, as on a network disk that is away, nothing can be stored."""
    spool = HangingSpool(tmp_path, refuses=refuses)
    hanging.reader.looks_at = FOLDER
    health = HealthInTime(hanging, spool)
    with in_a_second():
        report = health.report()
    spool.go_on.set()
    assert (report.status, report.storable) == ("unavailable", False)
    assert "cannot be stored: the data folder has not answered for" in report.problems[0].sentence


def test_what_looking_raises_comes_out(tmp_path: Path) -> None:
    """An error in our own code is a 500 with a line in the log, as everywhere."""

    class Faulty(Hanging):
        def report(self, *, for_all: bool = False) -> HealthReport:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        HealthInTime(Faulty(), Spool(tmp_path)).report()


def test_a_database_that_somebody_holds_is_named(system: System, tmp_path: Path) -> None:
    """Another program locks the file for longer than health waits."""
    # Its own look of a moment ago would still count.
    another = Database(f"sqlite:///{tmp_path / 'test.db'}")
    another.prepare()
    health = HealthInTime(system.health_of(database=another), Spool(tmp_path / "spool"))
    other = driver.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with in_a_second():
        report = health.report()
    assert (report.status, report.storable) == ("degraded", True)
    assert "The database has not answered for 1 s." in report.problems[0].sentence
    other.execute("ROLLBACK")
    other.close()
    for _ in range(1_000):
        if (report := health.report()).status == "ok":
            break
        time.sleep(0.01)
    assert report.status == "ok"
    another.close()
