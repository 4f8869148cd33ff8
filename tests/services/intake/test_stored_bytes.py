"""What one visitor can store is bounded by what was sent, as bytes on the disk."""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.access.requester import ANONYMOUS
from services.errors import InvalidSubmission, MalformedSubmission
from services.intake.parsing import read_form, read_json
from services.intake.record import Evidence
from services.submission.fields import PERSON_FIELDS, Reading
from tests.services.conftest import System
from tests.services.vendor import NEWSLETTER

MOST_SENT, ROOM = 16 * 1024, 3 * 1024
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36"
SEEN = Evidence(page="https://www.example.org/newsletter", network_address="203.0.113.9", user_agent=BROWSER)
TRICKS = '"\\/\n\t<&aé漢😀ﬁ\u202e'
TEXT = st.text(alphabet=TRICKS, max_size=60) | st.text(max_size=255)
# The bound of a sign-up that fills in a few fields; each further field is stored under its name.
ROOM_FOR_FEW = 2 * 1024
LINES = [name for name in PERSON_FIELDS if name not in {"birthday_month", "birthday_day", "anniversary"}]


def bodies(lines: Iterable[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Return bodies with any of these fields of one line, and of what every form may have besides."""
    return st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(lines, TEXT),
            "source": TEXT,
            "consent": st.text(alphabet=TRICKS, max_size=2000),
            "custom_fields": st.dictionaries(TEXT, TEXT | st.lists(TEXT, max_size=5), max_size=50),
            "tags": st.lists(TEXT, max_size=50),
            "referrer": TEXT.map("https://www.example.org/{}".format),
        },
    )


FIXED: dict[str, Any] = {"email": "ada.lovelace@example.org", "list_id": NEWSLETTER.list_id}
NEEDED = {ord(letter): quote(letter) for letter in "%&=+"}


def form_of(fields: dict[str, Any]) -> bytes:
    """The body of a form that escapes nothing but what it must: the shortest that says it."""
    pairs = [(name, value) for name, value in fields.items() if isinstance(value, str)]
    for name, value in fields.get("custom_fields", {}).items():
        pairs += [(f"custom_fields[{name}]", each) for each in ([value] if isinstance(value, str) else value)]
    pairs += [("tags", tag) for tag in fields.get("tags", ())]
    return "&".join(f"{name.translate(NEEDED)}={value.translate(NEEDED)}" for name, value in pairs).encode()


def stored_bytes(system: System, signup_id: str) -> int:
    """Of all rows of a sign-up, with their entries in indexes, and of its lines in the second copy."""
    found = 0
    with system.database.reading() as connection:
        for table, key in (("signups", "id"), ("deliveries", "source_id"), ("suspected_signups", "id")):
            sql = f"SELECT * FROM {table} WHERE {key} = ?"
            for row in connection.exec_driver_sql(sql, (signup_id,)).mappings():
                found += sum(len(value.encode()) if isinstance(value, str) else 8 for value in row.values())
                # Each index repeats its columns: the ids, the times, and of a delivery the address.
                found += 3 * 48 + len(row.get("contact_key", ""))
    for _, file in system.database.copies.files():
        for line in file.read_bytes().splitlines(keepends=True):
            found += len(line) if line.startswith(signup_id.encode()) else 0
    return found


def taken(system: System, raw: bytes, *, form: bool, trap: bool) -> str | None:
    """The id of the sign-up; None where the body is refused."""
    if len(raw) > MOST_SENT:
        return None
    try:
        if form:
            submission = read_form(parse_qsl(raw.decode(), keep_blank_values=True, errors="strict"))
        else:
            submission = read_json(raw)
    except (InvalidSubmission, MalformedSubmission):
        return None
    if trap:
        submission = submission.read_as(Reading(trap="x"))
    return system.intake.accept(submission, ANONYMOUS, SEEN).id


FULL_OF_QUOTES = {"custom_fields": {f"{n:02}": '"\\' * 127 for n in range(48)}}
FULL_OF_EMOJI = {"custom_fields": {f"{n:02}": "😀" * 255 for n in range(14)}}
FULL_OF_NAMES = {"custom_fields": {f"漢字{n:02}" + "漢" * 46: "x" for n in range(50)}}
FULL_OF_TAGS = {"tags": [f"{n:02}" + "\\" * 250 for n in range(50)]}
FULL_OF_WORDS = {"consent": '"' * 2000, "source": "é" * 100, "street": "\\" * 255}
# What is stored under its name costs most, beside what was sent, where hardly anything was.
FULL_OF_FIELDS = {
    **dict.fromkeys((*LINES, "source", "consent"), "xxxxx"),
    "birthday_month": "1",
    "birthday_day": "1",
    "anniversary": "2000-1-1",
    "referrer": "https://a.b/",
    "custom_fields": {"x": "y"},
    "tags": ["t"],
}
HOSTILE = [FULL_OF_QUOTES, FULL_OF_EMOJI, FULL_OF_NAMES, FULL_OF_TAGS, FULL_OF_WORDS]


@pytest.mark.parametrize("trap", [False, True], ids=["believed", "suspected"])
@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
@given(fields=bodies(LINES))
@example(fields=FULL_OF_QUOTES)
@example(fields=FULL_OF_EMOJI)
@example(fields=FULL_OF_NAMES)
@example(fields=FULL_OF_TAGS)
@example(fields=FULL_OF_WORDS)
@example(fields=FULL_OF_FIELDS)
@example(fields={})
@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_at_most_twice_what_was_sent_and_three_kilobytes(
    system: System, form: bool, trap: bool, fields: dict[str, Any]
) -> None:
    """Whatever is in it, with its second copy, believed or suspected."""
    assert beyond_twice(system, fields, form=form, trap=trap) <= ROOM


@pytest.mark.parametrize("trap", [False, True], ids=["believed", "suspected"])
@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
@given(fields=bodies(("first_name", "company_name", "street")))
@example(fields=FULL_OF_QUOTES)
@example(fields=FULL_OF_EMOJI)
@example(fields=FULL_OF_NAMES)
@example(fields=FULL_OF_TAGS)
@example(fields=FULL_OF_WORDS)
@example(fields={"first_name": "<<<<", "consent": "<<a😀", "company_name": "<<<<"})
@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_with_a_few_fields_at_most_two_kilobytes(
    system: System, form: bool, trap: bool, fields: dict[str, Any]
) -> None:
    """The same for the fields that most forms have, whatever is in them."""
    assert beyond_twice(system, fields, form=form, trap=trap) <= ROOM_FOR_FEW


def beyond_twice(system: System, fields: dict[str, Any], *, form: bool, trap: bool) -> int:
    """Return by how many bytes a sign-up takes more than twice its body; 0 for one that is refused."""
    said = FIXED | fields
    raw = form_of(said) if form else json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    signup_id = taken(system, raw, form=form, trap=trap)
    return 0 if signup_id is None else stored_bytes(system, signup_id) - 2 * len(raw)


@pytest.mark.parametrize("trap", [False, True], ids=["believed", "suspected"])
@pytest.mark.parametrize("fields", HOSTILE, ids=["quotes", "emoji", "names", "tags", "words"])
def test_the_files_grow_no_faster(system: System, tmp_path: Path, trap: bool, fields: dict[str, Any]) -> None:
    """The same on the disk, where pages, indexes and the log count as well: 100 of a kind."""
    raw = form_of(FIXED | fields)
    assert taken(system, raw, form=True, trap=trap)
    before = on_disk(system, tmp_path)
    for _ in range(100):
        assert taken(system, raw, form=True, trap=trap)
    grown = on_disk(system, tmp_path) - before
    assert grown <= 100 * (2 * len(raw) + ROOM_FOR_FEW)


def test_text_that_cannot_be_compressed_takes_at_most_a_page_more(system: System, tmp_path: Path) -> None:
    """SQLite's pages may stay half empty, by 4 KB at most; what is in them keeps to the bound."""
    before = on_disk(system, tmp_path)
    sent = 0
    for number in range(100):
        chance = random.Random(number)
        letters = ["".join(map(chr, chance.choices(range(0x4E00, 0x9FFF), k=250))) for _ in range(17)]
        raw = form_of(FIXED | {"custom_fields": {f"{n}": text for n, text in enumerate(letters)}})
        sent += len(raw)
        signup_id = taken(system, raw, form=True, trap=False)
        assert signup_id
        assert stored_bytes(system, signup_id) <= 2 * len(raw) + ROOM
    assert on_disk(system, tmp_path) - before <= 2 * sent + 100 * (ROOM_FOR_FEW + 4096)


def on_disk(system: System, folder: Path) -> int:
    """Without SQLite's log, which is written over when it has grown to 4 MB."""
    with system.database.reading() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != "ballast")
    return sum(file.stat().st_size for file in files)
