"""What a sign-up may hold, and what is said about the rest."""

import json

import pytest

from services.constant_contact import contacts
from services.delivery.kinds.sign_up import fill_empty
from services.errors import FieldError, InvalidSubmission, MalformedSubmission
from services.intake.idempotency import PROOFS
from services.intake.parsing import read_form, read_json
from services.submission.fields import ASKED, VENDOR_PROPERTIES, Submission

LIST = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
BIRTHDAY = ("birthday_month", "birthday_day")
FOUR_DIGITS = "Enter the year with four digits, such as 2006."
NO_DAY = "Enter a date like 2006-11-15: year, month, day."


def errors_of(document: object) -> dict[str, str]:
    with pytest.raises(InvalidSubmission) as caught:
        read_json(json.dumps(document).encode())
    return {error.field: error.message for error in caught.value.errors}


def test_a_whole_sign_up_is_read() -> None:
    """Every field arrives trimmed, the address lower-cased."""
    submission = read_json(
        json.dumps(
            {
                "email": " Ann@Example.ORG ",
                "first_name": " Ann ",
                "last_name": "Lee",
                "job_title": "Cook",
                "company_name": "Inn",
                "phone": "+49 30 1234",
                "list_ids": [LIST, LIST.upper(), OTHER],
                "source": "footer",
                "consent": "I agree.\nv2",
                "redirect": "https://www.example.org/thanks",
            }
        ).encode()
    )
    assert submission.email == "ann@example.org"
    assert submission.person == {
        "first_name": "Ann",
        "last_name": "Lee",
        "job_title": "Cook",
        "company_name": "Inn",
        "phone": "+49 30 1234",
    }
    assert submission.list_ids == (LIST, OTHER)
    assert (submission.source, submission.consent) == ("footer", "I agree.\nv2")


def said(**fields: object) -> dict[str, str]:
    return read_json(json.dumps({"email": "a@example.org", "list_id": LIST, **fields}).encode()).person


@pytest.mark.parametrize(
    ("month", "day"), [(2, 29), ("02", "29"), (" 2 ", "29"), (12, 31), ("1", 1)], ids=repr
)
def test_a_birthday_is_a_month_and_a_day(month: object, day: object) -> None:
    """As numbers, or as text as forms send it; 29 February is one, since no year is kept."""
    assert said(birthday_month=month, birthday_day=day) == {
        "birthday_month": str(int(str(month))),
        "birthday_day": str(int(str(day))),
    }
    assert said(birthday_month="", birthday_day=" ") == {}


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (
            {"birthday_month": 2},
            {"birthday_day": "Send birthday_month and birthday_day together, or neither."},
        ),
        ({"birthday_day": 2}, {"birthday_day": "Send birthday_month and birthday_day together, or neither."}),
        (
            {"birthday_month": 2, "birthday_day": 30},
            {"birthday_day": "This month does not have so many days."},
        ),
        ({"birthday_month": 13, "birthday_day": 1}, {"birthday_month": "Enter a number of at most 12."}),
        ({"birthday_month": 1, "birthday_day": 0}, {"birthday_day": "Enter a number of at least 1."}),
        ({"birthday_month": "May", "birthday_day": 1}, {"birthday_month": "Enter a whole number."}),
        ({"birthday_month": "٣", "birthday_day": 1}, {"birthday_month": "Enter a whole number."}),
        ({"birthday_month": 1.5, "birthday_day": True}, dict.fromkeys(BIRTHDAY, "Enter a whole number.")),
        ({"anniversary": "15/11/2006"}, {"anniversary": NO_DAY}),
        ({"anniversary": "2006-02-29"}, {"anniversary": NO_DAY}),
        ({"anniversary": "1899-12-31"}, {"anniversary": "Is the year right? Enter one from 1900 on."}),
        ({"anniversary": "0024-02-29"}, {"anniversary": FOUR_DIGITS}),
        ({"anniversary": "06-11-15"}, {"anniversary": FOUR_DIGITS}),
        ({"anniversary": "1/5/85"}, {"anniversary": FOUR_DIGITS}),
        ({"anniversary": 2006}, {"anniversary": "This must be text."}),
        ({"street": "x" * 256}, {"street": "Use at most 255 characters."}),
        ({"city": "x" * 51}, {"city": "Use at most 50 characters."}),
        ({"country": "a\r\nb"}, {"country": "Control characters and line breaks are not allowed here."}),
    ],
)
def test_a_wrong_day_or_home_is_named(fields: dict[str, object], wrong: dict[str, str]) -> None:
    """Each in a sentence that says what would be right."""
    assert errors_of({"email": "a@example.org", "list_id": LIST, **fields}) == wrong


