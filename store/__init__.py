"""Every SQL statement of the application: sign-ups, their deliveries, the budget, the connection."""

from store.budget import PER_DAY, PER_SECOND, Budget, BudgetState
from store.connection import ConnectionRow, Connections
from store.database import Database
from store.deliveries import Backlog, Claimed, Deliveries, Wait
from store.disk import Disk
from store.errors import StoreError, StoreMisconfigured, StoreUnavailable
from store.events import Event, Events
from store.expiry import Expiry
from store.meta import Meta
from store.oauth_attempts import AttemptRow, OAuthAttempts
from store.salvage import Salvage, Salvaged
from store.signups import NewSignup, RecentSignup, Signups, SignupStatus
from store.spool import Spool
from store.spool_import import Imported, SpoolImport
from store.tables import Tables
from store.throttles import SpentTokens, Throttles

__all__ = [
    "PER_DAY",
    "PER_SECOND",
    "AttemptRow",
    "Backlog",
    "Budget",
    "BudgetState",
    "Claimed",
    "ConnectionRow",
    "Connections",
    "Database",
    "Deliveries",
    "Disk",
    "Event",
    "Events",
    "Expiry",
    "Imported",
    "Meta",
    "NewSignup",
    "OAuthAttempts",
    "RecentSignup",
    "Salvage",
    "Salvaged",
    "SignupStatus",
    "Signups",
    "SpentTokens",
    "Spool",
    "SpoolImport",
    "StoreError",
    "StoreMisconfigured",
    "StoreUnavailable",
    "Tables",
    "Throttles",
    "Wait",
]
