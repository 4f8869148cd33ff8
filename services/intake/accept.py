"""Take a sign-up in: check its lists, store it with its delivery, and say how it stands.

The web request never calls the vendor: one sender, one place for budget, retries and tokens, and a hanging
vendor cannot eat the web threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from services.access.requester import ANONYMOUS, Requester
from services.account.fields_and_tags import FieldsAndTags
from services.account.lists import KEEP_MS, ListCache, ListsView
from services.delivery.payload import ContactChange
from services.delivery.worker import Delivery
from services.errors import FieldError, InvalidSubmission, StorageUnavailable, TooManyAttempts
from services.forms.form import Form, FormCatalog, fit
from services.forms.ignored_fields import IgnoredFields
from services.forms.open_lists import OpenLists
from services.intake.idempotency import Handling, key_of, repeated
from services.intake.identifiers import SignupIds
from services.intake.parsing import read_form, read_json
from services.intake.result import RECEIVED, SignupResult, SignupResults
from services.plain_text import header_text
from services.protection.away_limits import OfflineRateLimits
from services.protection.rules import Protection, ProtectionResult
from services.signups.suspected import SuspectedReview
from services.signups.views import SignupView, signup_view, waiting_view
from services.submission import sms
from services.submission.both_consents import Consents, agreements
from services.submission.consent import on_record
from services.submission.fields import Submission
from store.errors import KeyTaken, OverLimit, SpoolFirst, StoreError
from store.recovery.spool import Spool
from store.recovery.spool_import import SpoolImport
from store.signups.accept import NewSignup, Signups
from store.signups.idempotency import FirstUse, IdempotencyKey

log = structlog.get_logger(__name__)

SPOOL_FIRST_MS = 2_000
LONGEST_HEADER_BYTES = 500
# IPv6 with an IPv4 address at its end; a proxy may be told anything.
LONGEST_NETWORK_ADDRESS = 45
NO_LIST = "The account has no such list. If it is new, call GET /lists?refresh=1 once."


PLAIN = Handling()
TRUSTED = ProtectionResult()


@dataclass(frozen=True)
class Evidence:
    """What the request shows about the consent: the page, the network address, the browser.

    `service` is our own address, for who must be told a page where the request shows none.
    """

    page: str | None = None
    network_address: str | None = None
    user_agent: str | None = None
    service: str | None = None


class Intake:
    """The one way in."""

    def __init__(  # noqa: PLR0913 - collaborators, wired once
        self,
        *,
        signups: Signups,
        spool: Spool,
        spooled_before: SpoolImport,
        has_room: Callable[[], bool],
        lists: ListCache,
        forms: FormCatalog,
        protection: Protection,
        quarantine: SuspectedReview,
        delivery: Delivery,
        verdicts: SignupResults,
        open_lists: OpenLists,
        vocabulary: FieldsAndTags,
        ids: SignupIds,
        notes: IgnoredFields,
        clock: Callable[[], int],
    ) -> None:
        """`clock` tells epoch milliseconds.

        `has_room` tells whether the store's disk may take new sign-ups.
        """
        self._signups = signups
        self._spool = spool
        self._spooled_before = spooled_before
        self._has_room = has_room
        self._refused_until = 0
        self._lists = lists
        self._forms = forms
        self._protection = protection
        self._quarantine = quarantine
        self._delivery = delivery
        self._verdicts = verdicts
        self._vocabulary = vocabulary
        self._ids = ids
        self._notes = notes
        self._open_lists = open_lists
        self._clock = clock
        self._away_limits = OfflineRateLimits(clock)

    def read_json(self, raw: bytes) -> Submission:
        """A JSON body, see intake/parsing.py. Raises MalformedSubmission and InvalidSubmission."""
        with self._noted():
            return read_json(raw, self._forms.known)

    def read_form(self, pairs: Iterable[tuple[str, str]]) -> Submission:
        """The pairs of a form, see intake/parsing.py. Raises MalformedSubmission and InvalidSubmission."""
        with self._noted():
            return read_form(pairs, self._forms.known)

    def accept(
        self, submission: Submission, asker: Requester, evidence: Evidence, handling: Handling = PLAIN
    ) -> SignupResult:
        """Store the sign-up; when this returns, it is on disk: in the store, or in the spool before it.

        One that is sent again is not stored again, unless either went to the spool. One that looks like a
        program's is kept apart; sent again under its key with a better proof, it goes out.

        An anonymous asker gets the same verdict for every sign-up, and at once: neither what it says nor when
        it comes may tell whether the address was known, or whether the sender was found out.

        Raises:
            KeyReused: its key came with another sign-up; nothing was stored.
            InvalidSubmission: form or list are unknown or not open to this asker, or the form requires more,
                or was shown too long ago.
            TooManyAttempts: it is one of a flood; nothing was stored.
            StorageUnavailable: nothing could be stored.
        """
        # Before a form changes what was sent: the same body must always have the same hash.
        key = key_of(asker.name, handling.key, submission) if handling.key else None
        if key and (first := self._first_with(key)):
            if first.body_hash == key.body_hash and asker == ANONYMOUS:
                self._try_again(first.signup_id, submission, evidence)
            return self._repeat(first, key, asker, handling)
        try:
            with self._noted(submission):
                return self._take(submission, asker, evidence, key, handling)
        except KeyTaken:
            # By a request that came in at the same time.
            return self.accept(submission, asker, evidence, handling)

    @contextmanager
    def _noted(self, submission: Submission | None = None) -> Iterator[None]:
        """Let a refusal tell what was not understood, and its owner what no visitor can mend."""
        try:
            yield
        except InvalidSubmission as error:
            if submission is not None:
                error.form, error.ignored = submission.form, submission.reading.ignored
            self._notes.refused(self._forms.known(error.form) if error.form else None, error)
            raise

    def answered(self) -> None:
        """Begin to deliver; to be called once a stranger's answer is sent.

        Begun before, the delivery would take the interpreter from a sign-up that is believed, and its answer
        would be a millisecond later than that of one that is kept apart.
        """
        self._delivery.wake()

    def status(self, signup_id: str) -> SignupView | None:
        """Where that sign-up stands, for who may know it; None when there is none of that id."""
        view = self._stored_view(signup_id)
        if view is None and self._spool.holds(signup_id):
            return waiting_view(signup_id, "queued")
        # Between the two looks it may have been imported.
        return view or self._stored_view(signup_id)

    def received(self, signup_id: str) -> bool:
        """Whether that sign-up came in, which is all that a stranger learns, whatever became of it."""
        return self._ids.gave(signup_id) or self.status(signup_id) is not None

    def _stored_view(self, signup_id: str) -> SignupView | None:
        if row := self._signups.find(signup_id):
            return signup_view(row)
        return waiting_view(signup_id, "suspected") if self._quarantine.holds(signup_id) else None

    def _form(self, submission: Submission) -> Form | None:
        if submission.form is None:
            return None
        try:
            form = self._forms.find(submission.form)
        except StoreError as error:
            # Without the form neither its lists nor its consent are known, so there is nothing to keep.
            raise StorageUnavailable from error
        if form is None:
            raise InvalidSubmission([FieldError("form", "There is no such form, or it is no longer in use.")])
        return form

    def _first_with(self, key: IdempotencyKey) -> FirstUse | None:
        now = self._clock()
        if self._refuses(now):
            return None
        try:
            return self._signups.first_with(key.key_hash, now=now)
        except StoreError as error:
            # It goes to the spool: rather a repeat that counts twice than a sign-up that is turned away.
            self._refused_until = self._clock() + SPOOL_FIRST_MS
            log.error("repeat_not_sought", error=type(error).__name__)  # noqa: TRY400 - its text says nothing more
            return None

    def _try_again(self, signup_id: str, submission: Submission, evidence: Evidence) -> None:
        """One that was kept apart goes out after all, if its sender shows by now that no program sends it."""
        with suppress(StoreError, InvalidSubmission, StorageUnavailable):
            if self._quarantine.waits(signup_id):
                form = self._form(submission)
                judgement = self._protection.judge(submission, form, evidence.network_address)
                self._quarantine.try_again(signup_id, judgement)

    def _repeat(
        self, first: FirstUse, key: IdempotencyKey, asker: Requester, handling: Handling
    ) -> SignupResult:
        signup_id = repeated(first, key)
        log.info("signup_repeated", signup_id=signup_id)
        if asker == ANONYMOUS:
            return SignupResult(signup_id, RECEIVED)
        try:
            verdict = self._verdicts.reached(signup_id)
        except StoreError:
            # It was stored; that the verdict cannot be read changes nothing about that.
            return SignupResult(id=signup_id, status="queued")
        if verdict.status == "queued":
            return self._verdicts.wait_for(signup_id, at_most=handling.wait_seconds)
        return verdict

    def _take(
        self,
        submission: Submission,
        asker: Requester,
        evidence: Evidence,
        key: IdempotencyKey | None,
        handling: Handling,
    ) -> SignupResult:
        form, said = self._form(submission), submission
        by_form, trusted = form is not None, asker != ANONYMOUS
        if form is None:
            self._check_lists(submission, asker)
            given = _without_form(submission, trusted=trusted)
        else:
            submission, given = fit(submission, form, trusted=trusted)
        submission = self._vocabulary.admitted(submission, trusted=trusted, by_form=by_form)
        judgement = TRUSTED
        if not trusted:
            judgement = self._protection.judge(submission, form, evidence.network_address)
        signup = self._signup(submission, asker, evidence, form, given)
        change = ContactChange.of_signup(
            signup,
            protects=form is not None and form.protect_existing,
            returning=submission.returning,
        )
        payload = change.document()
        reasons = self._stored(signup, payload, key, judgement)
        if reasons is None:
            self._spooled(signup, payload, judgement)
        else:
            self._log(signup, reasons)
        if not reasons:
            self._notes.taken(form, said)
        if not trusted:
            return SignupResult(signup.id, RECEIVED)
        if reasons is None:
            return SignupResult(signup.id, "queued")
        self._delivery.wake()
        return self._verdicts.wait_for(signup.id, at_most=handling.wait_seconds)

    @staticmethod
    def _log(signup: NewSignup, reasons: tuple[str, ...]) -> None:
        if reasons:
            log.info("signup_suspected", signup_id=signup.id, reasons=reasons)
        else:
            lists = len(signup.list_ids)
            log.info("signup_accepted", signup_id=signup.id, asked_by=signup.asked_by, lists=lists)

    def _check_lists(self, submission: Submission, asker: Requester) -> None:
        if asker == ANONYMOUS:
            if objections := self._open_lists.objections(submission):
                raise InvalidSubmission(objections)
        elif view := self._known_lists():
            known = frozenset(entry.list_id for entry in view.lists)
            if unknown := [list_id for list_id in submission.list_ids if list_id not in known]:
                raise InvalidSubmission([FieldError("list_ids", f"{NO_LIST} ({', '.join(unknown)})")])

    def _known_lists(self) -> ListsView | None:
        try:
            return self._lists.known_within(KEEP_MS)
        except StoreError:
            return None  # what cannot be looked up refuses nobody

    def _refuses(self, now: int) -> bool:
        return 0 < self._refused_until - now <= SPOOL_FIRST_MS

    def _stored(
        self,
        signup: NewSignup,
        payload: dict[str, Any],
        key: IdempotencyKey | None,
        judgement: ProtectionResult,
    ) -> tuple[str, ...] | None:
        """Why it is kept apart, nothing for a sign-up like any other; None when the store refuses it."""
        if self._refuses(signup.received_at):
            return None
        if not self._has_room():
            raise StorageUnavailable
        try:
            return self._stored_in_order(signup, payload, key, judgement)
        except OverLimit as error:
            if judgement.found_out:
                return judgement.broken  # answered like one that is kept: it is not to learn the limit
            raise TooManyAttempts(error.retry_after) from None
        except KeyTaken:
            raise  # the store is well, and the sign-up it has with this key is the one to tell of
        except StoreError as error:
            # The next ones do not wait for the same time-out.
            self._refused_until = self._clock() + SPOOL_FIRST_MS
            log.error(  # noqa: TRY400 - its place says nothing more
                "store_refused_signup", signup_id=signup.id, error=type(error).__name__, detail=str(error)
            )
            return None

    def _stored_in_order(
        self,
        signup: NewSignup,
        payload: dict[str, Any],
        key: IdempotencyKey | None,
        judgement: ProtectionResult,
    ) -> tuple[str, ...] | None:
        """A wish is not stored before an older one of the same person that is still in the spool."""
        accept = partial(
            self._signups.accept, signup, kind="sign_up", payload=payload, key=key, **vars(judgement)
        )
        try:
            return accept()
        except SpoolFirst:
            return accept() if self._spooled_before.catch_up() else None

    def _spooled(self, signup: NewSignup, payload: dict[str, Any], judgement: ProtectionResult) -> None:
        over, retry_after = self._away_limits.count(judgement.limits)
        if retry_after is not None:
            if judgement.found_out:
                return  # answered like one that is kept, see `_stored`
            raise TooManyAttempts(retry_after)
        broken = (*judgement.broken, *over)
        try:
            # Without its Idempotency-Key, which only the store can take: sent again, it counts twice. Nor can
            # the spool tell whether a proof was used before.
            kept = self._spool.keep(
                signup, kind="sign_up", payload=payload, broken=broken, rank=judgement.rank
            )
        except StoreError as error:
            self._refused_until = 0
            log.error("signup_not_stored", error=type(error).__name__, detail=str(error))  # noqa: TRY400 - its place says nothing more
            raise StorageUnavailable from error
        event = "signup_spooled" if kept else "suspected_signup_not_kept"
        log.warning(event, signup_id=signup.id, asked_by=signup.asked_by)

    def _signup(
        self,
        submission: Submission,
        asker: Requester,
        evidence: Evidence,
        form: Form | None,
        given: Consents,
    ) -> NewSignup:
        now = self._clock()
        return NewSignup(
            id=self._ids.new(now),
            received_at=now,
            contact_key=submission.email,
            email=submission.email,
            person=submission.person,
            list_ids=submission.list_ids,
            source=submission.source,
            consent=given.mail.wording if given.mail else None,
            consent_sent=on_record(submission.consent),
            page=header_text(evidence.page, LONGEST_HEADER_BYTES),
            network_address=header_text(evidence.network_address, LONGEST_NETWORK_ADDRESS),
            user_agent=header_text(evidence.user_agent, LONGEST_HEADER_BYTES),
            asked_by=asker.name,
            form_id=form.id if form else None,
            consent_version=given.mail.version if given.mail else None,
            referrer=submission.referrer,
            sms=sms.evidence(
                submission,
                given.messages,
                page=evidence.page or evidence.service or "",
                country=form.sms_country if form else None,
            ),
            custom_fields=submission.custom_fields,
            tags=submission.tags,
        )


def _without_form(submission: Submission, *, trusted: bool) -> Consents:
    """What was agreed to where no form tells its wordings. Raises InvalidSubmission."""
    given = agreements(mail=(submission.consent, ()), messages=(submission.sms_consent, ()), trusted=trusted)
    if wrong := [*sms.mistakes(submission, given), *given.unclear]:
        raise InvalidSubmission(wrong)
    return given
