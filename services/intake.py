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
from services.forms import Consent, Form, FormDirectory, fit
from services.identifiers import new_id
from services.lists import KEEP_MS, ListDirectory
from services.submission import Submission, read_form, read_json
from services.verdicts import Verdict, Verdicts
from store import NewSignup, RecentSignup, Signups, SignupStatus, StoreError

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
        forms: FormDirectory,
        delivery: Delivery,
        verdicts: Verdicts,
        public_list_ids: tuple[str, ...],
        clock: Callable[[], int],
    ) -> None:
        """`public_list_ids` are open to anonymous forms; `clock` tells epoch milliseconds."""
        self._signups = signups
        self._lists = lists
        self._forms = forms
        self._delivery = delivery
        self._verdicts = verdicts
        self._public_list_ids = frozenset(public_list_ids)
        self._clock = clock

    read_json = staticmethod(read_json)
    read_form = staticmethod(read_form)

    def accept(self, submission: Submission, asker: Asker, evidence: Evidence) -> Verdict:
        """Store the sign-up; when this returns, it is on disk.

        Raises:
            InvalidSubmission: form or list are unknown or not open to this asker, or the form requires more.
            StorageUnavailable: nothing could be stored.
        """
        try:
            form, agreed = self._form(submission), None
            if form is None:
                self._check_lists(submission, asker)
            else:
                submission, agreed = fit(submission, form)
            signup = self._store(submission, asker, evidence, form, agreed)
        except StoreError as error:
            log.error("signup_not_stored", error=type(error).__name__)  # noqa: TRY400 - its text says nothing more
            raise StorageUnavailable from error
        log.info("signup_accepted", signup_id=signup.id, asked_by=asker.name, lists=len(signup.list_ids))
        self._delivery.wake()
        return self._verdicts.wait_for(signup.id)

    def status(self, signup_id: str) -> SignupView | None:
        """Where that sign-up stands; None when there is none of that id."""
        row = self._signups.find(signup_id)
        return _signup_view(row) if row else None

    def recent(self, limit: int) -> list[RecentView]:
        """The newest sign-ups first."""
        return [_recent_view(row) for row in self._signups.recent(limit)]

    def _form(self, submission: Submission) -> Form | None:
        if submission.form is None:
            return None
        form = self._forms.find(submission.form)
        if form is None:
            raise InvalidSubmission([FieldError("form", "There is no such form, or it is no longer in use.")])
        return form

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
        self,
        submission: Submission,
        asker: Asker,
        evidence: Evidence,
        form: Form | None,
        agreed: Consent | None,
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
            form_id=form.id if form else None,
            consent_version=agreed.version if agreed else None,
        )
        self._signups.accept(signup, kind="sign_up", payload=_vendor_payload(submission))
        return signup


def _vendor_payload(submission: Submission) -> dict[str, Any]:
    """The body of POST /contacts/sign_up_form, which changes only what it is given."""
    person = submission.person
    phone = {"phone_number": person.pop("phone")} if "phone" in person else {}
    return {
        "email_address": submission.email,
        "list_memberships": list(submission.list_ids),
        **person,
        **phone,
    }


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
