"""Ask a captcha's provider whether an answer is good: the one call that a visitor's request waits for.

A call that fails refuses nobody: the sign-up is suspected, with the failure as its reason.
"""

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
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
# Of an answer: Turnstile's have 2,048 characters at most, and the others' are far below this limit.
LONGEST = 16_384
# Turnstile takes no longer action.
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
# hCaptcha's word for a host that it does not name.
NO_HOST = "not-provided"


class NotChecked(Exception):
    """The answer could not be checked; the text names the cause, without what was sent."""


class Answer(BaseModel):
    """A provider's reply, by the names that all of them use."""

    model_config = ConfigDict(frozen=True, strict=True)

    success: bool
    codes: Annotated[tuple[str, ...] | None, Field(alias="error-codes")] = None
    hostname: str | None = None
    action: str | None = None


@dataclass(frozen=True)
class ThirdPartyCaptcha:
    """One provider's captcha under the keys of this installation, see `Captcha`.

    Args:
        provider: whose captcha it is.
        site_key: the key that pages show.
        secret_key: the key that our calls show.
        session: ends each call in time.
        waiting: has a place for each call that may be under way.
        own_hosts: show our forms besides the forms' sites; empty: not known, so any host will do.
    """

    provider: Provider
    site_key: str
    secret_key: str = field(repr=False)
    session: requests.Session
    waiting: threading.Semaphore
    own_hosts: Collection[str]

    def check(self, submission: Submission, form: Form, network_address: str | None) -> CaptchaResult:  # noqa: ARG002 - providers do not get it
        """Ask the provider, and wait for it; it sees to it itself that an answer counts once."""
        return CaptchaResult(self._fault(submission.captcha, form))

    def action(self, form: Form) -> str | None:
        """Return what the form's widget sends as its action, so that an answer is good for that form only."""
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
        # Without the visitor's address, which they would take as well.
        sent = {"secret": self.secret_key, "response": token}
        if self.provider.takes_site_key:
            sent["sitekey"] = self.site_key
        if not self.waiting.acquire(blocking=False):
            raise NotChecked("too many calls at once")
        try:
            reply = self.session.post(self.provider.verify_url, data=sent, allow_redirects=False)
        except Exception as error:
            # Of any class: a missing file of certificates is no exception of requests.
            raise NotChecked(type(error).__name__) from error
        finally:
            self.waiting.release()
        try:
            return Answer.model_validate_json(reply.content)
        except ValidationError:
            raise NotChecked(f"no answer of theirs, status {reply.status_code}") from None

    def _judged(self, answer: Answer, form: Form) -> str | None:
        if answer.success:
            return None if self._at_home(answer, form) else "captcha_elsewhere"
        codes = frozenset(answer.codes or ())
        if codes & USED:
            return "captcha_used"
        if codes <= WRONG_ANSWER:
            return "captcha_rejected"
        # These codes are about our keys or the provider itself, not about the visitor.
        raise NotChecked(f"refused with {', '.join(sorted(codes))[:200]}; are both keys right?")

    def _at_home(self, answer: Answer, form: Form) -> bool:
        hosts = {*self.own_hosts} | {urlsplit(origin).hostname for origin in form.origins}
        host = (answer.hostname or NO_HOST).lower()
        known_host = not self.own_hosts or host == NO_HOST or host in hosts
        return known_host and answer.action in {None, "", self.action(form)}


class NoKeys:
    """Takes the place of a captcha whose keys were removed: its forms must not stand open instead."""

    def check(self, submission: Submission, form: Form, network_address: str | None) -> CaptchaResult:  # noqa: ARG002 - nobody to ask
        """Treat every submission as suspected, see `Captcha`."""
        log.error("captcha_without_keys", form=form.slug, cure="set both keys, or choose another protection")
        return CaptchaResult("captcha_unchecked")
