"""The use cases, free of any web framework. `Services` is what the outside is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.admin_access import SESSION_LIVES_MS, AdminAccess
from services.captcha_providers import PROVIDERS, Provider, ThirdPartyCaptcha
from services.connection import ConnectionControl, ConnectionStatus, ConnectionView
from services.constant_contact import CustomField
from services.delivery import Delivery, DrainReport
from services.doctor import Doctor
from services.errors import (
    FieldError,
    InvalidForm,
    InvalidSubmission,
    KeyReused,
    ListsUnavailable,
    MalformedSubmission,
    ServiceError,
    StorageUnavailable,
    TooManyAttempts,
)
from services.field_notes import FOR_VISITORS, OWNERS_MISTAKE, FieldNotes
from services.form_draft import FIELD_NAMES, RESERVED_SLUGS
from services.form_faults import FormFaults
from services.forms import Form, FormDirectory
from services.health import SUSPECTED_WAITING, Health, HealthReport
from services.health_in_time import HealthInTime
from services.housekeeping import Housekeeping, HousekeepingThread, Task
from services.intake import ANONYMOUS, Asker, Evidence, Intake
from services.keys import ApiKeys, DrainToken
from services.lists import ListDirectory, ListsView
from services.metrics import Metrics
from services.open_lists import OpenLists
from services.problems import Problem
from services.proof_of_work import ProofOfWork
from services.protection import RULES, TOKEN, Protection, Rates
from services.proxies import ProxyRules
from services.proxy_watch import ProxyWatch
from services.quarantine import BULK_MOST, Quarantine, SuspectView
from services.repeats import Handling
from services.signup_care import AddressUnclear, Case, Retry, SignupCare, UnusableDecision
from services.signup_views import RecentView, SignupView
from services.submission import Submission
from services.token_ages import TokenClock
from services.verdicts import RECEIVED, Verdict, Verdicts
from services.vocabulary import Vocabulary
from store import Event


@dataclass(frozen=True)
class Services:
    """Everything a view or a command may ask for."""

    intake: Intake
    signups: SignupCare
    lists: ListDirectory
    forms: FormDirectory
    protection: Protection
    proofs: ProofOfWork
    quarantine: Quarantine
    captchas: Mapping[str, ThirdPartyCaptcha]
    open_lists: OpenLists
    delivery: Delivery
    connection: ConnectionStatus
    connection_control: ConnectionControl
    tokens: TokenClock
    events: Callable[[int], list[Event]]
    health: HealthInTime
    housekeeping: Housekeeping
    metrics: Metrics
    doctor: Doctor
    admin: AdminAccess
    api_keys: ApiKeys
    drain_token: DrainToken
    vocabulary: Vocabulary
    form_faults: FormFaults
    field_notes: FieldNotes


__all__ = [
    "ANONYMOUS",
    "BULK_MOST",
    "FIELD_NAMES",
    "FOR_VISITORS",
    "OWNERS_MISTAKE",
    "PROVIDERS",
    "RECEIVED",
    "RESERVED_SLUGS",
    "RULES",
    "SESSION_LIVES_MS",
    "SUSPECTED_WAITING",
    "TOKEN",
    "AddressUnclear",
    "AdminAccess",
    "ApiKeys",
    "Asker",
    "Case",
    "ConnectionControl",
    "ConnectionStatus",
    "ConnectionView",
    "CustomField",
    "Delivery",
    "Doctor",
    "DrainReport",
    "DrainToken",
    "Event",
    "Evidence",
    "FieldError",
    "FieldNotes",
    "Form",
    "FormDirectory",
    "FormFaults",
    "Handling",
    "Health",
    "HealthInTime",
    "HealthReport",
    "Housekeeping",
    "HousekeepingThread",
    "Intake",
    "InvalidForm",
    "InvalidSubmission",
    "KeyReused",
    "ListDirectory",
    "ListsUnavailable",
    "ListsView",
    "MalformedSubmission",
    "Metrics",
    "OpenLists",
    "Problem",
    "ProofOfWork",
    "Protection",
    "Provider",
    "ProxyRules",
    "ProxyWatch",
    "Quarantine",
    "Rates",
    "RecentView",
    "Retry",
    "ServiceError",
    "Services",
    "SignupCare",
    "SignupView",
    "StorageUnavailable",
    "Submission",
    "SuspectView",
    "Task",
    "ThirdPartyCaptcha",
    "TokenClock",
    "TooManyAttempts",
    "UnusableDecision",
    "Verdict",
    "Verdicts",
    "Vocabulary",
]
