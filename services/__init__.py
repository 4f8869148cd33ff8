"""The use cases, free of any web framework. `Services` is what the outside is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.access.admin import AdminAccess
from services.access.api_keys import ApiKeys, DrainToken
from services.account.fields_and_tags import FieldsAndTags
from services.account.lists import ListCache
from services.connection.control import ConnectionControl
from services.connection.organisation import Organisation
from services.connection.status import ConnectionStatus
from services.delivery.worker import Delivery
from services.forms.catalog import FormCatalog
from services.forms.faults import FormFaults
from services.forms.ignored_fields import IgnoredFields
from services.forms.open_lists import OpenLists
from services.intake.accept import Intake
from services.intake.statuses import SignupStatuses
from services.mail.outbox import Outbox
from services.operations.alerts.watch import Alerts
from services.operations.doctor import Doctor
from services.operations.health_in_time import HealthInTime
from services.operations.housekeeping import Housekeeping
from services.operations.metrics import Metrics
from services.protection.proof_of_work import ProofOfWork
from services.protection.rules import Protection
from services.protection.third_party import ThirdPartyCaptcha
from services.signups.manage import SignupActions
from services.signups.requests import ContactRequests
from services.signups.suspected import SuspectedReview
from store.connection.audit import AuditEntry


@dataclass(frozen=True)
class Services:
    """Everything a view or a command may ask for."""

    intake: Intake
    statuses: SignupStatuses
    signups: SignupActions
    contact_requests: ContactRequests
    lists: ListCache
    forms: FormCatalog
    protection: Protection
    proofs: ProofOfWork
    suspected: SuspectedReview
    captchas: Mapping[str, ThirdPartyCaptcha]
    open_lists: OpenLists
    delivery: Delivery
    connection: ConnectionStatus
    connection_control: ConnectionControl
    organisation: Organisation
    audit: Callable[[int], list[AuditEntry]]
    alerts: Alerts
    outbox: Outbox
    health: HealthInTime
    housekeeping: Housekeeping
    metrics: Metrics
    doctor: Doctor
    admin: AdminAccess
    api_keys: ApiKeys
    drain_token: DrainToken
    fields_and_tags: FieldsAndTags
    form_faults: FormFaults
    ignored_fields: IgnoredFields
