"""The description of the API tells the truth about it."""

import re
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.submission.fields import Submission
from tests.web.conftest import API_KEY, MakeApp, connect, sign_in

# For people; everything else must be described.
PAGES = re.compile(
    r"^/($|forms/<slug>$|admin|oauth|static|thank-you|(address|embed|proof|captcha)\.js|docs|openapi\.json)"
)
DRAIN_TOKEN = "drain-token-0123456789"
TRUTHS = (
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").get_json()
    return found


def test_the_description_is_valid_openapi(document: dict[str, Any]) -> None:
    """By the specification's own schema, with every reference leading somewhere."""
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_every_route_for_programs_is_described(app: Flask, document: dict[str, Any]) -> None:
    """The description has no other routes either."""
    served = {
        (re.sub(r"<(?:\w+:)?(?:signup_)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not PAGES.match(rule.rule)
    }
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == served


def test_the_fields_are_those_of_the_model_that_validates(document: dict[str, Any]) -> None:
    """A field added to the model is described without further work."""
    described = document["components"]["schemas"]["Submission"]
    assert set(described["properties"]) == {*Submission.model_fields, "list_id"}
    assert described["required"] == ["email"]
    assert described["properties"]["email"]["maxLength"] == 80


def test_the_address_of_the_service_is_its_public_one(make_app: MakeApp) -> None:
    """A generated client calls the right host."""
    app = make_app(PUBLIC_BASE_URL="https://signup.example.org")
    answer = app.test_client().get("/openapi.json").get_json()
    assert answer["servers"] == [{"url": "https://signup.example.org"}]


def test_the_page_shows_every_operation_and_field(client: FlaskClient, document: dict[str, Any]) -> None:
    """The page needs no script and loads nothing from elsewhere."""
    page = client.get("/docs")
    assert page.status_code == 200
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in page.text
    for name in document["components"]["schemas"]["Submission"]["properties"]:
        assert f"<code>{name}</code>" in page.text
    assert "<script" not in page.text
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text)


@pytest.fixture
def schema(make_app: MakeApp) -> Any:
    """Return the description of a connected service, with generators of addresses and of list ids."""
    app = make_app(DRAIN_TOKEN=DRAIN_TOKEN)
    admin = app.test_client()
    sign_in(admin)
    connect(admin)
    schemathesis.openapi.format("email", st.emails())
    # Without one that exists, no request would ever come through.
    schemathesis.openapi.format("uuid", st.just(app.config["PUBLIC_LIST_IDS"][0]) | st.uuids().map(str))
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


def answered(operation: Any, key: str | None, *, to_list: str | None = None) -> set[int]:
    """Return the statuses of generated requests, each checked; with `to_list` only sign-ups to that list."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    statuses: set[int] = set()

    @given(case=operation.as_strategy())
    @settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    def ask(case: schemathesis.Case[Any]) -> None:
        if to_list is not None and isinstance(case.body, dict):
            case.body = {"email": case.body.get("email"), "list_id": to_list}
            case.headers.pop("Idempotency-Key", None)
        statuses.add(case.call_and_validate(headers=headers, checks=list(TRUTHS)).status_code)

    ask()
    return statuses


@pytest.mark.parametrize("key", [None, API_KEY, DRAIN_TOKEN], ids=["anonymous", "api key", "drain token"])
def test_generated_requests_are_answered_as_described(schema: Any, key: str | None) -> None:
    """Random requests made from the description get described answers only; it describes no 500."""
    statuses: set[int] = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        statuses |= answered(found.ok(), key)
    assert statuses >= ({401} if key == DRAIN_TOKEN else {200, 422})


def test_generated_sign_ups_are_accepted_as_described(schema: Any, list_id: str) -> None:
    """Random values in all fields are hardly ever all valid, so these have an address and a list only."""
    assert answered(schema["/subscribe"]["POST"], None, to_list=list_id) & {202, 303}
