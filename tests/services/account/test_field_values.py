"""What fits into a custom field, by its type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.account.field_values import choice_ids, fitting
from services.constant_contact.catalog import Choice, CustomField
from services.submission.custom_fields import CustomFieldValue

SHIRTS = (Choice("1", "Small"), Choice("2", "Large"), Choice("3", "Size, other"))
TYPES = [
    *("string", "text_area", "number", "currency", "date", "datetime", "boolean"),
    *("single_select", "multi_select", "hologram"),
]


def field(kind: str, **more: object) -> CustomField:
    choices = SHIRTS if kind.endswith("select") else ()
    return CustomField("f-1", "Thing", kind, choices, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("string", "anything", "anything"),
        ("text_area", "two\nlines", "two\nlines"),
        ("number", "-42.5", "-42.5"),
        ("currency", "10.00", "10.00"),
        ("date", "2006-11-15", "2006-11-15"),
        ("datetime", "2006-11-15T18:30", "2006-11-15T18:30:00"),
        ("datetime", "2006-11-15 8:30:15", "2006-11-15T08:30:15"),
        ("datetime", "2006-11-15T18:30:00.000Z", "2006-11-15T18:30:00Z"),
        ("datetime", "2006-11-15T18:30+02:00", "2006-11-15T18:30:00+02:00"),
        ("boolean", "Yes", "true"),
        ("boolean", "on", "true"),
        ("boolean", "0", "false"),
        ("single_select", "large", "Large"),
        ("multi_select", ("large", "Small"), ("Small", "Large")),
        ("multi_select", "small", ("Small",)),
        ("single_select", " SIZE,\u00a0 other ", "Size, other"),
        ("multi_select", ("Size,  other", "small "), ("Small", "Size, other")),
        ("hologram", "what is yet to come", "what is yet to come"),
    ],
)
def test_what_fits_is_kept_in_the_accounts_spelling(
    kind: str, value: CustomFieldValue, kept: CustomFieldValue
) -> None:
    assert fitting(field(kind), value) == kept


@pytest.mark.parametrize(
    ("kind", "value", "sentence"),
    [
        ("string", "two\nlines", "Line breaks"),
        ("string", ("a", "b"), "one value"),
        ("number", "big", "Enter a number"),
        ("number", "1e9", "Enter a number"),
        ("number", "٤٢", "Enter a number"),
        ("number", "4\n", "Enter a number"),
        ("number", "1" * 16, "Enter a number"),
        ("currency", "1.234", "at most 2 decimals"),
        ("date", "15.11.2006", "a date like"),
        ("date", "2006-02-30", "a date like"),
        ("date", "15.11.06", "four digits"),
        ("date", "11/15/06", "four digits"),
        ("date", "0006-11-15", "four digits"),
        ("date", "1806-11-15", "Is the year right"),
        ("datetime", "0006-11-15T18:30", "four digits"),
        ("datetime", "1899-12-31T23:59", "Is the year right"),
        ("datetime", "11/15/06 18:30", "four digits"),
        ("datetime", "2006-11-15", "a date and a time"),
        ("datetime", "2006-02-30T18:30", "a date and a time"),
        ("datetime", "2006-11-15T25:30", "a date and a time"),
        ("datetime", "2006-11-15T18:30+29:00", "a date and a time"),
        ("datetime", "soon", "a date and a time"),
        ("boolean", "maybe", "true or false"),
        ("single_select", "Huge", "Choose one of: Small, Large"),
        ("single_select", ("Small", "Large"), "one value"),
        ("multi_select", ("Small", "Huge"), "Choose one of"),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(kind: str, value: CustomFieldValue, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        fitting(field(kind), value)


@pytest.mark.parametrize(
    ("about", "value"),
    [({"whole": True}, "1.5"), ({"positive": True}, "-1"), ({"decimals": 1}, "1.25")],
)
def test_what_the_account_demands_of_a_number_is_held(about: dict[str, object], value: str) -> None:
    assert fitting(field("number"), value) == value
    with pytest.raises(ValueError, match="Enter a"):
        fitting(field("number", **about), value)


def test_a_label_is_found_though_a_browser_collapsed_its_blanks() -> None:
    """An exact label counts before one that only looks like it."""
    labels = (Choice("1", "Two  words "), Choice("2", "tea"), Choice("3", "Tea"))
    one = CustomField("f-1", "Thing", "single_select", labels)
    assert fitting(one, "Two words") == "Two  words "
    assert fitting(one, "Tea") == "Tea"
    assert fitting(one, "TEA") == "tea"


def test_the_ids_of_choices_are_those_of_the_labels() -> None:
    assert choice_ids(field("multi_select"), ("Small", "Size, other")) == ["1", "3"]
    assert choice_ids(field("single_select"), "Large") == ["2"]


@given(kind=st.sampled_from(TYPES), value=st.text(max_size=60) | st.lists(st.text(max_size=20)).map(tuple))
def test_any_value_fits_or_is_refused_and_what_fits_fits_again_unchanged(
    kind: str, value: CustomFieldValue
) -> None:
    try:
        kept = fitting(field(kind), value)
    except ValueError:
        return
    assert fitting(field(kind), kept) == kept
