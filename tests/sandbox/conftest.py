"""A sandbox on a clock that stands still, and a client that calls it as the application would."""

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
    """A clock that stands still until it is set; epoch seconds."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def answers() -> Iterator[Answers]:
    """Check every answer of every sandbox against the vendor's contract."""
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
    """Return a sandbox without rate limits."""
    vendor = Vendor(client)
    vendor.settings(rate_limit=False)
    return vendor


@pytest.fixture
def api(vendor: Vendor) -> Callable[..., TestResponse]:
    """Return a function that calls the API as the Owner with the application's scopes."""
    token = vendor.connect()["access_token"]

    def call(method: str, path: str, body: Any = None, **kwargs: Any) -> TestResponse:
        return vendor.call(token, method, path, body, **kwargs)

    return call
