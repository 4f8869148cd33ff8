"""The table of opt-outs: read in rounds by one process at a time, and doubtful after rows were put back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from store.engine.database import Database
from store.opt_outs import KnownOptOut, OptedOut, OptOuts, Refresh
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.outbox.manage import DeliveryActions
from store.recovery.spool import Spool
from store.recovery.spool_import import SpoolImport
from store.signups.accept import Signups
from store.signups.batch import Judgement
from store.signups.suspected import SuspectedSignups
from tests.store.conftest import accept, in_threads, signup

LEASE = 20_000


@pytest.fixture
def opt_outs(database: Database) -> OptOuts:
    return OptOuts(database)


def read_all(opt_outs: OptOuts, now: int, *found: OptedOut) -> None:
    """Read the list of opt-outs in a round of one page."""
    assert opt_outs.begin(now, lease_ms=LEASE) is not None
    opt_outs.keep(found, following=None, day="2026-11-29")


def state(opt_outs: OptOuts) -> Refresh:
    return opt_outs.standing("nobody@example.org").refresh


def settled(opt_outs: OptOuts) -> bool:
    found = state(opt_outs)
    return found.settled == found.doubts


def test_nothing_is_known_before_the_first_round_has_ended(opt_outs: OptOuts) -> None:
    """A page counts, and the round goes on where it was; its end makes the table as new as its beginning."""
    assert state(opt_outs).refreshed_at == 0
    opt_outs.begin(1_000, lease_ms=LEASE)
    opt_outs.keep([OptedOut("a@example.org", 5)], following="/page-2", day="2026-11-29")
    assert (state(opt_outs).refreshed_at, state(opt_outs).page) == (0, "/page-2")
    assert opt_outs.standing("a@example.org").opt_out == KnownOptOut(5, None)
    opt_outs.pause(0)
    again = opt_outs.begin(9_000, lease_ms=LEASE)
    assert again is not None
    assert (again.began_at, again.page) == (1_000, "/page-2")
    opt_outs.keep([OptedOut("b@example.org", 6)], following=None, day="2026-11-29")
    ended = state(opt_outs)
    assert (ended.refreshed_at, ended.began_at, ended.page, ended.pages) == (1_000, None, None, 2)
    assert opt_outs.standing("b@example.org").opt_out == KnownOptOut(6, None)


def test_one_reads_at_a_time(opt_outs: OptOuts) -> None:
    """Of many that begin together one may; the lease ends with the round, with a pause, or by itself."""
    began = in_threads(4, lambda _: opt_outs.begin(1_000, lease_ms=LEASE))
    assert sum(each is not None for each in began) == 1
    assert opt_outs.begin(1_000 + LEASE - 1, lease_ms=LEASE) is None
    assert opt_outs.begin(1_000 + LEASE, lease_ms=LEASE) is not None
    opt_outs.pause(0)
    read_all(opt_outs, 30_000)
    assert opt_outs.begin(30_001, lease_ms=LEASE) is not None


def test_a_lease_given_by_a_clock_that_was_set_back_since_holds_nobody_up(opt_outs: OptOuts) -> None:
    """Its rest is longer than any lease, so it is taken for over."""
    opt_outs.begin(10**9, lease_ms=LEASE)
    assert opt_outs.begin(1_000, lease_ms=LEASE) is not None


def test_a_lost_round_begins_anew(opt_outs: OptOuts) -> None:
    """The vendor refuses the link to its next page; after any other failure the round goes on at its page."""
    opt_outs.begin(1_000, lease_ms=LEASE)
    opt_outs.keep([], following="/page-2", day="2026-11-29")
    opt_outs.failed(5_000, lost=False)
    assert (state(opt_outs).page, state(opt_outs).failures, state(opt_outs).try_at) == ("/page-2", 1, 5_000)
    opt_outs.failed(5_000, lost=True)
    assert (state(opt_outs).page, state(opt_outs).began_at, state(opt_outs).failures) == (None, None, 2)
    read_all(opt_outs, 6_000)
    assert (state(opt_outs).refreshed_at, state(opt_outs).failures) == (6_000, 0)


def test_a_later_opt_out_replaces_an_earlier_one_and_keeps_that_it_was_asked(opt_outs: OptOuts) -> None:
    """The address itself is not in the table, and whoever comes back leaves it."""
    read_all(opt_outs, 1_000, OptedOut("a@example.org", 5))
    opt_outs.asked("a@example.org", left_at=5, now=7)
    assert opt_outs.standing("a@example.org").opt_out == KnownOptOut(5, 7)
    read_all(opt_outs, 2_000, OptedOut("a@example.org", 9), OptedOut("a@example.org", 9))
    assert opt_outs.standing("a@example.org").opt_out == KnownOptOut(9, 7)
    opt_outs.asked("new@example.org", left_at=1, now=2)
    assert opt_outs.standing("new@example.org").opt_out == KnownOptOut(1, 2)
    opt_outs.forget("a@example.org")
    assert opt_outs.standing("a@example.org").opt_out is None


def test_no_address_is_in_the_table(opt_outs: OptOuts, database: Database) -> None:
    """Erasing a person keeps the protection, since nothing of them is in it."""
    read_all(opt_outs, 1_000, OptedOut("ann@example.org", 5))
    with database.reading() as connection:
        (row,) = connection.exec_driver_sql("SELECT * FROM opt_outs").all()
    assert "ann@" not in str(row)


def test_the_outlook_tells_what_is_probably_next(opt_outs: OptOuts, database: Database) -> None:
    """The oldest that is due, none where nothing is."""
    assert opt_outs.outlook(100).next_received_at is None
    accept(database, "s1", at=50)
    accept(database, "s2", at=60)
    found = opt_outs.outlook(100)
    assert (found.next_received_at, found.used, found.failing) == (50, 0, False)
    assert opt_outs.outlook(49).next_received_at is None


def parked(database: Database) -> None:
    deliveries = Deliveries(database, monotonic=lambda: 0.0)
    accept(database, "s1", at=5)
    claimed = deliveries.claim(10)
    assert isinstance(claimed, Claimed)
    deliveries.park(claimed, now=11, error="no")


def retry(database: Database, _: Spool) -> None:
    assert Deliveries(database).retry("s1", now=20)


def put_back(database: Database, _: Spool) -> None:
    with database.reading() as connection:
        ids = list(connection.exec_driver_sql("SELECT id FROM deliveries").scalars())
    assert Deliveries(database).put_back(ids, due_at=20) == 1


def replace_list(database: Database, _: Spool) -> None:
    old, new = ("1" * 8 + "-1111-4111-8111-111111111111", "2" * 8 + "-1111-4111-8111-111111111111")
    with database.transaction() as connection:
        connection.exec_driver_sql(f'UPDATE deliveries SET payload = \'{{"list_memberships":["{old}"]}}\'')
    assert DeliveryActions(database).replace_list(old, new, now=20, note="Replaced.") == 1


def release(database: Database, _: Spool) -> None:
    Signups(database).accept(
        signup("s2"), kind="sign_up", payload={}, judgement=Judgement(broken=("honeypot",))
    )
    assert SuspectedSignups(database).release("s2", now=20)


def import_spool(database: Database, spool: Spool) -> None:
    spool.keep(signup("s3"), kind="sign_up", payload={})
    assert SpoolImport(database, spool).run().signups == 1


@pytest.mark.parametrize("put", [retry, put_back, replace_list, release, import_spool])
def test_what_is_put_back_makes_the_table_doubtful_in_the_same_transaction(
    opt_outs: OptOuts,
    database: Database,
    tmp_path: Path,
    put: Callable[[Database, Spool], None],
) -> None:
    """Only a round that begins afterwards settles it; one that was under way does not."""
    parked(database)
    read_all(opt_outs, 1_000)
    assert settled(opt_outs)
    opt_outs.begin(2_000, lease_ms=LEASE)
    put(database, Spool(tmp_path / "spool"))
    opt_outs.keep([], following=None, day="2026-11-29")
    assert not settled(opt_outs)
    read_all(opt_outs, 3_000)
    assert settled(opt_outs)


def test_what_was_not_put_back_leaves_the_table_alone(opt_outs: OptOuts, database: Database) -> None:
    """A retry of what is not parked costs no look at the vendor."""
    read_all(opt_outs, 1_000)
    assert not Deliveries(database).retry("nobody", now=5)
    assert settled(opt_outs)
    opt_outs.doubt()
    assert not settled(opt_outs)
