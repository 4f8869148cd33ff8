"""Sign-ups as CSV and as lines of JSON."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from services.signups.export import BYTE_ORDER_MARK, COLUMNS, csv_lines, json_lines
from store.signups.records import SignupRecord
from tests.services.signups.test_advice import NOW, RECORD


def table(*records: SignupRecord) -> list[dict[str, str]]:
    """The CSV as another program reads it."""
    text = "".join(csv_lines(records))
    assert text.startswith(BYTE_ORDER_MARK)
    return list(csv.DictReader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline="")))


def test_a_table_holds_every_column() -> None:
    """A header, a line each, times in ISO 8601, lists apart by spaces, nothing for what is unknown."""
    came_from = "https://search.example/"
    done = replace(RECORD, state="delivered", finished_at=NOW + 1, contact_id="c-1", referrer=came_from)
    (row,) = table(done)
    assert tuple(row) == COLUMNS
    assert (row["id"], row["email"], row["first_name"]) == ("s1", "ann@example.org", "Ann")
    assert row["received_at"] == "2026-11-21T09:38:16.123Z"
    assert row["finished_at"] == "2026-11-21T09:38:16.124Z"
    assert row["list_ids"] == "list-1 list-2"
    assert (row["form"], row["consent_version"], row["consent"]) == ("spring-news", "2", RECORD.consent)
    assert row["referrer"] == came_from
    assert (row["last_name"], row["last_error"]) == ("", "")
    assert (row["state"], row["attempts"], row["contact_id"]) == ("delivered", "0", "c-1")


def test_a_home_does_not_hide_the_delivery() -> None:
    """A person's state, a part of the country, has a column apart from the delivery's state."""
    person = {"birthday_month": "2", "state": "Massachusetts"}
    (row,) = table(replace(RECORD, state="parked", person=person))
    assert (row["state"], row["address_state"], row["birthday_month"]) == ("parked", "Massachusetts", "2")
    (line,) = json_lines([replace(RECORD, state="parked", person=person)])
    assert (json.loads(line)["state"], json.loads(line)["address_state"]) == ("parked", "Massachusetts")


def test_quotes_commas_and_breaks_survive() -> None:
    """The text comes back as it was submitted; a line ends with CR LF."""
    wording = 'I said "yes", twice.\r\nBye\n'
    assert table(replace(RECORD, consent=wording), RECORD)[0]["consent"] == wording
    assert next(csv_lines([])).endswith("contact_id,note\r\n")


@pytest.mark.parametrize(
    "formula",
    ["=1+1", '=HYPERLINK("x")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\nx", " =1", "＝1", "＠x"],
)
@pytest.mark.parametrize("column", ["source", "consent", "user_agent", "last_error", "page", "email"])
def test_no_cell_is_a_formula(formula: str, column: str) -> None:
    """An apostrophe in front makes spreadsheets show it as text."""
    changed: Any = {column: formula}
    (row,) = table(replace(RECORD, **changed))
    assert row[column] == f"'{formula}"
    (row,) = table(replace(RECORD, person={"first_name": formula, "phone": "+1 555 0100"}))
    assert (row["first_name"], row["phone"]) == (f"'{formula}", "'+1 555 0100")


@pytest.mark.parametrize("harmless", ["Ann-Marie", "a=b", "it's", "1+1", ""])
def test_other_cells_are_left_alone(harmless: str) -> None:
    """Only the beginning of a cell makes it a formula."""
    (row,) = table(replace(RECORD, source=harmless))
    assert row["source"] == harmless


def test_lines_of_json_hold_the_text_as_it_was_submitted() -> None:
    """An object a line with the columns of the table; lists stay lists, unknown is null."""
    text = "".join(json_lines([replace(RECORD, source="=1", person={"first_name": "Zoë"}), RECORD]))
    first, second = map(json.loads, text.splitlines())
    assert tuple(first) == COLUMNS
    assert (first["source"], first["first_name"], first["last_name"]) == ("=1", "Zoë", None)
    assert (second["list_ids"], second["attempts"]) == (["list-1", "list-2"], 0)
    assert first["received_at"] == "2026-11-21T09:38:16.123Z"
    assert "Zoë" in text


@pytest.mark.parametrize("form", [csv_lines, json_lines])
def test_lines_come_one_by_one(form: object) -> None:
    """A line is made before the next record is read, so memory does not grow with their number."""

    def guarded() -> Iterator[SignupRecord]:
        yield from [RECORD] * 5
        raise AssertionError("a record was asked for before the line of the one before was taken")

    assert callable(form)
    assert len(list(islice(form(guarded()), 5))) == 5


def test_custom_fields_and_tags_can_be_read_back_from_a_cell() -> None:
    """Names may hold any character, so both stand there as JSON; nothing stands there for none."""
    said: dict[str, str | list[str]] = {"Shoe size": "42", "Topics": ["a, b", "=c"]}
    (row, none) = table(replace(RECORD, custom_fields=said, tags=("x;y", "z")), RECORD)
    assert (json.loads(row["custom_fields"]), json.loads(row["tags"])) == (said, ["x;y", "z"])
    assert (none["custom_fields"], none["tags"]) == ("", "")
    (line,) = json_lines([replace(RECORD, custom_fields=said, tags=("x",))])
    assert (json.loads(line)["custom_fields"], json.loads(line)["tags"]) == (said, ["x"])


@pytest.mark.parametrize("text", ["x;=1+1", "x\t=1", "x\n@SUM(A1)", 'x;" =1', "x\r\n+1", 'x;"＝1'])
def test_a_formula_behind_a_foreign_separator_is_none(text: str) -> None:
    """Where the list separator is a semicolon, a spreadsheet ends the cell there, in spite of the quotes."""
    (row,) = table(replace(RECORD, source=text))
    for part in re.split(r"[;\t\r\n]", row["source"]):
        assert not part.lstrip('" ').startswith(tuple("=+-@＝")), row["source"]


@pytest.mark.parametrize("bad", ["\ud800", "\x00", "\x1b[31m", "\x9b31m", "\x85", "\x7f"])
@pytest.mark.parametrize("field", ["source", "consent", "last_error", "custom_fields", "tags", "person"])
def test_every_row_is_written_and_what_cannot_be_is_marked(field: str, bad: str) -> None:
    """Lone surrogates and control characters of earlier releases do not end an export."""
    text = f"a{bad}b"
    documents: dict[str, Any] = {"custom_fields": {text: [text]}, "tags": (text,), "person": {"city": text}}
    value = documents.get(field, text)
    spoiled = replace(RECORD, **{field: value})
    rows = table(RECORD, spoiled, RECORD)
    lines = [json.loads(line) for line in json_lines([RECORD, spoiled, RECORD])]
    assert len(rows) == len(lines) == 3
    for part in ("".join(csv_lines([spoiled])), "".join(json_lines([spoiled]))):
        assert "\ufffd" in part
        assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", part.encode().decode())


def test_two_names_that_look_alike_when_marked_are_both_written() -> None:
    """Two names that differ only in replaced characters neither end the export nor overwrite each other."""
    spoiled = replace(RECORD, custom_fields={f"a{chr(0xD800)}": "1", f"a{chr(0xDFFF)}": "2"})
    (row,) = table(spoiled)
    assert json.loads(row["custom_fields"]) == {"a\ufffd": "1", "a\ufffd\ufffd": "2"}
    assert json.loads(next(json_lines([spoiled])))["custom_fields"] == json.loads(row["custom_fields"])
