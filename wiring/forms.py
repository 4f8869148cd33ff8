"""The forms, and what keeps programs out of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sandbox
from services.access.network_place import is_this_machine
from services.delivery.worker import Delivery
from services.forms.form import FormCatalog
from services.forms.ignored_fields import IgnoredFields
from services.forms.load import FormLoad
from services.forms.open_lists import OpenLists
from services.protection.captcha import Captcha
from services.protection.day_share import DayShare
from services.protection.proof_of_work import ProofOfWork
from services.protection.providers import PROVIDERS
from services.protection.queue_limit import QueueLimit
from services.protection.rules import Protection, RateLimits
from services.protection.third_party import NoKeys, ThirdPartyCaptcha
from services.protection.visitor_keys import VisitorKeys
from services.signups.suspected import SuspectedReview
from settings import Settings
from store import Store
from store.recovery.forms_copy import FormsCopy
from wiring.captchas import build_captchas
from wiring.clock import clock


@dataclass(frozen=True)
class FormParts:
    """The forms, the rules that a sign-up by them must keep, and where those go that do not."""

    directory: FormCatalog
    protection: Protection
    proofs: ProofOfWork
    quarantine: SuspectedReview
    captchas: Mapping[str, ThirdPartyCaptcha]
    ceiling: QueueLimit
    open_lists: OpenLists
    day_share: DayShare
    notes: IgnoredFields


def build_forms(
    settings: Settings,
    tables: Store,
    keys: VisitorKeys,
    delivery: Delivery,
    shared_clock: Callable[[], int],
) -> FormParts:
    """`shared_clock` is the one that all hosts of a database share."""
    load = FormLoad(clock=clock)
    proofs = ProofOfWork(keys=keys.proof_of_work, clock=shared_clock, load=load)
    # By the level of protection that asks for it.
    captchas: dict[str, Captcha] = {"captcha": proofs, **dict.fromkeys(PROVIDERS, NoKeys())}
    third_party = build_captchas(settings)
    captchas |= third_party
    rates = RateLimits(
        address=settings.signups_per_address,
        network=settings.signups_per_network,
        form=settings.signups_per_form,
        address_hour=settings.signups_per_hour_and_address,
        address_day=settings.signups_per_day_and_address,
        network_hour=settings.signups_per_hour_and_network,
        network_day=settings.signups_per_day_and_network,
    )
    directory = FormCatalog(tables.forms, clock=clock, copy=FormsCopy(settings.data_dir / "known-forms.json"))
    ceiling = QueueLimit(forms=directory, deliveries=tables.deliveries, pending=tables.pending)
    day_share = DayShare(
        forms=directory,
        believed=tables.believed,
        percent=settings.anonymous_share_of_day,
        clock=shared_clock,
    )
    return FormParts(
        directory=directory,
        protection=Protection(
            keys=keys.form_token,
            rates=rates,
            captchas=captchas,
            is_full=ceiling.is_full,
            due_at=day_share.due_at,
            clock=shared_clock,
            seen=load.note,
            # Whoever develops sends more than a visitor does.
            unlimited=(lambda _: False) if settings.production else is_this_machine,
        ),
        proofs=proofs,
        quarantine=SuspectedReview(
            suspected=tables.suspected, meta=tables.meta, delivery=delivery, clock=shared_clock
        ),
        captchas=third_party,
        ceiling=ceiling,
        open_lists=OpenLists(
            public_list_ids=public_lists(settings),
            written_down=bool(settings.public_list_ids),
            forms=directory,
        ),
        day_share=day_share,
        notes=IgnoredFields(tables.meta, clock=clock),
    )


def public_lists(settings: Settings) -> tuple[str, ...]:
    """The lists that anybody may join; on the sandbox its first one, so that a form can be tried at once."""
    if not settings.public_list_ids and settings.uses_sandbox_application(sandbox.SANDBOX_CLIENT_ID):
        return (sandbox.PRESET_LIST_ID,)
    return settings.public_list_ids
