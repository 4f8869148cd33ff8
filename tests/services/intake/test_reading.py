# ruff: noqa: E501 - bodies as they are sent
"""What other people's forms, plug-ins and scripts send is understood, and what is not is named."""

import json
from typing import Any

import pytest

from services.errors import InvalidSubmission
from services.intake.parsing import read_form, read_json
from services.submission.field_parts import split_name
from services.submission.fields import Submission
from services.submission.values.encodings import text_of

LIST = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
GOOD: dict[str, Any] = {"email": "ada@example.org", "list_id": LIST}


def of_json(**fields: Any) -> Submission:
    return read_json(json.dumps(GOOD | fields).encode())


def whole(document: object) -> Submission:
    return read_json(json.dumps(document).encode())


def of_form(*pairs: tuple[str, str]) -> Submission:
    return read_form([*GOOD.items(), *pairs])


@pytest.mark.parametrize(
    ("name", "field"),
    [
        *(
            (name, "first_name")
            for name in [
                "firstName",
                "firstname",
                "fname",
                "FNAME",
                "first-name",
                "names[first_name]",
                "name.first",
                "FirstName",
                "your-first-name",
                "name[first]",
                "given_name",
                "MERGE1",
                "form_fields[first_name]",
                "billing_first_name",
                "$first_name",
            ]
        ),
        *(
            (name, "last_name")
            for name in [
                "lname",
                "LNAME",
                "last-name",
                "surname",
                "names[last_name]",
                "name.last",
                "LastName",
                "MERGE2",
            ]
        ),
        *(
            (name, "postal_code")
            for name in ["zip", "ZIP", "PostalCode", "post_code", "ADDRESS[zip]", "billing_postcode"]
        ),
        *(
            (name, "phone")
            for name in ["mobile", "tel-123", "phone_number", "PHONE", "your-phone", "$phone_number"]
        ),
        *(
            (name, "company_name")
            for name in ["company", "organization", "Company", "$organization", "your-company"]
        ),
        *((name, "city") for name in ["ADDRESS[city]", "City", "location.city", "town"]),
        *((name, "street") for name in ["ADDRESS[addr1]", "address1", "streetAddress"]),
        *((name, "job_title") for name in ["jobtitle", "JobTitle", "job-title", "$title"]),
        *((name, "state") for name in ["region", "province", "ADDRESS[state]"]),
        ("First Name", "first_name"),
        ("\ufefffirst_name", "first_name"),
    ],
)
def test_names_of_other_tools_mean_the_field(name: str, field: str) -> None:
    """In a form and in JSON, also where the tool puts objects for the brackets."""
    assert getattr(of_form((name, "Ann")), field) == "Ann"
    assert getattr(of_json(**{name: "Ann"}), field) == "Ann"
    assert of_form((name, "Ann")).reading.ignored == ()


@pytest.mark.parametrize(
    "name",
    [
        "email_address",
        "EMAIL",
        "your-email",
        "Email",
        "e-mail",
        "emailAddress",
        "user[email]",
        "email-123",
        "MERGE0",
        "$email",
    ],
)
def test_names_of_the_address(name: str) -> None:
    """Whatever it is called."""
    assert read_form([(name, "ada@example.org"), ("list_id", LIST)]).email == "ada@example.org"
    assert whole({name: "ada@example.org", "ListId": LIST}).email == "ada@example.org"


