"""`build_services` builds every part with its collaborators. Importing this package starts nothing."""

from dataclasses import dataclass, replace

from services import Services
from services.connection.organisation import Organisation
from services.delivery.thread import DeliveryThread
from services.operations.housekeeping import HousekeepingThread
from services.operations.metrics import Metrics
from services.operations.reader import SnapshotReader
from settings import Settings
from store.engine.clock import Clock
from store.engine.database import Database
from wiring.access import Access, build_access
from wiring.alerts import build_alert_tasks, build_alerts, build_messaging
from wiring.background import Background
from wiring.clock import Tuning, real_clock
from wiring.connection import Connection, Tokens, build_connection, build_tokens
from wiring.constant_contact import Account, Vendor, build_account, vendor_of
from wiring.forms import FormParts, build_forms
from wiring.operations import build_doctor, build_health, build_housekeeping, build_reader
from wiring.signups import DeliveryParts, build_actions, build_delivery, build_intake, build_requests
from wiring.storage import Storage, build_storage


@dataclass(frozen=True)
class Parts:
    """The use cases (`services`), what they are made of by subject, and the background threads."""

    services: Services
    storage: Storage
    vendor: Vendor
    account: Account
    tokens: Tokens
    connection: Connection
    access: Access
    forms: FormParts
    delivery: DeliveryParts
    reader: SnapshotReader
    background: Background

    @property
    def database(self) -> Database:
        """The database, which `storage` has."""
        return self.storage.database


def build_services(
    settings: Settings,
    *,
    vendor: Vendor | None = None,
    clock: Clock = real_clock,
    tuning: Tuning | None = None,
    storage: Storage | None = None,
) -> Parts:
    """Build every part with its real collaborators, and open nothing.

    Args:
        settings: What to build, and for which places.
        vendor: Stands for Constant Contact, in place of the one that the settings name.
        clock: Tells epoch milliseconds.
        tuning: What nobody sets in production.
        storage: In place of the one that the settings name.
    """
    tuning = tuning or Tuning()
    storage = storage or build_storage(settings, clock)
    vendor = vendor or vendor_of(settings)
    store = storage.store
    access = build_access(settings, store, clock)
    tokens = build_tokens(settings, storage, vendor, tuning)
    account = build_account(settings, storage, vendor, tokens.source, tuning)
    delivery = build_delivery(settings, storage, account, tuning)
    worker = delivery.worker

    def connected() -> None:
        # A pause that began under the old tokens says nothing about the new ones.
        store.quota.resume()
        worker.wake()

    connection = build_connection(settings, storage, tokens, account, on_connected=connected)
    forms = build_forms(settings, storage, account, worker, cipher=tokens.context.cipher, tuning=tuning)
    messaging = build_messaging(settings, storage, vendor.sandbox)
    reader = replace(
        build_reader(settings, storage, account, forms, worker, access.proxy_watch),
        messages=messaging.outbox.problems,
    )
    alerts = build_alerts(settings, storage, messaging, reader)
    entrance = build_intake(settings, storage, account, forms, worker, access.keys)
    services = Services(
        intake=entrance.intake,
        statuses=entrance.statuses,
        signups=build_actions(store, account, clock),
        contact_requests=build_requests(storage, access.keys),
        lists=account.lists,
        forms=forms.catalog,
        protection=forms.protection,
        proofs=forms.proofs,
        suspected=forms.suspected,
        captchas=forms.captchas,
        ignored_fields=forms.ignored_fields,
        open_lists=forms.open_lists,
        delivery=worker,
        connection=account.connection,
        connection_control=connection.control,
        organisation=Organisation(store.connections),
        audit=store.events.recent,
        alerts=alerts,
        outbox=messaging.outbox,
        health=build_health(settings, storage, reader),
        housekeeping=build_housekeeping(storage, forms, worker, access.proxy_watch),
        metrics=Metrics(reader),
        doctor=build_doctor(settings, reader, connection.control),
        form_faults=forms.faults,
        admin=access.admin,
        api_keys=access.api_keys,
        drain_token=access.drain_token,
        fields_and_tags=account.fields_and_tags,
    )
    background = Background(
        settings=settings,
        database=store.database,
        when_opened=(connection.plant_seed, forms.visitor_keys.refresh),
        tokens=connection.thread,
        housekeeping=HousekeepingThread(services.housekeeping),
        alerts=HousekeepingThread(build_alert_tasks(alerts, messaging.outbox, clock), name="alerts"),
        delivery=DeliveryThread(worker),
    )
    return Parts(
        services=services,
        storage=storage,
        vendor=vendor,
        account=account,
        tokens=tokens,
        connection=connection,
        access=access,
        forms=forms,
        delivery=delivery,
        reader=reader,
        background=background,
    )
