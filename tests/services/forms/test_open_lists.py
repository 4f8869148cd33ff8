"""Which lists and tags a stranger reaches without a form: none that a form protects."""

from collections.abc import Mapping
from typing import Any

import pytest

from services.access.requester import ANONYMOUS, Requester
from services.errors import InvalidSubmission
from services.forms.open_lists import OpenLists
from services.intake.parsing import read_form
from services.intake.record import Evidence
from services.protection.rules import RULES
from services.submission.fields import Submission
from tests.services.conftest import System
from tests.services.protection.test_proof_of_work import answer
from tests.services.vendor import EVENTS, NEWSLETTER

SHOP = Requester("key-1")
FORM: dict[str, Any] = {
    "slug": "news",
    "name": "News",
    "list_ids": [NEWSLETTER.list_id],
    "fields": [],
    "protection": "standard",
    "tags": ["Spring"],
}


def submission(fields: Mapping[str, str]) -> Submission:
    return read_form([("email", "ann@example.org"), *fields.items()])


def post(system: System, **fields: str) -> None:
    system.intake.accept(submission(fields), ANONYMOUS, Evidence())


def refusal(system: System, **fields: str) -> dict[str, str]:
    with pytest.raises(InvalidSubmission) as refused:
        post(system, **fields)
    assert system.newest(10) == []
    assert system.suspected.counts().total == 0
    return {error.field: error.message for error in refused.value.errors}


def test_a_public_list_is_open_until_a_form_protects_it(system: System) -> None:
    """Then the sentence names what to send instead, and a key's holder still joins it."""
    assert system.open_lists.ids() == (NEWSLETTER.list_id,)
    system.forms.save(FORM)
    assert system.open_lists.ids() == ()
    told = refusal(system, list_id=NEWSLETTER.list_id)
    assert "send “form”: “news” instead" in told["list_ids"]
    system.intake.accept(submission({"list_id": NEWSLETTER.list_id}), SHOP, Evidence())
    assert len(system.newest(10)) == 1


@pytest.mark.parametrize("level", ["standard", "captcha", "turnstile", "hcaptcha", "recaptcha"])
def test_every_protection_closes_it(system: System, level: str) -> None:
    """Whatever the program would leave out."""
    system.forms.save(FORM | {"protection": level})
    assert "form" in refusal(system, list_id=NEWSLETTER.list_id)["list_ids"]


def test_the_low_protection_leaves_it_open(system: System) -> None:
    """Such a form asks no more than a post without one."""
    system.forms.save(FORM | {"protection": "none"})
    post(system, list_id=NEWSLETTER.list_id)
    assert len(system.newest(10)) == 1


def test_an_archived_form_opens_nothing(system: System) -> None:
    """Who archives a form wants fewer sign-ups by strangers; there is no form to name."""
    system.forms.save(FORM)
    system.forms.archive("news")
    told = refusal(system, list_id=NEWSLETTER.list_id)
    assert "no longer in use" in told["list_ids"]
    assert "“news”" not in told["list_ids"]
    system.forms.save(FORM | {"slug": "other"})
    assert "“other”" in refusal(system, list_id=NEWSLETTER.list_id)["list_ids"]


def test_one_closed_list_among_several_closes_the_post(system: System) -> None:
    """Nothing of it is stored; each list that is closed is named with its own reason."""
    system.forms.save(FORM)
    with pytest.raises(InvalidSubmission) as refused:
        system.intake.accept(
            read_form(
                [("email", "a@example.org"), *(("list_id", each.list_id) for each in (NEWSLETTER, EVENTS))]
            ),
            ANONYMOUS,
            Evidence(),
        )
    assert ["belongs to a form" in error.message for error in refused.value.errors] == [True, False]


def test_a_list_beside_another_form_is_not_joined(system: System) -> None:
    """An unprotected form leads to its own lists only; who names none of them is asked to choose."""
    system.forms.save(FORM)
    system.forms.save(FORM | {"slug": "open", "protection": "none", "list_ids": [EVENTS.list_id]})
    assert set(refusal(system, form="open", list_id=NEWSLETTER.list_id)) == {"list_ids"}
    assert system.newest(10) == []
    post(system, form="open", list_ids=f"{NEWSLETTER.list_id},{EVENTS.list_id}")
    assert system.newest(10)[0].list_ids == (EVENTS.list_id,)


