"""The simulated account: everything in memory, under one lock."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from threading import RLock
from typing import Any

from flask import current_app

from sandbox.account.emails import owners_email
from sandbox.activities.activity import Activities
from sandbox.authorization.tokens import Policy, Tokens
from sandbox.contacts.custom_values import CustomField
from sandbox.contacts.records import Contact, ContactList, Tag
from sandbox.control.call_log import CallLog
from sandbox.control.faults import Faults
from sandbox.control.mailbox import Mailbox
from sandbox.errors import ControlRefused
from sandbox.limits import Limits

PRESET_LIST_ID = "11111111-1111-4111-8111-111111111111"
_SEED_LISTS = (
    (PRESET_LIST_ID, "Newsletter", "The monthly letter"),
    ("22222222-2222-4222-8222-222222222222", "Events", "Invitations"),
    ("33333333-3333-4333-8333-333333333333", "Volunteers", ""),
)
_SEED_FIELDS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("44444444-4444-4444-8444-444444444444", "Source", "string", ()),
    ("55555555-5555-4555-8555-555555555555", "Interests", "string", ()),
    ("66666666-6666-4666-8666-666666666601", "Shoe size", "number", ()),
    ("66666666-6666-4666-8666-666666666602", "Member since", "date", ()),
    ("66666666-6666-4666-8666-666666666603", "Pledge", "currency", ()),
    ("66666666-6666-4666-8666-666666666604", "Vegetarian", "boolean", ()),
    ("66666666-6666-4666-8666-666666666605", "About you", "text_area", ()),
    ("66666666-6666-4666-8666-666666666606", "T-shirt", "single_select", ("Small", "Medium", "Large")),
    ("66666666-6666-4666-8666-666666666607", "Topics", "multi_select", ("Gardening", "Cooking", "Chess")),
)


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _seconds(value: object) -> bool:
    return _whole(value, 0) or (isinstance(value, float) and value >= 0)


_SETTING_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "refresh_tokens": (lambda v: v in ("rotating", "long_lived"), '"rotating" or "long_lived"'),
    "grace_seconds": (_seconds, "a number of seconds from 0"),
    "access_token_seconds": (lambda v: _whole(v, 1), "a whole number of seconds from 1"),
    "rate_limit": (lambda v: isinstance(v, bool), "true or false"),
    "per_second": (lambda v: _whole(v, 1), "a whole number from 1"),
    "per_day": (lambda v: _whole(v, 0), "a whole number from 0"),
    "confirmed_opt_in": (lambda v: isinstance(v, bool), "true or false"),
    "activity_seconds": (_seconds, "a number of seconds from 0"),
    "latency": (_seconds, "a number of seconds from 0"),
}


@dataclass(frozen=True)
class Settings:
    """What a test or a developer may set; the defaults are the vendor's."""

    refresh_tokens: str = "rotating"
    grace_seconds: float = 30
    access_token_seconds: int = 86_400
    rate_limit: bool = True
    per_second: int = 4
    per_day: int = 10_000
    confirmed_opt_in: bool = False
    latency: float = 0
    activity_seconds: float = 2

    def changed(self, changes: Mapping[str, Any]) -> "Settings":
        """Return these settings with some of them replaced.

        Raises:
            ControlRefused: an unknown name or a wrong value; nothing is changed then.
        """
        for name, value in changes.items():
            if name not in _SETTING_RULES:
                raise ControlRefused(f"{name}: unknown setting; known: {', '.join(_SETTING_RULES)}")
            accepts, wanted = _SETTING_RULES[name]
            if not accepts(value):
                raise ControlRefused(f"{name}: must be {wanted}, not {value!r}")
        return replace(self, **changes)

    @property
    def policy(self) -> Policy:
        """The settings that concern tokens."""
        return Policy(self.refresh_tokens, self.grace_seconds, self.access_token_seconds)


class World:
    """The whole state. A thread that reads or changes it holds `lock`, and never waits while holding it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.lock = RLock()
        self._clock = clock
        self._seed(dead_until=None)

    def now(self) -> float:
        """Return the sandbox's time in epoch seconds: the clock's, moved forward by POST /_sandbox/clock."""
        return self._clock() + self.advanced

    def reset(self) -> None:
        """Return to the initial data; all tokens issued until now are refused."""
        self._seed(dead_until=self.now())

    def _seed(self, dead_until: float | None) -> None:
        self.advanced = 0.0
        self.settings = Settings()
        self.faults = Faults()
        self.limits = Limits()
        self.tokens = Tokens(dead_until)
        self.calls = CallLog()
        self.counters: Counter[str] = Counter()
        self.contacts: dict[str, Contact] = {}
        self.contacts_by_address: dict[str, Contact] = {}
        self.activities = Activities()
        self.editing: set[str] = set()
        self.sign_up_attempts: dict[str, list[float]] = {}
        self.flagged_until: dict[str, float] = {}
        now = self.now()
        self.lists = {
            list_id: ContactList(list_id, name, now, now, description)
            for list_id, name, description in _SEED_LISTS
        }
        self.custom_fields = {
            field_id: CustomField(field_id, label, kind, now, now, dict(enumerate(choices, start=1)))
            for field_id, label, kind, choices in _SEED_FIELDS
        }
        self.tags: dict[str, Tag] = {}
        self.account_emails = [owners_email(now)]
        self.mailbox = Mailbox()

    def live_lists(self) -> list[ContactList]:
        """Return the lists that are not deleted, oldest first."""
        return [contact_list for contact_list in self.lists.values() if contact_list.deleted_at is None]

    def members(self, list_id: str) -> list[Contact]:
        """Return the contacts on a list, deleted ones left out."""
        return [c for c in self.contacts.values() if list_id in c.list_memberships and c.deleted_at is None]

    def tagged(self, tag_id: str) -> int:
        """Return how many contacts have the tag."""
        return sum(tag_id in contact.taggings for contact in self.contacts.values())

    def settings_shown(self) -> dict[str, Any]:
        """Return the settings as JSON members."""
        return asdict(self.settings)


def current_world() -> World:
    """Return the world of the sandbox that handles the current request."""
    world: World = current_app.extensions["sandbox"]
    return world
