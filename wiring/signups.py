"""The way of a sign-up: in at the intake, out by the delivery; and which lists are open to anybody."""

from __future__ import annotations

from collections.abc import Callable

import sandbox
from services import ConnectionStatus, Delivery, Intake, ListDirectory, Verdicts
from services.delivery import Courier, Sender
from settings import THREADS_PER_WORKER, Settings
from store import Tables
from wiring.forms import FormParts
from wiring.keeping import Keeping


def build_intake(
    settings: Settings,
    tables: Tables,
    keeping: Keeping,
    connection: ConnectionStatus,
    lists: ListDirectory,
    forms: FormParts,
    delivery: Delivery,
    clock: Callable[[], int],
) -> Intake:
    """The one way in; `clock` is the one that all hosts of a database share."""
    verdicts = Verdicts(
        signups=tables.signups,
        deliveries=tables.deliveries,
        budget=tables.budget,
        connection=connection,
        wait_seconds=settings.subscribe_wait_seconds,
        waiters=max(1, THREADS_PER_WORKER // 4),
        clock=clock,
    )
    return Intake(
        signups=tables.signups,
        spool=keeping.spool,
        spooled_before=keeping.spool_import,
        has_room=tables.database.has_room,
        lists=lists,
        forms=forms.directory,
        protection=forms.protection,
        quarantine=forms.quarantine,
        delivery=delivery,
        verdicts=verdicts,
        public_list_ids=public_lists(settings),
        clock=clock,
    )


def build_delivery(
    tables: Tables,
    connection: ConnectionStatus,
    lists: ListDirectory,
    sender: Sender,
    authorize: Callable[[], None],
    clock: Callable[[], int],
) -> Delivery:
    """The one way out; `clock` is the one that all hosts of a database share."""
    courier = Courier(
        deliveries=tables.deliveries,
        budget=tables.budget,
        connection=connection,
        authorize=authorize,
        sender=sender,
        clock=clock,
    )
    return Delivery(courier=courier, deliveries=tables.deliveries, lists=lists, clock=clock)


def public_lists(settings: Settings) -> tuple[str, ...]:
    """The lists that anybody may join; on the sandbox its first one, so that a form can be tried at once."""
    if not settings.public_list_ids and settings.uses_sandbox_application(sandbox.SANDBOX_CLIENT_ID):
        return (sandbox.PRESET_LIST_ID,)
    return settings.public_list_ids
