"""A form that an admin made: what it asks for, the lists it leads to, the consent it shows, and its rules."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from services.errors import FieldError, InvalidSubmission
from services.forms.editor import MOST_PENDING, REQUIRED, FormField, ProtectionLevel
from services.forms.honeypot import trap_name
from services.submission import consent
from services.submission.consent import Agreed, Consent, agreements
from services.submission.custom_fields import CustomFieldValue, fold
from services.submission.fields import PERSON_FIELDS, SMS_FIELDS, Submission
from services.submission.sms import SmsConsent, sms_consent
from services.submission.web_origins import origin_of

NONE_CHOSEN = "Choose at least one of this form's lists. If you see none here, go back to the page before."


class Form(BaseModel):
    """A form in use. `origins` are the sites whose scripts may post it and whose pages it may lead to.

    With `protect_existing`, who posts it without an API key changes nothing that a contact already has.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    slug: str
    name: str
    list_ids: tuple[str, ...]
    fields: tuple[FormField, ...]
    wordings: tuple[str, ...]
    thank_you_message: str | None
    thank_you_url: str | None
    origins: tuple[str, ...]
    archived: bool
    # Forms that were saved before there was a choice stand on sites as plain HTML, which sends no token.
    protection: ProtectionLevel = "none"
    protect_existing: bool = False
    sms_wordings: tuple[str, ...] = ()
    sms_country: str | None = None
    tags: tuple[str, ...] = ()
    # How many of its sign-ups may wait for their delivery; 0 for any number.
    most_pending: int = MOST_PENDING
    # Whether no HTML of it was ever handed out whose hidden field is called `website`
    # (services/forms/honeypot.py).
    own_trap: bool = False

    @property
    def consent(self) -> Consent | None:
        """The consent that it asks for today."""
        return consent.current(self.wordings)

    @property
    def sms_consent(self) -> Consent | None:
        """The consent to text messages that it asks for today; None where it asks for no number."""
        return consent.current(self.sms_wordings) if "sms_number" in self.field_names else None

    @property
    def trap(self) -> str:
        """The name of its honeypot."""
        return trap_name(self.slug)

    @property
    def field_names(self) -> frozenset[str]:
        """The fields that it asks for."""
        return frozenset(field.name for field in self.fields)

    @property
    def redirects(self) -> frozenset[str]:
        """The origins its visitors may be sent to."""
        own = origin_of(self.thank_you_url) if self.thank_you_url else None
        return frozenset(self.origins) | ({own} if own else frozenset())

    def apply(self, submission: Submission, *, trusted: bool) -> "Applied":
        """Judge fields, both consents and lists; return the submission as the form takes it.

        It joins the form's lists and gets its tags, or those of them that were chosen. Fields that the form
        does not ask for are left out. `trusted`: the holder of an API key sent it.

        Raises:
            InvalidSubmission: a field that the form requires is missing, its consent included, or a consent
                is unclear, or none of the form's lists was chosen.
        """
        asks_for_number = "sms_number" in self.field_names
        given = agreements(
            mail=(submission.consent, self.wordings),
            # A form that asks for no number takes no consent to messages: an unclear one costs no sign-up.
            messages=(submission.sms_consent if asks_for_number else None, self.sms_wordings),
            trusted=trusted,
        )
        missing = [field.name for field in self.fields if field.required and not field.answered(submission)]
        errors = [FieldError(name, REQUIRED) for name in missing]
        sms = sms_consent(submission, given, self.sms_country) if asks_for_number else None
        if isinstance(sms, FieldError):
            errors.append(sms)
        if self.consent and given.mail is None and not given.is_unclear("consent"):
            errors.append(FieldError("consent", "Please agree to this first."))
        chosen = tuple(list_id for list_id in submission.list_ids if list_id in self.list_ids)
        if submission.chooses_lists and not chosen:
            # The page let the visitor choose, and joining all of the form's lists is not what was chosen.
            errors.append(FieldError("list_ids", NONE_CHOSEN))
        errors += given.unclear
        if errors or isinstance(sms, FieldError):
            raise InvalidSubmission(errors)
        # Nobody may set by the form what it does not ask for.
        unasked = dict.fromkeys(set(PERSON_FIELDS) - self.field_names)
        if not asks_for_number:
            unasked |= dict.fromkeys(SMS_FIELDS)
        tags = tuple(tag for tag in submission.tags or () if tag in self.tags) or self.tags or None
        by_name = {"custom_fields": self._own_custom_fields(submission), "tags": tags}
        lists = {"list_ids": chosen or self.list_ids}
        taken = submission.model_copy(update={**lists, **unasked, **by_name})
        return Applied(taken, self, given.mail, sms)

    def _own_custom_fields(self, submission: Submission) -> dict[str, CustomFieldValue] | None:
        """Return the values of the form's custom fields, by the names that the form has for them."""
        own = {fold(name): name for field in self.fields if (name := field.custom_field)}
        sent = (submission.custom_fields or {}).items()
        return {own[fold(name)]: value for name, value in sent if fold(name) in own} or None


@dataclass(frozen=True)
class Applied:
    """A submission as its form takes it, or as it was sent without one, and what was agreed to."""

    submission: Submission
    form: Form | None
    consent: Agreed | None
    sms: SmsConsent | None


def without_form(submission: Submission, *, trusted: bool) -> Applied:
    """Judge both consents of a submission without a form, of which no wording is known.

    Raises:
        InvalidSubmission: a consent is unclear, or it lacks the number that it is for.
    """
    given = agreements(mail=(submission.consent, ()), messages=(submission.sms_consent, ()), trusted=trusted)
    sms = sms_consent(submission, given)
    if isinstance(sms, FieldError):
        raise InvalidSubmission([sms, *given.unclear])
    if given.unclear:
        raise InvalidSubmission(given.unclear)
    return Applied(submission, None, given.mail, sms)
