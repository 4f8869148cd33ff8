"""A page in another encoding costs no sign-up and no letter."""

import pytest
from flask.testing import FlaskClient

PARTS = "multipart/form-data; boundary=b"
FORM = "application/x-www-form-urlencoded"
JSON = {"Accept": "application/json"}


def part(name: bytes, value: bytes, kind: bytes = b"") -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="%s"\r\n%s\r\n%s\r\n' % (name, kind, value)


CUT = "Content-Type: text/plain; charset=iso-8859-2\r\n"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b"first_name=J%F6rg"),
        (FORM, b"first_name=J\xf6rg"),
        (FORM, "first_name=Jörg".encode()),
        (FORM, b"\xef\xbb\xbffirst_name=J%C3%B6rg"),
        (FORM, b"%EF%BB%BFfirst_name=J%C3%B6rg"),
        (FORM, b"_charset_=iso-8859-2&first_name=J%F6rg"),
        (f"{FORM}; charset=ISO-8859-1", b"first_name=J%C3%B6rg"),
        (PARTS, part(b"first_name", b"J\xf6rg")),
        (PARTS, part(b"first_name", "Jörg".encode())),
        (PARTS, part(b"first_name", b"J\xf6rg", CUT.encode())),
        (PARTS, part(b"_charset_", b"windows-1252") + part(b"first_name", b"J\xf6rg")),
        (PARTS, part(b"Gr\xf6\xdfe", b"") + part(b"first_name", b"J\xf6rg")),
    ],
)
def test_letters_arrive_as_typed(client: FlaskClient, list_id: str, kind: str, body: bytes) -> None:
    """As the form that comes back with a mistake shows them."""
    if kind == PARTS:
        body += part(b"list_id", list_id.encode()) + part(b"email", b"no address") + b"--b--\r\n"
    else:
        body += f"&list_id={list_id}&email=no+address".encode()
    answer = client.post("/subscribe", data=body, content_type=kind, headers={"Accept": "text/html"})
    assert answer.status_code == 422
    assert 'value="Jörg"' in answer.text


def test_what_was_not_understood_is_in_every_json_answer(client: FlaskClient, list_id: str) -> None:
    """For strangers as well, and in a refusal."""
    said = {"list_id": list_id, "email": "ann@example.org", "fnme": "Ann", "utm_source": "x"}
    taken = client.post("/subscribe", json=said)
    assert (taken.status_code, taken.get_json()["ignored"]) == (202, ["fnme"])
    assert client.post("/subscribe", data=said, headers=JSON).get_json()["ignored"] == ["fnme"]
    refused = client.post("/subscribe", json=said | {"email": ""})
    assert (refused.status_code, refused.get_json()["ignored"]) == (422, ["fnme"])
    assert "ignored" not in client.post("/subscribe", json=said | {"fnme": ""}).get_json()


def test_a_page_that_comes_back_names_no_hidden_field(client: FlaskClient, list_id: str) -> None:
    """An alias is typed again under the documented name; what the visitor cannot mend is not put to them."""
    said = {"list_id": list_id, "email": "no address", "your-name": "Ann Lee", "custom_fields": "x"}
    page = client.post("/subscribe", data=said, headers={"Accept": "text/html"}).text
    assert 'name="first_name" type="text" value="Ann"' in page
    assert 'name="last_name" type="text" value="Lee"' in page
    assert "object of names" not in page
    assert page.count("Something in this form is not set up right") == 1
