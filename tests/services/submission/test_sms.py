"""Consent to text messages, from the form to the sandbox's account."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.access.requester import ANONYMOUS, Requester
from services.delivery.kinds.sign_up.send import SignUp
from services.errors import InvalidForm, InvalidSubmission
from services.intake.parsing import read_form
from services.intake.record import Evidence
from services.submission.consent import Agreed, Consents
from services.submission.fields import Submission
from services.submission.sms import NEEDS_CONSENT, SmsConsent, sms_consent
from store.signups.accept import NewSignup
from tests.services.delivery.test_sign_up import CREATE, DAY, FIND, FORM, LONG, SHORT, SandboxedSystem
from tests.services.sandbox_account import PRESET_LIST_ID
from tests.services.vendor import NEWSLETTER

PAGE = "https://shop.example.net/spring"
SEEN = Evidence(page=PAGE, service="https://signup.example.org")
TEXTS: dict[str, Any] = {
    "slug": "texts",
    "name": "Texts",
    "list_ids": [PRESET_LIST_ID],
    "fields": [{"name": "sms_number", "label": "Mobile"}],
    "sms_wording": "Yes, text me.",
    "sms_country": "us",
}
MOBILE = {"sms_number": "(781) 555-1212", "sms_consent": "version 1"}
CHANNEL = {
    "sms_address": "7815551212",
    "dial_code": "1",
    "country_code": "US",
    "sms_channel_consents": [
        {
            "sms_consent_permission": "explicit",
            "consent_type": "promotional_sms",
            "consent_medium_type": "LF",
            "consent_medium_url": PAGE,
            "consent_medium_details": "Ticked on a sign-up form: Yes, text me.",
        }
    ],
}


@pytest.fixture
def sandboxed(tmp_path: Path) -> Iterator[SandboxedSystem]:
    sandboxed = SandboxedSystem(tmp_path)
    sandboxed.connect()
    sandboxed.forms.save(TEXTS)
    yield sandboxed
    sandboxed.database.close()


def by_form(address: str = SHORT, **fields: str) -> Submission:
    return read_form([("email", address), ("form", "texts"), *fields.items()])


def by_list(**fields: str) -> Submission:
    return read_form([("email", SHORT), ("list_id", NEWSLETTER.list_id), *fields.items()])


def accept(sandboxed: SandboxedSystem, submission: Submission, seen: Evidence = SEEN) -> str:
    return sandboxed.intake.accept(submission, ANONYMOUS, seen).id


def stored(sandboxed: SandboxedSystem) -> list[Any]:
    with sandboxed.database.reading() as connection:
        found = connection.exec_driver_sql("SELECT sms FROM signups ORDER BY received_at").scalars()
        return [json.loads(document) if document else None for document in found]


def refused(sandboxed: SandboxedSystem, submission: Submission) -> dict[str, str]:
    with pytest.raises(InvalidSubmission) as caught:
        accept(sandboxed, submission)
    assert stored(sandboxed) == []
    return {error.field: error.message for error in caught.value.errors}


def sent(sandboxed: SandboxedSystem) -> list[Any]:
    """What the API was told of text messages, call by call."""
    sandboxed.deliver()
    bodies = [call["body"] for call in sandboxed.account.vendor.calls() if call["method"] in {"POST", "PUT"}]
    return [body.get("sms_channel") for body in bodies if "email_address" in body]


def test_a_number_and_its_consent_reach_the_account(sandboxed: SandboxedSystem) -> None:
    """Number, dial code and country apart, as the contract wants them, and where it was agreed to."""
    accept(sandboxed, by_form(**MOBILE))
    assert stored(sandboxed) == [
        {
            "number": "+17815551212",
            "country": "US",
            "consent": "Yes, text me.",
            "consent_version": 1,
            "consent_sent": "version 1",
            "page": PAGE,
        }
    ]
    assert sent(sandboxed) == [CHANNEL]
    channel = sandboxed.account.find(SHORT)["sms_channel"]
    assert (channel["dial_code"], channel["sms_address"]) == ("1", "7815551212")
    assert channel["sms_channel_consents"][0]["sms_consent_permission"] == "explicit"


def test_a_long_address_is_told_by_the_other_operations(sandboxed: SandboxedSystem) -> None:
    """POST /contacts and PUT /contacts/{id} want the number in one piece and less about the consent."""
    accept(sandboxed, by_form(LONG, **MOBILE))
    whole = {
        "full_sms_address": "17815551212",
        "sms_channel_consents": [
            {
                "sms_consent_permission": "explicit",
                "consent_type": "promotional_sms",
                "consent_medium_details": "Ticked on a sign-up form: Yes, text me.",
            }
        ],
    }
    assert sent(sandboxed) == [whole]
    assert sandboxed.account.find(LONG)["sms_channel"]["sms_address"] == "7815551212"
    sandboxed.later(2_000)
    accept(sandboxed, by_form(LONG, **MOBILE | {"sms_number": "+1 781 555 1213"}))
    assert sent(sandboxed)[-1] == whole | {"full_sms_address": "17815551213"}
    assert sandboxed.account.find(LONG)["sms_channel"]["sms_address"] == "7815551213"
    sandboxed.later(2_000)
    accept(sandboxed, by_form(LONG))
    assert sent(sandboxed)[-1] is None
    assert sandboxed.account.find(LONG)["sms_channel"]["sms_address"] == "7815551213"


@pytest.mark.parametrize(
    ("fields", "agreed"),
    [({"sms_number": "+1 781 555 1212"}, None), ({"sms_consent": "yes"}, Agreed("Text me.")), ({}, None)],
)
def test_without_number_and_tick_there_is_no_evidence(fields: dict[str, str], agreed: Agreed | None) -> None:
    """Whatever was asked about before: what is not agreed to is never stored, and so never sent."""
    assert not isinstance(sms_consent(by_form(**fields), Consents(messages=agreed)), SmsConsent)


@pytest.mark.parametrize("sent_consent", ["false", "No, thanks", "0", "off", "undefined", "nein"])
@pytest.mark.parametrize("asker", [ANONYMOUS, Requester("shop")])
def test_a_no_is_never_told_as_a_consent(
    sandboxed: SandboxedSystem, sent_consent: str, asker: Requester
) -> None:
    """With a number it is asked about like a box that was not ticked; without one nothing is asked."""
    number = {"sms_number": "+1 781 555 1212"}
    for submission in (
        by_form(**number, sms_consent=sent_consent),
        by_list(**number, sms_consent=sent_consent),
    ):
        with pytest.raises(InvalidSubmission) as caught:
            sandboxed.intake.accept(submission, asker, SEEN)
        assert [(error.field, error.message) for error in caught.value.errors] == [
            ("sms_consent", NEEDS_CONSENT)
        ]
    sandboxed.intake.accept(by_form(sms_consent=sent_consent), asker, SEEN)
    assert stored(sandboxed) == [None]
    assert sent(sandboxed) == [None]


def test_an_unclear_consent_is_told_once_and_only_where_a_number_is_asked_for(
    sandboxed: SandboxedSystem,
) -> None:
    """A form that asks for no number takes no consent to messages either."""
    found = refused(sandboxed, by_form(**MOBILE | {"sms_consent": "version 9"}))
    assert "“version 9” is no wording that this form ever had" in found["sms_consent"]
    sandboxed.forms.save(TEXTS | {"fields": []})
    accept(sandboxed, by_form(sms_consent="maybe"))
    assert stored(sandboxed) == [None]


def test_where_no_page_is_told_our_own_address_stands(sandboxed: SandboxedSystem) -> None:
    """The vendor asks for one; a browser may tell none."""
    accept(sandboxed, by_form(**MOBILE), Evidence(service="https://signup.example.org"))
    assert stored(sandboxed)[0]["page"] == "https://signup.example.org"


@pytest.mark.parametrize(
    ("fields", "wrong", "says"),
    [
        ({"sms_number": "781 555 1212"}, "sms_consent", "Tick this"),
        ({"sms_number": "781 555 1212", "sms_consent": " "}, "sms_consent", "Tick this"),
        ({"sms_consent": "version 1"}, "sms_number", "Enter the number"),
        (MOBILE | {"sms_number": "555 1212"}, "sms_number", "like (201) 555-0123"),
        (MOBILE | {"sms_number": "call me"}, "sms_number", "like (201) 555-0123"),
        (MOBILE | {"sms_number": "781 555 1212 ext. 5"}, "sms_number", "like (201) 555-0123"),
        (MOBILE | {"sms_number": "+49 30 901820"}, "sms_number", "takes no text messages"),
        (MOBILE | {"sms_number": "1-800-356-9377"}, "sms_number", "takes no text messages"),
        (MOBILE | {"sms_number": "+999 12345"}, "sms_number", "with its country"),
        (MOBILE | {"sms_number": "+883 5100 1234 5678"}, "sms_number", "takes no text messages"),
        (MOBILE | {"sms_number": "12", "sms_country": "DE"}, "sms_number", "like 01512 3456789"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(
    sandboxed: SandboxedSystem, fields: dict[str, str], wrong: str, says: str
) -> None:
    """In words for a visitor; nothing is stored."""
    found = refused(sandboxed, by_form(**fields))
    assert set(found) == {wrong}
    assert says in found[wrong]


@pytest.mark.parametrize("fields", [{"sms_country": "Germany"}, {"sms_country": "XX"}])
def test_a_country_is_two_letters(fields: dict[str, str]) -> None:
    """As the vendor wants them."""
    with pytest.raises(InvalidSubmission) as caught:
        by_form(**fields)
    assert [error.field for error in caught.value.errors] == ["sms_country"]


def test_nothing_about_text_messages_is_needed(sandboxed: SandboxedSystem) -> None:
    """The form asks, and the visitor need not answer."""
    accept(sandboxed, by_form(sms_number=" ", sms_consent=""))
    assert stored(sandboxed) == [None]
    assert sent(sandboxed) == [None]


def test_a_required_number_is_missed_with_its_consent(sandboxed: SandboxedSystem) -> None:
    """First the number; with it comes the tick."""
    sandboxed.forms.save(TEXTS | {"fields": [{"name": "sms_number", "label": "Mobile", "required": True}]})
    assert set(refused(sandboxed, by_form())) == {"sms_number"}


@pytest.mark.parametrize(
    ("number", "country", "told"),
    [
        ("01512 3456789", "de", ("49", "15123456789", "DE")),
        ("+44 7400 123456", "", ("44", "7400123456", "GB")),
        ("416 555 0123", "CA", ("1", "4165550123", "CA")),
        ("２０１５５５０１２３", "US", ("1", "2015550123", "US")),
    ],
)
def test_numbers_of_many_countries(
    sandboxed: SandboxedSystem, number: str, country: str, told: tuple[str, ...]
) -> None:
    """The visitor's country goes before the form's, and the number's own before both."""
    accept(sandboxed, by_form(sms_number=number, sms_country=country, sms_consent="yes"))
    (channel,) = sent(sandboxed)
    assert tuple(channel[name] for name in ("dial_code", "sms_address", "country_code")) == told


