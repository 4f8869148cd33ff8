"""Forms as an admin makes them and as sign-ups meet them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.access.requester import ANONYMOUS, Requester
from services.constant_contact.catalog import CustomField
from services.errors import InvalidForm, InvalidSubmission
from services.forms.catalog import FormCatalog
from services.forms.form import Form
from services.intake.idempotency import Handling
from services.intake.parsing import read_form, read_json
from services.intake.record import Evidence
from services.submission.fields import Submission
from store.engine.database import Database
from store.errors import StoreError
from store.forms import Forms
from store.recovery.forms_copy import FormsCopy
from tests.services.conftest import System
from tests.services.vendor import EVENTS, NEWSLETTER

FORM: dict[str, Any] = {
    "slug": "spring-news",
    "name": "Spring newsletter",
    "list_ids": [NEWSLETTER.list_id, EVENTS.list_id],
    "fields": [{"name": "first_name", "label": "What shall we call you?", "required": True}],
    "wording": "Yes, write to me.",
    "thank_you_url": "https://www.example.org/thanks",
    "origins": ["https://www.example.org/some/page", "https://shop.example.org"],
}


def problems(system: System, **changes: Any) -> dict[str, str]:
    with pytest.raises(InvalidForm) as caught:
        system.forms.save(FORM | changes)
    assert system.forms.all() == []
    return {error.field: error.message for error in caught.value.errors}


def post(**fields: str) -> Submission:
    return read_form([("form", "spring-news"), ("email", "ann@example.org"), *fields.items()])


def refused(system: System, submission: Submission) -> set[str]:
    with pytest.raises(InvalidSubmission) as caught:
        system.intake.accept(submission, ANONYMOUS, Evidence())
    assert system.newest(10) == []
    return {error.field for error in caught.value.errors}


def stored(system: System) -> Any:
    with system.database.reading() as connection:
        return connection.exec_driver_sql(
            "SELECT id, list_ids, person, consent, form_id, consent_version, consent_sent FROM signups"
        ).one()


def test_a_form_is_saved_and_found(system: System) -> None:
    """Always with the address among its fields, and its sites as browsers write them."""
    saved = system.forms.save(FORM)
    assert system.forms.find("spring-news") == saved
    assert [(field.name, field.required) for field in saved.fields] == [
        ("email", True),
        ("first_name", True),
    ]
    assert saved.consent is not None
    assert (saved.consent.version, saved.consent.wording) == (1, "Yes, write to me.")
    assert saved.origins == ("https://www.example.org", "https://shop.example.org")
    assert system.forms.origins() == {"https://www.example.org", "https://shop.example.org"}


def test_the_address_keeps_its_label_and_is_required(system: System) -> None:
    """Whatever was ticked, and in whichever place it was put."""
    fields = [
        {"name": "phone", "label": "Phone"},
        {"name": "email", "label": "Your e-mail", "required": False},
        {"name": "phone", "label": "Telephone"},
    ]
    saved = system.forms.save(FORM | {"fields": fields})
    assert [(field.name, field.label, field.required) for field in saved.fields] == [
        ("email", "Your e-mail", True),
        ("phone", "Telephone", False),
    ]


@pytest.mark.parametrize("slug", ["", "Spring", "a b", "-a", "a-", "ä", "a/b", "x" * 51])
def test_a_slug_is_fit_for_addresses(system: System, slug: str) -> None:
    """Small letters, digits and hyphens."""
    assert set(problems(system, slug=slug)) == {"slug"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": " "}, "required"),
        ({"name": "x" * 51}, "at most 50 characters"),
        ({"list_ids": []}, "at least one"),
        ({"list_ids": ["x"]}, "not a list id"),
        ({"origins": ["example.org"]}, "“example.org” is not a site's address"),
        ({"thank_you_url": "javascript:alert(1)"}, "whole address"),
        ({"thank_you_url": "/thanks"}, "whole address"),
        ({"fields": [{"name": "salary", "label": "Salary"}]}, "not valid"),
        ({"fields": [{"name": "phone", "label": ""}]}, "a label"),
        ({"fields": [{"name": "birthday_day", "label": "Day"}]}, "month and the day of birth together"),
        ({"origins": ["https://example.org;sandbox"]}, "is not a site's address"),
        ({"origins": ["https://i❤.example"]}, "is no name that browsers can look up"),
        ({"thank_you_url": f"https://example.org/{'x' * 2000}"}, "at most 2000 characters"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(system: System, change: dict[str, Any], says: str) -> None:
    """In words for an admin; nothing is saved."""
    found = problems(system, **change)
    assert set(found) == set(change)
    assert says in found.popitem()[1]


def test_a_sign_up_joins_the_forms_lists_with_its_consent(system: System) -> None:
    """The form knows the lists, also ones that are not public; what it does not ask is left out."""
    form = system.forms.save(FORM)
    answer = post(first_name="Ann", consent="1", job_title="Boss")
    assert system.intake.accept(answer, ANONYMOUS, Evidence()).status == "received"
    row = stored(system)
    assert row.list_ids == f'["{NEWSLETTER.list_id}","{EVENTS.list_id}"]'
    assert row.person == '{"first_name":"Ann"}'
    assert (row.consent, row.form_id, row.consent_version) == ("Yes, write to me.", form.id, 1)


def test_a_form_keeps_the_birthday_and_address_it_asks_for(system: System) -> None:
    """Only what it does not ask for is left out."""
    asked = ("birthday_month", "birthday_day", "city")
    system.forms.save(FORM | {"fields": [{"name": name, "label": name} for name in asked]})
    answer = post(consent="1", birthday_month="02", birthday_day="29", city="Boston", street="1 High St")
    system.intake.accept(answer, ANONYMOUS, Evidence())
    assert stored(system).person == '{"birthday_month":"2","birthday_day":"29","city":"Boston"}'


def test_a_forms_sign_up_sent_again_is_stored_once(system: System) -> None:
    """What the form changes about it does not make it another one."""
    system.forms.save(FORM)
    answer = post(first_name="Ann", consent="1", job_title="Boss")
    keyed = Handling(key="k-1")
    ids = {system.intake.accept(answer, ANONYMOUS, Evidence(), keyed).id for _ in range(2)}
    assert ids == {stored(system).id}


def test_a_visitor_may_choose_among_the_forms_lists(system: System) -> None:
    """By the list ids of the post."""
    system.forms.save(FORM)
    answer = post(first_name="Ann", consent="1", list_ids=EVENTS.list_id)
    system.intake.accept(answer, ANONYMOUS, Evidence())
    assert stored(system).list_ids == f'["{EVENTS.list_id}"]'


FOREIGN = NEWSLETTER.list_id[:-1] + "0"


@pytest.mark.parametrize(
    ("body", "lists"),
    [
        ({}, [NEWSLETTER.list_id, EVENTS.list_id]),
        ({"list_ids": [EVENTS.list_id, FOREIGN]}, [EVENTS.list_id]),
        ({"list_id": EVENTS.list_id.upper()}, [EVENTS.list_id]),
        ({"list_ids": []}, None),
        ({"list_ids": ""}, None),
        ({"list_ids": [""]}, None),
        ({"list_ids": None}, None),
        ({"list_id": ""}, None),
        ({"listIds": []}, None),
        ({"list_ids": [FOREIGN]}, None),
        ({"list_id": FOREIGN}, None),
    ],
)
def test_no_list_chosen_is_no_list(system: System, body: dict[str, Any], lists: list[str] | None) -> None:
    """All of the form's lists are joined only where nothing was said of lists."""
    system.forms.save(FORM | {"fields": [], "wording": None})
    sent = read_json(json.dumps({"form": "spring-news", "email": "ann@example.org", **body}).encode())
    if lists is None:
        assert refused(system, sent) == {"list_ids"}
    else:
        system.intake.accept(sent, ANONYMOUS, Evidence())
        assert json.loads(stored(system).list_ids) == lists


