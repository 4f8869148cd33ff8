"""Text that is none: refused by the name of its field, and never a fault of ours."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.conftest import API_KEY

HALF = "a\ud800b"
KEY = {"Idempotency-Key": "k-1"}


def post(client: FlaskClient, list_id: str, said: dict[str, Any], headers: dict[str, str]) -> Any:
    document = {"email": "ada@example.org", "list_id": list_id} | said
    body = json.dumps(document).encode()
    return client.post("/subscribe", data=body, content_type="application/json", headers=headers)


@pytest.mark.parametrize("headers", [{}, KEY, KEY | {"Authorization": f"Bearer {API_KEY}"}])
@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"custom_fields": {"X": HALF}}, "custom_fields[X]"),
        ({"custom_fields": {HALF: "x"}}, "custom_fields[a\ufffdb]"),
        ({"custom_fields": {"X": ["x", HALF]}}, "custom_fields[X]"),
        ({"tags": [HALF]}, "tags"),
        ({"first_name": HALF}, "first_name"),
        ({"email": f"{HALF}@example.org"}, "email"),
        ({"list_ids": [HALF]}, "list_ids"),
        ({"consent": HALF}, "consent"),
        ({"form": HALF}, "form"),
        ({"anything": {"deep": [{"x": HALF}]}}, "anything"),
        ({HALF: 1}, "a\ufffdb"),
        ({"first_name": "a\x9bb"}, "first_name"),
        ({"custom_fields": {"X": "a\x1bb"}}, "custom_fields[X]"),
        ({"custom_fields": {"a\x85b": "x"}}, "custom_fields[a\ufffdb]"),
        ({"tags": ["a\u2028b"]}, "tags"),
    ],
)
def test_a_half_character_is_refused_by_its_field(
    client: FlaskClient, list_id: str, headers: dict[str, str], said: dict[str, Any], field: str
) -> None:
    """At any depth, in names and values, with an Idempotency-Key and without; nothing is stored."""
    answer = post(client, list_id, said, headers)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.get_json()["errors"]] == [field]
    assert client.get("/health").get_json()["pending"] == 0


@pytest.mark.parametrize("field", ["website", "redirect", "referrer", "form_token", "altcha", "captcha"])
def test_what_nobody_sees_is_no_error(client: FlaskClient, list_id: str, field: str) -> None:
    """A visitor cannot mend it, and a program is not told that it was found out."""
    for headers in ({}, KEY):
        assert post(client, list_id, {field: HALF}, headers).status_code < 300


def test_two_names_that_look_alike_are_refused(client: FlaskClient, list_id: str) -> None:
    """As the same name twice is; what only looks like a name of ours is none."""
    assert post(client, list_id, {"custom_fields": {"X": "1", "X\u2066": "2"}}, {}).status_code == 400
    said = {"email\u202e": "eve@example.org", "list_id\u2066": "x"}
    assert post(client, list_id, said, {}).status_code < 300


def test_an_export_writes_what_an_earlier_release_let_in(app: Flask, list_id: str) -> None:
    """The row that ended every export, as it stands in a database of today, and those behind it."""
    client = app.test_client()
    ids = [post(client, list_id, {"email": f"{name}@example.org"}, {}).get_json()["id"] for name in "abc"]
    with app.extensions["parts"].database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE signups SET custom_fields = ?, person = ? WHERE id = ?",
            ('{"X": "a\\ud800b"}', '{"first_name": "\\u0000\\u001b[31m"}', ids[0]),
        )
    for form in ("csv", "jsonl"):
        result = app.test_cli_runner().invoke(args=["signups", "export", "--format", form])
        assert result.exit_code == 0, result.output
        assert all(result.output.count(signup_id) == 1 for signup_id in ids)
        assert "\ufffd" in result.output
        assert "\x1b" not in result.output


def test_an_admins_form_passes_the_gate(app: Flask, list_id: str) -> None:
    """By the page or by the command: each field that is no text is named."""
    args = ["--slug", "news", "--list", list_id]
    runner = app.test_cli_runner()
    for name in (HALF, "a\x1bb", "a\x9bb"):
        result = runner.invoke(args=["forms", "create", *args, "--name", name])
        assert result.exit_code == 2, result.output
        assert "--name" in result.output
    assert runner.invoke(args=["forms", "create", *args, "--name", "News\u202e"]).exit_code == 0
    assert app.extensions["services"].forms.get("news").name == "News"


def test_an_argument_that_is_no_text_is_told(app: Flask) -> None:
    """The database is asked for nothing that it cannot be asked for."""
    for args in (["signups", "show", HALF], ["signups", "list", "--email", HALF], ["forms", "show", HALF]):
        result = app.test_cli_runner().invoke(args=args)
        assert result.exit_code not in {0, None}
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
