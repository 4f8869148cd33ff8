"""Custom fields and tags on their way to the vendor, against the sandbox."""

from __future__ import annotations

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
from tests.services.delivery.test_sign_up import CREATE, FIND, FORM, LEFT, LONG, SHORT, Town
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


class PatientTown(Town):
    """A town in which deliveries of many calls take no time of the test."""

    def deliver(self) -> list[tuple[str, str, int]]:
        before = self.account.calls
        claimed = self.courier.claim()
        while isinstance(claimed, Step) and claimed.until is not None:
            self.clock.now = claimed.until
            claimed = self.courier.claim()
        if not isinstance(claimed, Step):
            self.outcome = self.courier.carry(claimed, Patient(self.clock)).outcome
        return self.account.calls_since(before)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = PatientTown(tmp_path)
    town.connect()
    town.account.vendor.settings(rate_limit=False)
    yield town
    town.database.close()


def unbooked() -> None:
    """A call that nobody counts."""


def take(town: Town, email: str = SHORT, *, asker: Requester = SHOP, **more: Any) -> str:
    document = {"email": email, "list_ids": [PRESET_LIST_ID], **more}
    return town.intake.accept(read_json(json.dumps(document).encode()), asker, Evidence()).id


def do(town: Town, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """What the account's people do there."""
    answer = town.account.vendor.call(town.account.token, method, f"/v3{path}", body)
    assert answer.status_code < 300, answer.text
    return answer.json or {}


def held(town: Town, address: str = SHORT) -> dict[str, str]:
    """What the contact has in its custom fields, by label."""
    labels = {
        field["custom_field_id"]: field["label"] for field in town.account.vendor.state()["custom_fields"]
    }
    contact = town.account.vendor.contact_named(address)
    return {labels[entry["custom_field_id"]]: entry["value"] for entry in contact["custom_fields"]}


def tags(town: Town, address: str = SHORT) -> list[str]:
    names = {tag["tag_id"]: tag["name"] for tag in town.account.vendor.state()["tags"]}
    return [names[tag_id] for tag_id in town.account.vendor.contact_named(address)["taggings"]]


def test_the_first_that_names_a_field_has_all_looked_up_and_the_next_costs_one_call(town: Town) -> None:
    """The claim's own booking is for the first of the calls; each further one is booked."""
    take(town, custom_fields={"Shoe size": "42", "about_you": "two\nlines"})
    assert town.deliver() == [FIELDS, (*FORM, 201), LOOK]
    assert held(town) == {"Shoe size": "42", "About you": "two\nlines"}
    assert town.quota.read().used == 3
    take(town, "bob@example.org", custom_fields={"Shoe size": "43"})
    assert town.deliver() == [(*FORM, 201)]
    assert town.quota.read().used == 4


def test_a_sign_up_with_neither_costs_one_call(town: Town) -> None:
    town.sign_up()
    assert town.deliver() == [(*FORM, 201)]
    assert town.quota.read().used == 1


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
def test_every_type_arrives_by_both_ways(town: Town, address: str) -> None:
    """The form for short addresses takes values; the contacts' own operations take ids of choices."""
    take(town, address, custom_fields=EVERYTHING)
    town.deliver()
    assert held(town, address) == AS_HELD


@pytest.mark.parametrize("known", [False, True])
def test_a_label_with_a_comma_goes_out_as_one_choice(town: Town, known: bool) -> None:
    """By its id: in a text, which is all that sign_up_form takes, commas part the choices."""
    choices = [{"choice_label": label} for label in ("Lunch, dinner", "Lunch", "dinner")]
    for kind in ("multi_select", "single_select"):
        do(town, "POST", "/contact_custom_fields", {"label": kind, "type": kind, "choices": choices})
    if known:
        town.account.add(SHORT)
    town.account.vendor.settings(rate_limit=False)
    said = {"multi_select": ["lunch,  dinner", "dinner"], "single_select": "Lunch, dinner"}
    take(town, SHORT, custom_fields=said)
    town.deliver()
    assert held(town, SHORT) == {"multi_select": "Lunch, dinner, dinner", "single_select": "Lunch, dinner"}
    fields = {entry["choice_ids"][0] for entry in town.account.vendor.contact_named(SHORT)["custom_fields"]}
    assert fields == {"1"}


def test_a_long_address_keeps_the_fields_it_has(town: Town) -> None:
    """Its update replaces all of them, so they are sent along."""
    topics = next(f for f in town.account.vendor.state()["custom_fields"] if f["label"] == "Topics")
    town.account.add(
        LONG,
        custom_fields=[
            {"custom_field_id": SOURCE_FIELD, "value": "fair"},
            {"custom_field_id": topics["custom_field_id"], "choice_ids": ["1", "3"]},
        ],
    )
    town.account.vendor.settings(rate_limit=False)
    take(town, LONG, custom_fields={"Shoe size": "42"})
    assert [(method, status) for method, _, status in town.deliver()] == [
        ("GET", 200),
        (CREATE[0], 409),
        (FIND[0], 200),
        ("PUT", 200),
    ]
    assert held(town, LONG) == {"Source": "fair", "Topics": "Gardening, Chess", "Shoe size": "42"}


def test_more_than_25_fields_of_a_long_address_wait_for_a_person(town: Town) -> None:
    """The operations for long addresses take no more, and none is left out silently."""
    for number in range(26):
        do(town, "POST", "/contact_custom_fields", {"label": f"Field {number}", "type": "string"})
    said = {f"Field {number}": "x" for number in range(26)}
    too_many = take(town, LONG, custom_fields=said)
    town.deliver()
    view = town.view(too_many)
    assert (view.status, view.contact_id) == ("parked", None)
    assert "25 custom fields" in str(view.last_error)
    take(town, SHORT, custom_fields=said)
    town.deliver()
    assert len(held(town)) == 26


def test_tags_are_made_once_and_given_after_the_sign_up(town: Town) -> None:
    """Looked up, made, and from then on one further call."""
    take(town, tags=["VIP", "Shop"])
    assert town.deliver() == [TAGS, MAKE, MAKE, (*FORM, 201), TAGGED, LOOK]
    assert town.quota.read().used == 6
    take(town, "bob@example.org", tags=["vip"])
    assert town.deliver() == [(*FORM, 201), TAGGED]
    assert (tags(town), tags(town, "bob@example.org")) == (["VIP", "Shop"], ["VIP"])
    assert town.quota.read().used == 8


def test_a_tag_that_somebody_else_made_meanwhile_is_found(town: Town) -> None:
    """The vendor's 409 is no failure of the sign-up."""
    do(town, "POST", "/contact_tags", {"name": "Other"})
    town.vocabulary.tags.fetch(unbooked)
    do(town, "POST", "/contact_tags", {"name": "VIP"})
    take(town, tags=["VIP"])
    assert town.deliver() == [("POST", "/v3/contact_tags", 409), TAGS, (*FORM, 201), TAGGED, LOOK]
    assert tags(town) == ["VIP"]


def test_a_tag_of_a_strangers_is_not_made(town: Town) -> None:
    """It was taken because nobody knew the account's tags; now a person decides."""
    signup_id = take(town, asker=ANONYMOUS, tags=["Mine"])
    assert town.deliver() == [TAGS]
    assert town.outcome is Outcome.PARKED
    assert "no tag “Mine”" in str(town.view(signup_id).last_error)
    assert town.account.vendor.state()["contacts"] == []


def test_a_field_that_the_account_lost_waits_for_a_person_who_is_told_what_to_do(town: Town) -> None:
    """Looked up once more, and nothing is sent without it; once it is there again, all goes through."""
    town.vocabulary.fields.fetch(unbooked)
    town.later(60_000)
    signup_id = take(town, custom_fields={"Shoe size": "42"})
    for field in town.account.vendor.state()["custom_fields"]:
        do(town, "DELETE", f"/contact_custom_fields/{field['custom_field_id']}")
    assert town.deliver() == [(*FORM, 400), FIELDS]
    view = town.view(signup_id)
    assert view.status == "parked"
    assert "no custom field “Shoe size”" in str(view.last_error)
    assert "Make it there" in str(view.last_error)
    do(town, "POST", "/contact_custom_fields", {"label": "Shoe size", "type": "number"})
    town.later(60_000)
    assert town.deliveries.retry(signup_id, now=town.clock.now)
    assert town.deliver() == [(*LEFT, 200), FIELDS, (*FORM, 201), LOOK]
    assert held(town) == {"Shoe size": "42"}


def test_a_field_that_was_made_anew_is_used_by_its_new_id(town: Town) -> None:
    """The refusal leads to one look, and the look to the call that succeeds."""
    town.vocabulary.fields.fetch(unbooked)
    old = next(f for f in town.account.vendor.state()["custom_fields"] if f["label"] == "Shoe size")
    do(town, "DELETE", f"/contact_custom_fields/{old['custom_field_id']}")
    do(town, "POST", "/contact_custom_fields", {"label": "Shoe size", "type": "string"})
    take(town, custom_fields={"Shoe size": "42"})
    assert town.deliver() == [(*FORM, 400), FIELDS, (*FORM, 201), LOOK]
    assert held(town) == {"Shoe size": "42"}


def test_lost_fields_of_many_people_are_their_own_fault_and_stop_nobody(town: Town) -> None:
    """The fields are fetched once, and those who name the lost one are put aside without a call."""
    ids = [take(town, f"p{number}@example.org", custom_fields={"Hat": "x"}) for number in range(7)]
    began = town.clock.now
    assert town.deliver() == [FIELDS]
    assert isinstance(town.courier.claim(), Step)
    # Nobody paused: the one call left at the moment for which it was reserved.
    assert town.clock.now - began <= 1
    assert {town.view(each).status for each in ids} == {"parked"}
    assert {"no custom field “Hat”" in str(town.view(each).last_error) for each in ids} == {True}
    assert town.quota.read().paused_until is None
    # Made again in the account, it is found by the one that is tried after a minute, and all go through.
    do(town, "POST", "/contact_custom_fields", {"label": "Hat", "type": "string"})
    for _ in ids:
        town.deliver()
    assert {town.view(each).status for each in ids} == {"subscribed"}
    assert town.clock.now - began < 65_000


def test_of_sign_ups_that_go_together_only_the_one_at_fault_is_put_aside(town: Town) -> None:
    """They are sent one by one."""
    first = take(town, first_name="Ann")
    second = take(town, custom_fields={"Hat": "x"})
    for _ in range(4):
        town.deliver()
    assert (town.view(first).status, town.view(second).status) == ("subscribed", "parked")


def test_a_value_that_was_taken_unseen_and_does_not_fit_waits_for_a_person(town: Town) -> None:
    """With the field's name, and without what the person wrote."""
    signup_id = take(town, custom_fields={"Shoe size": "size of my life"})
    assert town.deliver() == [FIELDS]
    told = str(town.view(signup_id).last_error)
    assert "“Shoe size”" in told
    assert "of my life" not in told


def test_when_tagging_fails_it_is_all_done_again_and_comes_to_the_same(town: Town) -> None:
    """The contact is the vendor's by then; repeating the sign-up changes nothing of it."""
    town.account.vendor.fault(path="/v3/activities/contacts_taggings_add", status=503, body={})
    signup_id = take(town, tags=["VIP"], custom_fields={"Shoe size": "42"})
    town.deliver()
    assert town.view(signup_id).status == "queued"
    assert (held(town), tags(town)) == ({"Shoe size": "42"}, [])
    town.later(30_000)
    assert town.deliver() == [(*FIND, 200), (*FORM, 200), TAGGED]
    assert (held(town), tags(town)) == ({"Shoe size": "42"}, ["VIP"])
    assert town.view(signup_id).status == "subscribed"


def test_calls_that_would_outlast_the_lease_wait_for_the_next_try(town: Town) -> None:
    """No call begins that might end after another process took over; what was made by then is kept."""
    sandbox, answer = town.account.app, town.account.app.wsgi_app

    def slow(*request: Any) -> Any:
        town.clock.now += 14_000
        return answer(*request)

    sandbox.wsgi_app = slow  # type: ignore[assignment, method-assign]
    signup_id = take(town, tags=["A", "B"])
    assert town.deliver() == [TAGS, MAKE, MAKE]
    assert town.view(signup_id).status == "queued"
    sandbox.wsgi_app = answer  # type: ignore[method-assign]
    town.later(60_000)
    assert town.deliver() == [(*LEFT, 200), (*FORM, 201), TAGGED, LOOK]
    assert town.view(signup_id).status == "subscribed"


def test_a_choice_with_a_comma_reaches_a_long_address(town: Town) -> None:
    """By its id, which its operations take; in a value it would look like two."""
    choices = [{"choice_label": label} for label in ("Red, blue", "Green")]
    do(
        town,
        "POST",
        "/contact_custom_fields",
        {"label": "Colours", "type": "multi_select", "choices": choices},
    )
    take(town, LONG, custom_fields={"Colours": ["Green", "Red, blue"]})
    town.deliver()
    assert held(town, LONG) == {"Colours": "Red, blue, Green"}