def test_days_and_a_home_are_read() -> None:
    """The longest that the vendor takes; a day is written with two digits each."""
    home = {
        "street": "x" * 255,
        "city": "c" * 50,
        "state": "s" * 50,
        "postal_code": "0" * 50,
        "country": "y" * 50,
    }
    assert said(anniversary=" 2024-02-29 ", **home) == {"anniversary": "2024-02-29", **home}
    assert said(anniversary="1900-01-01") == {"anniversary": "1900-01-01"}
    assert said(anniversary="2006-1-5") == {"anniversary": "2006-01-05"}


def test_older_spellings_are_accepted() -> None:
    """The camelCase names of older forms mean the same."""
    submission = read_json(
        json.dumps(
            {"email": "a@example.org", "firstName": "A", "lastName": "B", "listId": LIST, "listIds": [OTHER]}
        ).encode()
    )
    assert submission.person == {"first_name": "A", "last_name": "B"}
    assert set(submission.list_ids) == {LIST, OTHER}


def test_a_form_may_repeat_its_lists() -> None:
    """list_id, list_ids and list_ids[] add up; empty and unknown fields are left out."""
    submission = read_form(
        [
            ("email", "a@example.org"),
            ("list_ids[]", LIST),
            ("list_id", OTHER),
            ("phone", " "),
            ("button", "Send"),
        ]
    )
    assert set(submission.list_ids) == {LIST, OTHER}
    assert submission.person == {}


def test_every_wrong_field_is_named() -> None:
    """One answer names all that must change, each once."""
    assert errors_of(
        {
            "email": 5,
            "first_name": "x" * 51,
            "phone": "1" * 26,
            "company_name": "a\u0000b",
            "list_ids": ["x", "y"],
        }
    ) == {
        "email": "This must be text.",
        "first_name": "Use at most 50 characters.",
        "phone": "Use at most 25 characters.",
        "company_name": "Control characters and line breaks are not allowed here.",
        "list_ids": "This is not a list id; GET /lists shows the ids.",
    }


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x1f", "\x7f", "\x80", "\x9f"])
def test_every_control_character_is_refused(character: str) -> None:
    """Both ends of both ranges of Unicode's category Cc; their neighbours are text."""
    document = {"email": "a@example.org", "list_id": LIST, "first_name": f"A{character}b"}
    assert set(errors_of(document)) == {"first_name"}
    document["first_name"] = "A ~\xa0b"
    assert read_json(json.dumps(document).encode()).first_name == "A ~\xa0b"


def test_nothing_at_all_names_what_is_needed() -> None:
    """An empty object is told about the address and the list."""
    assert set(errors_of({})) == {"email", "list_ids"}


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "ann@",
        "@example.org",
        "a b@example.org",
        "ann@localhost",
        "ann@example..org",
        "ann@example.org\n b",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """A wrong address is told how a right one looks."""
    assert "email" in errors_of({"email": address, "list_id": LIST})


@pytest.mark.parametrize("name", ["", ".a", "a.", "a..b", "a b", "é", "a@b", '"a"', "a\nb", "<a"])
def test_a_domain_that_was_good_before_excuses_no_name(name: str) -> None:
    """What is remembered of an address is its domain alone."""
    assert read_json(json.dumps({"email": "ann@example.org", "list_id": LIST}).encode())
    assert "email" in errors_of({"email": f"{name}@example.org", "list_id": LIST})


@pytest.mark.parametrize("domain", ["localhost", "example.test", "a..b", "-a.org", "a_b.org", "x.org..", ""])
def test_a_plain_name_excuses_no_domain(domain: str) -> None:
    """The name before the @ being beyond doubt, the domain is judged, each time anew when it is wrong."""
    for _ in range(2):
        assert "email" in errors_of({"email": f"ann@{domain}", "list_id": LIST})


