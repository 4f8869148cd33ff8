"""Idempotency: a sign-up that is sent again under its Idempotency-Key counts once.

https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass

import structlog

from services.access.requester import ANONYMOUS, STRANGER, Requester
from services.errors import InvalidSubmission, KeyReused, StorageUnavailable
from services.forms.rules import FormRules
from services.intake.record import Evidence
from services.intake.result import RECEIVED, SignupResult, SignupResults
from services.protection.rules import Protection
from services.signups.suspected import SuspectedReview
from services.submission.fields import Submission
from store.errors import StoreError
from store.recovery.durable_accept import DurableAccept
from store.signups.idempotency import IdempotencyKey

log = structlog.get_logger(__name__)

PROOFS = frozenset({"website", "form_token", "altcha", "captcha"})


@dataclass(frozen=True)
class Handling:
    """How a sender wants its sign-up handled: its Idempotency-Key, and the longest wait for the result."""

    key: str | None = None
    wait_seconds: float | None = None


def key_of(sender: str, key: str, submission: Submission) -> IdempotencyKey:
    """Return the key as it is stored, which counts for one sender: two may choose the same one.

    Senders without an API key cannot be told apart. Their keys count for one form and one address, so that
    nobody gets the answer to a stranger's sign-up.

    The body is hashed as it was read: the boundary of a multipart form differs each time it is sent. Proofs
    that no program sends it are left out, since they may differ as well.
    """
    read = submission.model_dump_json(exclude_none=True, exclude=set(PROOFS))
    if sender == STRANGER:
        where = submission.form or ",".join(sorted(submission.list_ids))
        sender = f"{sender}\n{where}\n{submission.email}"
    return IdempotencyKey(key_hash=_hash(f"{sender}\n{key}"), body_hash=_hash(read))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Repeats:
    """Answers a sign-up that is sent again as the first one was answered."""

    store: DurableAccept
    rules: FormRules
    protection: Protection
    suspected: SuspectedReview
    results: SignupResults

    def answer(
        self,
        key: IdempotencyKey,
        submission: Submission,
        requester: Requester,
        evidence: Evidence,
        handling: Handling,
    ) -> SignupResult | None:
        """Return where the sign-up stands that first came with the key; None where there is none.

        Raises:
            KeyReused: that was another sign-up.
        """
        first = self.store.first_with(key)
        if first is None:
            return None
        if first.body_hash != key.body_hash:
            raise KeyReused
        stranger = requester == ANONYMOUS
        if stranger:
            self._try_again(first.signup_id, submission, evidence)
        log.info("signup_repeated", signup_id=first.signup_id)
        if stranger:
            return SignupResult(first.signup_id, RECEIVED)
        try:
            result = self.results.reached(first.signup_id)
        except StoreError:
            # The sign-up is stored, whether its result can be read or not.
            return SignupResult(id=first.signup_id, status="queued")
        if result.status == "queued":
            return self.results.wait_for(first.signup_id, at_most=handling.wait_seconds)
        return result

    def _try_again(self, signup_id: str, submission: Submission, evidence: Evidence) -> None:
        """Release a suspected one if its sender now brings a better proof."""
        with suppress(StoreError, InvalidSubmission, StorageUnavailable):
            if self.suspected.waits(signup_id):
                form = self.rules.find(submission)
                judgement = self.protection.judge(submission, form, evidence.network_address)
                self.suspected.try_again(signup_id, judgement)
