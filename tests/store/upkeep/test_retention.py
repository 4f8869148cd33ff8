"""Retention: what is erased after 30 days, and what never is."""

import pytest
from sqlalchemy import text

from store.engine.database import Database
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.signups.records import SignupFilter, SignupRecords
from store.signups.suspected import SuspectedSignups
from store.upkeep.masking import masked
from store.upkeep.retention import BATCH, Retention
from tests.store.conftest import accept
from tests.store.signups.test_suspected import keep

DAY = 86_400_000
NOW = 100 * DAY


def claim(database: Database, now: int) -> Claimed:
    result = Deliveries(database, monotonic=lambda: 0.0).claim(now)
    assert isinstance(result, Claimed), result
    return result


def payloads(database: Database) -> dict[str, str]:
    with database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT source_id, payload FROM deliveries").all()
    return {row[0]: "blank" if row[1] == "{}" else "kept" for row in rows}


def test_payloads_of_what_was_delivered_are_blanked(database: Database) -> None:
    """Thirty days after it was finished, with what it carried; the sign-up itself stays, as proof."""
    deliveries = Deliveries(database, monotonic=lambda: 0.0)
    for name in ("leader", "carried"):
        accept(database, name, contact="ada@example.org", at=1)
    claimed = claim(database, NOW - 31 * DAY)
    carried = tuple(other.delivery_id for other in claimed.younger)
    deliveries.delivered(claimed, now=NOW - 30 * DAY, contact_id="c", action="created", carried=carried)
    accept(database, "parked", at=2)
    deliveries.park(claim(database, NOW - 30 * DAY), now=NOW - 30 * DAY, error="400")
    accept(database, "younger", at=3)
    deliveries.delivered(
        claim(database, NOW - 30 * DAY + 1), now=NOW - 30 * DAY + 1, contact_id="c", action="created"
    )
    accept(database, "ready", at=4)
    Retention(database).prune(NOW)
    assert payloads(database) == {
        "leader": "blank",
        "carried": "blank",
        "parked": "kept",
        "younger": "kept",
        "ready": "kept",
    }
    assert len(SignupRecords(database).newest(SignupFilter(), 10)) == 5


def evidence(database: Database) -> dict[str, tuple[str | None, str | None]]:
    with database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT id, network_address, user_agent FROM signups").all()
    return {row[0]: (row[1], row[2]) for row in rows}


def test_a_delivered_sign_up_keeps_only_the_network_of_its_address(database: Database) -> None:
    """Thirty days afterwards, also for those merged into it; one that is not delivered keeps the address."""
    deliveries = Deliveries(database, monotonic=lambda: 0.0)
    accept(database, "old", contact="ann@example.org", at=1)
    accept(database, "carried", contact="ann@example.org", at=1)
    claimed = claim(database, NOW - 31 * DAY)
    carried = tuple(other.delivery_id for other in claimed.younger)
    deliveries.delivered(claimed, now=NOW - 30 * DAY, contact_id="c", action="created", carried=carried)
    accept(database, "parked", at=2)
    deliveries.park(claim(database, NOW - 30 * DAY), now=NOW - 30 * DAY, error="400")
    accept(database, "younger", at=3)
    deliveries.delivered(
        claim(database, NOW - 30 * DAY + 1), now=NOW - 30 * DAY + 1, contact_id="c", action="created"
    )
    for _ in range(2):
        Retention(database).prune(NOW)
        assert evidence(database) == {
            "old": ("192.0.2.0/24", None),
            "carried": ("192.0.2.0/24", None),
            "parked": ("192.0.2.1", "test"),
            "younger": ("192.0.2.1", "test"),
        }


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.255", "203.0.113.0/24"),
        ("2001:db8:1234:5678::9", "2001:db8:1234::/48"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("unknown", None),
        (None, None),
    ],
)
def test_a_network_address_is_masked(address: str | None, network: str | None) -> None:
    """A /24 of IPv4, a /48 of IPv6; masking it twice changes nothing."""
    assert masked(address) == network


def test_attempts_are_removed(database: Database) -> None:
    """Thirty days after they began, also one with an unknown outcome."""
    accept(database, "s1", at=1)
    for age in (31, 30, 29):
        claim(database, NOW - age * DAY)
    assert Retention(database).prune(NOW) == 2
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT started_at FROM attempts").scalars().all() == [
            NOW - 29 * DAY
        ]


def test_long_backlog_goes_in_batches(database: Database) -> None:
    """More than one batch is done at once; when nothing is due, nothing changes."""
    count = BATCH + 20
    rows = [{"name": f"s{number}", "finished": number} for number in range(count)]
    with database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO signups (id, received_at, contact_key, email, person, list_ids, asked_by)"
                " VALUES (:name, 1, :name, :name, '{}', '[]', 'form')"
            ),
            rows,
        )
        connection.execute(
            text(
                "INSERT INTO deliveries (source_id, received_at, contact_key, kind, payload, state, fence,"
                " attempts, finished_at)"
                " VALUES (:name, 1, :name, 'sign_up', '[]', 'delivered', 1, 1, :finished)"
            ),
            rows,
        )
    retention = Retention(database)
    assert retention.prune(NOW) == count
    assert set(payloads(database).values()) == {"blank"}
    assert retention.prune(NOW) == 0


def test_suspected_sign_ups_are_removed(database: Database) -> None:
    """Thirty days after they were received; what was released of them stays, as a sign-up."""
    suspected = SuspectedSignups(database)
    for age in (32, 31, 30, 29):
        keep(database, f"{age} days", NOW - age * DAY)
    assert suspected.release("32 days", now=NOW)
    assert Retention(database).prune(NOW) == 3
    assert [suspect.id for suspect in suspected.waiting(10)] == ["29 days"]
    assert [signup.id for signup in SignupRecords(database).newest(SignupFilter(), 10)] == ["32 days"]
