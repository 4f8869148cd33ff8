"""Take a sign-up in: form rules, the account's fields and tags, protection, record, store, answer.

The web request never calls Constant Contact: quota, retries and tokens have one place, the delivery, and a
vendor that hangs cannot hold the web threads.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import structlog

from services.access.requester import ANONYMOUS, Requester
from services.account.fields_and_tags import FieldsAndTags
from services.delivery.payload import ContactChange
from services.delivery.worker import Delivery
from services.errors import InvalidSubmission, StorageUnavailable, TooManyAttempts
from services.forms.rules import FormRules
from services.intake.idempotency import Handling, Repeats, key_of
from services.intake.parsing import FormOf, read_form, read_json
from services.intake.record import Evidence, Recorder
from services.intake.result import RECEIVED, SignupResult, SignupResults
from services.protection.rules import Protection
from services.submission.fields import Submission
from store.errors import KeyTaken, OverLimit, StoreError
from store.recovery.durable_accept import DurableAccept
from store.signups.accept import NewSignup
from store.signups.batch import NOTHING_FOUND, Judgement
from store.signups.idempotency import IdempotencyKey

log = structlog.get_logger(__name__)

PLAIN = Handling()


@dataclass(frozen=True)
class Intake:
    """The way of every sign-up into the store."""

    rules: FormRules
    account: FieldsAndTags
    protection: Protection
    recorder: Recorder
    store: DurableAccept
    repeats: Repeats
    results: SignupResults
    delivery: Delivery

    def read_json(self, raw: bytes) -> Submission:
        """Read a JSON body, see parsing.py. Raises MalformedSubmission and InvalidSubmission."""
        return self._read(partial(read_json, raw))

    def read_form(self, pairs: Iterable[tuple[str, str]]) -> Submission:
        """Read the pairs of a form, see parsing.py. Raises MalformedSubmission and InvalidSubmission."""
        return self._read(partial(read_form, pairs))

    def accept(
        self, submission: Submission, requester: Requester, evidence: Evidence, handling: Handling = PLAIN
    ) -> SignupResult:
        """Store the sign-up; when this returns, it is on disk: in the database, or in the spool before it.

        A sign-up that is sent again under its Idempotency-Key is not stored again, unless one of both went to
        the spool. A suspected one is not sent; sent again under its key with a better proof, it is released.

        An anonymous requester gets the same result for every sign-up, and at once: neither the answer nor its
        time may tell whether the address was known, or whether the sign-up is suspected.

        Raises:
            KeyReused: the key came with another sign-up; nothing was stored.
            InvalidSubmission: form or list are unknown or not open to this requester, or the form requires
                more, or was shown too long ago.
            TooManyAttempts: a rate limit is exceeded many times over; nothing was stored.
            StorageUnavailable: nothing could be stored.
        """
        # Before a form changes the submission: the same body must always have the same hash.
        key = key_of(requester.name, handling.key, submission) if handling.key else None
        if key and (repeated := self.repeats.answer(key, submission, requester, evidence, handling)):
            return repeated
        try:
            return self._take(submission, requester, evidence, key, handling)
        except KeyTaken:
            # Another request with the key came in at the same time.
            return self.accept(submission, requester, evidence, handling)
        except InvalidSubmission as error:
            error.form, error.ignored = submission.form, submission.reading.ignored
            self.rules.refused(error)
            raise

    def answered(self) -> None:
        """Begin to deliver; to be called once a stranger's answer is sent.

        If it began before, the delivery would take the interpreter from the request: the answer to a sign-up
        that is sent on would come a millisecond later than that to a suspected one.
        """
        self.delivery.wake()

    def _read(self, read: Callable[[FormOf], Submission]) -> Submission:
        try:
            return read(self.rules.forms.known)
        except InvalidSubmission as error:
            self.rules.refused(error)
            raise

    def _take(
        self,
        submission: Submission,
        requester: Requester,
        evidence: Evidence,
        key: IdempotencyKey | None,
        handling: Handling,
    ) -> SignupResult:
        trusted = requester != ANONYMOUS
        applied = self.rules.apply(submission, trusted=trusted)
        form = applied.form
        admitted = self.account.admitted(applied.submission, trusted=trusted, by_form=form is not None)
        judgement = (
            NOTHING_FOUND if trusted else self.protection.judge(admitted, form, evidence.network_address)
        )
        signup = self.recorder.record(replace(applied, submission=admitted), requester, evidence)
        change = ContactChange.of_signup(
            signup, protects=form is not None and form.protect_existing, returning=submission.returning
        )
        reasons = self._stored(signup, change, key, judgement)
        if not reasons:
            self.rules.ignored.taken(form, submission)
        if not trusted:
            return SignupResult(signup.id, RECEIVED)
        if reasons is None:
            return SignupResult(signup.id, "queued")
        self.delivery.wake()
        return self.results.wait_for(signup.id, at_most=handling.wait_seconds)

    def _stored(
        self,
        signup: NewSignup,
        change: ContactChange,
        key: IdempotencyKey | None,
        judgement: Judgement,
    ) -> tuple[str, ...] | None:
        """Return why it is suspected, empty for one that is delivered; None for one in the spool."""
        try:
            reasons = self.store.accept(
                signup, kind="sign_up", payload=change.document(), key=key, judgement=judgement
            )
        except OverLimit as error:
            raise TooManyAttempts(error.retry_after) from None
        except KeyTaken:
            raise
        except StoreError as error:
            raise StorageUnavailable from error
        if reasons:
            log.info("signup_suspected", signup_id=signup.id, reasons=reasons)
        elif reasons is not None:
            lists = len(signup.list_ids)
            log.info("signup_accepted", signup_id=signup.id, asked_by=signup.asked_by, lists=lists)
        return reasons
