"""Intake of sign-ups, and their delivery."""

from dataclasses import dataclass

from services.access.derived_keys import DerivedKeys
from services.delivery.attempt import DeliveryAttempt
from services.delivery.causes import CauseWords
from services.delivery.kind import Collaborators
from services.delivery.kinds import build_kinds
from services.delivery.pacing import Pacing
from services.delivery.worker import Delivery
from services.forms.rules import FormRules
from services.intake.accept import Intake
from services.intake.idempotency import Repeats
from services.intake.identifiers import SignupIds
from services.intake.record import Recorder
from services.intake.result import SignupResults
from services.intake.statuses import SignupStatuses
from services.signups.manage import SignupActions
from services.signups.requests import ContactRequests
from settings import THREADS_PER_WORKER, Settings
from store import Store
from store.engine.clock import Clock
from store.recovery.durable_accept import DurableAccept
from wiring.clock import Tuning
from wiring.constant_contact import Account
from wiring.forms import FormParts
from wiring.storage import Storage


@dataclass(frozen=True)
class DeliveryParts:
    """The loop that delivers, and the attempt that it repeats."""

    attempt: DeliveryAttempt
    worker: Delivery


@dataclass(frozen=True)
class IntakeParts:
    """The intake, and the status of what it took."""

    intake: Intake
    statuses: SignupStatuses


def build_delivery(settings: Settings, storage: Storage, account: Account, tuning: Tuning) -> DeliveryParts:
    """Build the delivery."""
    store, clock = storage.store, storage.shared_clock
    attempt = DeliveryAttempt(
        deliveries=store.deliveries,
        quota=store.quota,
        connection=account.connection,
        authorize=account.authorize,
        pacing=Pacing(quota=account.quota, ledger=store.quota, clock=clock),
        kinds=build_kinds(
            Collaborators(
                vendor=account.api,
                lists=account.lists,
                fields_and_tags=account.fields_and_tags,
                opt_outs=account.opt_outs,
                returning=settings.returning,
                clock=clock,
            )
        ),
        words=CauseWords(
            list_names=account.lists.names,
            form_names=lambda: {form.id: form.name for form in store.forms.all()},
        ),
        opt_outs=account.opt_outs,
        clock=clock,
    )
    worker = Delivery(
        attempt=attempt,
        # One after the other: together they would take a second's calls.
        keep_fresh=lambda: account.lists.keep_fresh() or account.fields_and_tags.keep_fresh(),
        monotonic=tuning.monotonic,
        after_fault_seconds=tuning.after_fault_seconds,
    )
    return DeliveryParts(attempt, worker)


def build_actions(store: Store, account: Account, clock: Clock) -> SignupActions:
    """Build what admins do with sign-ups."""
    return SignupActions(
        records=store.signup_records,
        deliveries=store.deliveries,
        care=store.care,
        quota=store.quota,
        lists=account.lists,
        clock=clock,
    )


def build_requests(storage: Storage, keys: DerivedKeys) -> ContactRequests:
    """Build what changes contacts on somebody's word."""
    return ContactRequests(
        requested=storage.store.requested,
        deliveries=storage.store.deliveries,
        new_id=SignupIds(keys.signup_ids).new,
        clock=storage.shared_clock,
    )


def build_intake(
    settings: Settings,
    storage: Storage,
    account: Account,
    forms: FormParts,
    delivery: Delivery,
    keys: DerivedKeys,
) -> IntakeParts:
    """Build the intake."""
    store, clock = storage.store, storage.shared_clock
    results = SignupResults(
        signups=store.signups,
        deliveries=store.deliveries,
        quota=store.quota,
        connection=account.connection,
        wait_seconds=settings.subscribe_wait_seconds,
        waiters=max(1, THREADS_PER_WORKER // 4),
        clock=clock,
    )
    rules = FormRules(
        forms=forms.catalog,
        open_lists=forms.open_lists,
        lists=account.lists,
        ignored=forms.ignored_fields,
    )
    accepting = DurableAccept(
        store.signups, storage.spool, storage.spool_import, has_room=storage.database.has_room, clock=clock
    )
    ids = SignupIds(keys.signup_ids)
    intake = Intake(
        rules=rules,
        account=account.fields_and_tags,
        protection=forms.protection,
        recorder=Recorder(ids, clock),
        store=accepting,
        repeats=Repeats(
            store=accepting,
            rules=rules,
            protection=forms.protection,
            suspected=forms.suspected,
            results=results,
        ),
        results=results,
        delivery=delivery,
    )
    return IntakeParts(intake, SignupStatuses(store.signups, forms.suspected, storage.spool, ids))