def test_an_address_of_up_to_80_characters_is_accepted() -> None:
    """The vendor's longest address fits, one character more does not."""
    local = "a" * 50
    fits = f"{local}@{'b' * 25}.org"
    assert len(fits) == 80
    assert read_json(json.dumps({"email": fits, "list_id": LIST}).encode()).email == fits
    assert errors_of({"email": f"a{fits}"[:1] + fits, "list_id": LIST}) == {
        "email": "Use at most 80 characters."
    }


def test_an_address_that_grows_beyond_80_characters_in_ascii_is_refused() -> None:
    """The vendor gets the domain in ASCII, so that is what is counted."""
    short = f"{'a' * 30}@{'üöä' * 4}.{'üöä' * 3}x.example"
    assert len(short) < len(read_json(json.dumps({"email": short, "list_id": LIST}).encode()).email) <= 80
    grows = f"{'a' * 30}@{'üöä' * 4}.{'üöä' * 4}x.example"
    assert len(grows) <= 80
    assert errors_of({"email": grows, "list_id": LIST}) == {"email": "Use at most 80 characters."}


def test_a_domain_in_other_letters_becomes_ascii() -> None:
    """The contact's key has an IDNA domain, so one person is one contact."""
    submission = read_json(json.dumps({"email": "ann@Bücher.example.org", "list_id": LIST}).encode())
    assert submission.email == "ann@xn--bcher-kva.example.org"


def test_an_error_uses_the_spelling_of_the_caller() -> None:
    """Who sent list_id is told about list_id."""
    assert set(errors_of({"email": "a@example.org", "list_id": "x"})) == {"list_id"}


def test_more_than_fifty_lists_are_refused() -> None:
    """The vendor takes 50 lists at once."""
    lists = [f"{number:08d}-1111-4111-8111-111111111111" for number in range(51)]
    assert errors_of({"email": "a@example.org", "list_ids": lists}) == {
        "list_ids": "Choose at most 50 lists."
    }


def with_more(**more: object) -> dict[str, object]:
    return {"email": "a@example.org", "list_id": LIST, **more}


def test_custom_fields_and_tags_arrive_as_text() -> None:
    """Whatever JSON calls a value; what is empty was not said, and a tag counts once."""
    said = {" Shoe size ": 42, "Pledge": 1.5, "Vegetarian": True, "Topics": ["a", "b"], "One": ["c"]}
    read = read_json(
        json.dumps(
            with_more(
                custom_fields=said | {"Nothing": None, "Empty": " ", "None": []}, tags=["x", " x ", "", "y"]
            )
        ).encode()
    )
    assert read.custom_fields == {
        "Shoe size": "42",
        "Pledge": "1.5",
        "Vegetarian": "true",
        "Topics": ("a", "b"),
        "One": "c",
    }
    assert read.tags == ("x", "y")


def test_an_html_form_names_custom_fields_in_brackets() -> None:
    """A name that comes again is another choice; tags are repeated, with brackets or without."""
    read = read_form(
        [
            ("email", "a@example.org"),
            ("list_id", LIST),
            ("custom_fields[Shoe size]", "42"),
            ("custom_fields[Topics][]", "a"),
            ("custom_fields[Topics][]", "b"),
            ("tags[]", "x"),
            ("tags", "y"),
        ]
    )
    assert read.custom_fields == {"Shoe size": "42", "Topics": ("a", "b")}
    assert read.tags == ("x", "y")


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"custom_fields": {"a" * 51: "x"}}, f"custom_fields[{'a' * 51}]"),
        ({"custom_fields": {"": "x"}}, "custom_fields[]"),
        ({"custom_fields": {"Name": "x" * 256}}, "custom_fields[Name]"),
        ({"custom_fields": {"Name": ["x"] * 101}}, "custom_fields[Name]"),
        ({"custom_fields": {"Name": ["x", "y" * 256]}}, "custom_fields[Name]"),
        ({"custom_fields": {"Name": {"a": "b"}}}, "custom_fields[Name]"),
        ({"custom_fields": {"Name": "a\u0000b"}}, "custom_fields[Name]"),
        ({"custom_fields": {"Na\nme": "x"}}, "custom_fields[Na\nme]"),
        ({"custom_fields": {str(number): "x" for number in range(51)}}, "custom_fields"),
        ({"custom_fields": "x"}, "custom_fields"),
        ({"custom_fields": ["x"]}, "custom_fields"),
        ({"tags": ["x" * 256]}, "tags"),
        ({"tags": ["a\nb"]}, "tags"),
        ({"tags": [{}]}, "tags"),
        ({"tags": {"a": 1}}, "tags"),
        ({"tags": [str(number) for number in range(51)]}, "tags"),
    ],
)
def test_custom_fields_and_tags_beyond_their_limits_are_named(more: dict[str, object], wrong: str) -> None:
    """Each by the name of its input, so that the sentence can stand beside it."""
    assert set(errors_of(with_more(**more))) == {wrong}