@pytest.mark.parametrize(
    "document",
    [
        {"email_address": "a@example.org", "merge_fields": {"FNAME": "Ann", "LNAME": "Lee", "ADDRESS": {"zip": "1"}}},
        {"fields": [{"name": "email", "value": "a@example.org"}, {"name": "name", "value": "Ann Lee"},
                    {"name": "zip", "value": "1"}], "context": {"pageUri": "https://x.example"}},
        {"data": {"type": "subscription", "attributes": {"profile": {"data": {"type": "profile", "attributes": {
            "email": "a@example.org", "first_name": "Ann", "last_name": "Lee", "location": {"zip": "1"}}}}}}},
        {"profile": {"$email": "a@example.org", "$first_name": "Ann", "$last_name": "Lee", "$zip": "1"}},
        {"properties": {"email": "a@example.org", "firstname": "Ann", "lastname": "Lee", "zip": 1}},
        {"name": "Email Form", "data": {"Name": "Ann Lee", "Email": "a@example.org", "Zip": "1"}},
        [{"headers": {"host": "x"}, "body": {"Email": "a@example.org", "FirstName": "Ann", "LastName": "Lee", "zip": "1"}}],
        [{"json": {"email": ["a@example.org"], "name": {"first": "Ann", "last": "Lee"}, "address": {"postcode": 1.0}}}],
        [{"name": "your-name", "value": "Ann Lee"}, {"name": "your-email", "value": "a@example.org"},
         {"name": "zip", "value": "1"}],
        json.dumps({"email": {"address": "a@example.org"}, "Name": "Ann Lee", "zip": "1"}),
    ],
    ids=["mailchimp", "hubspot", "klaviyo", "klaviyo-old", "hubspot-crm", "webflow", "n8n", "make", "jquery", "stringified-twice"],
)  # fmt: skip
def test_bodies_of_other_tools_are_read(document: object) -> None:
    """Their envelopes say nothing; the lists come beside them or inside."""
    body = document
    if isinstance(document, dict):
        body = document | {"list_id": LIST}
    elif isinstance(document, list) and "json" in document[0]:
        document[0]["json"]["list_ids"] = [LIST]
    elif isinstance(document, list) and "body" in document[0]:
        document[0]["body"]["listIds"] = LIST
    elif isinstance(document, list):
        body = [*document, {"name": "list_ids[]", "value": LIST}]
    else:
        body = json.dumps(json.loads(str(document)) | {"list_id": LIST})
    read = whole(body)
    assert (read.email, read.first_name, read.last_name, read.postal_code) == (
        "a@example.org",
        "Ann",
        "Lee",
        "1",
    )
    assert read.list_ids == (LIST,)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ann Lee", "Ann", "Lee"),
        (" Anna  Maria\tvan Lee ", "Anna Maria van", "Lee"),
        ("Ann", "Ann", None),
        ("山田太郎", "山田太郎", None),
        ("山田　太郎", "山田 太郎", None),
        ("สมชาย ใจดี", "สมชาย ใจดี", None),
        ("김민준", "김민준", None),
        ("Ólafur Arnalds", "Ólafur", "Arnalds"),
    ],
)
def test_a_whole_name_is_split_where_its_script_has_blanks(name: str, first: str, last: str | None) -> None:
    """At the last blank."""
    assert split_name(name) == (first, last)


def test_of_two_names_of_a_field_the_documented_one_counts() -> None:
    """Unless it says nothing; what was passed over is named."""
    read = of_form(("fname", "Bob"), ("first_name", "Ann"), ("name", "Someone Else"))
    assert (read.first_name, read.last_name, read.reading.ignored) == ("Ann", None, ("fname", "name"))
    assert of_form(("first_name", " "), ("fname", "Bob")).first_name == "Bob"
    assert of_json(FNAME="Ann", first_name="Ann").reading.ignored == ()
    assert of_json(firstname="Ann", lastname="Lee", name="Ann Lee").reading.ignored == ()


def test_what_was_not_understood_is_named() -> None:
    """But for what tools send for themselves, and what says nothing; few names, and short ones."""
    tools = [
        "_wpcf7",
        "_wpnonce",
        "submit",
        "utm_source",
        "gclid",
        "authenticity_token",
        "form-name",
        "b_1a_2b",
    ]
    read = of_form(("fnme", "Ann"), ("empty", ""), *((name, "x") for name in tools))
    assert read.reading.ignored == ("fnme",)
    assert of_json(data={"fnme": "x", "utm_medium": "y"}).reading.ignored == ("data.fnme",)
    many = of_json(**{f"n{number}" + "ü" * 200: 1 for number in range(40)}).reading.ignored
    assert len(many) == 10
    assert all(len(name.encode()) <= 50 for name in many)
    assert of_form(("a\x00\u202eb", "x")).reading.ignored == ("a\ufffdb",)


def test_a_refusal_names_it_as_well() -> None:
    """A wrong name of a required field is the reason why it is missing."""
    with pytest.raises(InvalidSubmission) as caught:
        read_form([("emial", "ada@example.org"), ("list_id", LIST)])
    assert caught.value.ignored == ("emial",)


