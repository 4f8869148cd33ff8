"""A store on SQLite, a clock that the test moves, and the use cases around a scripted vendor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services import ConnectionStatus, Delivery, FormDirectory, Health, Intake, ListDirectory, Verdicts
from services.delivery import Courier
from services.permits import CallPermits
from store import Budget, Connections, Database, Deliveries, Forms, Meta, Signups
from tests.services.vendor import NEWSLETTER, ScriptedVendor


class Clock:
    """Epoch milliseconds, moved by hand; `tick` is added at each look, so that waiting loops end."""

    def __init__(self) -> None:
        self.now = 1_790_000_000_000
        self.tick = 0

    def __call__(self) -> int:
        self.now += self.tick
        return self.now


class House:
    """Every use case, wired as the app wires them."""

    def __init__(self, path: Path, *, wait_seconds: float = 0) -> None:
        self.clock = Clock()
        self.database = Database(f"sqlite:///{path / 'test.db'}")
        self.vendor = ScriptedVendor()
        self.signups, self.deliveries = Signups(self.database), Deliveries(self.database)
        self.budget, self.connections = Budget(self.database), Connections(self.database)
        self.meta = Meta(self.database)
        self.connection = ConnectionStatus(self.connections, clock=self.clock)
        self.lists = ListDirectory(
            vendor=self.vendor,
            connection=self.connection,
            meta=self.meta,
            permits=CallPermits(self.budget, clock=self.clock),
            clock=self.clock,
        )
        self.courier = Courier(
            deliveries=self.deliveries,
            budget=self.budget,
            connection=self.connection,
            vendor=self.vendor,
            clock=self.clock,
        )
        self.delivery = Delivery(
            courier=self.courier, deliveries=self.deliveries, lists=self.lists, clock=self.clock
        )
        self.verdicts = self.verdicts_waiting(wait_seconds)
        self.seconds = 0.0
        self.forms = FormDirectory(Forms(self.database), clock=self.clock, monotonic=lambda: self.seconds)
        self.intake = Intake(
            signups=self.signups,
            lists=self.lists,
            forms=self.forms,
            delivery=self.delivery,
            verdicts=self.verdicts,
            public_list_ids=(NEWSLETTER.list_id,),
            clock=self.clock,
        )
        self.health = Health(
            database=self.database,
            deliveries=self.deliveries,
            budget=self.budget,
            connection=self.connection,
            warnings=[],
            version="1.2.3",
            clock=self.clock,
        )

    def verdicts_waiting(self, seconds: float, waiters: int = 2) -> Verdicts:
        return Verdicts(
            signups=self.signups,
            deliveries=self.deliveries,
            budget=self.budget,
            connection=self.connection,
            wait_seconds=seconds,
            waiters=waiters,
            clock=self.clock,
        )

    def connect(self) -> None:
        now = self.clock.now
        self.connections.store_connected(
            access_sealed="sealed",
            refresh_sealed="sealed",
            access_issued_at=now,
            access_expires_at=now + 86_400_000,
            scope="contact_data",
            now=now,
        )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.connect()
    yield house
    house.database.close()
