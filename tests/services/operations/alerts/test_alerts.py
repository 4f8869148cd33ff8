"""From a problem to a mail that a real server takes and a webhook whose signature is right."""

import shutil
from collections.abc import Callable

import pytest

from tests.services.operations.alerts.conftest import MINUTE, Watched

Switch = Callable[..., None]
WAITING = "[signup.example.org] Sign-ups have been waiting for over an hour"
DELIVERED = "[signup.example.org] Sign-ups are no longer held up"


def test_the_vendor_is_away_and_comes_back(watched: Watched, mail: Switch) -> None:
    """An hour later one mail and one webhook say so, a day later a reminder does, then the all-clear."""
    mail(on=True)
    instance = watched.start()
    instance.connect()
    watched.minutes(5)
    watched.vendor_down(down=True)
    instance.sign_up()
    watched.minutes(55)
    assert (watched.inbox.mails, watched.types()) == ([], [])
    watched.minutes(10)
    assert watched.inbox.subjects() == [WAITING]
    assert watched.types() == ["alert.raised waiting"]
    watched.clock.now += 23 * 60 * MINUTE
    assert len(watched.inbox.mails) == 1
    watched.minutes(80)
    assert watched.inbox.subjects()[1:] == [
        "[signup.example.org] Still: Sign-ups have been waiting for over an hour"
    ]
    watched.vendor_down(down=False)
    watched.minutes(60)
    assert instance.deliveries.backlog().pending == 0
    assert watched.inbox.subjects()[2:] == [DELIVERED]
    assert watched.types() == ["alert.raised waiting", "alert.reminder waiting", "alert.cleared waiting"]
    watched.minutes(120)
    assert len(watched.inbox.mails) == len(watched.received.bodies) == 3


def test_what_a_mail_says(watched: Watched, mail: Switch) -> None:
    """What is wrong, since when, where to look; nothing of whom it concerns."""
    mail(on=True)
    instance = watched.start()
    instance.connect()
    instance.sign_up("ann.lovelace@example.org", first_name="Ann")
    instance.vendor.refuses.add("ann.lovelace@example.org")
    watched.minutes(60)
    (told,) = watched.inbox.mails
    text = told.get_content().replace("\r\n", "\n")
    assert text == (
        "Sign-ups that were put aside and wait for a person: 1. See /admin/signups/.\n\n"
        "Since 2026-09-21 14:13 UTC.\n\n"
        "You will get a reminder each day while this lasts, and a message when it is over.\n\n"
        "https://signup.example.org/admin/\n\n"
        "-- \nSent by Subscriber Sync to the addresses in ALERT_EMAILS.\n"
    )
    body = watched.received.verified(0)
    assert (body["type"], body["timestamp"]) == ("alert.raised", "2026-09-21T14:13:20Z")
    assert body["data"]["kind"] == "parked"
    assert body["data"]["problems"][0]["code"] == "signups_parked"
    assert body["data"]["url"] == "https://signup.example.org/admin/"
    assert b"lovelace" not in b"".join([told.as_bytes(), *watched.received.bodies])


def test_a_mail_server_that_is_away_loses_no_alert(watched: Watched, mail: Switch) -> None:
    """When it is back everything arrives, in order; the webhook has not waited for it."""
    instance = watched.start()
    instance.connect()
    watched.vendor_down(down=True)
    instance.sign_up()
    watched.minutes(70)
    assert watched.types() == ["alert.raised waiting"]
    watched.minutes(20)
    assert [problem.code for problem in instance.parts.services.outbox.problems()] == ["messages_waiting"]
    watched.vendor_down(down=False)
    watched.minutes(60)
    assert watched.types() == ["alert.raised waiting", "alert.cleared waiting"]
    assert watched.inbox.mails == []
    mail(on=True)
    watched.minutes(20)
    assert watched.inbox.subjects() == [WAITING, DELIVERED]
    assert instance.parts.services.outbox.problems() == ()


def test_a_restart_loses_none_and_repeats_none(watched: Watched, mail: Switch) -> None:
    """Stopped after the alert was stored and before it was sent, and stopped again before the end."""
    instance = watched.start()
    instance.connect()
    watched.vendor_down(down=True)
    instance.sign_up()
    watched.minutes(65)
    watched.stop()
    watched.clock.now += 30 * MINUTE
    mail(on=True)
    watched.start()
    watched.vendor_down(down=True)
    watched.minutes(20)
    assert watched.inbox.subjects() == [WAITING]
    watched.stop()
    watched.clock.now += 300 * MINUTE
    watched.start()
    watched.minutes(30)
    assert watched.inbox.subjects() == [WAITING, DELIVERED]
    assert watched.types() == ["alert.raised waiting", "alert.cleared waiting"]


