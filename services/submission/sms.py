"""Consent to text messages: its number, what is wrong with it in sentences, and what the vendor is told.

The vendor wants national number, dial code and country apart, and a consent of its own:
https://developer.constantcontact.com/api_guide/contacts_create_or_update.html
"""

from __future__ import annotations

from collections.abc import Mapping
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
from services.submission.both_consents import Consents
from services.submission.consent import Agreed, on_record
from services.submission.fields import Submission

NEEDS_CONSENT = "Tick this as well if you want text messages, or leave the number empty."
NEEDS_NUMBER = "Enter the number for text messages, or leave the tick out."
NO_NUMBER = "Enter a mobile number like {example}."
INTERNATIONAL = "Enter the number with its country, like +1 201 555 0123."
NO_MOBILE = "This number takes no text messages; enter a mobile number."
TAKES_MESSAGES = frozenset(
    {
        PhoneNumberType.MOBILE,
        # What North America has: its numbers do not tell.
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
        PhoneNumberType.PERSONAL_NUMBER,
    }
)
# The vendor's own mark for a sign-up form; it documents no other.
MEDIUM = "LF"
LONGEST_DETAILS = 255


def mistakes(submission: Submission, given: Consents, country: str | None = None) -> list[FieldError]:
    """What keeps number and consent from being used; nothing where neither was sent.

    `country` is that of numbers which do not tell theirs. A consent that is unclear has an error of its own.
    """
    number = submission.sms_number
    consent = given.messages is not None
    if number and not consent and not given.is_unclear("sms_consent"):
        return [FieldError("sms_consent", NEEDS_CONSENT)]
    if consent and not number:
        return [FieldError("sms_number", NEEDS_NUMBER)]
    found = _read(number, submission.sms_country or country) if number else None
    return [FieldError("sms_number", found)] if isinstance(found, str) else []


def evidence(
    submission: Submission, agreed: Agreed | None, *, page: str, country: str | None = None
) -> dict[str, Any] | None:
    """What is stored of a consent without `mistakes`; None where there is none.

    Args:
        submission: as it was sent.
        agreed: what was agreed to; None for nothing, whatever was sent.
        page: where the consent was given; the vendor asks for it.
        country: that of numbers which do not tell theirs.
    """
    if not submission.sms_number or agreed is None:
        return None
    number = _read(submission.sms_number, submission.sms_country or country)
    if isinstance(number, str):
        return None
    return {
        "number": format_number(number, PhoneNumberFormat.E164),
        "country": region_code_for_number(number),
        "consent": agreed.wording,
        "consent_version": agreed.version,
        "consent_sent": on_record(submission.sms_consent),
        "page": page,
    }


def channel(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The `sms_channel` of POST /contacts/sign_up_form for stored evidence."""
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
    """The number, or a sentence about what is wrong with it."""
    try:
        number = parse(text, country)
    except NumberParseException as error:
        unknown_country = error.error_type == NumberParseException.INVALID_COUNTRY_CODE
        return INTERNATIONAL if unknown_country else _like(country)
    # Messages reach no extension.
    if not is_valid_number(number) or number.extension:
        return _like(country)
    # Some numbers belong to no country, but the vendor wants one.
    usable = number_type(number) in TAKES_MESSAGES and region_code_for_number(number) in SUPPORTED_REGIONS
    return number if usable else NO_MOBILE


def _like(country: str | None) -> str:
    example = example_number_for_type(country, PhoneNumberType.MOBILE) if country else None
    if example is None:
        return INTERNATIONAL
    return NO_NUMBER.format(example=format_number(example, PhoneNumberFormat.NATIONAL))
