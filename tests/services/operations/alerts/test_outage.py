"""While the database is away, alerts go out without it; afterwards it knows what was told."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from services.operations.alerts.watch import Alerts
from services.operations.checks import storage
from services.operations.health import HealthReport, report_without_database
from services.operations.snapshot import Outage
from store.errors import StoreUnavailable
from tests.services.conftest import System
from tests.services.operations.alerts.conftest import MINUTE, Watched

Switch = Callable[..., None]
AWAY = "[signup.example.org] Sign-ups cannot be stored as usual"
BACK = "[signup.example.org] Sign-ups are being stored as usual again"


def away() -> HealthReport:
    """What health says of a database that refuses."""
    problem = storage.outage(Outage(StoreUnavailable("no"), None, 7))
    return report_without_database(problem, storable=True, version="1")


def out_of_reach(instance: System) -> Alerts:
    """The alerts of an instance that does not reach the database; using it all the same would show."""
    return replace(instance.parts.services.alerts, report=away, states=None)  # type: ignore[arg-type]


def looks(watched: Watched, count: int, *alerts: Alerts) -> None:
    for _ in range(count):
        for each in alerts:
            each.look()
        watched.clock.now += MINUTE


def test_it_is_told_once_and_its_end_too(watched: Watched, mail: Switch) -> None:
    """By two processes of one machine, one of which is started anew; what it stores meanwhile is named."""
    mail(on=True)
    instance, other = watched.start(), watched.start()
    instance.connect()
    looks(watched, 1, out_of_reach(instance), out_of_reach(other))
    assert watched.inbox.mails == []
    looks(watched, 10, out_of_reach(instance), out_of_reach(other))
    assert watched.inbox.subjects() == [AWAY]
    assert watched.types() == ["alert.raised store"]
    assert "kept in a file (7 by now)" in watched.inbox.mails[0].get_content().replace("=\n", "")
    looks(watched, 10, out_of_reach(watched.start()))
    watched.minutes(30)
    assert watched.inbox.subjects() == [AWAY, BACK]
    assert watched.types() == ["alert.raised store", "alert.cleared store"]
    watched.minutes(60)
    assert len(watched.inbox.mails) == 2


def test_it_is_told_again_each_day(watched: Watched, mail: Switch) -> None:
    """As any other alert."""
    mail(on=True)
    alerts = out_of_reach(watched.start())
    looks(watched, 24 * 60 + 5, alerts)
    assert watched.inbox.subjects() == [AWAY, AWAY.replace("] ", "] Still: ")]


def test_a_mail_server_that_is_away_too_is_tried_again(watched: Watched, mail: Switch) -> None:
    """The webhook is told once meanwhile."""
    alerts = out_of_reach(watched.start())
    looks(watched, 30, alerts)
    mail(on=True)
    looks(watched, 10, alerts)
    assert watched.inbox.subjects() == [AWAY]
    assert watched.types() == ["alert.raised store"]


def test_who_could_not_be_told_is_told_afterwards(watched: Watched, mail: Switch) -> None:
    """The mail server came back after the database: it gets both, the beginning and the end."""
    instance = watched.start()
    instance.connect()
    looks(watched, 30, out_of_reach(instance))
    assert watched.types() == ["alert.raised store"]
    watched.minutes(30)
    mail(on=True)
    watched.minutes(30)
    assert watched.inbox.subjects() == [AWAY, BACK]
    assert watched.types() == ["alert.raised store", "alert.cleared store"]


def test_an_outage_that_nobody_could_be_told_of_is_told_when_it_is_over(
    watched: Watched, mail: Switch
) -> None:
    """Everything was away at once; one message says what was."""
    watched.received.status = 503
    instance = watched.start()
    instance.connect()
    looks(watched, 30, out_of_reach(instance))
    watched.received.status = 204
    watched.received.headers.clear()
    watched.received.bodies.clear()
    mail(on=True)
    watched.minutes(30)
    assert watched.inbox.subjects() == [AWAY.replace("] ", "] Resolved: ")]
    assert watched.types() == ["alert.passed store"]


def test_a_blip_is_nobodys_alert(watched: Watched, mail: Switch) -> None:
    """A database that is started anew is back within the minute."""
    mail(on=True)
    instance = watched.start()
    instance.connect()
    looks(watched, 1, out_of_reach(instance))
    watched.minutes(60)
    assert watched.inbox.mails == []


@pytest.mark.parametrize("restarts", [False, True])
def test_a_database_that_comes_and_goes_is_no_storm(
    watched: Watched, mail: Switch, *, restarts: bool
) -> None:
    """At most one mail in a quarter of an hour, whichever way it goes out."""
    mail(on=True)
    instance = watched.start()
    instance.connect()
    began = watched.clock.now
    for _ in range(12):
        looks(watched, 5, out_of_reach(instance))
        watched.minutes(5)
        if restarts:
            watched.stop()
            instance = watched.start()
    minutes = (watched.clock.now - began) // MINUTE
    assert 2 <= len(watched.inbox.mails) <= minutes // 15 + 1


def test_a_folder_that_cannot_be_written_keeps_nobody_from_being_told(watched: Watched, mail: Switch) -> None:
    """The process remembers whom it told."""
    mail(on=True)
    instance = watched.start()
    (watched.path / "outage-alert.json").mkdir()
    alerts = out_of_reach(instance)
    looks(watched, 20, alerts)
    assert watched.inbox.subjects() == [AWAY]
