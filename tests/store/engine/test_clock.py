"""DatabaseClock: the server's time on every host."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from store.engine.clock import DatabaseClock
from store.engine.database import Database
from store.errors import StoreUnavailable

SERVER = 1_000_000_000


class Host:
    """A host's two clocks, and a server that is `round_trip` seconds away."""

    dialect = "postgresql"

    def __init__(self) -> None:
        self.wall, self.seconds = SERVER, 0.0
        self.server_ahead, self.round_trip = 0, 0.0
        self.away = False
        self.asked = 0

    def pass_seconds(self, seconds: float) -> None:
        self.wall += int(seconds * 1000)
        self.seconds += seconds

    @contextmanager
    def reading(self) -> "Iterator[Host]":
        self.asked += 1
        if self.away:
            raise StoreUnavailable
        yield self

    def execute(self, _statement: object) -> "Host":
        self.pass_seconds(self.round_trip / 2)
        self.answer = SERVER + int(self.seconds * 1000) + self.server_ahead
        self.pass_seconds(self.round_trip / 2)
        return self

    def scalar_one(self) -> int:
        return self.answer

    def clock(self) -> DatabaseClock:
        return DatabaseClock(self, local=lambda: self.wall, monotonic=lambda: self.seconds)  # type: ignore[arg-type]


def test_hosts_agree_whatever_their_own_clocks_say() -> None:
    """Hosts whose clocks differ by minutes return the server's time, corrected by half of the round trip."""
    for wrong in (-300_000, 0, 300_000):
        host = Host()
        host.wall += wrong
        host.round_trip = 0.08
        clock = host.clock()
        assert clock() == SERVER + 80
        host.pass_seconds(7)
        assert clock() == SERVER + 7_080


def test_server_is_asked_once_a_minute() -> None:
    """The new difference replaces the old one."""
    host = Host()
    clock = host.clock()
    for _ in range(60):
        clock()
        host.pass_seconds(1)
    assert host.asked == 1
    host.server_ahead = 700
    assert clock() == SERVER + 60_000 + 700
    assert host.asked == 2


def test_server_is_asked_at_once_when_the_hosts_clock_was_set() -> None:
    """Forward or back: the returned time does not jump with the host's clock."""
    for jump in (-3_600_000, 1_500, 3_600_000):
        host = Host()
        clock = host.clock()
        clock()
        host.pass_seconds(5)
        host.wall += jump
        assert clock() == SERVER + 5_000
        assert host.asked == 2


def test_slow_answer_is_not_believed() -> None:
    """It may be from any moment of a long round trip: the last difference stays."""
    host = Host()
    host.server_ahead = 4_000
    clock = host.clock()
    clock()
    host.pass_seconds(61)
    host.round_trip, host.server_ahead = 0.11, 9_000
    assert clock() == SERVER + 61_110 + 4_000


def test_server_that_is_away_costs_one_try_a_minute() -> None:
    """The last difference stays, and at first there is none."""
    host = Host()
    host.away = True
    clock = host.clock()
    assert [clock() for _ in range(3)] == [SERVER] * 3
    assert host.asked == 1
    host.away, host.server_ahead = False, 5_000
    host.pass_seconds(60)
    assert clock() == SERVER + 60_000 + 5_000
    host.away = True
    host.pass_seconds(60)
    assert clock() == SERVER + 120_000 + 5_000


def test_each_engine_has_its_clock(url: str, database: Database) -> None:
    """PostgreSQL tells its time; with SQLite there is one host, and its clock is taken as it is."""
    an_hour_behind = lambda: int(time.time() * 1000) - 3_600_000  # noqa: E731
    told = DatabaseClock(database, local=an_hour_behind)()
    behind = time.time() * 1000 - told
    assert abs(behind - (3_600_000 if url.startswith("sqlite") else 0)) < 30_000
