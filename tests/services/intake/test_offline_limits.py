"""While the store is away, addresses and networks are counted roughly."""

from pathlib import Path

import pytest

from services.access.requester import ANONYMOUS, Requester
from services.errors import TooManyAttempts
from services.intake.parsing import read_form
from services.intake.record import Evidence
from store.recovery.offline_limits import MOST_KEYS, RULE, OfflineRateLimits
from store.signups.rate_limits import FLOOD, Limit
from tests.services.conftest import Clock, System
from tests.services.vendor import NEWSLETTER

ADDRESS = "8.8.8.8"


def test_those_over_a_limit_are_suspected_and_a_flood_is_refused() -> None:
    """Until the minute is over."""
    clock = Clock()
    clock.now -= clock.now % 60_000
    away = OfflineRateLimits(clock)
    limits = [Limit("address_rate", "a", 2), Limit("network_rate", "n", 4)]
    rules = [away.count(limits)[0] for _ in range(5)]
    assert rules == [(), (), ("address_rate",), ("address_rate",), ("address_rate", "network_rate")]
    for _ in range(2 * FLOOD - 5):
        assert away.count(limits)[1] is None
    assert away.count(limits) == ((), 61)
    assert away.count([Limit("address_rate", "b", 2)]) == ((), None)
    clock.now += 60_000
    assert away.count(limits) == ((), None)


def test_a_crowd_of_addresses_takes_no_more_memory() -> None:
    """Beyond so many in a minute each new one is suspected; those that are known are not."""
    away = OfflineRateLimits(Clock())
    for number in range(MOST_KEYS):
        assert away.count([Limit("address_rate", f"a{number}", 20)]) == ((), None)
    assert away.count([Limit("address_rate", "one more", 20)]) == ((RULE,), None)
    assert away.count([Limit("address_rate", "a0", 20)]) == ((), None)
    assert away.count([]) == ((), None)


def post(system: System, number: int, asker: Requester = ANONYMOUS) -> None:
    pairs = [("email", f"p{number}@example.org"), ("list_id", NEWSLETTER.list_id)]
    system.intake.accept(read_form(pairs), asker, Evidence(network_address=ADDRESS))


def test_a_visitor_fills_no_spool(tmp_path: Path) -> None:
    """So many of one address are taken for people's, the next suspected, the rest refused; not of a key."""
    system = System(tmp_path, environ={"SIGNUPS_PER_MINUTE_AND_ADDRESS": "3"})
    with system.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE signups RENAME TO elsewhere")
    for number in range(3 * FLOOD):
        post(system, number)
    for number in range(5):
        with pytest.raises(TooManyAttempts):
            post(system, 100 + number)
    for number in range(30):
        post(system, 200 + number, Requester("api:12345678"))
    folder = tmp_path / "spool"
    lines = [(folder / name).read_bytes().count(b"\n") for name in ("waiting", "suspected")]
    assert lines == [3 + 30, 3 * FLOOD - 3]