@pytest.mark.parametrize(
    ("fields", "field", "meant"),
    [
        ({"phone": 5551212}, "phone", "5551212"),
        ({"postal_code": 2134}, "postal_code", "2134"),
        ({"postal_code": 2134.0}, "postal_code", "2134"),
        ({"first_name": ["Ann"]}, "first_name", "Ann"),
        ({"first_name": ["", "Ann", None]}, "first_name", "Ann"),
        ({"first_name": []}, "first_name", None),
        ({"first_name": False}, "first_name", None),
        ({"first_name": {}}, "first_name", None),
        ({"form": ["news"]}, "form", "news"),
        ({"source": 7}, "source", "7"),
        ({"source": True}, "source", "true"),
        ({"website": False}, "website", ""),
        ({"tags": "a, b,,c"}, "tags", ("a", "b", "c")),
        ({"tags": ["a, b"]}, "tags", ("a, b",)),
        ({"tags": 5}, "tags", ("5",)),
        ({"tags": [5, None, "a"]}, "tags", ("5", "a")),
        ({"tags": []}, "tags", None),
        ({"list_ids": f"{LIST}, {OTHER}"}, "list_ids", (LIST, OTHER)),
        ({"list_ids": [f"{LIST};{OTHER}"]}, "list_ids", (LIST, OTHER)),
        ({"custom_fields": []}, "custom_fields", None),
        ({"customFields": {"Shoe": 42}}, "custom_fields", {"Shoe": "42"}),
        ({"custom_fields": [{"name": "Shoe", "value": 42}]}, "custom_fields", {"Shoe": "42"}),
        ({"anniversary": "11/15/2006"}, "anniversary", "2006-11-15"),
        ({"anniversary": "1/5/2006"}, "anniversary", "2006-01-05"),
        ({"anniversary": "2006/1/5"}, "anniversary", "2006-01-05"),
        ({"anniversary": "1-5-2006"}, "anniversary", "2006-01-05"),
        ({"anniversary": "2006-11-15T00:00:00.000Z"}, "anniversary", "2006-11-15"),
        ({"birthday": "5/17"}, "birthday_day", 17),
        ({"birthday": "17/05"}, "birthday_month", 5),
        ({"date_of_birth": "1980-05-17"}, "birthday_day", 17),
        ({"BIRTHDAY": {"month": "05", "day": "17"}}, "birthday_day", 17),
        ({"address1": "Main St 1", "address2": "Flat 2"}, "street", "Main St 1, Flat 2"),
        ({"PHONE": {"area": "555", "detail1": "121", "detail2": "2000"}}, "phone", "555-121-2000"),
    ],
)
def test_values_of_another_type_are_understood(fields: dict[str, Any], field: str, meant: object) -> None:
    """As the text that they mean."""
    assert getattr(of_json(**fields), field) == meant


def test_one_text_of_a_form_is_several_lists_and_tags() -> None:
    """As the hidden field of a tool has them; a name that is repeated is taken as it stands."""
    read = read_form([("email", "a@example.org"), ("list_ids", f"{LIST},{OTHER}"), ("tags", "a, b")])
    assert (read.list_ids, read.tags) == ((LIST, OTHER), ("a", "b"))
    assert of_form(("tags", "a, b"), ("tags[]", "c")).tags == ("a, b", "c")


@pytest.mark.parametrize("state", ["disabled", "Active", "pending", "3", True])
def test_a_status_alone_is_no_address(state: object) -> None:
    """With the rest of an address it is a state, and a state's name stands alone."""
    assert of_json(state=state).person == {}
    assert of_json(state=state).reading.ignored == ("state",)
    assert of_json(state="MA").person == {"state": "MA"}
    assert of_json(state="New", city="X").state == "New"


@pytest.mark.parametrize("source", ["x" * 101, "ü" * 5_000, "a\nb" * 50, "a\x00b"])
def test_a_source_that_does_not_fit_is_cut(source: str) -> None:
    """No visitor can mend it."""
    read = of_form(("source", source)).source
    assert read
    assert len(read) <= 100
    assert of_json(source={"a": 1}).source is None


def test_a_person_of_another_kind_is_not_the_subscriber() -> None:
    """An object that is no envelope of the sign-up is passed over, and named."""
    read = of_json(referred_by={"email": "other@example.org", "name": "Bob Bee"}, company={"name": "Acme"})
    assert (read.email, read.first_name, read.company_name) == ("ada@example.org", None, "Acme")
    assert read.reading.ignored == ("referred_by",)


@pytest.mark.parametrize(
    ("raw", "declared", "text"),
    [
        ("Jörg".encode(), None, "Jörg"),
        ("Jörg".encode("latin-1"), None, "Jörg"),
        ("Jörg – €".encode("cp1252"), "utf-8", "Jörg – €"),
        ("Jörg".encode(), "iso-8859-1", "Jörg"),
        ("Łukasz".encode("iso-8859-2"), "ISO-8859-2", "Łukasz"),
        ("山田".encode("shift_jis"), "Shift_JIS", "山田"),
        ("Иван".encode("cp1251"), "windows-1251", "Иван"),
        ("Jörg".encode("latin-1"), "zlib_codec", "Jörg"),
        ("Jörg".encode("latin-1"), "no such thing\x00", "Jörg"),
        (b"a\x81", None, "a\ufffd"),
    ],
)
def test_bytes_are_read_in_the_encoding_they_were_written_in(
    raw: bytes, declared: str | None, text: str
) -> None:
    """UTF-8, what is declared, windows-1252; never a codec that is no encoding."""
    assert text_of(raw, declared) == text


def test_json_in_another_encoding_is_read() -> None:
    """And behind a byte order mark."""
    assert (
        read_json(
            b'{"email":"a@example.org","list_id":"%s","first_name":"J\xf6rg"}' % LIST.encode()
        ).first_name
        == "Jörg"
    )
    assert whole(GOOD).email == read_json(b"\xef\xbb\xbf" + json.dumps(GOOD).encode()).email
