"""A proof of work instead of a third party's captcha: the challenge of ALTCHA's first protocol.

The visitor's browser looks for the number whose SHA-256 hash was given: half a second for one person, a price
for a thousand posts. https://altcha.org/docs/
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

from services.captcha import CaptchaResult
from services.forms import Form
from services.submission import Submission
from store import Once

ALGORITHM = "SHA-256"
HIGHEST = 40_000
LIVES_MS = 10 * 60_000


@dataclass(frozen=True)
class Challenge:
    """What a browser is asked, by the protocol's names."""

    algorithm: str
    challenge: str
    maxnumber: int
    salt: str
    signature: str


class ProofOfWork:
    """Asks, and checks the answers; that each counts once is for the store to see to."""

    def __init__(self, *, keys: Callable[[], tuple[str, ...]], clock: Callable[[], int]) -> None:
        """`keys` are those whose challenges are known again, the first signs them; `clock` tells epoch ms."""
        self._keys = keys
        self._clock = clock

    def challenge(self, slug: str) -> Challenge:
        """Good for ten minutes, for one sign-up by that form."""
        expires = (self._clock() + LIVES_MS) // 1000
        # Ends in "&": otherwise digits could move from the salt's end into the number, and an old challenge
        # be answered again under a later expiry.
        salt = f"{secrets.token_hex(12)}?{urlencode({'expires': expires, 'form': slug})}&"
        hashed = _hash(salt, secrets.randbelow(HIGHEST + 1))
        return Challenge(ALGORITHM, hashed, HIGHEST, salt, _sign(self._keys()[0], hashed))

    def check(self, submission: Submission, form: Form, network_address: str | None) -> CaptchaResult:  # noqa: ARG002 - the same for everybody
        """Whether the submission brings a right answer to a challenge for that form, see `Captcha`."""
        if submission.altcha is None:
            return CaptchaResult(fault="no_proof")
        read = _read(submission.altcha)
        if read is None:
            return CaptchaResult(fault="wrong_proof")
        salt, number, signature = read
        hashed = _hash(salt, number)
        if not self._is_ours(hashed, signature):
            return CaptchaResult(fault="wrong_proof")
        asked = parse_qs(salt.partition("?")[2])
        if asked["form"] != [form.slug]:
            return CaptchaResult(fault="wrong_proof")
        expires_at = int(asked["expires"][0]) * 1000
        if expires_at <= self._clock():
            return CaptchaResult(fault="used_proof")
        return CaptchaResult(once=Once("used_proof", f"proof:{hashed}", expires_at))

    def _is_ours(self, hashed: str, signature: str) -> bool:
        return any(
            hmac.compare_digest(_sign(key, hashed).encode(), signature.encode()) for key in self._keys()
        )


def _sign(key: str, hashed: str) -> str:
    return hmac.new(key.encode(), hashed.encode(), hashlib.sha256).hexdigest()


def _hash(salt: str, number: object) -> str:
    return hashlib.sha256(f"{salt}{number}".encode()).hexdigest()


def _read(payload: str) -> tuple[str, str, str] | None:
    """Salt, number and signature of an answer, None for what is no answer."""
    try:
        answer: Any = json.loads(base64.b64decode(payload, validate=True))
        salt, number, signature = answer["salt"], str(answer["number"]), answer["signature"]
        # Fails for what is not text, and for half a character.
        (salt + number + signature).encode()
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return salt, number, signature