def test_three_instances_tell_once(watched: Watched, mail: Switch) -> None:
    """Whoever is first; also what only one of them sees is not over because the others do not see it."""
    mail(on=True)
    for number in range(3):
        watched.start(DATA_DIR=str(watched.path / f"instance-{number}"), DATABASE_URL=_url(watched))
    watched.instances[0].connect()
    watched.vendor_down(down=True)
    watched.instances[0].sign_up()
    watched.minutes(80)
    spool = watched.path / "instance-1" / "spool"
    assert watched.inbox.subjects() == [WAITING]
    spool.mkdir(parents=True, exist_ok=True)
    (spool / "damaged-1").write_text("broken\n")
    watched.minutes(60)
    assert watched.inbox.subjects() == [WAITING, "[signup.example.org] Sign-ups cannot be stored as usual"]
    shutil.rmtree(spool)
    watched.vendor_down(down=False)
    watched.minutes(60)
    assert len(watched.inbox.mails) == len(watched.types()) == 4


def _url(watched: Watched) -> str:
    return f"sqlite:///{watched.path / 'test.db'}"


@pytest.mark.parametrize(("used", "told"), [(8_999, False), (9_000, True), (9_950, True)])
def test_the_day_is_nearly_used_up(watched: Watched, mail: Switch, used: int, *, told: bool) -> None:
    """While somebody can still act; /health says nothing before it is."""
    mail(on=True)
    instance = watched.start()
    instance.connect()
    instance.use_up(used)
    watched.minutes(3)
    assert watched.types() == (["alert.raised quota"] if told else [])
    if used < 9_900:
        assert instance.health.report().status == "ok"


def test_a_broken_connection(watched: Watched, mail: Switch) -> None:
    """Told once it has lasted a minute, and its end; being disconnected by an admin is no surprise."""
    mail(on=True)
    instance = watched.start()
    watched.minutes(30)
    assert watched.types() == []
    instance.connect()
    row = instance.connections.read()
    with instance.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE connection SET state = 'needs_reauthorization'")
    watched.minutes(1)
    assert watched.types() == []
    watched.minutes(20)
    assert watched.types() == ["alert.raised connection"]
    with instance.database.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE connection SET state = '{row.state}'")
    watched.minutes(20)
    assert watched.types() == ["alert.raised connection", "alert.cleared connection"]
    instance.connections.disconnect(now=watched.clock.now)
    watched.minutes(60)
    assert len(watched.types()) == 2


def test_nobody_delivers(watched: Watched, mail: Switch) -> None:
    """DELIVERY=off, and no worker runs."""
    mail(on=True)
    instance = watched.start()
    instance.connect()
    instance.sign_up()
    watched.minutes(20, deliver=False)
    assert watched.types() == ["alert.raised worker"]


def test_without_anybody_to_tell_nothing_is_looked_at(watched: Watched) -> None:
    """Most first tries have set nothing."""
    instance = watched.start(
        **dict.fromkeys(("SMTP_URL", "ALERT_EMAILS", "ALERT_WEBHOOK_URL", "ALERT_WEBHOOK_SECRET"), "")
    )
    instance.connect()
    instance.sign_up()
    watched.minutes(90, deliver=False)
    assert instance.parts.storage.store.alerts.read() == {}


def test_a_test_is_sent_at_once(watched: Watched, mail: Switch) -> None:
    """By each way, and what went wrong is told."""
    instance = watched.start()
    alerts = instance.parts.services.alerts
    by_mail, by_webhook = alerts.targets
    assert (str(by_mail), str(by_webhook)) == ("ada@example.org", "webhook")
    assert "cannot be reached" in (alerts.test(by_mail) or "")
    mail(on=True)
    assert alerts.test(by_mail) is None
    assert alerts.test(by_webhook) is None
    assert watched.inbox.subjects() == ["[signup.example.org] A test of the alerts"]
    assert watched.received.verified(0)["type"] == "alert.test"