def test_a_form_that_asks_for_no_number_takes_none(sandboxed: SandboxedSystem) -> None:
    """What it does not ask for, nobody may set by it; a wrong number costs nothing then."""
    sandboxed.forms.save(TEXTS | {"fields": []})
    accept(sandboxed, by_form(**MOBILE))
    sandboxed.later(1)
    accept(sandboxed, by_form(sms_number="nonsense"))
    assert stored(sandboxed) == [None, None]


def test_without_a_form_the_number_tells_its_country(sandboxed: SandboxedSystem) -> None:
    """And the wording is the one that was sent."""
    assert "with its country" in refused(sandboxed, by_list(**MOBILE))["sms_number"]
    assert "sms_consent" in refused(sandboxed, by_list(sms_number="+1 781 555 1212"))
    accept(sandboxed, by_list(sms_number="+1 781 555 1212", sms_consent="Text me."))
    (kept,) = stored(sandboxed)
    assert (kept["consent"], kept["consent_version"]) == ("Text me.", None)


@pytest.mark.parametrize(
    ("sent_consent", "version"),
    [("version 1", 1), ("Yes, text me.", 1), ("version 2", 2), ("Yes, weekly.", 2), ("on", 2)],
)
def test_the_wording_that_was_seen_is_the_one_on_record(
    sandboxed: SandboxedSystem, sent_consent: str, version: int
) -> None:
    """Versions of its own, beside those of the consent to e-mail."""
    saved = sandboxed.forms.save(TEXTS | {"sms_wording": "Yes, weekly."})
    assert saved.sms_wordings == ("Yes, text me.", "Yes, weekly.")
    accept(sandboxed, by_form(**MOBILE | {"sms_consent": sent_consent}))
    (kept,) = stored(sandboxed)
    assert kept["consent_version"] == version
    assert kept["consent"] == saved.sms_wordings[version - 1]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sms_wording": " "}, "sms_wording"),
        ({"sms_wording": None}, "sms_wording"),
        ({"sms_country": "USA"}, "sms_country"),
    ],
)
def test_a_number_is_not_asked_for_without_a_wording(
    sandboxed: SandboxedSystem, change: dict[str, Any], field: str
) -> None:
    """Without one nobody could agree; nothing is saved."""
    with pytest.raises(InvalidForm) as caught:
        sandboxed.forms.save(TEXTS | change)
    assert [error.field for error in caught.value.errors] == [field]
    assert [form.sms_wordings for form in sandboxed.forms.all()] == [("Yes, text me.",)]