@pytest.mark.parametrize("name", ["list_ids", "list_ids[]", "list_id", "listId"])
def test_an_html_form_may_choose_no_list(system: System, name: str) -> None:
    """A first entry such as “Please choose” has an empty value."""
    system.forms.save(FORM | {"fields": [], "wording": None})
    assert refused(system, post(**{name: ""})) == {"list_ids"}
    assert refused(system, post(**{name: FOREIGN})) == {"list_ids"}


@pytest.mark.parametrize("sent", ["false", "No, thanks", "0", "off"])
def test_a_no_is_not_put_on_record_as_a_yes(system: System, sent: str) -> None:
    """A form that requires the consent asks for it; one that requires none takes the sign-up without."""
    system.forms.save(FORM | {"fields": []})
    assert refused(system, post(consent=sent)) == {"consent"}
    system.forms.save(FORM | {"fields": [], "wording": None})
    system.intake.accept(post(consent=sent), ANONYMOUS, Evidence())
    row = stored(system)
    assert (row.consent, row.consent_version, row.consent_sent) == (None, None, sent)


@pytest.mark.parametrize("sent", ["maybe", "version 7", "I agree to be called."])
def test_what_nobody_understands_is_told(system: System, sent: str) -> None:
    """Once, with what was sent and what may be sent."""
    system.forms.save(FORM | {"fields": []})
    with pytest.raises(InvalidSubmission) as caught:
        system.intake.accept(post(consent=sent), ANONYMOUS, Evidence())
    ((field, message),) = [(error.field, error.message) for error in caught.value.errors]
    assert field == "consent"
    assert sent in message
    assert "version 1" in message


