"""Every SQL statement of the application: sign-ups, their deliveries, the budget, the connection."""

from store.budget import PER_DAY, PER_SECOND, Budget, BudgetState
from store.connection import ConnectionRow, Connections
from store.database import Database
from store.deliveries import Backlog, Carried, Claimed, Deliveries, Wait
from store.errors import StoreError, StoreMisconfigured, StoreUnavailable
from store.events import Event, Events
from store.forms import Forms, StoredForm
from store.meta import Meta
from store.oauth_attempts import AttemptRow, OAuthAttempts
from store.signup_records import Attempt, SignupRecord, SignupRecords, Sought
from store.signups import NewSignup, RecentSignup, Signups, SignupStatus
from store.tables import Tables
from store.throttles import SpentTokens, Throttles

__all__ = [
    "PER_DAY",
    "PER_SECOND",
    "Attempt",
    "AttemptRow",
    "Backlog",
    "Budget",
    "BudgetState",
    "Carried",
    "Claimed",
    "ConnectionRow",
    "Connections",
    "Database",
    "Deliveries",
    "Event",
    "Events",
    "Forms",
    "Meta",
    "NewSignup",
    "OAuthAttempts",
    "RecentSignup",
    "SignupRecord",
    "SignupRecords",
    "SignupStatus",
    "Signups",
    "Sought",
    "SpentTokens",
    "StoreError",
    "StoreMisconfigured",
    "StoreUnavailable",
    "StoredForm",
    "Tables",
    "Throttles",
    "Wait",
]
