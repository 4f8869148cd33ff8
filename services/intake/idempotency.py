"""Telling a sign-up that is sent again from a new one, by the Idempotency-Key its sender gave it.

https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header
"""

from __future__ import annotations

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
    """How a sender wants its sign-up handled.

    `key` names it, so that sending it again counts once; `wait_seconds` is the longest wait for the verdict.
    """

    key: str | None = None
    wait_seconds: float | None = None


def key_of(sender: str, key: str, submission: Submission) -> IdempotencyKey:
    """The key as it is stored. Different senders may choose the same one.

    Those without an API key all look alike: theirs counts for one form and one address, so that nobody takes
    a stranger's.

    The body counts by what was read from it: the boundary of a multipart form differs each time it is sent.
    So may what shows that no program sends it, which says nothing about the sign-up.
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
    """Answers a sign-up that is sent again under its key as the first one."""

    store: DurableAccept
    rules: FormRules
    protection: Protection
    suspected: SuspectedReview
    results: SignupResults

    def answer(
        self,
        key: IdempotencyKey,
        submission: Submission,
        sender: Requester,
        evidence: Evidence,
        handling: Handling,
    ) -> SignupResult | None:
        """How the sign-up that came first with the key stands; None where there is none.

        Raises:
            KeyReused: that was another sign-up.
        """
        first = self.store.first_with(key)
        if first is None:
            return None
        if first.body_hash != key.body_hash:
            raise KeyReused
        stranger = sender == ANONYMOUS
        if stranger:
            self._try_again(first.signup_id, submission, evidence)
        log.info("signup_repeated", signup_id=first.signup_id)
        if stranger:
            return SignupResult(first.signup_id, RECEIVED)
        try:
            result = self.results.reached(first.signup_id)
        except StoreError:
            # It was stored; that the result cannot be read changes nothing about that.
            return SignupResult(id=first.signup_id, status="queued")
        if result.status == "queued":
            return self.results.wait_for(first.signup_id, at_most=handling.wait_seconds)
        return result

    def _try_again(self, signup_id: str, submission: Submission, evidence: Evidence) -> None:
        """Let one that was kept apart go out, if its sender shows by now that no program sends it."""
        with suppress(StoreError, InvalidSubmission, StorageUnavailable):
            if self.suspected.waits(signup_id):
                form = self.rules.find(submission)
                judgement = self.protection.judge(submission, form, evidence.network_address)
                self.suspected.try_again(signup_id, judgement)