def test_without_custom_fields_and_tags_the_document_is_what_it_was() -> None:
    """Its hash stands beside an Idempotency-Key for two days, over an update too."""
    read = read_json(json.dumps(with_more(custom_fields={}, tags=[])).encode())
    document = read.model_dump_json(exclude_none=True, exclude=set(PROOFS))
    assert set(json.loads(document)) == {"email", "list_ids"}


def test_a_form_that_is_no_text_is_refused() -> None:
    assert set(errors_of(with_more(form=["x", "y"]))) == {"form"}


@pytest.mark.parametrize(
    "raw", [b"", b"{", b'{"email":NaN}', b"\xff\xfe", b"[" * 100_000, b'{"email":"a@example.org"} x']
)
def test_what_is_not_json_is_malformed(raw: bytes) -> None:
    """Broken, non-UTF-8 and endless bodies are told apart from wrong fields."""
    with pytest.raises(MalformedSubmission):
        read_json(raw)


@pytest.mark.parametrize("raw", [b"[]", b'"text"', b"5", b"null"])
def test_json_that_is_no_object_is_invalid(raw: bytes) -> None:
    """The body as a whole is named."""
    with pytest.raises(InvalidSubmission) as caught:
        read_json(raw)
    assert caught.value.errors == (
        FieldError("body", "Send one JSON object with the fields of the sign-up."),
    )


@pytest.mark.parametrize("redirect", ["", "x" * 2001, "https://www.example.org/\nx", 5, ["a", "b"], None])
def test_a_redirect_that_cannot_be_used_costs_no_sign_up(redirect: object) -> None:
    """The visitor cannot mend a hidden field, so it is left out instead of refused."""
    document = {"email": "a@example.org", "list_id": LIST, "redirect": redirect}
    assert read_json(json.dumps(document).encode()).redirect is None


def test_half_a_character_is_refused() -> None:
    """A lone surrogate, which no database stores, is named and not stored."""
    with pytest.raises(InvalidSubmission) as caught:
        read_json(b'{"email":"a@example.org","first_name":"\\ud800","list_id":"%s"}' % LIST.encode())
    assert [error.field for error in caught.value.errors] == ["first_name"]


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r", "\u2028"], ids=repr)
def test_a_line_break_counts_once(line_break: str) -> None:
    """As the browser counts it, which lets as many be typed; it sends two characters for each."""
    longest = f"{'x' * 127}{line_break}{'x' * 127}"
    posted = read_form(
        [
            *(("email", "a@example.org"), ("list_id", LIST), ("custom_fields[About you]", longest)),
            ("consent", f"a{line_break}" * 1_000),
        ]
    )
    assert posted.custom_fields == {"About you": f"{'x' * 127}\n{'x' * 127}"}
    assert posted.consent == ("a\n" * 1_000).strip()


def test_each_field_is_cut_where_its_type_ends() -> None:
    """A page that let more be typed would have it refused, and one that cut earlier would lose letters."""
    properties = Submission.model_json_schema()["properties"]
    cut = {name: asked.longest for name, asked in ASKED.items() if asked.longest}
    assert cut == {name: properties[name]["anyOf"][0]["maxLength"] for name in cut}
    assert {"first_name", "street"} <= cut.keys()


def test_what_goes_to_the_contact_is_kept_by_an_update() -> None:
    """A property that a PUT leaves out is set to null, so each that a sign-up may set is named there."""
    held = fill_empty.SHOWN_AS.keys() | set(contacts.PROPERTIES)
    assert set(VENDOR_PROPERTIES) <= held
