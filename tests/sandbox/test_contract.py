"""The vendor's contract: what is imitated answers as it says, all the rest says that it is not imitated."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import sandbox
from sandbox.not_imitated import NOT_IMITATED, blueprint
from tests.sandbox.contract.checking import OPERATIONS, problems
from tests.sandbox.contract.exceptions import EVERYWHERE, EXCEPTIONS
from tests.sandbox.contract.extract import extract
from tests.sandbox.contract.watching import Answers
from tests.sandbox.vendor import SIGN_UP, Vendor, person

Api = Callable[..., TestResponse]
README = Path(sandbox.__file__).with_name("README.md").read_text(encoding="utf-8")
_VARIABLE, _TEMPLATE = re.compile(r"<(?:uuid:)?(\w+)>"), r"{\1}"
LACKING = {f"{method} {template}" for method, template in NOT_IMITATED}
CONTACT = "11111111-1111-4111-8111-111111111111"
TAG: dict[str, Any] = {"tag_id": CONTACT, "name": "VIP", "created_at": "2026-11-21T00:00:00.000Z"}
REFUSAL = {"error_key": "contacts.api.not_found", "error_message": "The tag does not exist"}


def routes(app: Flask) -> set[str]:
    """Return the operations below /v3 that have a view of their own, written as the contract writes them."""
    return {
        f"{method} {_VARIABLE.sub(_TEMPLATE, rule.rule.removeprefix('/v3'))}"
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v3/") and not rule.endpoint.startswith(f"{blueprint.name}.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_operation_of_the_contract_is_imitated_or_named_as_lacking(client: FlaskClient) -> None:
    """Each operation is in exactly one of the two lists, and the sandbox has no others."""
    imitated = routes(client.application)
    assert imitated | LACKING == set(OPERATIONS)
    assert imitated & LACKING == set()


@pytest.mark.parametrize(("method", "template"), NOT_IMITATED)
def test_what_is_not_imitated_says_so(client: FlaskClient, method: str, template: str) -> None:
    """To every caller, also without a token; the message names the operation."""
    path = re.sub(r"{\w+}", "3d2b1d4c", f"/v3{template}")
    answer = client.open(path, method=method)
    assert answer.status_code == 501
    assert (answer.json or {})["error_key"] == "sandbox.not_imitated"
    assert f"{method} {path}" in (answer.json or {})["error_message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v3/emails", {"GET", "POST"}),
        ("POST", "/v3/reports/stats/email_campaigns/7", {"GET"}),
        ("GET", "/v3/activities/contacts_json_import", {"POST"}),
        ("POST", "/v3/account/summary", {"GET", "PUT"}),
        ("PUT", "/v3/account/emails", {"GET", "POST"}),
        ("PATCH", "/v3/contact_tags/11111111-1111-4111-8111-111111111111", {"GET", "PUT", "DELETE"}),
    ],
)
def test_a_wrong_method_is_a_405_on_every_known_path(
    api: Api, method: str, path: str, allowed: set[str]
) -> None:
    answer = api(method, path)
    assert (answer.status_code, list(answer.json or {})) == (405, ["message"])
    assert allowed <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize("path", ["/v3/segments", "/v3/emails/1/send", "/v3/activities/sms", "/v3/reports"])
def test_an_unknown_path_stays_a_404(api: Api, path: str) -> None:
    answer = api("POST" if path.endswith("send") else "GET", path)
    assert (answer.status_code, list(answer.json or {})) == (404, ["message"])


@pytest.mark.parametrize(
    ("method", "path", "body", "named"),
    [
        ("GET", "/v3/contacts?segment_id=14", None, "segment_id"),
        ("GET", "/v3/contacts?sms_status=explicit", None, "sms_status"),
        (
            "POST",
            "/v3/activities/add_list_memberships",
            {"source": {"engagement_level": "most"}, "list_ids": [CONTACT]},
            "source.engagement_level",
        ),
        (
            "POST",
            "/v3/activities/add_list_memberships",
            {"source": {"segment_id": 14}, "list_ids": [CONTACT]},
            "source.segment_id",
        ),
    ],
)
def test_a_parameter_that_is_not_imitated_says_so(
    api: Api, method: str, path: str, body: Any, named: str
) -> None:
    """A 501, since a 400 would say that the caller is wrong."""
    answer = api(method, path, body)
    assert answer.status_code == 501
    assert named in (answer.json or {})["error_message"]


def test_the_readme_lists_what_is_not_imitated() -> None:
    section = README.split("## What it does not imitate")[1].split("\n## ")[0]
    assert set(re.findall(r"^(?:GET|POST|PUT|PATCH|DELETE) /\S+$", section, re.MULTILINE)) == LACKING


@pytest.mark.parametrize(
    ("method", "path", "status", "body", "wrong"),
    [
        ("GET", f"/contact_tags/{CONTACT}", 200, TAG | {"name": None}, "$.name"),
        ("GET", f"/contact_tags/{CONTACT}", 200, TAG | {"tag_id": "7"}, "$.tag_id"),
        ("GET", f"/contact_tags/{CONTACT}", 200, TAG | {"created_at": "yesterday"}, "$.created_at"),
        ("GET", f"/contact_tags/{CONTACT}", 200, TAG | {"colour": "red"}, "colour"),
        ("GET", f"/contact_tags/{CONTACT}", 200, [], "is not of type 'object'"),
        ("GET", "/contact_tags", 200, {"tags": [TAG | {"contacts_count": "1"}]}, "$.tags[0].contacts_count"),
        ("POST", "/activities/contacts_taggings_add", 201, {"state": "initialized"}, "'activity_id'"),
        ("GET", "/contacts/counts", 200, {"total": 1.5}, "$.total"),
        ("GET", f"/contact_tags/{CONTACT}", 404, {"error": "none"}, "404"),
        ("GET", f"/contact_tags/{CONTACT}", 404, [], "404"),
        ("GET", f"/contact_tags/{CONTACT}", 409, [REFUSAL], "409 is not in the contract"),
        ("GET", f"/contact_tags/{CONTACT}", 201, TAG, "201 is not in the contract"),
        ("DELETE", f"/contacts/{CONTACT}", 204, {}, "204 has a body"),
        ("GET", "/contacts/sign_up_form", 404, {"message": "Not Found"}, "405 is due"),
        ("GET", "/segments", 405, {"message": "Method Not Allowed"}, "404 is due"),
    ],
)
def test_an_answer_outside_the_contract_is_found(
    method: str, path: str, status: int, body: Any, wrong: str
) -> None:
    found = problems(method, path, status, "" if body is None else json.dumps(body))
    assert any(wrong in problem for problem in found), found


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", f"/contact_tags/{CONTACT}", 200, TAG),
        ("GET", f"/contact_tags/{CONTACT}", 404, [REFUSAL]),
        ("GET", f"/contact_tags/{CONTACT}", 401, REFUSAL),
        ("GET", f"/contact_tags/{CONTACT}", 429, [REFUSAL]),
        ("GET", "/segments", 404, {"message": "Not Found"}),
    ],
)
def test_an_answer_of_the_contract_passes(method: str, path: str, status: int, body: Any) -> None:
    assert problems(method, path, status, json.dumps(body)) == []


def test_every_answer_of_a_test_is_checked(api: Api, vendor: Vendor, answers: Answers) -> None:
    """Those of the sandbox itself, not the faults that a test injects."""
    api("POST", SIGN_UP, person())
    api("GET", "/v3/nothing")
    assert answers.checked == 2
    vendor.fault(status=200, body={"made": "up"})
    api("GET", "/v3/contacts")
    vendor.fault(delay=0.001)
    api("GET", "/v3/contacts")
    assert answers.checked == 3


def test_a_wrong_answer_of_a_test_is_found(client: FlaskClient, answers: Answers) -> None:
    """In the answer of any view."""
    client.application.view_functions["account.summary"] = lambda: {"contact_email": None}
    client.get("/v3/account/summary")
    assert answers.problems == ["GET /account/summary: 200 $.contact_email: None is not of type 'string'"]
    answers.problems.clear()


@pytest.mark.parametrize(("operation", "status"), EXCEPTIONS)
def test_an_exception_is_one(operation: str, status: int) -> None:
    """The contract has the operation and lacks the status."""
    assert str(status) not in OPERATIONS[operation]


@pytest.mark.parametrize("status", EVERYWHERE)
def test_a_status_of_all_operations_is_lacking_in_some(status: int) -> None:
    assert any(str(status) not in statuses for statuses in OPERATIONS.values())


def test_the_extract_keeps_rules_and_drops_words() -> None:
    """Members may have the name of a word; references are followed; what is not imitated has no schema."""
    rule = {"type": "string", "description": "words", "x-note": 1, "example": "a"}
    thing = {"type": "object", "properties": {"description": rule, "part": {"$ref": "#/definitions/Part"}}}
    document = {
        "info": {"version": "1"},
        "paths": {
            "/things": {
                "get": {"responses": {"200": {"schema": {"$ref": "#/definitions/Thing"}}, "404": {}}}
            },
            "/emails": {"get": {"responses": {"200": {"schema": {"$ref": "#/definitions/Part"}}}}},
        },
        "definitions": {"Thing": thing, "Part": {"type": "integer"}, "Unused": {}},
    }
    assert extract(document) == {
        "version": "1",
        "operations": {
            "GET /emails": {"200": None},
            "GET /things": {"200": {"$ref": "#/definitions/Thing"}, "404": None},
        },
        "definitions": {
            "Part": {"type": "integer"},
            "Thing": {
                "type": "object",
                "properties": {"description": {"type": "string"}, "part": {"$ref": "#/definitions/Part"}},
            },
        },
    }