def test_of_two_numbers_the_newest_wins_as_a_whole(sandboxed: SandboxedSystem) -> None:
    """Number and consent belong together."""
    accept(sandboxed, by_form(**MOBILE))
    sandboxed.later(1)
    accept(sandboxed, by_form(sms_number="+49 1512 3456789", sms_consent="version 1"))
    sandboxed.later(1)
    accept(sandboxed, by_form())
    (channel,) = sent(sandboxed)
    assert channel == CHANNEL | {"sms_address": "15123456789", "dial_code": "49", "country_code": "DE"}


@pytest.mark.parametrize(("number", "kept"), [("781 555 1212", "7815551212"), ("781 555 9999", "7815551212")])
def test_a_stranger_takes_nobodys_number(sandboxed: SandboxedSystem, number: str, kept: str) -> None:
    """The same number is agreed to anew, another one is left out."""
    accept(sandboxed, by_form(**MOBILE))
    sandboxed.deliver()
    sandboxed.forms.save(TEXTS | {"protect_existing": True})
    sandboxed.later(60_000)
    accept(sandboxed, by_form(**MOBILE | {"sms_number": number}))
    assert sandboxed.deliver() == [(*FIND, 200), (*FORM, 200)]
    last = sandboxed.account.vendor.calls()[-1]["body"]
    assert ("sms_channel" in last) == (number == "781 555 1212")
    assert sandboxed.account.find(SHORT)["sms_channel"]["sms_address"] == kept