def test_the_holder_of_a_key_may_have_shown_a_wording_of_its_own(system: System) -> None:
    """It is what the person saw, so it is what is on record."""
    system.forms.save(FORM | {"fields": []})
    system.intake.accept(post(consent="Send me the shop's news."), Requester("shop"), Evidence())
    row = stored(system)
    assert (row.consent, row.consent_version) == ("Send me the shop's news.", None)


def test_what_was_sent_is_on_record_beside_the_wording(system: System) -> None:
    """So that it can be seen later how a tick was read."""
    system.forms.save(FORM | {"fields": []})
    system.intake.accept(post(consent="on"), ANONYMOUS, Evidence())
    row = stored(system)
    assert (row.consent, row.consent_version, row.consent_sent) == ("Yes, write to me.", 1, "on")


def test_what_the_form_requires_is_required(system: System) -> None:
    """Fields and consent, each named."""
    system.forms.save(FORM)
    assert refused(system, post()) == {"first_name", "consent"}


def test_without_a_wording_the_senders_own_consent_is_kept(system: System) -> None:
    """A form that shows none cannot know better."""
    system.forms.save(FORM | {"wording": None, "fields": []})
    system.intake.accept(post(consent="spoken, on the telephone"), ANONYMOUS, Evidence())
    assert (stored(system).consent, stored(system).consent_version) == ("spoken, on the telephone", None)


@pytest.mark.parametrize("archived", [True, False])
def test_a_form_that_is_gone_takes_no_sign_up(system: System, *, archived: bool) -> None:
    """Archived, or never made."""
    if archived:
        system.forms.save(FORM)
        assert system.forms.archive("spring-news")
    assert refused(system, post(first_name="Ann", consent="1")) == {"form"}
    assert system.forms.origins() == frozenset()


def test_a_change_elsewhere_counts_after_five_seconds(system: System) -> None:
    """Forms are on every sign-up's way, so they are not read each time."""
    system.forms.save(FORM)
    assert system.forms.find("spring-news")
    another = FormCatalog(Forms(system.database), clock=system.clock)
    another.save(FORM | {"name": "Renamed"})

    def name() -> str | None:
        form: Form | None = system.forms.find("spring-news")
        return form.name if form else None

    system.clock.now += 4_900
    assert name() == "Spring newsletter"
    system.clock.now += 100
    assert name() == "Renamed"


def test_a_new_form_counts_at_once_everywhere(system: System) -> None:
    """Its maker opens it in the next moment, and may meet another process."""
    assert system.forms.find("spring-news") is None
    FormCatalog(Forms(system.database), clock=system.clock).save(FORM)
    assert system.forms.find("spring-news") is not None


@pytest.mark.parametrize("slug", ["", "spring\0news", "x" * 51, "\ud800", "Spring"])
def test_what_can_be_no_slug_finds_nothing(system: System, slug: str) -> None:
    """Whatever the database would say to it."""
    system.forms.save(FORM)
    assert system.forms.find(slug) is None
    assert system.forms.get(slug) is None


def test_known_forms_serve_on_while_the_store_is_away(tmp_path: Path) -> None:
    """So that their sign-ups are taken."""
    database = Database(f"sqlite:///{tmp_path}/app.db")
    seconds = [0.0]
    forms = FormCatalog(Forms(database), clock=lambda: 1, monotonic=lambda: seconds[0])
    forms.save(FORM)
    database.close()
    (tmp_path / "app.db").unlink()
    (tmp_path / "app.db").mkdir()
    seconds[0] = 60
    assert forms.find("spring-news") is not None


