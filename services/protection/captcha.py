"""A captcha, as the protection of a form uses it: a check of one submission."""

from dataclasses import dataclass
from typing import Protocol

from services.forms.form import Form
from services.submission.fields import Submission
from store.signups.batch import OneTimeUse


@dataclass(frozen=True)
class CaptchaResult:
    """The outcome of a check: `fault` is the rule that was broken (see RULES in rules.py), None for a person.

    `once` is what the store must not take a second time, None where the captcha's provider refuses replays.
    """

    fault: str | None = None
    once: OneTimeUse | None = None


class Captcha(Protocol):
    """One kind of captcha."""

    def check(self, submission: Submission, form: Form, network_address: str | None) -> CaptchaResult:
        """Judge a submission of `form`. Must not raise, and must end within seconds.

        An answer that cannot be checked now is a fault too: the sign-up is suspected, not lost and not sent.
        """
        ...
