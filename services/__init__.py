"""The use cases, free of any web framework. `Services` is what the outside is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.access.admin import SESSION_LIVES_MS, AdminAccess
from services.access.api_keys import ApiKeys, DrainToken
from services.access.proxies import ProxyRules
from services.access.proxy_watch import ProxyWatch
from services.access.requester import ANONYMOUS, Asker
from services.account.fields_and_tags import Vocabulary
from services.account.lists import ListDirectory, ListsView
from services.connection.status import ConnectionControl, ConnectionStatus, ConnectionView
from services.connection.token_ages import TokenClock
from services.constant_contact import CustomField
from services.delivery import Delivery, DrainReport
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
from services.forms.editor import FIELD_NAMES, RESERVED_SLUGS
from services.forms.faults import FormFaults
from services.forms.form import Form, FormDirectory
from services.forms.ignored_fields import FOR_VISITORS, OWNERS_MISTAKE, FieldNotes
from services.forms.open_lists import OpenLists
from services.intake.accept import Evidence, Intake
from services.intake.idempotency import Handling
from services.intake.result import RECEIVED, Verdict, Verdicts
from services.operations.doctor import Doctor
from services.operations.health import SUSPECTED_WAITING, Health, HealthReport
from services.operations.health_in_time import HealthInTime
from services.operations.housekeeping import Housekeeping, HousekeepingThread, Task
from services.operations.metrics import Metrics
from services.problems import Problem
from services.protection.proof_of_work import ProofOfWork
from services.protection.providers import PROVIDERS, Provider
from services.protection.rules import RULES, TOKEN, Protection, Rates
from services.protection.third_party import ThirdPartyCaptcha
from services.signups.manage import AddressUnclear, Case, Retry, SignupCare, UnusableDecision
from services.signups.suspected import BULK_MOST, Quarantine, SuspectView
from services.signups.views import RecentView, SignupView
from services.submission.fields import Submission
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