def leave(sandboxed: SandboxedSystem, address: str) -> None:
    """The person answers a text message with STOP."""
    contact = sandboxed.account.find(address)
    consent = {"sms_consent_permission": "unsubscribed", "consent_type": "promotional_sms"}
    channel = {"full_sms_address": "17815551212", "sms_channel_consents": [consent]}
    names = {"email_address": {"address": address}, "update_source": "Contact", "sms_channel": channel}
    sandboxed.account.edit("PUT", f"/{contact['contact_id']}", names)


@pytest.mark.parametrize("address", [SHORT, LONG])
@pytest.mark.parametrize("protect", [True, False])
@pytest.mark.parametrize("left_first", [True, False])
def test_an_old_wish_does_not_undo_a_stop(
    sandboxed: SandboxedSystem, address: str, protect: bool, left_first: bool
) -> None:
    """Of what waited for more than a day, the number stays out if the person left it since."""
    accept(sandboxed, by_form(address, **MOBILE))
    sandboxed.deliver()
    sandboxed.forms.save(TEXTS | {"protect_existing": protect})
    sandboxed.later(60_000)
    if left_first:
        leave(sandboxed, address)
        sandboxed.later(60_000)
    signup_id = accept(sandboxed, by_form(address, **MOBILE))
    if not left_first:
        sandboxed.later(60_000)
        leave(sandboxed, address)
    sandboxed.later(DAY + 1)
    sandboxed.deliver()
    assert sandboxed.view(signup_id).status == "subscribed"
    (consent,) = sandboxed.account.find(address)["sms_channel"]["sms_channel_consents"]
    assert consent["sms_consent_permission"] == ("explicit" if left_first else "unsubscribed")


def test_a_salvaged_sign_up_keeps_its_number(sandboxed: SandboxedSystem) -> None:
    """The same wish from the row as at first."""
    accept(sandboxed, by_form(**MOBILE))
    with sandboxed.database.reading() as connection:
        row = connection.exec_driver_sql("SELECT * FROM signups").mappings().one()
    assert SignUp.restore(NewSignup.of_row(dict(row)))["sms_channel"] == CHANNEL


def test_a_new_contact_with_a_long_address_needs_one_call(sandboxed: SandboxedSystem) -> None:
    """The number changes nothing about the way."""
    accept(sandboxed, by_form(LONG, **MOBILE))
    assert sandboxed.deliver() == [(*CREATE, 201)]
