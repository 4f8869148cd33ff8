"""Ask a captcha's provider whether an answer is good: the one call that a visitor's request waits for.

Whatever goes wrong with it refuses nobody: the sign-up is kept apart, with what is known as its reason.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Annotated
from urllib.parse import urlsplit

import requests
import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.forms.form import Form
from services.protection.captcha import CaptchaResult
from services.protection.providers import Provider
from services.submission.fields import Submission

log = structlog.get_logger(__name__)

# The rules by the names that are stored, and what they mean to an admin.
CAPTCHA_RULES = {
    "captcha_missing": "The captcha was not solved: sent without a script, or before it was done.",
    "captcha_rejected": "The captcha's provider took it for a program's.",
    "captcha_used": "The captcha's answer was used before, or is too old.",
    "captcha_elsewhere": "The captcha was solved elsewhere: for another form, or on no site of this one.",
    "captcha_unchecked": "The captcha could not be checked: its provider is away, or refuses our keys.",
}
# Turnstile's are 2,048 characters at most, the others' shorter than this by far.
LONGEST = 16_384
# Turnstile takes no longer name for where a widget stands.
LONGEST_ACTION = 32
USED = frozenset(
    {
        "timeout-or-duplicate",
        "already-seen-response",
        "invalid-or-already-seen-response",
        "expired-input-response",
    }
)
WRONG_ANSWER = frozenset({"missing-input-response", "invalid-input-response"})
# How hCaptcha says that it does not say.
NO_HOST = "not-provided"


class NotChecked(Exception):
    """Nobody knows whether the answer is good; the text names the cause, without what was sent."""


class Answer(BaseModel):
    """What a provider says, by the names that all of them use."""

    model_config = ConfigDict(frozen=True, strict=True)

    success: bool
    codes: Annotated[tuple[str, ...] | None, Field(alias="error-codes")] = None
    hostname: str | None = None
    action: str | None = None


class ThirdPartyCaptcha:
    """One provider's captcha under the keys of this installation, see `services.captcha.Captcha`."""

    def __init__(
        self,
        provider: Provider,
        *,
        site_key: str,
        secret_key: str,
        session: requests.Session,
        waiting: threading.Semaphore,
        own_hosts: Collection[str],
    ) -> None:
        """`session` ends each call in time; `waiting` has a place for each call that may be under way.

        `own_hosts` show our forms besides the forms' sites; none: not known, so any host will do.
        """
        self.provider = provider
        self.site_key = site_key
        self._secret_key = secret_key
        self._session = session
        self._waiting = waiting
        self._own_hosts = frozenset(own_hosts)

    def check(self, submission: Submission, form: Form, network_address: str | None) -> CaptchaResult:  # noqa: ARG002 - it is not told on
        """Ask the provider, and wait for it; that an answer counts once, it sees to itself."""
        return CaptchaResult(self._fault(submission.captcha, form))

    def action(self, form: Form) -> str | None:
        """The word by which a widget says where it stands, so that its answer is good for that form only."""
        return form.slug[:LONGEST_ACTION] if self.provider.takes_action else None

    def _fault(self, token: str | None, form: Form) -> str | None:
        if not token:
            return "captcha_missing"
        if len(token) > LONGEST or not token.isascii():
            return "captcha_rejected"
        try:
            return self._judged(self._asked(token), form)
        except NotChecked as error:
            log.warning("captcha_not_checked", provider=self.provider.name, cause=str(error))
            return "captcha_unchecked"

    def _asked(self, token: str) -> Answer:
        # The visitor's address, which they would take as well, is none of their business.
        sent = {"secret": self._secret_key, "response": token}
        if self.provider.takes_site_key:
            sent["sitekey"] = self.site_key
        if not self._waiting.acquire(blocking=False):
            raise NotChecked("too many calls at once")
        try:
            said = self._session.post(self.provider.verify_url, data=sent, allow_redirects=False)
        except Exception as error:
            # Known by its place: a file of certificates that is missing is no exception of requests.
            raise NotChecked(type(error).__name__) from error
        finally:
            self._waiting.release()
        try:
            return Answer.model_validate_json(said.content)
        except ValidationError:
            raise NotChecked(f"no answer of theirs, status {said.status_code}") from None

    def _judged(self, answer: Answer, form: Form) -> str | None:
        if answer.success:
            return None if self._at_home(answer, form) else "captcha_elsewhere"
        codes = frozenset(answer.codes or ())
        if codes & USED:
            return "captcha_used"
        if codes <= WRONG_ANSWER:
            return "captcha_rejected"
        # About us and not about the visitor: the keys, or the provider itself.
        raise NotChecked(f"refused with {', '.join(sorted(codes))[:200]}; are both keys right?")

    def _at_home(self, answer: Answer, form: Form) -> bool:
        hosts = self._own_hosts | {urlsplit(origin).hostname for origin in form.origins}
        told = (answer.hostname or NO_HOST).lower()
        known_host = not self._own_hosts or told == NO_HOST or told in hosts
        return known_host and answer.action in {None, "", self.action(form)}


class NoKeys:
    """In the place of a captcha whose keys were taken away: its forms must not stand open instead."""

    def check(self, submission: Submission, form: Form, network_address: str | None) -> CaptchaResult:  # noqa: ARG002 - nobody to ask
        """Keep everything apart, see `services.captcha.Captcha`."""
        log.error("captcha_without_keys", form=form.slug, cure="set both keys, or choose another protection")
        return CaptchaResult("captcha_unchecked")
