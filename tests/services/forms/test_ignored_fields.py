"""What a form sends to no use is counted for its owner: bounded, and without a query per sign-up."""

from typing import Any

import pytest

from services.access.requester import ANONYMOUS, Requester
from services.errors import InvalidSubmission
from services.forms.form import Form
from services.forms.honeypot import trap_name
from services.forms.ignored_fields import FORGOTTEN_MS, MOST_IN_MEMORY, MOST_KEPT, IgnoredFields
from services.intake.parsing import read_form, read_json
from services.intake.record import Evidence
from services.protection.rules import is_trapped
from services.submission.fields import Submission
from tests.services.conftest import System
from tests.services.vendor import NEWSLETTER

FORM: dict[str, Any] = {
    "slug": "news",
    "name": "News",
    "list_ids": [NEWSLETTER.list_id],
    "fields": [{"name": "email", "label": "E-mail"}, {"name": "first_name", "label": "Name"}],
}


@pytest.fixture
def form(system: System) -> Form:
    return system.forms.save(FORM)


def send(system: System, *pairs: tuple[str, str], asker: Requester = ANONYMOUS) -> Submission:
    submission = system.intake.read_form([("form", "news"), ("email", "ann@example.org"), *pairs])
    system.intake.accept(submission, asker, Evidence())
    return submission


def noted(system: System) -> list[tuple[str, str, int]]:
    return [(note.name, note.what, note.times) for note in system.notes.of("news")]


def test_what_no_field_is_called_is_counted(system: System, form: Form) -> None:
    """And what the form does not ask for; written with the housekeeping, for every process."""
    for _ in range(2):
        send(system, ("fnme", "Ann"), ("phone", "555"), ("utm_source", "x"))
    send(system, ("fnme", "Ann"), ("website", "https://ann.example"))
    counted = [("fnme", "not understood", 3), ("phone", "not asked", 2), ("website", "not asked", 1)]
    assert noted(system) == counted
    system.notes.write()
    assert noted(system) == counted
    other = IgnoredFields(system.meta, clock=system.clock)
    assert other.of("news") == system.notes.of("news")
    send(system, ("fnme", "Ann"))
    assert noted(system)[0] == ("fnme", "not understood", 4)
    system.clock.now += FORGOTTEN_MS + 1
    assert noted(system) == []
    assert system.notes.of(form.slug) == []


def test_a_wrong_field_that_is_not_shown_is_for_the_owner(system: System, form: Form) -> None:
    """A visitor's own mistake is not counted."""
    with pytest.raises(InvalidSubmission):
        send(system, ("email", "no address"), ("custom_fields[Size]", "x"))
    assert noted(system) == []
    with pytest.raises(InvalidSubmission) as caught:
        system.intake.read_form([("form", "news"), ("emial", "ann@example.org")])
    assert caught.value.ignored == ("emial",)
    assert noted(system) == [("emial", "not understood", 1)]


@pytest.mark.parametrize(
    "pair",
    [
        ("phone", "5" * 26),
        ("country", "United States"),
        ("birthday_month", "May"),
        ("custom_fields[Other]", "x" * 256),
        ("custom_fields[" + "a" * 51 + "]", "x"),
        ("tags", "x" * 256),
        ("tags", ",".join(map(str, range(51)))),
        ("sms_country", "United States"),
        ("returning", "maybe"),
        ("source", "x" * 101),
        ("redirect", "x" * 3_000),
        ("job_title", "a\x00b"),
        ("custom_fields[Other]", "a\x00b"),
    ],
)
def test_a_field_that_the_form_does_not_show_costs_no_sign_up(
    system: System, form: Form, pair: tuple[str, str]
) -> None:
    """Whatever stands in it."""
    assert send(system, pair, ("first_name", "Ann")).first_name == "Ann"
    assert system.newest(10)


def test_names_from_strangers_are_few_and_the_usual_ones_stay(system: System, form: Form) -> None:
    """However many are invented."""
    for _ in range(3):
        send(system, ("fnme", "Ann"))
    system.notes.write()
    for number in range(40):
        send(system, *((f"x{number}y{each}z", "1") for each in range(9)))
    assert len(system.notes._new["news"]) <= MOST_IN_MEMORY
    system.notes.write()
    assert len(system.notes.of("news")) == MOST_KEPT
    assert noted(system)[0] == ("fnme", "not understood", 3)


def test_programs_are_not_counted(system: System, form: Form) -> None:
    """What is kept apart says nothing about the form."""
    send(system, ("fnme", "x"), (trap_name("news"), "x"))
    assert system.suspected.counts().total == 1
    assert noted(system) == []


def trapped(form: Form | None, *pairs: tuple[str, str]) -> bool:
    named = [("form", form.slug)] if form else [("list_id", NEWSLETTER.list_id)]
    return is_trapped(read_form([*named, ("email", "ann@example.org"), *pairs]), form)


def test_a_website_is_no_trap_of_a_form_of_today(system: System, form: Form) -> None:
    """Its trap has a name of its own, which is not told as something that was not understood."""
    assert not trapped(form, ("website", "https://ann.example"))
    assert trapped(form, (trap_name("news"), "x"))
    assert not trapped(form, (trap_name("news"), ""), ("website", "https://ann.example"))
    assert (
        read_form([("form", "news"), ("email", "a@example.org"), (trap_name("news"), "x")]).reading.ignored
        == ()
    )
    assert trap_name("news") == "website_a497cea2"
    assert trap_name("other") != trap_name("news")
    assert system.forms.save(FORM | {"name": "Renamed"}).own_trap


def test_html_copied_from_an_earlier_release_keeps_its_trap(form: Form) -> None:
    """By a form of that time, unless anything shows that the field is a real one."""
    old = form.model_copy(update={"own_trap": False})
    assert trapped(old, ("website", "x"), ("consent", "version 1"))
    assert trapped(None, ("website", "x"))
    assert not trapped(old, ("website", ""))
    for real in (("your-name", "Ann"), ("message", "Hello"), (trap_name("news"), "")):
        assert not trapped(old, ("website", "https://ann.example"), real)
    asking = FORM["fields"] + [{"name": "custom_fields[Website]", "label": "Website"}]
    asks = Form.model_validate(old.model_dump() | {"fields": asking})
    assert not trapped(asks, ("website", "https://ann.example"))


def test_no_body_can_say_what_was_read_of_it() -> None:
    """Neither in JSON nor in a form."""
    raw = b'{"email":"a@example.org","list_id":"%s","reading":{"trap":""},"_reading":1,"website":"x"}'
    read = read_json(raw % NEWSLETTER.list_id.encode())
    assert (read.reading.trap, read.reading.ignored) == (None, ("reading",))
