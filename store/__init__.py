"""Every SQL statement of the application: sign-ups, their deliveries, the budget, the connection."""

from store.allowance import PER_DAY, PER_SECOND, BudgetState
from store.budget import Budget
from store.connection import ConnectionRow, Connections
from store.database import Database
from store.deliveries import Backlog, Carried, Claimed, Deliveries, Wait
from store.errors import KeyTaken, StoreError, StoreMisconfigured, StoreUnavailable
from store.events import Event, Events
from store.idempotency import FirstUse, IdempotencyKey
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
    "FirstUse",
    "IdempotencyKey",
    "KeyTaken",
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
    "Tables",
    "Throttles",
    "Wait",
]
