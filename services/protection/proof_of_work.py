"""A proof of work instead of a third party's captcha: the challenge of ALTCHA's first protocol.

The visitor's browser looks for the number whose SHA-256 hash was given. That costs a person half a second
of a telephone, once, and a program a tenth of a second of a server for each post. https://altcha.org/docs/
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

from services.forms.form import Form
from services.forms.load import FormLoad
from services.protection.captcha import CaptchaResult
from services.submission.fields import Submission
from store.engine.clock import Clock
from store.signups.batch import OneTimeUse

ALGORITHM = "SHA-256"
# Half of them are tried on average: 0.13 s of a server's core with OpenSSL's SHA256() in a loop of C,
# 0.03 s with a loop made for it (bench/proof.py), 0.6 s of a browser four times slower (static/proof.js).
HIGHEST = 800_000
# A busy form's challenge costs more, in proportion to what came in the last minute: three times as much at
# most, so that nobody waits for more than a few seconds.
QUIET_PER_MINUTE = 20
MOST_TIMES = 3
# The block of SHA-256. Salts of whole blocks cost the same for every form: the number has its own block.
BLOCK_BYTES = 64
RANDOM_BYTES = 12
LIVES_MS = 10 * 60_000


@dataclass(frozen=True)
class Challenge:
    """A challenge by the protocol's names."""

    algorithm: str
    challenge: str
    maxnumber: int
    salt: str
    signature: str


@dataclass(frozen=True, kw_only=True)
class ProofOfWork:
    """Gives challenges and checks the answers; that each answer counts once is for the store to see to.

    Args:
        keys: those whose challenges are accepted; the first one signs.
        load: how busy each form is, which its page's posts are counted in as well.
        highest: the largest number to be found for a form that is not busy.
    """

    keys: Callable[[], tuple[str, ...]]
    clock: Clock
    load: FormLoad
    highest: int = HIGHEST

    def challenge(self, slug: str) -> Challenge:
        """Return a challenge that is good for ten minutes and for one sign-up by that form."""
        self.load.note(slug)
        expires = (self.clock() + LIVES_MS) // 1000
        # Ends in "&": otherwise digits could move from the salt's end into the number, and an old challenge
        # be answered again under a later expiry.
        asked = f"?{urlencode({'expires': expires, 'form': slug})}&"
        random = secrets.token_hex(RANDOM_BYTES + BLOCK_BYTES)
        salt = random[: 2 * RANDOM_BYTES + -(2 * RANDOM_BYTES + len(asked)) % BLOCK_BYTES] + asked
        # The number is at most `highest` because the hash, which is signed, was made with such a one.
        highest = self._highest(slug)
        hashed = _hash(salt, secrets.randbelow(highest + 1))
        return Challenge(ALGORITHM, hashed, highest, salt, _sign(self.keys()[0], hashed))

    def _highest(self, slug: str) -> int:
        times = self.load.per_minute(slug) / QUIET_PER_MINUTE
        return int(self.highest * min(MOST_TIMES, max(1, times)))

    def check(self, submission: Submission, form: Form, network_address: str | None) -> CaptchaResult:  # noqa: ARG002 - the same for everybody
        """Return whether the submission has a right answer to a challenge for that form, see `Captcha`."""
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
        if expires_at <= self.clock():
            return CaptchaResult(fault="used_proof")
        return CaptchaResult(once=OneTimeUse("used_proof", f"proof:{hashed}", expires_at))

    def _is_ours(self, hashed: str, signature: str) -> bool:
        return any(
            hmac.compare_digest(_sign(key, hashed).encode(), signature.encode()) for key in self.keys()
        )


def _sign(key: str, hashed: str) -> str:
    return hmac.new(key.encode(), hashed.encode(), hashlib.sha256).hexdigest()


def _hash(salt: str, number: object) -> str:
    return hashlib.sha256(f"{salt}{number}".encode()).hexdigest()


def _read(payload: str) -> tuple[str, str, str] | None:
    """Return salt, number and signature of an answer; None for what is no answer."""
    try:
        answer: Any = json.loads(base64.b64decode(payload, validate=True))
        salt, number, signature = answer["salt"], str(answer["number"]), answer["signature"]
        # Fails for what is not text, and for half a character.
        (salt + number + signature).encode()
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return salt, number, signature
