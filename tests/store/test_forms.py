"""Forms and the consent they ask for."""

import pytest

from store.engine.database import Database
from store.forms import Forms, StoredForm
from tests.store.conftest import in_threads

DEFINITION = {"list_ids": ["l1"], "fields": []}


@pytest.fixture
def forms(database: Database) -> Forms:
    return Forms(database)


def save(forms: Forms, slug: str = "news", wording: str | None = "I agree.", now: int = 10) -> None:
    saved = forms.save(slug, name="Newsletter", definition=DEFINITION, wording=wording, now=now)
    assert saved == forms.find(slug)


def test_a_form_is_found_by_its_slug(forms: Forms) -> None:
    """With all that was saved, and nothing under another name."""
    save(forms)
    found = forms.find("news")
    assert found is not None
    assert found == StoredForm(found.id, "news", "Newsletter", DEFINITION, ("I agree.",), 10, 10, None)
    assert forms.find("New") is None


def test_saving_again_changes_the_form(forms: Forms) -> None:
    """Its beginning and the wording's version stay, since the wording did."""
    save(forms)
    forms.save("news", name="Letters", definition={"list_ids": []}, wording="I agree.", now=20)
    found = forms.find("news")
    assert found is not None
    assert (found.name, found.definition, found.wordings) == ("Letters", {"list_ids": []}, ("I agree.",))
    assert (found.created_at, found.updated_at) == (10, 20)


def test_every_wording_of_consent_is_kept(forms: Forms, database: Database) -> None:
    """Also the time without any; a wording that comes back is a version of its own."""
    for now, wording in enumerate(("One.", "Two.", "Two.", None, "One."), start=1):
        save(forms, wording=wording, now=now)
    found = forms.find("news")
    assert found is not None
    assert found.wordings == ("One.", "Two.", "", "One.")
    assert forms.all() == [found]
    with database.reading() as connection:
        kept = connection.exec_driver_sql(
            "SELECT version, wording, created_at FROM consent_wordings ORDER BY 1"
        )
        assert [tuple(row) for row in kept] == [(1, "One.", 1), (2, "Two.", 2), (3, "", 4), (4, "One.", 5)]


def test_a_form_may_ask_for_no_consent(forms: Forms) -> None:
    """From the start, or from today on."""
    save(forms, wording=None)
    save(forms, slug="shop", wording="Yes.")
    save(forms, slug="shop", wording=None)
    assert [form.wordings for form in forms.all()] == [(), ("Yes.", "")]


def test_an_archived_form_comes_back_by_saving(forms: Forms) -> None:
    """Archiving is told apart from not being there, and ends with the next change."""
    save(forms)
    assert forms.archive("news", now=30)
    assert not forms.archive("news", now=31)
    assert not forms.archive("other", now=31)
    assert [form.archived_at for form in forms.all()] == [30]
    save(forms, now=40)
    assert [form.archived_at for form in forms.all()] == [None]
    assert len(forms.all()) == 1


def test_forms_are_listed_by_name(forms: Forms) -> None:
    """For the admin's page."""
    for name in ("Zoo", "Art"):
        forms.save(name.lower(), name=name, definition={}, wording=None, now=1)
    assert [form.name for form in forms.all()] == ["Art", "Zoo"]


def test_every_wording_for_text_messages_is_kept(forms: Forms) -> None:
    """Beside the other consent, whatever else the definition becomes; each change is a version."""

    def wordings(sms_wording: str | None) -> object:
        saved = forms.save(
            "news", name="N", definition=DEFINITION, wording="I agree.", now=10, sms_wording=sms_wording
        )
        assert saved == forms.find("news")
        assert saved.wordings == ("I agree.",)
        return saved.definition.get("sms_wordings")

    assert wordings(None) is None
    assert wordings("Text me.") == ["Text me."]
    assert wordings("Text me.") == ["Text me."]
    assert wordings(None) == ["Text me.", ""]
    assert wordings("Text me weekly.") == ["Text me.", "", "Text me weekly."]


def test_two_who_save_at_once_lose_no_wording(forms: Forms) -> None:
    """Each reads the versions under the lock that it writes them by."""
    save(forms)

    def change(number: int) -> None:
        forms.save("news", name="N", definition={}, wording=None, now=10, sms_wording=f"Wording {number}")

    in_threads(8, change)
    found = forms.find("news")
    assert found is not None
    assert set(found.definition["sms_wordings"]) == {f"Wording {number}" for number in range(8)}
