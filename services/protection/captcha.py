"""What a captcha is to the protection of a form: a check of one submission."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from services.forms.form import Form
from services.submission.fields import Submission
from store.signups.batch import OneTimeUse


@dataclass(frozen=True)
class CaptchaResult:
    """`fault` names the rule that was broken (see `protection.RULES`), None for a person.

    `once`: what the store must not take a second time; not needed where the captcha's maker refuses replays.
    """

    fault: str | None = None
    once: OneTimeUse | None = None


class Captcha(Protocol):
    """One kind of captcha."""

    def check(self, submission: Submission, form: Form, network_address: str | None) -> CaptchaResult:
        """Judge a submission of `form`; never raises, and ends within seconds.

        What cannot be checked now is a fault too: the sign-up is kept apart, and so neither lost nor sent.
        """
        ...
