"""The way of a sign-up: in at the intake, out by the delivery."""

from __future__ import annotations

from collections.abc import Callable

from services.account.fields_and_tags import FieldsAndTags
from services.account.lists import ListCache
from services.account.opt_outs import OptOutTable
from services.connection.status import ConnectionStatus
from services.delivery.attempt import DeliveryAttempt
from services.delivery.causes import CauseWords
from services.delivery.kinds.sign_up import SignUpSender
from services.delivery.pacing import Pacing
from services.delivery.worker import Delivery
from services.intake.accept import Intake
from services.intake.identifiers import SignupIds
from services.intake.result import SignupResults
from settings import THREADS_PER_WORKER, Settings
from store import Store
from wiring.forms import FormParts
from wiring.signing import derived_keys
from wiring.storage import Storage


def build_intake(  # noqa: PLR0913, PLR0917 - collaborators, wired once
    settings: Settings,
    tables: Store,
    keeping: Storage,
    connection: ConnectionStatus,
    lists: ListCache,
    forms: FormParts,
    vocabulary: FieldsAndTags,
    delivery: Delivery,
    clock: Callable[[], int],
) -> Intake:
    """The one way in; `clock` is the one that all hosts of a database share."""
    verdicts = SignupResults(
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
        open_lists=forms.open_lists,
        vocabulary=vocabulary,
        ids=SignupIds(derived_keys(settings).signup_ids),
        notes=forms.notes,
        clock=clock,
    )


def build_delivery(  # noqa: PLR0913, PLR0917 - collaborators, wired once
    tables: Store,
    connection: ConnectionStatus,
    lists: ListCache,
    vocabulary: FieldsAndTags,
    opt_outs: OptOutTable,
    departures: Pacing,
    sender: SignUpSender,
    authorize: Callable[[], None],
    clock: Callable[[], int],
) -> Delivery:
    """The one way out; `clock` is the one that all hosts of a database share."""
    courier = DeliveryAttempt(
        deliveries=tables.deliveries,
        budget=tables.budget,
        connection=connection,
        authorize=authorize,
        departures=departures,
        sender=sender,
        words=CauseWords(
            list_names=lists.names,
            form_names=lambda: {form.id: form.name for form in tables.forms.all()},
        ),
        opt_outs=opt_outs,
        clock=clock,
    )
    return Delivery(
        courier=courier,
        deliveries=tables.deliveries,
        lists=lists,
        vocabulary=vocabulary,
        opt_outs=opt_outs,
        clock=clock,
    )
