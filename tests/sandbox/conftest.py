"""A sandbox on a clock that stands still, and a client that speaks to it as the application would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sandbox import create_sandbox
from tests.sandbox.contract.watching import Answers, watched_answers
from tests.sandbox.vendor import Vendor

START = 1_795_000_000.25


class Clock:
    """Stands still until told otherwise; epoch seconds."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def answers() -> Iterator[Answers]:
    """Every answer of every sandbox, however it was asked, is held against the vendor's contract."""
    with watched_answers() as answers:
        yield answers
    assert answers.problems == []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> FlaskClient:
    return create_sandbox(clock).test_client()


@pytest.fixture
def vendor(client: FlaskClient) -> Vendor:
    """An unthrottled sandbox."""
    vendor = Vendor(client)
    vendor.settings(rate_limit=False)
    return vendor


@pytest.fixture
def api(vendor: Vendor) -> Callable[..., TestResponse]:
    """Calls the API as the Owner with all the scopes that the application asks for."""
    token = vendor.connect()["access_token"]

    def call(method: str, path: str, body: Any = None, **kwargs: Any) -> TestResponse:
        return vendor.call(token, method, path, body, **kwargs)

    return call
