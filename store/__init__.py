"""Every SQL statement of the application: sign-ups, their deliveries, the budget, the connection."""

from store.allowance import PER_DAY, PER_SECOND, BudgetState, Wait
from store.arrivals import JUNK, PROVEN, UNSURE, Once
from store.believed import BelievedByForm
from store.budget import Budget, Met
from store.care import Care
from store.causes import Cause, Causes
from store.claims import BACKLOG_PER_DAY, DELIVERIES_PER_DAY
from store.connection import ConnectionRow, Connections
from store.database import Database
from store.deliveries import Backlog, Carried, Claimed, Deliveries, OwnWait
from store.disk import Disk
from store.documents import read as read_document
from store.errors import (
    KeyTaken,
    OverLimit,
    RowRefused,
    SpoolFirst,
    StoreError,
    StoreMisconfigured,
    StoreSilent,
    StoreUnavailable,
    StoreUpgrading,
)
from store.events import Event, Events
from store.expiry import Expiry
from store.forms import Forms, StoredForm
from store.forms_copy import FormsCopy
from store.idempotency import FirstUse, IdempotencyKey
from store.meta import Meta
from store.oauth_attempts import AttemptRow, OAuthAttempts
from store.opt_outs import KnownOptOut, OptedOut, OptOuts, Outlook, Refresh, Standing
from store.pending import PendingByForm
from store.public_backlog import PublicBacklog
from store.rates import FLOOD, Limit
from store.refusals import SUSPICIOUS, Common, Refused
from store.salvage import Salvage, Salvaged
from store.signup_records import Attempt, SignupRecord, SignupRecords, Sought
from store.signups import NewSignup, RecentSignup, Signups, SignupStatus
from store.spool import Spool
from store.spool_import import Imported, SpoolImport
from store.suspected import Place, Suspect, SuspectedSignups, Waiting
from store.suspected_room import SuspectedCeiling, SuspectedRoom
from store.tables import Tables
from store.throttles import SpentTokens, Throttles
from store.traits import DOMAIN, FIELD, FORM, KNOWN_TAG, LIST, LONG, OLD, SETS, TAG, kind_and_name

__all__ = [
    "BACKLOG_PER_DAY",
    "DELIVERIES_PER_DAY",
    "DOMAIN",
    "FIELD",
    "FLOOD",
    "FORM",
    "JUNK",
    "KNOWN_TAG",
    "LIST",
    "LONG",
    "OLD",
    "PER_DAY",
    "PER_SECOND",
    "PROVEN",
    "SETS",
    "SUSPICIOUS",
    "TAG",
    "UNSURE",
    "Attempt",
    "AttemptRow",
    "Backlog",
    "BelievedByForm",
    "Budget",
    "BudgetState",
    "Care",
    "Carried",
    "Cause",
    "Causes",
    "Claimed",
    "Common",
    "ConnectionRow",
    "Connections",
    "Database",
    "Deliveries",
    "Disk",
    "Event",
    "Events",
    "Expiry",
    "FirstUse",
    "Forms",
    "FormsCopy",
    "IdempotencyKey",
    "Imported",
    "KeyTaken",
    "KnownOptOut",
    "Limit",
    "Met",
    "Meta",
    "NewSignup",
    "OAuthAttempts",
    "Once",
    "OptOuts",
    "OptedOut",
    "Outlook",
    "OverLimit",
    "OwnWait",
    "PendingByForm",
    "Place",
    "PublicBacklog",
    "RecentSignup",
    "Refresh",
    "Refused",
    "RowRefused",
    "Salvage",
    "Salvaged",
    "SignupRecord",
    "SignupRecords",
    "SignupStatus",
    "Signups",
    "Sought",
    "SpentTokens",
    "Spool",
    "SpoolFirst",
    "SpoolImport",
    "Standing",
    "StoreError",
    "StoreMisconfigured",
    "StoreSilent",
    "StoreUnavailable",
    "StoreUpgrading",
    "StoredForm",
    "Suspect",
    "SuspectedCeiling",
    "SuspectedRoom",
    "SuspectedSignups",
    "Tables",
    "Throttles",
    "Wait",
    "Waiting",
    "kind_and_name",
    "read_document",
]
