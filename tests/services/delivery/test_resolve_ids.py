"""Custom fields and tags on their way to the vendor, against the sandbox."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.access.requester import ANONYMOUS, Requester
from services.delivery.attempt import Outcome, Step
from services.intake.parsing import read_json
from services.intake.record import Evidence
from tests.services.conftest import Clock
from tests.services.delivery.test_sign_up import CREATE, FIND, FORM, LEFT, LONG, SHORT, SandboxedSystem
from tests.services.sandbox_account import PRESET_LIST_ID, SOURCE_FIELD

SHOP = Requester("api:12345678")
FIELDS = ("GET", "/v3/contact_custom_fields", 200)
TAGS = ("GET", "/v3/contact_tags", 200)
MAKE = ("POST", "/v3/contact_tags", 201)
TAGGED = ("POST", "/v3/activities/contacts_taggings_add", 201)
# Whether the account confirms sign-ups, which the first new contact of a key's holder tells.
LOOK = ("GET", "/v3/contacts", 200)
HOUR = 3_600_000


class Patient(threading.Event):
    """Whoever waits for the quota finds that the time has passed."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.now += int((timeout or 0) * 1000) + 1
        return False


class PatientSystem(SandboxedSystem):
    """A system in which deliveries of many calls take no time of the test."""

    def deliver(self) -> list[tuple[str, str, int]]:
        before = self.account.calls
        claimed = self.attempt.claim()
        while isinstance(claimed, Step) and claimed.until is not None:
            self.clock.now = claimed.until
            claimed = self.attempt.claim()
        if not isinstance(claimed, Step):
            self.outcome = self.attempt.carry(claimed, Patient(self.clock)).outcome
        return self.account.calls_since(before)


@pytest.fixture
def sandboxed(tmp_path: Path) -> Iterator[SandboxedSystem]:
    sandboxed = PatientSystem(tmp_path)
    sandboxed.connect()
    sandboxed.account.vendor.settings(rate_limit=False)
    yield sandboxed
    sandboxed.database.close()


def unbooked() -> None:
    """A call that nobody counts."""


def take(sandboxed: SandboxedSystem, email: str = SHORT, *, asker: Requester = SHOP, **more: Any) -> str:
    document = {"email": email, "list_ids": [PRESET_LIST_ID], **more}
    return sandboxed.intake.accept(read_json(json.dumps(document).encode()), asker, Evidence()).id


