"""Operations of a running service: health, metrics, doctor, housekeeping."""

from services.access.proxy_watch import ProxyWatch
from services.connection.control import ConnectionControl
from services.delivery.worker import Delivery
from services.operations.doctor import Deployment, Doctor
from services.operations.health import Health
from services.operations.health_in_time import LOOK_SECONDS, HealthInTime
from services.operations.housekeeping import Housekeeping, Task
from services.operations.reader import SnapshotReader
from services.problems import Level, Problem
from settings import Settings
from store.upkeep.expiry import Expiry
from store.upkeep.retention import Retention
from wiring.constant_contact import Account, reached
from wiring.forms import FormParts, public_lists
from wiring.storage import Storage

VERSION = "0.1.0"
CALLBACK_PATH = "/oauth/callback"


def build_reader(
    settings: Settings,
    storage: Storage,
    account: Account,
    forms: FormParts,
    delivery: Delivery,
    proxy_watch: ProxyWatch,
) -> SnapshotReader:
    """Build what health, doctor and metrics read."""
    store = storage.store
    thread = settings.delivery == "thread"
    return SnapshotReader(
        database=storage.database,
        spool=storage.spool,
        salvage=storage.salvage,
        disk=storage.disk,
        deliveries=store.deliveries,
        quota=store.quota,
        public_backlog=store.public_backlog,
        status=account.connection,
        lists=account.lists,
        open_lists=forms.open_lists,
        suspected=store.suspected,
        form_faults=forms.faults.sentences,
        proxies=proxy_watch.problems,
        opt_outs=account.opt_outs.problems,
        silent_seconds=delivery.silent_seconds if thread else None,
        clock=storage.clock,
    )


def build_health(
    settings: Settings, storage: Storage, reader: SnapshotReader, *, look_seconds: float = LOOK_SECONDS
) -> HealthInTime:
    """Build what `GET /health` asks, and the alerts, which can wait longer."""
    health = Health(reader, warnings=_settings_problems(settings), version=VERSION)
    return HealthInTime(health, storage.spool, look_seconds=look_seconds)


def build_doctor(settings: Settings, reader: SnapshotReader, control: ConnectionControl) -> Doctor:
    """Build what `flask doctor` asks."""
    return Doctor(_deployment(settings), reader, control, reach=reached)


def _settings_problems(settings: Settings) -> tuple[Problem, ...]:
    return tuple(
        Problem(found.code, Level.WARNING, found.sentence, public=found.public)
        for found in settings.warnings()
    )


def _weak_in_development(settings: Settings) -> tuple[Problem, ...]:
    """Return the secrets that production would refuse; only the doctor names them in development."""
    if settings.production:
        return ()
    return tuple(
        Problem("weak_secret", Level.WARNING, sentence, public=False) for sentence in settings.weak_secrets()
    )


def _deployment(settings: Settings) -> Deployment:
    base = settings.public_base_url
    return Deployment(
        warnings=_settings_problems(settings) + _weak_in_development(settings),
        store_url=settings.store_url,
        data_dir=settings.data_dir,
        redirect_uri=f"{base}{CALLBACK_PATH}" if base else None,
        public_list_ids=public_lists(settings),
        vendor_urls=() if settings.builtin_sandbox else (settings.api_url, settings.auth_url),
        public_client=settings.public_client,
    )


def build_housekeeping(
    storage: Storage, forms: FormParts, delivery: Delivery, proxy_watch: ProxyWatch
) -> Housekeeping:
    """Build the tasks that every serving process does now and then."""
    store, database, clock = storage.store, storage.database, storage.clock
    expiry, retention = Expiry(database), Retention(database)

    def import_spool() -> None:
        if storage.spool_import.run().signups:
            delivery.wake()

    def tidy() -> None:
        database.tidy(idle=not store.deliveries.pending_up_to(1))

    tasks = [
        Task("spool", 5, import_spool),
        # Slow on a large database, so at most a thousandth of the time is spent on it.
        Task("damage", 60, database.look_for_damage, rest_factor=1_000),
        Task("tidy", 60, tidy),
        # Often, to accept form tokens of a process that just started with a new SECRET_KEY.
        Task("keys", 5, forms.visitor_keys.refresh),
        Task("proxies", 5, proxy_watch.exchange),
        # Counting a long backlog is slow, so at most a twentieth of the time is spent on it.
        Task("ceiling", 5, forms.queue_limit.count, rest_factor=20),
        Task("day_share", 5, forms.day_share.count, rest_factor=20),
        Task("field_notes", 5, forms.ignored_fields.write),
        Task("expiry", 3_600, lambda: expiry.run(clock())),
        Task("retention", 3_600, lambda: retention.prune(clock())),
        Task("copies", 3_600, lambda: retention.prune_copies(clock())),
    ]
    if storage.salvage is not None:
        tasks.append(Task("salvage", 5, storage.salvage.run))
    return Housekeeping(tasks, clock)
