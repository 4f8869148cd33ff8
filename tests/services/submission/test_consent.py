"""What an answer to a consent means, in every way that front ends send one."""

import json
from typing import Any

import pytest

from services.errors import InvalidSubmission
from services.intake.parsing import read_form, read_json
from services.submission.consent import Agreed, Unclear, agreed, answer, on_record, ticked

WORDINGS = ("Yes, write to me.", "", "Yes,\nweekly.")
TODAY = Agreed("Yes,\nweekly.", 3)
REFUSED = (
    *("false", "0", "no", "off", "n", "null", "undefined", "No, thanks", "FALSE", "Off", " No ", "NULL"),
    *(
        "No thanks!",
        "no thank you",
        "NO THANKS",
        "No. Never.",
        "Nope",
        "nein",
        "Nein, danke",
        "non merci",
        "none",
    ),
    *(
        "ｎｏ",
        "no\u200b",
        "No – not today",
        "False.",
        "not now",
        "unchecked",
        "declined",
        "opt-out",
        "opt_out",
    ),
    *(
        "I do not agree",
        "I don't want e-mails",
        "I don’t consent",
        "Please don't contact me",
        "0.0",
        "-",
        "…",
    ),
)
AFFIRMED = (
    "on",
    "true",
    "1",
    "yes",
    "ON",
    "True",
    " Yes ",
    "y",
    "Yes!",
    "I agree",
    "checked",
    "accepted",
    "OK",
)
SENTENCES = ("maybe", "later", "newsletter", "2", "yes but no", "I agree to something else")


def judged(sent: str, *, trusted: bool, wordings: tuple[str, ...] = WORDINGS) -> Agreed | None:
    return agreed(sent, wordings, trusted=trusted)


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("wordings", [WORDINGS, ()], ids=["form", "no form"])
@pytest.mark.parametrize("sent", ["", " ", *REFUSED])
def test_a_no_is_none(sent: str, wordings: tuple[str, ...], *, trusted: bool) -> None:
    """Whoever sends it, and whatever the form is."""
    assert judged(sent, trusted=trusted, wordings=wordings) is None


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("sent", AFFIRMED)
def test_a_ticked_box_means_todays_wording(sent: str, *, trusted: bool) -> None:
    """Without a form no wording is known: what was sent is on record."""
    assert judged(sent, trusted=trusted) == TODAY
    assert judged(sent, trusted=trusted, wordings=()) == Agreed(sent.strip())


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize(
    ("sent", "means"),
    [
        ("version 1", Agreed(WORDINGS[0], 1)),
        ("Version 3", TODAY),
        ("v1", Agreed(WORDINGS[0], 1)),
        ("Yes, write to me.", Agreed(WORDINGS[0], 1)),
        ("Yes,\r\n  weekly. ", TODAY),
        ("YES, WEEKLY.", TODAY),
    ],
)
def test_a_wording_that_was_seen_is_the_one_agreed_to(sent: str, means: Agreed, *, trusted: bool) -> None:
    """By its number, or repeated, however its blanks and lines run."""
    assert judged(sent, trusted=trusted) == means


def test_a_forms_own_wording_may_begin_with_a_no() -> None:
    """The form showed it above the box."""
    assert judged("No, I mind nothing.", trusted=False, wordings=("No, I mind nothing.",)) is not None


@pytest.mark.parametrize("sent", ["version 2", "version 4", "version 0", "v99"])
@pytest.mark.parametrize("trusted", [True, False])
def test_a_version_that_never_was_is_a_mistake(sent: str, *, trusted: bool) -> None:
    """Also one of a time in which the form asked for none."""
    with pytest.raises(Unclear, match="no wording that this form ever had"):
        judged(sent, trusted=trusted)


@pytest.mark.parametrize("sent", SENTENCES)
def test_another_text_is_a_mistake_of_a_stranger_and_a_wording_of_ours(sent: str) -> None:
    """Nothing unknown becomes a consent; the holder of a key may have shown a wording of its own."""
    with pytest.raises(Unclear, match="does not tell whether the person agreed"):
        judged(sent, trusted=False)
    assert judged(sent, trusted=True) == Agreed(sent)


@pytest.mark.parametrize(
    "sent",
    ["No spam: only news of the shop.", "No-nonsense news, please.", "Don't miss a thing.", "Not only news."],
)
def test_a_wording_of_ones_own_may_begin_like_a_no(sent: str) -> None:
    """It is no refusal, and is on record as it was shown."""
    assert judged(sent, trusted=True) == Agreed(sent)
    assert judged(sent, trusted=False, wordings=()) == Agreed(sent)


@pytest.mark.parametrize(
    ("values", "means"),
    [
        ([], None),
        (["", " "], None),
        (["0", "1"], "1"),
        (["true", "false"], "true"),
        (["false", "on"], "on"),
        (["no", "version 1"], "version 1"),
        (["on", "version 1"], "version 1"),
        (["no"], "no"),
        (["no", "off"], "no"),
        (["News by e-mail", "Offers of partners", "no"], "News by e-mail\nOffers of partners"),
        (["on", "on"], "on"),
    ],
)
def test_of_several_values_the_one_that_agrees_counts(values: list[str], means: str | None) -> None:
    """Rails and ASP.NET send a hidden 0 or false beside a ticked box."""
    assert answer(values) == means


@pytest.mark.parametrize("field", ["consent", "sms_consent"])
@pytest.mark.parametrize(
    ("value", "means"),
    [
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (0, "0"),
        (None, None),
        ([], None),
        (["version 1"], "version 1"),
        ([False, True], "true"),
        ([None], None),
        ("null", "null"),
    ],
)
def test_json_says_it_in_its_own_types(field: str, value: Any, means: str | None) -> None:
    """A boolean, a number, an array: kept as the text that it amounts to."""
    body = {"email": "ann@example.org", "form": "spring-news", field: value}
    assert getattr(read_json(json.dumps(body).encode()), field) == means


@pytest.mark.parametrize("value", [{}, {"given": True}, [["on"]], 1.5])
def test_what_is_no_value_is_refused(value: Any) -> None:
    """By its field."""
    body = {"email": "ann@example.org", "form": "spring-news", "consent": value}
    with pytest.raises(InvalidSubmission) as caught:
        read_json(json.dumps(body).encode())
    assert [error.field for error in caught.value.errors] == ["consent"]


@pytest.mark.parametrize("name", ["consent", "consent[]"])
def test_a_form_may_send_the_field_twice(name: str) -> None:
    """In either order."""
    usual = [("email", "ann@example.org"), ("form", "spring-news")]
    assert read_form([*usual, (name, "false"), (name, "true")]).consent == "true"
    assert read_form([*usual, (name, "true"), (name, "false")]).consent == "true"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (["on"], True),
        (["0", "1"], True),
        (["version 3"], True),
        (["version 1"], False),
        (["no"], False),
        ([], False),
    ],
)
def test_a_box_comes_back_as_it_was_ticked(values: list[str], *, shown: bool) -> None:
    """Under the wording that is shown now; an unclear answer is no tick."""
    assert ticked(values, WORDINGS) is shown
    assert not ticked(["maybe"], WORDINGS)


def test_what_was_sent_is_kept_shortened() -> None:
    """Literally: the wording on record may be another text."""
    assert on_record(" On") == " On"
    assert on_record("ä" * 2_000) == "ä" * 100
    assert on_record(None) is None
