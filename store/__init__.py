"""Every SQL statement of the application. `Store` has one object a subject, over one database."""

from collections.abc import Callable
from dataclasses import dataclass

from store.connection.audit import AuditLog
from store.connection.authorization_requests import AuthorizationRequests
from store.connection.oauth_connection import OAuthConnections
from store.engine.database import Database
from store.forms import Forms
from store.key_value import KeyValue
from store.mail.alerts import AlertStates
from store.mail.messages import Messages
from store.opt_outs import OptOuts
from store.outbox.backlog import PendingByForm
from store.outbox.deliveries import Deliveries
from store.outbox.manage import DeliveryActions
from store.outbox.public_backlog import PublicBacklog
from store.outbox.requested import RequestedDeliveries
from store.quota.ledger import QuotaLedger
from store.signups.accept import Signups
from store.signups.arrivals import Arrivals
from store.signups.believed import AcceptedByForm
from store.signups.records import SignupRecords
from store.signups.suspected import SuspectedSignups
from store.signups.suspected_room import CEILING, SuspectedCeiling
from store.throttles import SpentTokens, Throttles


@dataclass(frozen=True)
class Store:
    """One object for each subject, over the same database."""

    database: Database
    signups: Signups
    signup_records: SignupRecords
    suspected: SuspectedSignups
    deliveries: Deliveries
    care: DeliveryActions
    requested: RequestedDeliveries
    pending: PendingByForm
    public_backlog: PublicBacklog
    believed: AcceptedByForm
    arrivals: Arrivals
    quota: QuotaLedger
    connections: OAuthConnections
    opt_outs: OptOuts
    events: AuditLog
    forms: Forms
    oauth_attempts: AuthorizationRequests
    meta: KeyValue
    messages: Messages
    alerts: AlertStates
    throttles: Throttles
    spent_tokens: SpentTokens

    @classmethod
    def of(
        cls,
        database: Database,
        *,
        spooled: Callable[[], bool],
        stranger: str,
        ceiling: SuspectedCeiling = CEILING,
    ) -> "Store":
        """Return the store in `database`; nothing is opened.

        Args:
            database: where the tables are.
            spooled: returns whether sign-ups wait in the spool.
            stranger: the value of `asked_by` in anonymous sign-ups.
            ceiling: how many suspected sign-ups are kept at most.
        """
        return cls(
            database=database,
            signups=Signups(database, spooled=spooled, ceiling=ceiling),
            signup_records=SignupRecords(database),
            suspected=SuspectedSignups(database),
            deliveries=Deliveries(database),
            care=DeliveryActions(database),
            requested=RequestedDeliveries(database),
            pending=PendingByForm(database),
            public_backlog=PublicBacklog(database, stranger=stranger),
            believed=AcceptedByForm(database),
            arrivals=Arrivals(database),
            quota=QuotaLedger(database),
            connections=OAuthConnections(database),
            opt_outs=OptOuts(database),
            events=AuditLog(database),
            forms=Forms(database),
            oauth_attempts=AuthorizationRequests(database),
            meta=KeyValue(database),
            messages=Messages(database),
            alerts=AlertStates(database),
            throttles=Throttles(database),
            spent_tokens=SpentTokens(database),
        )
