"""Consent to text messages: the number and its errors, the evidence that is stored, and the vendor's format.

Constant Contact wants national number, dial code and country apart, and a consent of its own:
https://developer.constantcontact.com/api_guide/contacts_create_or_update.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phonenumbers import (
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    example_number_for_type,
    format_number,
    is_valid_number,
    national_significant_number,
    number_type,
    parse,
    region_code_for_number,
)

from services.errors import FieldError
from services.submission.consent import Agreed, Consents, on_record
from services.submission.fields import Submission

NEEDS_CONSENT = "Tick this as well if you want text messages, or leave the number empty."
NEEDS_NUMBER = "Enter the number for text messages, or leave the tick out."
NO_NUMBER = "Enter a mobile number like {example}."
INTERNATIONAL = "Enter the number with its country, like +1 201 555 0123."
NO_MOBILE = "This number takes no text messages; enter a mobile number."
TAKES_MESSAGES = frozenset(
    {
        PhoneNumberType.MOBILE,
        # Of North America, where a number does not tell whether it is a mobile one.
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
        PhoneNumberType.PERSONAL_NUMBER,
    }
)
# The vendor's value for a sign-up form, the only one that it documents.
MEDIUM = "LF"
LONGEST_DETAILS = 255


@dataclass(frozen=True)
class SmsConsent:
    """A number that takes text messages, and the consent that was given with it."""

    number: PhoneNumber
    agreed: Agreed
    sent: str | None

    def evidence(self, page: str) -> dict[str, Any]:
        """Return what is stored of it; `page` is where it was given, which the vendor wants to know."""
        return {
            "number": format_number(self.number, PhoneNumberFormat.E164),
            "country": region_code_for_number(self.number),
            "consent": self.agreed.wording,
            "consent_version": self.agreed.version,
            "consent_sent": on_record(self.sent),
            "page": page,
        }


def sms_consent(
    submission: Submission, given: Consents, country: str | None = None
) -> SmsConsent | FieldError | None:
    """Return number and consent together, or the error that keeps them from being used; None without either.

    `country` is that of numbers without a country code. An unclear consent has an error of its own.
    """
    number, agreed = submission.sms_number, given.messages
    if number and agreed is None and not given.is_unclear("sms_consent"):
        return FieldError("sms_consent", NEEDS_CONSENT)
    if agreed and not number:
        return FieldError("sms_number", NEEDS_NUMBER)
    found = _read(number, submission.sms_country or country) if number else None
    if isinstance(found, str):
        return FieldError("sms_number", found)
    if found is None or agreed is None:
        return None
    return SmsConsent(found, agreed, submission.sms_consent)


def channel(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `sms_channel` of POST /contacts/sign_up_form for stored evidence."""
    number = parse(stored["number"])
    consent = {
        "sms_consent_permission": "explicit",
        "consent_type": "promotional_sms",
        "consent_medium_type": MEDIUM,
        "consent_medium_url": stored["page"],
        "consent_medium_details": f"Ticked on a sign-up form: {stored['consent']}"[:LONGEST_DETAILS],
    }
    return {
        "sms_address": national_significant_number(number),
        "dial_code": str(number.country_code),
        "country_code": stored["country"],
        "sms_channel_consents": [consent],
    }


def _read(text: str, country: str | None) -> PhoneNumber | str:
    """Return the number, or a sentence about what is wrong with it."""
    try:
        number = parse(text, country)
    except NumberParseException as error:
        unknown_country = error.error_type == NumberParseException.INVALID_COUNTRY_CODE
        return INTERNATIONAL if unknown_country else _like(country)
    # Text messages cannot be sent to an extension.
    if not is_valid_number(number) or number.extension:
        return _like(country)
    # Some numbers belong to no country, and the vendor wants one.
    usable = number_type(number) in TAKES_MESSAGES and region_code_for_number(number) in SUPPORTED_REGIONS
    return number if usable else NO_MOBILE


def _like(country: str | None) -> str:
    example = example_number_for_type(country, PhoneNumberType.MOBILE) if country else None
    if example is None:
        return INTERNATIONAL
    return NO_NUMBER.format(example=format_number(example, PhoneNumberFormat.NATIONAL))
