"""Every SQL statement of the application. `Store` has one object a subject, over one database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from store.connection.audit import Events
from store.connection.authorization_requests import OAuthAttempts
from store.connection.oauth_connection import Connections
from store.engine.database import Database
from store.forms import Forms
from store.key_value import Meta
from store.opt_outs import OptOuts
from store.outbox.backlog import PendingByForm
from store.outbox.deliveries import Deliveries
from store.outbox.manage import Care
from store.outbox.public_backlog import PublicBacklog
from store.quota.ledger import Budget
from store.signups.accept import Signups
from store.signups.believed import BelievedByForm
from store.signups.records import SignupRecords
from store.signups.suspected import SuspectedSignups
from store.signups.suspected_room import CEILING, SuspectedCeiling
from store.throttles import SpentTokens, Throttles


@dataclass(frozen=True)
class Store:
    """One object per subject, over the same database."""

    database: Database
    signups: Signups
    signup_records: SignupRecords
    suspected: SuspectedSignups
    deliveries: Deliveries
    care: Care
    pending: PendingByForm
    public_backlog: PublicBacklog
    believed: BelievedByForm
    budget: Budget
    connections: Connections
    opt_outs: OptOuts
    events: Events
    forms: Forms
    oauth_attempts: OAuthAttempts
    meta: Meta
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
    ) -> Store:
        """Every subject of `database`; nothing is opened.

        `spooled`: whether sign-ups wait in the spool; `ceiling`: how much of the suspected ones is kept;
        `stranger`: the `asked_by` of anonymous ones.
        """
        return cls(
            database=database,
            signups=Signups(database, spooled=spooled, ceiling=ceiling),
            signup_records=SignupRecords(database),
            suspected=SuspectedSignups(database),
            deliveries=Deliveries(database),
            care=Care(database),
            pending=PendingByForm(database),
            public_backlog=PublicBacklog(database, stranger=stranger),
            believed=BelievedByForm(database),
            budget=Budget(database),
            connections=Connections(database),
            opt_outs=OptOuts(database),
            events=Events(database),
            forms=Forms(database),
            oauth_attempts=OAuthAttempts(database),
            meta=Meta(database),
            throttles=Throttles(database),
            spent_tokens=SpentTokens(database),
        )
