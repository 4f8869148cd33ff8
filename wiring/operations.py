"""What looks after a running service: health, metrics, doctor, housekeeping."""

from __future__ import annotations

from services.access.proxy_watch import ProxyWatch
from services.account.opt_outs import OptOutTable
from services.connection.status import ConnectionControl, ConnectionStatus
from services.connection.token_ages import TokenClock
from services.delivery.worker import Delivery
from services.forms.faults import FormFaults
from services.operations.doctor import Deployment, Doctor
from services.operations.health import Health
from services.operations.health_in_time import HealthInTime
from services.operations.housekeeping import Housekeeping, Task
from services.operations.metrics import Metrics
from services.problems import Problem
from services.protection.visitor_keys import VisitorKeys
from settings import Settings
from store import Store
from store.upkeep.expiry import Expiry
from store.upkeep.retention import Retention
from wiring import constant_contact as vendor
from wiring.clock import clock
from wiring.forms import FormParts, public_lists
from wiring.storage import Storage
from wiring.words import CALLBACK_PATH, VERSION


def build_health(  # noqa: PLR0913, PLR0917 - collaborators, wired once
    settings: Settings,
    tables: Store,
    keeping: Storage,
    connection: ConnectionStatus,
    forms: FormParts,
    delivery: Delivery,
    proxies: ProxyWatch,
    opt_outs: OptOutTable,
    form_faults: FormFaults,
) -> HealthInTime:
    """What `GET /health` asks."""
    health = Health(
        database=tables.database,
        spool=keeping.spool,
        salvage=keeping.salvage,
        disk=keeping.disk,
        deliveries=tables.deliveries,
        budget=tables.budget,
        connection=connection,
        suspected=tables.suspected,
        public_backlog=tables.public_backlog,
        open_lists=forms.open_lists,
        silent_seconds=delivery.silent_seconds if settings.delivery == "thread" else None,
        form_faults=form_faults.sentences,
        warnings=_settings_problems(settings),
        proxies=proxies.problems,
        opt_outs=opt_outs.problems,
        version=VERSION,
        clock=clock,
    )
    return HealthInTime(health, keeping.spool, version=VERSION)


def build_metrics(tables: Store, connection: ConnectionStatus, tokens: TokenClock) -> Metrics:
    """What `GET /metrics` asks."""
    return Metrics(
        database=tables.database,
        connection=connection,
        tokens=tokens,
        deliveries=tables.deliveries,
        budget=tables.budget,
        suspected=tables.suspected,
        clock=clock,
    )


def build_doctor(  # noqa: PLR0913, PLR0917 - collaborators, wired once
    settings: Settings,
    tables: Store,
    keeping: Storage,
    connection: ConnectionStatus,
    control: ConnectionControl,
    tokens: TokenClock,
    forms: FormParts,
    proxies: ProxyWatch,
    form_faults: FormFaults,
) -> Doctor:
    """What `flask doctor` asks."""
    return Doctor(
        _deployment(settings),
        database=tables.database,
        connection=connection,
        control=control,
        tokens=tokens,
        lists=form_faults.lists,
        open_lists=forms.open_lists,
        deliveries=tables.deliveries,
        budget=tables.budget,
        spool=keeping.spool,
        salvage=keeping.salvage,
        proxies=proxies.problems,
        form_faults=form_faults.sentences,
        clock=clock,
        reach=vendor.reached,
    )


def _settings_problems(settings: Settings) -> tuple[Problem, ...]:
    return tuple(Problem(found.code, found.sentence, found.public) for found in settings.warnings())


def _weak_in_development(settings: Settings) -> tuple[Problem, ...]:
    """What production would not start with: for the doctor alone, since a first try is in order."""
    if settings.production:
        return ()
    return tuple(Problem("weak_secret", sentence, public=False) for sentence in settings.weak_secrets())


def _deployment(settings: Settings) -> Deployment:
    base = settings.public_base_url
    return Deployment(
        warnings=_settings_problems(settings) + _weak_in_development(settings),
        store_url=settings.store_url,
        data_dir=settings.data_dir,
        redirect_uri=f"{base}{CALLBACK_PATH}" if base else None,
        public_list_ids=public_lists(settings),
        delivers_itself=settings.delivery == "thread",
        vendor_urls=() if settings.builtin_sandbox else (settings.api_url, settings.auth_url),
        public_client=settings.public_client,
    )


def build_housekeeping(
    tables: Store,
    keeping: Storage,
    forms: FormParts,
    delivery: Delivery,
    keys: VisitorKeys,
    proxies: ProxyWatch,
) -> Housekeeping:
    """What is done now and then, in every serving process."""
    expiry, retention = Expiry(tables.database), Retention(tables.database)

    def import_spool() -> None:
        if keeping.spool_import.run().signups:
            delivery.wake()

    def tidy() -> None:
        tables.database.tidy(idle=not tables.deliveries.pending_up_to(1))

    tasks = [
        Task("spool", 5, import_spool),
        # Longer on a large database: a thousandth of the time is spent on it at most.
        Task("damage", 60, tables.database.look_for_damage, rest_factor=1_000),
        Task("tidy", 60, tidy),
        # Soon enough to know the tokens of a process that began with a new SECRET_KEY a moment ago.
        Task("keys", 5, keys.refresh),
        Task("proxies", 5, proxies.exchange),
        # A long backlog takes long to count: a twentieth of the time is spent on it at most.
        Task("ceiling", 5, forms.ceiling.count, rest_factor=20),
        Task("day_share", 5, forms.day_share.count, rest_factor=20),
        Task("field_notes", 5, forms.notes.write),
        Task("expiry", 3_600, lambda: expiry.run(clock())),
        Task("retention", 3_600, lambda: retention.prune(clock())),
        Task("copies", 3_600, lambda: retention.prune_copies(clock())),
    ]
    if keeping.salvage is not None:
        tasks.append(Task("salvage", 5, keeping.salvage.run))
    return Housekeeping(tasks, clock)
