"""A sign-up that is refused leaves no trace in the database."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

UNKNOWN_LIST = "99999999-9999-4999-8999-999999999999"
JSON = {"Content-Type": "application/json"}
BAD: dict[str, dict[str, Any]] = {
    "another media type": {"data": "email=ann@example.org", "headers": {"Content-Type": "text/plain"}},
    "malformed JSON": {"data": '{"email": "ann@example.org"', "headers": JSON},
    "no fields": {"json": {}},
    "a bad address": {"json": {"email": "ann", "list_id": "$list"}},
    "an unknown list": {"json": {"email": "ann@example.org", "list_id": UNKNOWN_LIST}},
    "one unknown list of two": {"json": {"email": "ann@example.org", "list_ids": ["$list", UNKNOWN_LIST]}},
    "a form with a bad address": {"data": {"email": "ann", "list_id": "$list"}},
    "too large": {"data": "x" * 65_537, "headers": JSON},
    "a wrong key": {
        "json": {"email": "ann@example.org", "list_id": "$list"},
        "headers": {"Authorization": "Bearer wrong"},
    },
}


def stored(app: Flask) -> tuple[int, int]:
    """How many sign-ups and how many deliveries there are."""
    with app.extensions["parts"].database.reading() as connection:
        counts = [
            connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            for table in ("signups", "deliveries")
        ]
    return counts[0], counts[1]


def filled(value: Any, list_id: str) -> Any:
    """`value` with the public list's id in place of $list."""
    if isinstance(value, dict):
        return {name: filled(part, list_id) for name, part in value.items()}
    if isinstance(value, list):
        return [filled(part, list_id) for part in value]
    return list_id if value == "$list" else value


@pytest.mark.parametrize("request_", BAD.values(), ids=BAD.keys())
def test_a_refusal_stores_nothing(
    app: Flask, client: FlaskClient, list_id: str, request_: dict[str, Any]
) -> None:
    """Neither the person nor a delivery is kept of what was answered with 4xx."""
    assert 400 <= client.post("/subscribe", **filled(request_, list_id)).status_code < 500
    assert client.get("/subscribe").status_code == 405
    assert stored(app) == (0, 0)


def test_an_accepted_one_stores_both(app: Flask, client: FlaskClient, list_id: str) -> None:
    """What the other tests count is what an acceptance writes."""
    client.post("/subscribe", json={"email": "ann@example.org", "list_id": list_id})
    assert stored(app) == (1, 1)
