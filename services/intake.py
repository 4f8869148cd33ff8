"""Take a sign-up in: check its lists, store it with its delivery, and say how it stands.

The web request never calls the vendor: one sender, one place for budget, retries and tokens, and a hanging
vendor cannot eat the web threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from services.delivery import Delivery
from services.errors import FieldError, InvalidSubmission, StorageUnavailable
from services.identifiers import new_id
from services.lists import KEEP_MS, ListDirectory
from services.repeats import Handling, key_of, repeated
from services.submission import BIRTHDAY_FIELDS, STREET_FIELDS, Submission, read_form, read_json
from services.verdicts import Verdict, Verdicts
from store import IdempotencyKey, KeyTaken, NewSignup, RecentSignup, Signups, SignupStatus, StoreError

log = structlog.get_logger(__name__)

STATUS = {
    "ready": "queued",
    "sending": "queued",
    "merged": "queued",
    "delivered": "subscribed",
    "parked": "parked",
}


@dataclass(frozen=True)
class Asker:
    """Who submits: an anonymous form, or the holder of an API key."""

    name: str


ANONYMOUS = Asker("form")
PLAIN = Handling()


@dataclass(frozen=True)
class Evidence:
    """What the request shows about the consent: the page, the network address, the browser."""

    page: str | None = None
    network_address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True)
class SignupView:
    """Where a sign-up stands, without personal data; `next_attempt_at` is in epoch ms."""

    id: str
    status: str
    attempts: int
    last_error: str | None
    next_attempt_at: int | None
    contact_id: str | None


@dataclass(frozen=True)
class RecentView:
    """A sign-up as the dashboard lists it; times are in epoch ms."""

    id: str
    received_at: int
    email: str
    first_name: str | None
    last_name: str | None
    list_ids: tuple[str, ...]
    source: str | None
    asked_by: str
    status: str
    action: str | None
    attempts: int
    last_error: str | None
    next_attempt_at: int | None


class Intake:
    """The one way in."""

    def __init__(
        self,
        *,
        signups: Signups,
        lists: ListDirectory,
        delivery: Delivery,
        verdicts: Verdicts,
        public_list_ids: tuple[str, ...],
        clock: Callable[[], int],
    ) -> None:
        """`public_list_ids` are open to anonymous forms; `clock` tells epoch milliseconds."""
        self._signups = signups
        self._lists = lists
        self._delivery = delivery
        self._verdicts = verdicts
        self._public_list_ids = frozenset(public_list_ids)
        self._clock = clock

    read_json = staticmethod(read_json)
    read_form = staticmethod(read_form)

    def accept(
        self, submission: Submission, asker: Asker, evidence: Evidence, handling: Handling = PLAIN
    ) -> Verdict:
        """Store the sign-up; when this returns, it is on disk. One that is sent again is not stored again.

        Raises:
            KeyReused: its key came with another sign-up; nothing was stored.
            InvalidSubmission: a list is unknown, or not open to this asker; nothing was stored.
            StorageUnavailable: nothing could be stored.
        """
        key = key_of(asker.name, handling.key, submission) if handling.key else None
        try:
            first = self._repeat(key, handling) if key else None
            return first or self._take(submission, asker, evidence, key, handling)
        except KeyTaken:
            # By a request that came in at the same time.
            return self.accept(submission, asker, evidence, handling)
        except StoreError as error:
            log.error("signup_not_stored", error=type(error).__name__)  # noqa: TRY400 - its text says nothing more
            raise StorageUnavailable from error

    def status(self, signup_id: str) -> SignupView | None:
        """Where that sign-up stands; None when there is none of that id."""
        row = self._signups.find(signup_id)
        return _signup_view(row) if row else None

    def recent(self, limit: int) -> list[RecentView]:
        """The newest sign-ups first."""
        return [_recent_view(row) for row in self._signups.recent(limit)]

    def _repeat(self, key: IdempotencyKey, handling: Handling) -> Verdict | None:
        first = self._signups.first_with(key.key_hash, now=self._clock())
        if first is None:
            return None
        signup_id = repeated(first, key)
        log.info("signup_repeated", signup_id=signup_id)
        verdict = self._verdicts.reached(signup_id)
        if verdict.status == "queued":
            return self._verdicts.wait_for(signup_id, at_most=handling.wait_seconds)
        return verdict

    def _take(
        self,
        submission: Submission,
        asker: Asker,
        evidence: Evidence,
        key: IdempotencyKey | None,
        handling: Handling,
    ) -> Verdict:
        self._check_lists(submission, asker)
        signup = self._store(submission, asker, evidence, key)
        log.info("signup_accepted", signup_id=signup.id, asked_by=asker.name, lists=len(signup.list_ids))
        self._delivery.wake()
        return self._verdicts.wait_for(signup.id, at_most=handling.wait_seconds)

    def _check_lists(self, submission: Submission, asker: Asker) -> None:
        if asker == ANONYMOUS:
            known, closed = self._public_list_ids, "This list is not open for public sign-ups."
        elif view := self._lists.known_within(KEEP_MS):
            known = frozenset(entry.list_id for entry in view.lists)
            closed = "The account has no such list. If it is new, call GET /lists?refresh=1 once."
        else:
            return
        unknown = [list_id for list_id in submission.list_ids if list_id not in known]
        if unknown:
            raise InvalidSubmission([FieldError("list_ids", f"{closed} ({', '.join(unknown)})")])

    def _store(
        self, submission: Submission, asker: Asker, evidence: Evidence, key: IdempotencyKey | None
    ) -> NewSignup:
        now = self._clock()
        signup = NewSignup(
            id=new_id(now),
            received_at=now,
            contact_key=submission.email,
            email=submission.email,
            person=submission.person,
            list_ids=submission.list_ids,
            source=submission.source,
            consent=submission.consent,
            page=evidence.page,
            network_address=evidence.network_address,
            user_agent=evidence.user_agent,
            asked_by=asker.name,
        )
        self._signups.accept(signup, kind="sign_up", payload=_vendor_payload(submission), key=key)
        return signup


def _vendor_payload(submission: Submission) -> dict[str, Any]:
    """The body of POST /contacts/sign_up_form, which changes only what it is given."""
    person: dict[str, Any] = submission.person
    if "phone" in person:
        person["phone_number"] = person.pop("phone")
    person |= {name: int(person[name]) for name in BIRTHDAY_FIELDS if name in person}
    if street := {name: person.pop(name) for name in STREET_FIELDS if name in person}:
        person["street_address"] = {"kind": "home", **street}
    return {"email_address": submission.email, "list_memberships": list(submission.list_ids), **person}


def _signup_view(row: SignupStatus) -> SignupView:
    return SignupView(
        id=row.id,
        status=STATUS[row.state],
        attempts=row.attempts,
        last_error=row.last_error,
        next_attempt_at=row.due_at if row.state in {"ready", "sending"} else None,
        contact_id=row.contact_id,
    )


def _recent_view(row: RecentSignup) -> RecentView:
    return RecentView(
        id=row.id,
        received_at=row.received_at,
        email=row.email,
        first_name=row.first_name,
        last_name=row.last_name,
        list_ids=row.list_ids,
        source=row.source,
        asked_by=row.asked_by,
        status=STATUS[row.state],
        action=row.action,
        attempts=row.attempts,
        last_error=row.last_error,
        next_attempt_at=row.due_at if row.state in {"ready", "sending"} else None,
    )
