"""The forms, and the protection against programs that fill them in."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import sandbox
from oauth.encryption import TokenCipher
from oauth.errors import Undecryptable
from services.access.network_place import is_this_machine
from services.delivery.worker import Delivery
from services.forms.catalog import FormCatalog
from services.forms.faults import FormFaults
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
from settings import THREADS_PER_WORKER, Settings
from store.recovery.forms_copy import FormsCopy
from transport.deadline import DeadlineSession
from wiring.access import derived_keys
from wiring.clock import Tuning
from wiring.constant_contact import Account
from wiring.storage import Storage

# A visitor waits for the provider of a captcha.
CAPTCHA_SECONDS = 3.0


@dataclass(frozen=True)
class FormParts:
    """The forms, the rules for sign-ups, and the review of suspected ones."""

    catalog: FormCatalog
    protection: Protection
    proofs: ProofOfWork
    suspected: SuspectedReview
    captchas: Mapping[str, ThirdPartyCaptcha]
    load: FormLoad
    queue_limit: QueueLimit
    open_lists: OpenLists
    day_share: DayShare
    ignored_fields: IgnoredFields
    visitor_keys: VisitorKeys
    faults: FormFaults


def build_forms(
    settings: Settings,
    storage: Storage,
    account: Account,
    delivery: Delivery,
    *,
    cipher: TokenCipher,
    tuning: Tuning,
) -> FormParts:
    """Build them; `cipher` seals the keys for visitors that the database keeps."""
    store, clock, shared_clock = storage.store, storage.clock, storage.shared_clock
    visitor_keys = _visitor_keys(settings, storage, cipher)
    load = FormLoad(clock=clock)
    proofs = ProofOfWork(
        keys=visitor_keys.proof_of_work, clock=shared_clock, load=load, highest=tuning.hardest_proof
    )
    # By the level of protection that asks for it.
    captchas: dict[str, Captcha] = {"captcha": proofs, **dict.fromkeys(PROVIDERS, NoKeys())}
    third_party = _third_party_captchas(settings)
    captchas |= third_party
    catalog = FormCatalog(
        store.forms,
        clock=clock,
        monotonic=tuning.monotonic,
        copy=FormsCopy(settings.data_dir / "known-forms.json"),
    )
    queue_limit = QueueLimit(forms=catalog, deliveries=store.deliveries, pending=store.pending)
    day_share = DayShare(
        forms=catalog,
        believed=store.believed,
        percent=settings.anonymous_share_of_day,
        clock=shared_clock,
    )
    return FormParts(
        catalog=catalog,
        protection=Protection(
            keys=visitor_keys.form_token,
            rates=_rate_limits(settings),
            captchas=captchas,
            is_full=queue_limit.is_full,
            due_at=day_share.due_at,
            clock=shared_clock,
            seen=load.note,
            # A developer sends more than a visitor does.
            unlimited=(lambda _: False) if settings.production else is_this_machine,
        ),
        proofs=proofs,
        suspected=SuspectedReview(
            suspected=store.suspected, meta=store.meta, delivery=delivery, clock=shared_clock
        ),
        captchas=third_party,
        load=load,
        queue_limit=queue_limit,
        open_lists=OpenLists(
            public_list_ids=public_lists(settings),
            written_down=bool(settings.public_list_ids),
            forms=catalog,
        ),
        day_share=day_share,
        ignored_fields=IgnoredFields(store.meta, clock=clock),
        visitor_keys=visitor_keys,
        faults=FormFaults(catalog, account.lists, account.fields_and_tags),
    )


def public_lists(settings: Settings) -> tuple[str, ...]:
    """Return the lists that anybody may join; in the sandbox its first one, to try a form at once."""
    if not settings.public_list_ids and settings.uses_sandbox_application(sandbox.SANDBOX_CLIENT_ID):
        return (sandbox.PRESET_LIST_ID,)
    return settings.public_list_ids


def _rate_limits(settings: Settings) -> RateLimits:
    return RateLimits(
        address=settings.signups_per_address,
        network=settings.signups_per_network,
        form=settings.signups_per_form,
        address_hour=settings.signups_per_hour_and_address,
        address_day=settings.signups_per_day_and_address,
        network_hour=settings.signups_per_hour_and_network,
        network_day=settings.signups_per_day_and_network,
    )


def _visitor_keys(settings: Settings, storage: Storage, cipher: TokenCipher) -> VisitorKeys:
    def unseal(text: str) -> str | None:
        try:
            return cipher.unseal(text)
        except Undecryptable:
            return None

    return VisitorKeys(
        derived_keys(settings).visitors,
        meta=storage.store.meta,
        seal=cipher.seal,
        unseal=unseal,
        clock=storage.shared_clock,
    )


def _third_party_captchas(settings: Settings) -> Mapping[str, ThirdPartyCaptcha]:
    """Return each captcha of a third party that has keys, by its name."""
    session = DeadlineSession(CAPTCHA_SECONDS)
    # A provider that hangs must leave threads for the sign-ups that need none.
    waiting = threading.BoundedSemaphore(max(1, THREADS_PER_WORKER // 4))
    own = [settings.public_base_url, *settings.allowed_origins] if settings.public_base_url else []
    return {
        name: ThirdPartyCaptcha(
            PROVIDERS[name],
            site_key=site_key,
            secret_key=secret_key,
            session=session,
            waiting=waiting,
            own_hosts={urlsplit(address or "").hostname or "" for address in own},
        )
        for name, (site_key, secret_key) in settings.captcha_keys.items()
    }