def test_a_process_that_starts_while_the_store_is_away_knows_the_forms(
    system: System, tmp_path: Path
) -> None:
    """Behind an upgrade, say: they stand in a copy beside the spool, which an earlier process wrote."""
    file = tmp_path / "kept" / "known-forms.json"
    system.forms.save(FORM)
    before = FormCatalog(Forms(system.database), clock=system.clock, copy=FormsCopy(file))
    assert before.find("spring-news") is not None
    assert file.stat().st_mode & 0o077 == 0
    (tmp_path / "file").touch()
    away = Database(f"sqlite:///{tmp_path / 'file' / 'x.db'}")
    started = FormCatalog(Forms(away), clock=system.clock, copy=FormsCopy(file))
    assert started.find("spring-news") == before.find("spring-news")
    with pytest.raises(StoreError):
        started.find("another")
    intake = replace(system.intake, rules=replace(system.intake.rules, forms=started))
    verdict = intake.accept(post(first_name="Ann", consent="Yes, write to me."), ANONYMOUS, Evidence())
    assert system.view(verdict.id).status in {"queued", "received", "subscribed"}


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"id": 1}]', "\ud800", "[" * 100_000])
def test_a_copy_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    """Cut by a crash, say, or of another release."""
    file = tmp_path / "known-forms.json"
    file.write_bytes(content.encode("utf-8", "surrogatepass"))
    (tmp_path / "file").touch()
    away = Database(f"sqlite:///{tmp_path / 'file' / 'x.db'}")
    forms = FormCatalog(Forms(away), clock=lambda: 0, copy=FormsCopy(file))
    with pytest.raises(StoreError):
        forms.find("spring-news")
    assert forms.seen("spring-news") is None


def test_a_copy_that_cannot_be_written_stops_nothing(system: System, tmp_path: Path) -> None:
    """A full disk has other things to say."""
    (tmp_path / "in-the-way").touch()
    copy = FormsCopy(tmp_path / "in-the-way" / "known-forms.json")
    system.forms.save(FORM)
    assert FormCatalog(Forms(system.database), clock=system.clock, copy=copy).find("spring-news") is not None


@pytest.mark.parametrize("slug", ["spring-news", " spring-news "])
@pytest.mark.parametrize("archived", [True, False])
def test_a_new_form_takes_nobodys_short_name(system: System, slug: str, *, archived: bool) -> None:
    """Also not that of an archived form, whose sign-ups still tell it."""
    system.forms.save(FORM, new=True)
    if archived:
        system.forms.archive("spring-news")
    before = system.forms.all()
    with pytest.raises(InvalidForm) as caught:
        system.forms.save(FORM | {"slug": slug, "name": "Another"}, new=True)
    assert [error.field for error in caught.value.errors] == ["slug"]
    assert system.forms.all() == before


@pytest.mark.parametrize(
    ("sent", "version"),
    [
        ("version 1", 1),
        ("Yes, write to me.", 1),
        ("version 2", 2),
        ("Yes, weekly.", 2),
        ("version 4", 4),
        ("yes", 4),
        ("1", 4),
    ],
)
def test_the_wording_that_was_seen_is_the_one_on_record(system: System, sent: str, version: int) -> None:
    """HTML that was pasted long ago shows the wording of its day; what names none means today's."""
    wordings = ["Yes, write to me.", "Yes, weekly.", None, "Yes, daily."]
    for wording in wordings:
        system.forms.save(FORM | {"wording": wording})
    system.intake.accept(post(first_name="Ann", consent=sent), ANONYMOUS, Evidence())
    assert (stored(system).consent, stored(system).consent_version) == (wordings[version - 1], version)


def test_an_old_wording_counts_although_the_form_asks_for_none_today(system: System) -> None:
    """It was agreed to."""
    system.forms.save(FORM)
    system.forms.save(FORM | {"wording": ""})
    system.intake.accept(post(first_name="Ann", consent="version 1"), ANONYMOUS, Evidence())
    assert (stored(system).consent, stored(system).consent_version) == ("Yes, write to me.", 1)


def test_line_breaks_of_browsers_make_no_new_wording(system: System) -> None:
    """They post CR LF, whatever was typed."""
    system.forms.save(FORM | {"wording": "Yes.\nWeekly."})
    saved = system.forms.save(FORM | {"wording": "Yes.\r\nWeekly."})
    assert saved.wordings == ("Yes.\nWeekly.",)