def do(sandboxed: SandboxedSystem, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """What the account's people do there."""
    answer = sandboxed.account.vendor.call(sandboxed.account.token, method, f"/v3{path}", body)
    assert answer.status_code < 300, answer.text
    return answer.json or {}


def held(sandboxed: SandboxedSystem, address: str = SHORT) -> dict[str, str]:
    """What the contact has in its custom fields, by label."""
    labels = {
        field["custom_field_id"]: field["label"]
        for field in sandboxed.account.vendor.state()["custom_fields"]
    }
    contact = sandboxed.account.vendor.contact_named(address)
    return {labels[entry["custom_field_id"]]: entry["value"] for entry in contact["custom_fields"]}


def tags(sandboxed: SandboxedSystem, address: str = SHORT) -> list[str]:
    names = {tag["tag_id"]: tag["name"] for tag in sandboxed.account.vendor.state()["tags"]}
    return [names[tag_id] for tag_id in sandboxed.account.vendor.contact_named(address)["taggings"]]


def test_the_first_that_names_a_field_has_all_looked_up_and_the_next_costs_one_call(
    sandboxed: SandboxedSystem,
) -> None:
    """The claim's own booking is for the first of the calls; each further one is booked."""
    take(sandboxed, custom_fields={"Shoe size": "42", "about_you": "two\nlines"})
    assert sandboxed.deliver() == [FIELDS, (*FORM, 201), LOOK]
    assert held(sandboxed) == {"Shoe size": "42", "About you": "two\nlines"}
    assert sandboxed.quota.read().used == 3
    take(sandboxed, "bob@example.org", custom_fields={"Shoe size": "43"})
    assert sandboxed.deliver() == [(*FORM, 201)]
    assert sandboxed.quota.read().used == 4


def test_a_sign_up_with_neither_costs_one_call(sandboxed: SandboxedSystem) -> None:
    sandboxed.sign_up()
    assert sandboxed.deliver() == [(*FORM, 201)]
    assert sandboxed.quota.read().used == 1


EVERYTHING = {
    "Source": "fair",
    "Shoe size": 42.5,
    "Member since": "2006-11-15",
    "Pledge": "10.00",
    "Vegetarian": True,
    "T-shirt": "large",
    "Topics": ["Chess", "gardening"],
}
AS_HELD = {
    "Source": "fair",
    "Shoe size": "42.5",
    "Member since": "2006-11-15",
    "Pledge": "10.00",
    "Vegetarian": "true",
    "T-shirt": "Large",
    "Topics": "Gardening, Chess",
}


@pytest.mark.parametrize("address", [SHORT, LONG])
def test_every_type_arrives_by_both_ways(sandboxed: SandboxedSystem, address: str) -> None:
    """The form for short addresses takes values; the contacts' own operations take ids of choices."""
    take(sandboxed, address, custom_fields=EVERYTHING)
    sandboxed.deliver()
    assert held(sandboxed, address) == AS_HELD


@pytest.mark.parametrize("known", [False, True])
def test_a_label_with_a_comma_goes_out_as_one_choice(sandboxed: SandboxedSystem, known: bool) -> None:
    """By its id: in a text, which is all that sign_up_form takes, commas part the choices."""
    choices = [{"choice_label": label} for label in ("Lunch, dinner", "Lunch", "dinner")]
    for kind in ("multi_select", "single_select"):
        do(sandboxed, "POST", "/contact_custom_fields", {"label": kind, "type": kind, "choices": choices})
    if known:
        sandboxed.account.add(SHORT)
    sandboxed.account.vendor.settings(rate_limit=False)
    said = {"multi_select": ["lunch,  dinner", "dinner"], "single_select": "Lunch, dinner"}
    take(sandboxed, SHORT, custom_fields=said)
    sandboxed.deliver()
    assert held(sandboxed, SHORT) == {
        "multi_select": "Lunch, dinner, dinner",
        "single_select": "Lunch, dinner",
    }
    fields = {
        entry["choice_ids"][0] for entry in sandboxed.account.vendor.contact_named(SHORT)["custom_fields"]
    }
    assert fields == {"1"}


def test_a_long_address_keeps_the_fields_it_has(sandboxed: SandboxedSystem) -> None:
    """Its update replaces all of them, so they are sent along."""
    topics = next(f for f in sandboxed.account.vendor.state()["custom_fields"] if f["label"] == "Topics")
    sandboxed.account.add(
        LONG,
        custom_fields=[
            {"custom_field_id": SOURCE_FIELD, "value": "fair"},
            {"custom_field_id": topics["custom_field_id"], "choice_ids": ["1", "3"]},
        ],
    )
    sandboxed.account.vendor.settings(rate_limit=False)
    take(sandboxed, LONG, custom_fields={"Shoe size": "42"})
    assert [(method, status) for method, _, status in sandboxed.deliver()] == [
        ("GET", 200),
        (CREATE[0], 409),
        (FIND[0], 200),
        ("PUT", 200),
    ]
    assert held(sandboxed, LONG) == {"Source": "fair", "Topics": "Gardening, Chess", "Shoe size": "42"}


def test_more_than_25_fields_of_a_long_address_wait_for_a_person(sandboxed: SandboxedSystem) -> None:
    """The operations for long addresses take no more, and none is left out silently."""
    for number in range(26):
        do(sandboxed, "POST", "/contact_custom_fields", {"label": f"Field {number}", "type": "string"})
    said = {f"Field {number}": "x" for number in range(26)}
    too_many = take(sandboxed, LONG, custom_fields=said)
    sandboxed.deliver()
    view = sandboxed.view(too_many)
    assert (view.status, view.contact_id) == ("parked", None)
    assert "25 custom fields" in str(view.last_error)
    take(sandboxed, SHORT, custom_fields=said)
    sandboxed.deliver()
    assert len(held(sandboxed)) == 26


def test_tags_are_made_once_and_given_after_the_sign_up(sandboxed: SandboxedSystem) -> None:
    """Looked up, made, and from then on one further call."""
    take(sandboxed, tags=["VIP", "Shop"])
    assert sandboxed.deliver() == [TAGS, MAKE, MAKE, (*FORM, 201), TAGGED, LOOK]
    assert sandboxed.quota.read().used == 6
    take(sandboxed, "bob@example.org", tags=["vip"])
    assert sandboxed.deliver() == [(*FORM, 201), TAGGED]
    assert (tags(sandboxed), tags(sandboxed, "bob@example.org")) == (["VIP", "Shop"], ["VIP"])
    assert sandboxed.quota.read().used == 8


def test_a_tag_that_somebody_else_made_meanwhile_is_found(sandboxed: SandboxedSystem) -> None:
    """The vendor's 409 is no failure of the sign-up."""
    do(sandboxed, "POST", "/contact_tags", {"name": "Other"})
    sandboxed.vocabulary.tags.fetch(unbooked)
    do(sandboxed, "POST", "/contact_tags", {"name": "VIP"})
    take(sandboxed, tags=["VIP"])
    assert sandboxed.deliver() == [("POST", "/v3/contact_tags", 409), TAGS, (*FORM, 201), TAGGED, LOOK]
    assert tags(sandboxed) == ["VIP"]


def test_a_tag_of_a_strangers_is_not_made(sandboxed: SandboxedSystem) -> None:
    """It was taken because nobody knew the account's tags; now a person decides."""
    signup_id = take(sandboxed, asker=ANONYMOUS, tags=["Mine"])
    assert sandboxed.deliver() == [TAGS]
    assert sandboxed.outcome is Outcome.PARKED
    assert "no tag “Mine”" in str(sandboxed.view(signup_id).last_error)
    assert sandboxed.account.vendor.state()["contacts"] == []


def test_a_field_that_the_account_lost_waits_for_a_person_who_is_told_what_to_do(
    sandboxed: SandboxedSystem,
) -> None:
    """Looked up once more, and nothing is sent without it; once it is there again, all goes through."""
    sandboxed.vocabulary.fields.fetch(unbooked)
    sandboxed.later(60_000)
    signup_id = take(sandboxed, custom_fields={"Shoe size": "42"})
    for field in sandboxed.account.vendor.state()["custom_fields"]:
        do(sandboxed, "DELETE", f"/contact_custom_fields/{field['custom_field_id']}")
    assert sandboxed.deliver() == [(*FORM, 400), FIELDS]
    view = sandboxed.view(signup_id)
    assert view.status == "parked"
    assert "no custom field “Shoe size”" in str(view.last_error)
    assert "Make it there" in str(view.last_error)
    do(sandboxed, "POST", "/contact_custom_fields", {"label": "Shoe size", "type": "number"})
    sandboxed.later(60_000)
    assert sandboxed.deliveries.retry(signup_id, now=sandboxed.clock.now)
    assert sandboxed.deliver() == [(*LEFT, 200), FIELDS, (*FORM, 201), LOOK]
    assert held(sandboxed) == {"Shoe size": "42"}


def test_a_field_that_was_made_anew_is_used_by_its_new_id(sandboxed: SandboxedSystem) -> None:
    """The refusal leads to one look, and the look to the call that succeeds."""
    sandboxed.vocabulary.fields.fetch(unbooked)
    old = next(f for f in sandboxed.account.vendor.state()["custom_fields"] if f["label"] == "Shoe size")
    do(sandboxed, "DELETE", f"/contact_custom_fields/{old['custom_field_id']}")
    do(sandboxed, "POST", "/contact_custom_fields", {"label": "Shoe size", "type": "string"})
    take(sandboxed, custom_fields={"Shoe size": "42"})
    assert sandboxed.deliver() == [(*FORM, 400), FIELDS, (*FORM, 201), LOOK]
    assert held(sandboxed) == {"Shoe size": "42"}


def test_lost_fields_of_many_people_are_their_own_fault_and_stop_nobody(sandboxed: SandboxedSystem) -> None:
    """The fields are fetched once, and those who name the lost one are put aside without a call."""
    ids = [take(sandboxed, f"p{number}@example.org", custom_fields={"Hat": "x"}) for number in range(7)]
    began = sandboxed.clock.now
    assert sandboxed.deliver() == [FIELDS]
    assert isinstance(sandboxed.attempt.claim(), Step)
    # Nobody paused: the one call left at the moment for which it was reserved.
    assert sandboxed.clock.now - began <= 1
    assert {sandboxed.view(each).status for each in ids} == {"parked"}
    assert {"no custom field “Hat”" in str(sandboxed.view(each).last_error) for each in ids} == {True}
    assert sandboxed.quota.read().paused_until is None
    # Made again in the account, it is found by the one that is tried after a minute, and all go through.
    do(sandboxed, "POST", "/contact_custom_fields", {"label": "Hat", "type": "string"})
    for _ in ids:
        sandboxed.deliver()
    assert {sandboxed.view(each).status for each in ids} == {"subscribed"}
    assert sandboxed.clock.now - began < 65_000


def test_of_sign_ups_that_go_together_only_the_one_at_fault_is_put_aside(sandboxed: SandboxedSystem) -> None:
    """They are sent one by one."""
    first = take(sandboxed, first_name="Ann")
    second = take(sandboxed, custom_fields={"Hat": "x"})
    for _ in range(4):
        sandboxed.deliver()
    assert (sandboxed.view(first).status, sandboxed.view(second).status) == ("subscribed", "parked")


def test_a_value_that_was_taken_unseen_and_does_not_fit_waits_for_a_person(
    sandboxed: SandboxedSystem,
) -> None:
    """With the field's name, and without what the person wrote."""
    signup_id = take(sandboxed, custom_fields={"Shoe size": "size of my life"})
    assert sandboxed.deliver() == [FIELDS]
    told = str(sandboxed.view(signup_id).last_error)
    assert "“Shoe size”" in told
    assert "of my life" not in told


def test_when_tagging_fails_it_is_all_done_again_and_comes_to_the_same(sandboxed: SandboxedSystem) -> None:
    """The contact is the vendor's by then; repeating the sign-up changes nothing of it."""
    sandboxed.account.vendor.fault(path="/v3/activities/contacts_taggings_add", status=503, body={})
    signup_id = take(sandboxed, tags=["VIP"], custom_fields={"Shoe size": "42"})
    sandboxed.deliver()
    assert sandboxed.view(signup_id).status == "queued"
    assert (held(sandboxed), tags(sandboxed)) == ({"Shoe size": "42"}, [])
    sandboxed.later(30_000)
    assert sandboxed.deliver() == [(*FIND, 200), (*FORM, 200), TAGGED]
    assert (held(sandboxed), tags(sandboxed)) == ({"Shoe size": "42"}, ["VIP"])
    assert sandboxed.view(signup_id).status == "subscribed"


def test_calls_that_would_outlast_the_lease_wait_for_the_next_try(sandboxed: SandboxedSystem) -> None:
    """No call begins that might end after another process took over; what was made by then is kept."""
    sandbox, answer = sandboxed.account.app, sandboxed.account.app.wsgi_app

    def slow(*request: Any) -> Any:
        sandboxed.clock.now += 14_000
        return answer(*request)

    sandbox.wsgi_app = slow  # type: ignore[assignment, method-assign]
    signup_id = take(sandboxed, tags=["A", "B"])
    assert sandboxed.deliver() == [TAGS, MAKE, MAKE]
    assert sandboxed.view(signup_id).status == "queued"
    sandbox.wsgi_app = answer  # type: ignore[method-assign]
    sandboxed.later(60_000)
    assert sandboxed.deliver() == [(*LEFT, 200), (*FORM, 201), TAGGED, LOOK]
    assert sandboxed.view(signup_id).status == "subscribed"


def test_a_choice_with_a_comma_reaches_a_long_address(sandboxed: SandboxedSystem) -> None:
    """By its id, which its operations take; in a value it would look like two."""
    choices = [{"choice_label": label} for label in ("Red, blue", "Green")]
    do(
        sandboxed,
        "POST",
        "/contact_custom_fields",
        {"label": "Colours", "type": "multi_select", "choices": choices},
    )
    take(sandboxed, LONG, custom_fields={"Colours": ["Green", "Red, blue"]})
    sandboxed.deliver()
    assert held(sandboxed, LONG) == {"Colours": "Red, blue, Green"}
