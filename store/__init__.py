"""Every SQL statement of the application: sign-ups, their deliveries, the budget, the connection."""

from store.connection.audit import Event, Events
from store.connection.authorization_requests import AttemptRow, OAuthAttempts
from store.connection.oauth_connection import ConnectionRow, Connections
from store.engine.database import Database
from store.engine.documents import read as read_document
from store.engine.expiry import Expiry
from store.engine.sqlite.disk_reserve import Disk
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
from store.forms import Forms, StoredForm
from store.key_value import Meta
from store.opt_outs import KnownOptOut, OptedOut, OptOuts, Outlook, Refresh, Standing
from store.outbox.backlog import PendingByForm
from store.outbox.claims import BACKLOG_PER_DAY, DELIVERIES_PER_DAY
from store.outbox.deliveries import Backlog, Carried, Claimed, Deliveries, OwnWait
from store.outbox.manage import Care
from store.outbox.public_backlog import PublicBacklog
from store.quota.causes import Cause, Causes
from store.quota.ledger import Budget, Met
from store.quota.refusals import SUSPICIOUS, Common, Refused
from store.quota.state import PER_DAY, PER_SECOND, BudgetState, Wait
from store.quota.traits import DOMAIN, FIELD, FORM, KNOWN_TAG, LIST, LONG, OLD, SETS, TAG, kind_and_name
from store.recovery.forms_copy import FormsCopy
from store.recovery.salvage import Salvage, Salvaged
from store.recovery.spool import Spool
from store.recovery.spool_import import Imported, SpoolImport
from store.signups.accept import NewSignup, RecentSignup, Signups, SignupStatus
from store.signups.batch import JUNK, PROVEN, UNSURE, Once
from store.signups.believed import BelievedByForm
from store.signups.idempotency import FirstUse, IdempotencyKey
from store.signups.rate_limits import FLOOD, Limit
from store.signups.records import Attempt, SignupRecord, SignupRecords, Sought
from store.signups.suspected import Place, Suspect, SuspectedSignups, Waiting
from store.signups.suspected_room import SuspectedCeiling, SuspectedRoom
from store.tables import Tables
from store.throttles import SpentTokens, Throttles

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