def test_only_the_sites_of_a_form_may_call(system: System) -> None:
    """A thank-you page elsewhere is gone to, and calls nothing."""
    form = system.forms.save(FORM | {"thank_you_url": "https://thanks.example.net/"})
    assert system.forms.origins() == set(form.origins)
    assert form.redirects == {*form.origins, "https://thanks.example.net"}


def test_a_store_that_was_never_there_breaks_no_answer(tmp_path: Path) -> None:
    """What an answer only adorns itself with is left out; what it rests on is refused."""
    (tmp_path / "app.db").mkdir()
    forms = FormCatalog(Forms(Database(f"sqlite:///{tmp_path}/app.db")), clock=lambda: 1)
    assert forms.origins() == frozenset()
    assert forms.seen("spring-news") is None
    with pytest.raises(StoreError):
        forms.find("spring-news")


SHOE_SIZE = {"name": "custom_fields[Shoe size]", "label": "Your shoes", "required": True}


def of_sign_up(system: System) -> dict[str, Any]:
    """The names that the wish holds."""
    wish = system.wish()
    return {name: wish.get(name) for name in ("custom_fields", "tags")}


def test_a_form_without_fields_still_asks_for_the_address(system: System) -> None:
    """Also when nobody said anything about fields."""
    saved = system.forms.save({name: value for name, value in FORM.items() if name != "fields"})
    assert [(field.name, field.required) for field in saved.fields] == [("email", True)]


def test_what_a_form_does_not_ask_for_nobody_sets_by_it(system: System) -> None:
    """Custom fields too; in the spelling that the form has."""
    system.forms.save(FORM | {"wording": "", "fields": [SHOE_SIZE]})
    said = {"custom_fields[shoe_size]": "42", "custom_fields[Discount]": "100"}
    system.intake.accept(post(**said), ANONYMOUS, Evidence())
    assert of_sign_up(system) == {"custom_fields": {"Shoe size": "42"}, "tags": None}


def test_a_required_custom_field_is_missed_by_its_name(system: System) -> None:
    """Beside its input, and so is a value that does not fit what the account has."""
    system.forms.save(FORM | {"wording": "", "fields": [SHOE_SIZE]})
    assert refused(system, post()) == {"custom_fields[Shoe size]"}
    system.vendor.fields = (CustomField("f-1", "Shoe size", "number"),)
    system.vocabulary.fields.fetch()
    assert refused(system, post(**{"custom_fields[shoe size]": "big"})) == {"custom_fields[Shoe size]"}


def test_a_field_that_the_account_lost_is_taken_and_decided_at_delivery(system: System) -> None:
    """The visitor cannot mend it."""
    system.forms.save(FORM | {"wording": "", "fields": [SHOE_SIZE]})
    system.vocabulary.fields.fetch()
    system.intake.accept(post(**{"custom_fields[Shoe size]": "42"}), ANONYMOUS, Evidence())
    assert of_sign_up(system)["custom_fields"] == {"Shoe size": "42"}


@pytest.mark.parametrize(
    ("sent", "given"),
    [((), ["VIP", "Spring"]), (("Spring",), ["Spring"]), (("Mine",), ["VIP", "Spring"])],
)
def test_people_get_the_tags_of_the_form_or_those_of_them_that_were_chosen(
    system: System, sent: tuple[str, ...], given: list[str]
) -> None:
    """An admin named them, so they are made where the account lacks them; nobody adds one of their own."""
    system.forms.save(FORM | {"wording": "", "fields": [], "tags": ["VIP", " Spring ", "VIP", ""]})
    system.vocabulary.tags.fetch()
    pairs = [("form", "spring-news"), ("email", "ann@example.org"), *(("tags", tag) for tag in sent)]
    system.intake.accept(read_form(pairs), ANONYMOUS, Evidence())
    assert of_sign_up(system)["tags"] == dict.fromkeys(given, True)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"tags": [str(number) for number in range(51)]}, "tags"),
        ({"tags": ["x" * 256]}, "tags"),
        ({"fields": [{"name": "custom_fields[]", "label": "x"}]}, "fields"),
        ({"fields": [{"name": f"custom_fields[{'x' * 51}]", "label": "x"}]}, "fields"),
        ({"fields": [{"name": "custom_fields[a\nb]", "label": "x"}]}, "fields"),
        ({"fields": [{"name": "nothing", "label": "x"}]}, "fields"),
    ],
)
def test_a_form_with_impossible_fields_or_tags_is_not_saved(
    system: System, changes: dict[str, Any], wrong: str
) -> None:
    assert set(problems(system, **changes)) == {wrong}
