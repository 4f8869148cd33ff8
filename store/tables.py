"""All tables of one database, for whoever wires them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from store.believed import BelievedByForm
from store.budget import Budget
from store.care import Care
from store.connection import Connections
from store.database import Database
from store.deliveries import Deliveries
from store.events import Events
from store.forms import Forms
from store.meta import Meta
from store.oauth_attempts import OAuthAttempts
from store.opt_outs import OptOuts
from store.pending import PendingByForm
from store.public_backlog import PublicBacklog
from store.signup_records import SignupRecords
from store.signups import Signups
from store.suspected import SuspectedSignups
from store.suspected_room import CEILING, SuspectedCeiling
from store.throttles import SpentTokens, Throttles


@dataclass(frozen=True)
class Tables:
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
    ) -> Tables:
        """Every table of `database`; nothing is opened.

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
