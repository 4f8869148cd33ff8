"""The system as it is shipped, on a clock that the test moves, around a scripted vendor."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from werkzeug.security import generate_password_hash

from oauth.encryption import TokenCipher
from services.access.requester import ANONYMOUS
from services.constant_contact.client import ConstantContact
from services.intake.parsing import read_form
from services.intake.record import Evidence
from services.operations.health import Health
from services.problems import Problem
from services.signups.views import SignupView
from settings import Settings
from store import Store
from store.engine.database import Database
from store.outbox import payloads
from store.recovery.salvage import Salvage
from store.signups.records import SignupFilter, SignupRecord, SignupRecords
from tests.services.vendor import NEWSLETTER, ScriptedAuthorization, ScriptedVendor
from tests.support.migrated import copy_migrated
from tests.support.postgresql_server import new_database
from wiring import build_services
from wiring.clock import Tuning
from wiring.constant_contact import Vendor
from wiring.storage import build_storage

DAY_MS = 86_400_000


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


# What the tests are not about; a deployment that is complete, so that its parts are the real ones.
ENVIRON = {
    "APP_ENV": "production",
    "CONSTANT_CONTACT_CLIENT_ID": "client-id",
    "CONSTANT_CONTACT_CLIENT_SECRET": "client-secret",
    "SECRET_KEY": "7ab1d0e9f3c25846b0d97e61c8f4a235",
    "ENCRYPTION_KEYS": "e94c07b2a85f1d63f07ca9125e8b3d64",
    # A cheap hash: the tests are not about scrypt's cost.
    "ADMIN_PASSWORD": generate_password_hash("correct horse", "scrypt:1024:8:1"),
    "PUBLIC_BASE_URL": "https://signup.example.org/",
    "PUBLIC_LIST_IDS": NEWSLETTER.list_id,
    "SUBSCRIBE_WAIT_SECONDS": "0",
    # Of the tests, those of the loop begin it themselves.
    "DELIVERY": "off",
}


class System:
    """The system as it is shipped, around a scripted vendor."""

    def __init__(
        self,
        path: Path,
        *,
        vendor: ConstantContact | Vendor | None = None,
        clock: Clock | None = None,
        store: Callable[[Store], Store] = lambda store: store,
        tuning: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Everything in `path`.

        `store` may put something in the place of a subject's object, `tuning` and `environ` have further
        settings.
        """
        self.clock = clock or Clock()
        self.vendor = vendor if isinstance(vendor, ScriptedVendor) else ScriptedVendor()
        if not isinstance(vendor, Vendor):
            api = vendor or self.vendor
            vendor = Vendor(ScriptedAuthorization(), lambda _: api)
        self.authorization = cast(ScriptedAuthorization, vendor.authorization_server)
        url = f"sqlite:///{path / 'test.db'}"
        settings = Settings.from_env(
            ENVIRON | {"DATA_DIR": str(path), "DATABASE_URL": url, **(environ or {})}
        )
        if settings.store_url == url:
            copy_migrated(path / "test.db")
        # Durations by the clock that the test moves; rests and proofs of work that cost the test no time.
        fast: dict[str, Any] = {
            "monotonic": self.clock.monotonic,
            "after_fault_seconds": 0.05,
            "hardest_proof": 1_000,
        }
        storage = build_storage(settings, self.clock)
        self.parts = parts = build_services(
            settings,
            vendor=vendor,
            clock=self.clock,
            tuning=Tuning(**fast | dict(tuning or {})),
            # A server's clock cannot be moved.
            storage=replace(storage, store=store(storage.store), shared_clock=self.clock),
        )
        self.cipher = TokenCipher(settings.encryption_keys)
        self.database, self.spool = storage.database, storage.spool
        assert storage.salvage is not None or settings.store_url != url
        self.salvage = cast(Salvage, storage.salvage)
        self.signups, self.deliveries = parts.storage.store.signups, parts.storage.store.deliveries
        self.quota, self.connections = parts.storage.store.quota, parts.storage.store.connections
        self.meta, self.opt_outs = parts.storage.store.meta, parts.storage.store.opt_outs
        self.connection, self.permits = parts.account.connection, parts.account.quota
        self.lists, self.vocabulary = parts.account.lists, parts.account.fields_and_tags
        self.opt_out_table = parts.account.opt_outs
        self.attempt, self.delivery = parts.delivery.attempt, parts.delivery.worker
        self.forms, self.ceiling, self.load = parts.forms.catalog, parts.forms.queue_limit, parts.forms.load
        self.day_share, self.proofs = parts.forms.day_share, parts.forms.proofs
        self.protection, self.suspected = parts.forms.protection, parts.forms.suspected
        self.open_lists, self.notes = parts.forms.open_lists, parts.forms.ignored_fields
        self.intake = parts.services.intake
        self.silent_seconds: float | None = 0.0
        self.statuses = parts.services.statuses
        self.reader = replace(parts.reader, silent_seconds=lambda: self.silent_seconds)
        self.health = self.health_of()

    def health_of(self, *, warnings: Iterable[Problem] = (), **parts: Any) -> Health:
        """Health, with other parts of the reader than usual."""
        return Health(replace(self.reader, **parts), warnings=tuple(warnings), version="1.2.3")

    def wish(self) -> dict[str, Any]:
        """What the only delivery is to carry out."""
        with self.database.reading() as connection:
            row = connection.exec_driver_sql("SELECT source_id, payload FROM deliveries").one()
            return payloads.wholes(connection, [(row.source_id, row.payload)])[0]

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

    def connect(self, *, opt_outs_read: bool = True, access: str = "access", lasts_ms: int = DAY_MS) -> None:
        now = self.clock.now
        self.connections.store_connected(
            access_sealed=self.cipher.seal(access),
            refresh_sealed=self.cipher.seal("refresh"),
            access_issued_at=now,
            access_expires_at=now + lasts_ms,
            scope="contact_data",
            now=now,
        )
        if opt_outs_read:
            self.nobody_left()

    def use_up(self, calls: int) -> None:
        """As if so many of the day's calls had been made."""
        self.quota.reserve(self.clock.now)
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
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    system.connect()
    yield system
    system.database.close()
