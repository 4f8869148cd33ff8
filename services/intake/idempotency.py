"""Telling a sign-up that is sent again from a new one, by the Idempotency-Key its sender gave it.

https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from services.access.requester import STRANGER
from services.errors import KeyReused
from services.submission.fields import Submission
from store.signups.idempotency import FirstUse, IdempotencyKey

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


def repeated(first: FirstUse, key: IdempotencyKey) -> str:
    """The id of the sign-up that is sent again. Raises KeyReused when it is another one."""
    if first.body_hash != key.body_hash:
        raise KeyReused
    return first.signup_id


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