@pytest.mark.parametrize("form", ["gone", "news"])
def test_a_form_that_is_not_in_use_is_no_way_to_its_list(system: System, form: str) -> None:
    """An unknown or archived form beside a list's id does not make it a post without a form."""
    system.forms.save(FORM)
    system.forms.archive("news")
    assert set(refusal(system, form=form, list_id=NEWSLETTER.list_id)) == {"form"}


@pytest.mark.parametrize("tag", ["Spring", "spring"])
def test_the_tags_of_a_protected_form_are_its_own(system: System, tag: str) -> None:
    """What starts a series of mails at Constant Contact is not reached past the form either."""
    system.forms.save(FORM | {"list_ids": [EVENTS.list_id]})
    told = refusal(system, list_id=NEWSLETTER.list_id, tags=tag)
    assert f"The tag “{tag}” belongs to a form: send “form”: “news”" in told["tags"]
    post(system, list_id=NEWSLETTER.list_id, tags="Autumn")
    assert len(system.newest(10)) == 1


@pytest.mark.parametrize("what", ["token", "proof"])
def test_what_one_form_gives_out_is_no_use_for_another(system: System, what: str) -> None:
    """An unprotected form's token and proof of work do not open a protected one."""
    weak = system.forms.save(FORM | {"slug": "open", "protection": "none"})
    guarded = system.forms.save(FORM | {"protection": "captcha" if what == "proof" else "standard"})
    token = system.protection.token(weak if what == "token" else guarded)
    system.clock.now += 5_000
    sent = {"form": "news", "form_token": token}
    if what == "proof":
        sent["altcha"] = answer(system.proofs.challenge("open"))
    post(system, **sent)
    assert system.newest(10) == []
    (suspect,) = system.suspected.waiting(10)
    sentence = RULES[suspect.reasons[0]]
    assert "was not one of ours" in sentence or "was wrong" in sentence


def test_without_a_readable_store_the_operators_lists_are_open(system: System) -> None:
    """Since the start nobody knows a form; a sign-up for a public list must not be lost."""
    with system.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE forms RENAME TO forms_gone")
    post(system, list_id=NEWSLETTER.list_id)
    with pytest.raises(InvalidSubmission):
        post(system, list_id=EVENTS.list_id)


def codes(system: System, *public: str, written_down: bool = True) -> list[str]:
    lists = OpenLists(public_list_ids=public, written_down=written_down, forms=system.forms)
    return [problem.code for problem in lists.problems()]


def test_no_public_list_is_no_problem_where_forms_exist(system: System) -> None:
    """Only with neither is every visitor refused."""
    assert codes(system) == ["no_list_open"]
    system.forms.save(FORM)
    assert codes(system) == []
    system.forms.archive("news")
    assert codes(system) == ["no_list_open"]


def test_a_public_list_that_a_form_protects_is_a_contradiction(system: System) -> None:
    """Its visitors are refused; the sandbox's own list nobody wrote down. Strangers are not told."""
    assert codes(system, NEWSLETTER.list_id) == []
    system.forms.save(FORM)
    assert codes(system, NEWSLETTER.list_id) == ["public_list_protected"]
    assert codes(system, NEWSLETTER.list_id, written_down=False) == []
    assert codes(system, EVENTS.list_id) == []
    assert [problem.code for problem in system.health.report().problems] == ["public_list_protected"]
    assert [problem.code for problem in system.health.report(for_all=True).problems] == ["more_for_admins"]


def test_a_second_form_without_protection_is_named(system: System) -> None:
    """It is the admin's choice and stays open, but somebody should know."""
    system.forms.save(FORM)
    assert system.open_lists.weak_doors() == []
    system.forms.save(FORM | {"slug": "open", "name": "Footer", "protection": "none"})
    (sentence,) = system.open_lists.weak_doors()
    assert "The form “News” protects the list" in sentence
    assert "the form “Footer” leads to it with the low protection" in sentence
    system.forms.archive("news")
    assert system.open_lists.weak_doors() == []
