"""A store on SQLite, a clock that the test moves, and the use cases around a scripted vendor."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oauth.refresh.schedule import lasts
from services.access.requester import ANONYMOUS, STRANGER
from services.account.fields_and_tags import FieldsAndTags
from services.account.lists import ListCache
from services.account.opt_outs import OptOutTable
from services.connection.status import ConnectionStatus
from services.constant_contact.client import ConstantContact
from services.constant_contact.errors import ConnectionUnusable
from services.constant_contact.quota import CallQuota
from services.delivery.attempt import DeliveryAttempt
from services.delivery.causes import CauseWords
from services.delivery.kinds.sign_up.returning import Returning
from services.delivery.kinds.sign_up.send import SignUpSender
from services.delivery.pacing import Pacing
from services.delivery.payload import restored
from services.delivery.worker import Delivery
from services.forms.catalog import FormCatalog
from services.forms.ignored_fields import IgnoredFields
from services.forms.load import FormLoad
from services.forms.open_lists import OpenLists
from services.forms.rules import FormRules
from services.intake.accept import Intake
from services.intake.idempotency import Repeats
from services.intake.identifiers import SignupIds
from services.intake.parsing import read_form
from services.intake.record import Evidence, Recorder
from services.intake.result import SignupResults
from services.intake.statuses import SignupStatuses
from services.operations.health import Health
from services.operations.reader import SnapshotReader
from services.problems import Problem
from services.protection.day_share import CountsAccepted, DayShare
from services.protection.proof_of_work import ProofOfWork
from services.protection.queue_limit import QueueLimit
from services.protection.rules import Protection, RateLimits
from services.signups.suspected import SuspectedReview
from services.signups.views import SignupView
from store.connection.oauth_connection import OAuthConnections
from store.engine.database import Database
from store.engine.sqlite.disk_reserve import DiskReserve
from store.forms import Forms
from store.key_value import KeyValue
from store.opt_outs import OptOuts
from store.outbox import payloads
from store.outbox.backlog import PendingByForm
from store.outbox.deliveries import Deliveries
from store.outbox.public_backlog import PublicBacklog
from store.quota.ledger import QuotaLedger
from store.recovery.durable_accept import DurableAccept
from store.recovery.salvage import Salvage
from store.recovery.spool import Spool
from store.recovery.spool_import import SpoolImport
from store.signups.accept import Signups
from store.signups.believed import AcceptedByForm
from store.signups.records import SignupFilter, SignupRecord, SignupRecords
from store.signups.suspected import SuspectedSignups
from tests.services.vendor import NEWSLETTER, ScriptedVendor
from tests.support.postgresql_server import new_database


class Clock:
    """Epoch milliseconds, moved by hand; `tick` is added at each look, so that waiting loops end."""

    def __init__(self) -> None:
        self.now = 1_790_000_000_000
        self.tick = 0

    def __call__(self) -> int:
        self.now += self.tick
        return self.now

    def monotonic(self) -> float:
        """The same in seconds, without a tick: a clock that nobody sets."""
        return self.now / 1000


class House:
    """Every use case, wired as the app wires them."""

    def __init__(
        self,
        path: Path,
        *,
        api: ConstantContact | None = None,
        clock: Clock | None = None,
        deliveries: Deliveries | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        after_fault_seconds: float = 0.05,
        rates: RateLimits | None = None,
        url: str | None = None,
        returning: Returning = "confirm",
        believed: CountsAccepted | None = None,
        new_event: Callable[[], threading.Event] = threading.Event,
    ) -> None:
        """Wires it all.

        `api` takes the place of the scripted vendor, `url` that of a database in `path`, `believed` that of
        the count of what was believed. What is waited on for the clock to go on are events of `new_event`.
        """
        self.clock = clock or Clock()
        self.database = Database(url or f"sqlite:///{path / 'test.db'}")
        self.vendor = ScriptedVendor()
        api = api or self.vendor
        self.spool = Spool(path / "spool")
        self.signups = Signups(self.database, spooled=self.spool.waits)
        self.deliveries = deliveries or Deliveries(self.database)
        self.budget, self.connections = QuotaLedger(self.database), OAuthConnections(self.database)
        self.meta = KeyValue(self.database)
        self.salvage = Salvage(self.database, path / "test.db", restore=restored)
        self.connection = ConnectionStatus(self.connections, lasts=lasts, clock=self.clock)
        self.permits = CallQuota(
            self.budget, clock=self.clock, new_event=new_event, monotonic=self.clock.monotonic
        )
        self.lists = ListCache(
            vendor=api,
            connection=self.connection,
            meta=self.meta,
            permits=self.permits,
            clock=self.clock,
        )
        self.vocabulary = FieldsAndTags.of(
            vendor=api,
            connection=self.connection,
            meta=self.meta,
            permits=self.permits,
            clock=self.clock,
        )
        self.opt_outs = OptOuts(self.database)
        self.opt_out_table = OptOutTable(
            opt_outs=self.opt_outs,
            vendor=api,
            permits=self.permits,
            connection=self.connection,
            clock=self.clock,
        )
        self.authorized = 0
        self.on_authorize: Callable[[], None] = lambda: None
        self.no_token: ConnectionUnusable | None = None
        self.courier = DeliveryAttempt(
            deliveries=self.deliveries,
            budget=self.budget,
            connection=self.connection,
            authorize=self.authorize,
            departures=Pacing(permits=self.permits, budget=self.budget, clock=self.clock),
            sender=SignUpSender(
                vendor=api,
                permits=self.permits,
                lists=self.lists,
                vocabulary=self.vocabulary,
                opt_outs=self.opt_out_table,
                returning=returning,
                clock=self.clock,
            ),
            opt_outs=self.opt_out_table,
            words=CauseWords(
                list_names=self.lists.names,
                form_names=lambda: {form.id: form.name for form in Forms(self.database).all()},
            ),
            clock=self.clock,
        )
        self.delivery = Delivery(
            courier=self.courier,
            deliveries=self.deliveries,
            lists=self.lists,
            vocabulary=self.vocabulary,
            opt_outs=self.opt_out_table,
            clock=self.clock,
            monotonic=monotonic,
            after_fault_seconds=after_fault_seconds,
        )
        self.verdicts = self.verdicts_waiting(0)
        self.seconds = 0.0
        self.forms = FormCatalog(Forms(self.database), clock=self.clock, monotonic=lambda: self.seconds)
        self.ceiling = QueueLimit(
            forms=self.forms, deliveries=self.deliveries, pending=PendingByForm(self.database)
        )
        self.day_share = DayShare(
            forms=self.forms,
            believed=believed or AcceptedByForm(self.database),
            percent=80,
            clock=self.clock,
        )
        self.load = FormLoad(clock=self.clock)
        self.proofs = ProofOfWork(keys=lambda: ("secret",), clock=self.clock, load=self.load, highest=1_000)
        self.protection = self.protection_by(("secret",), rates or RateLimits())
        self.quarantine = SuspectedReview(
            suspected=SuspectedSignups(self.database),
            meta=self.meta,
            delivery=self.delivery,
            clock=self.clock,
        )
        self.open_lists = OpenLists(
            public_list_ids=(NEWSLETTER.list_id,), written_down=True, forms=self.forms
        )
        self.notes = IgnoredFields(self.meta, clock=self.clock)
        rules = FormRules(self.forms, self.open_lists, self.lists, self.notes)
        accepting = DurableAccept(
            self.signups,
            self.spool,
            SpoolImport(self.database, self.spool),
            has_room=self.database.has_room,
            clock=self.clock,
        )
        ids = SignupIds("secret")
        self.intake = Intake(
            rules=rules,
            account=self.vocabulary,
            protection=self.protection,
            recorder=Recorder(ids, self.clock),
            store=accepting,
            repeats=Repeats(accepting, rules, self.protection, self.quarantine, self.verdicts),
            results=self.verdicts,
            delivery=self.delivery,
        )
        self.statuses = SignupStatuses(self.signups, self.quarantine, self.spool, ids)
        self.silent_seconds: float | None = 0.0
        self.reader = SnapshotReader(
            database=self.database,
            spool=self.spool,
            salvage=self.salvage,
            disk=DiskReserve(path),
            deliveries=self.deliveries,
            quota=self.budget,
            public_backlog=PublicBacklog(self.database, stranger=STRANGER),
            status=self.connection,
            lists=self.lists,
            open_lists=self.open_lists,
            suspected=SuspectedSignups(self.database),
            opt_outs=self.opt_out_table.problems,
            silent_seconds=lambda: self.silent_seconds,
            clock=self.clock,
        )
        self.health = self.health_of()

    def health_of(self, *, warnings: Iterable[Problem] = (), **parts: Any) -> Health:
        """Health, with other parts of the reader than usual."""
        return Health(replace(self.reader, **parts), warnings=tuple(warnings), version="1.2.3")

    def wish(self) -> dict[str, Any]:
        """What the only delivery is to carry out."""
        with self.database.reading() as connection:
            row = connection.exec_driver_sql("SELECT source_id, payload FROM deliveries").one()
            return payloads.wholes(connection, [(row.source_id, row.payload)])[0]

    def protection_by(self, keys: tuple[str, ...], rates: RateLimits) -> Protection:
        captchas = {"captcha": self.proofs}
        return Protection(
            keys=lambda: keys,
            rates=rates,
            captchas=captchas,
            is_full=self.ceiling.is_full,
            due_at=self.day_share.due_at,
            clock=self.clock,
            seen=self.load.note,
        )

    def verdicts_waiting(self, seconds: float, waiters: int = 2) -> SignupResults:
        return SignupResults(
            signups=self.signups,
            deliveries=self.deliveries,
            budget=self.budget,
            connection=self.connection,
            wait_seconds=seconds,
            waiters=waiters,
            clock=self.clock,
        )

    def authorize(self) -> None:
        self.authorized += 1
        self.on_authorize()
        if self.no_token is not None:
            raise self.no_token

    def sign_up(self, email: str = "ann@example.org", **fields: str) -> str:
        """A sign-up from the website's form; its id."""
        submission = read_form([("email", email), ("list_id", NEWSLETTER.list_id), *fields.items()])
        accepted = self.intake.accept(submission, ANONYMOUS, Evidence())
        self.intake.answered()
        return accepted.id

    def newest(self, limit: int) -> list[SignupRecord]:
        """The newest sign-ups that were believed."""
        return SignupRecords(self.database).newest(SignupFilter(), limit)

    def view(self, signup_id: str) -> SignupView:
        view = self.statuses.status(signup_id)
        assert view is not None
        return view

    def connect(self, *, opt_outs_read: bool = True) -> None:
        now = self.clock.now
        self.connections.store_connected(
            access_sealed="sealed",
            refresh_sealed="sealed",
            access_issued_at=now,
            access_expires_at=now + 86_400_000,
            scope="contact_data",
            now=now,
        )
        if opt_outs_read:
            self.nobody_left()

    def use_up(self, calls: int) -> None:
        """As if so many of the day's calls had been made."""
        self.budget.book(self.clock.now)
        with self.database.transaction() as connection:
            connection.exec_driver_sql(f"UPDATE budget SET used = {calls}")
        self.clock.now += 1_000

    def nobody_left(self) -> None:
        """As if the account's opt-outs had just been read, and there were none."""
        self.opt_outs.begin(self.clock.now, lease_ms=1)
        self.opt_outs.keep((), following=None, day="")
        self.opt_out_table.before_claim()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def each_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database, on each engine."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'each.db'}"
        if request.param == "postgresql":
            url = stack.enter_context(new_database(request.getfixturevalue("postgresql_url")))
        database = Database(url)
        stack.callback(database.close)
        yield database


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.connect()
    yield house
    house.database.close()
