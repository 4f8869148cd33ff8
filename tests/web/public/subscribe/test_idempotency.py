"""POST /subscribe sent again, with an Idempotency-Key, and with a wish for how long to wait."""

import time

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.store.conftest import in_threads
from tests.web.conftest import BY_KEY, SITE, MakeApp, connect, sign_in

KEY = {"Idempotency-Key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
FORM = {"Accept": "application/json"}


def stored(app: Flask) -> list[str]:
    return [signup.email for signup in app.extensions["services"].signups.newest(limit=100)]


def deliver(app: Flask) -> None:
    app.extensions["services"].delivery.drain(5)


@pytest.fixture
def body(list_id: str) -> dict[str, str]:
    return {"email": "ada@example.org", "first_name": "Ada", "list_id": list_id}


def test_a_repeat_is_answered_like_the_first_and_not_stored(
    app: Flask, client: FlaskClient, body: dict[str, str]
) -> None:
    """The same id, status and address; a sign-up without the key is another one."""
    for sender in (KEY, KEY | BY_KEY):
        first = client.post("/subscribe", json=body, headers=sender)
        again = client.post("/subscribe", json=body, headers=sender)
        assert (first.status_code, again.status_code) == (202, 202)
        assert again.get_json() == first.get_json()
        assert again.location == first.location
    assert stored(app) == ["ada@example.org"] * 2
    assert client.post("/subscribe", json=body).get_json()["id"] != first.get_json()["id"]


def test_a_strangers_repeat_tells_nothing_new(
    connected: FlaskClient, app: Flask, body: dict[str, str]
) -> None:
    """Not even once Constant Contact has it: the answer would say whether the contact was known."""
    first = connected.post("/subscribe", json=body, headers=KEY).get_json()
    deliver(app)
    again = connected.post("/subscribe", json=body, headers=KEY)
    assert (again.status_code, again.get_json()) == (202, first)


def test_a_repeat_tells_what_has_become_of_it(
    connected: FlaskClient, app: Flask, body: dict[str, str]
) -> None:
    """Once Constant Contact has it, each repeat says so, whatever the sender is ready to wait."""
    first = connected.post("/subscribe", json=body, headers=KEY | BY_KEY).get_json()
    deliver(app)
    for wish in ({}, {"Prefer": "respond-async"}):
        answer = connected.post("/subscribe", json=body, headers=KEY | BY_KEY | wish)
        assert answer.status_code == 201
        assert answer.get_json()["id"] == first["id"]
        assert (answer.get_json()["status"], answer.get_json()["action"]) == ("subscribed", "created")
        assert "Preference-Applied" not in answer.headers


def test_the_same_key_with_another_body_is_409(app: Flask, client: FlaskClient, body: dict[str, str]) -> None:
    """A problem that says what to do; the other sign-up is not stored, the key stays with the first."""
    first = client.post("/subscribe", json=body, headers=KEY).get_json()
    other = client.post("/subscribe", json=body | {"first_name": "Eve"}, headers=KEY)
    assert (other.status_code, other.content_type) == (409, "application/problem+json")
    assert "Choose a new key" in other.get_json()["detail"]
    assert stored(app) == ["ada@example.org"]
    assert client.post("/subscribe", json=body, headers=KEY).get_json()["id"] == first["id"]


def test_the_body_counts_by_its_meaning(app: Flask, client: FlaskClient, body: dict[str, str]) -> None:
    """Spelling, order and the boundary of a multipart form differ from one sending to the next."""
    respelled = {"listId": body["list_id"], "firstName": " Ada", "email": "Ada@Example.org"}
    answers = [
        client.post("/subscribe", json=body, headers=KEY),
        client.post("/subscribe", json=respelled, headers=KEY),
        client.post("/subscribe", data=body, headers=KEY | FORM),
        client.post("/subscribe", data=body, headers=KEY | FORM, content_type="multipart/form-data"),
    ]
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    assert stored(app) == ["ada@example.org"]


def test_a_key_is_its_senders_own(app: Flask, client: FlaskClient, body: dict[str, str]) -> None:
    """Another sender that happens to choose the same key is not mistaken for the first."""
    form = client.post("/subscribe", json=body, headers=KEY)
    shop = client.post("/subscribe", json=body, headers=KEY | BY_KEY)
    assert form.get_json()["id"] != shop.get_json()["id"]
    assert len(stored(app)) == 2


def test_a_quoted_key_is_the_same_key(client: FlaskClient, body: dict[str, str]) -> None:
    """As a structured field it has quotes, as most libraries send it, none."""
    plain = client.post("/subscribe", json=body, headers={"Idempotency-Key": "k1"})
    quoted = client.post("/subscribe", json=body, headers={"Idempotency-Key": '"k1"'})
    assert quoted.get_json()["id"] == plain.get_json()["id"]


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "schlüssel", "a\tb"])
def test_a_key_that_cannot_be_used_is_400(
    app: Flask, client: FlaskClient, body: dict[str, str], key: str
) -> None:
    """Passed over, it would let a repeat count twice while the sender feels safe."""
    answer = client.post("/subscribe", json=body, headers={"Idempotency-Key": key})
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.get_json()["detail"]
    assert stored(app) == []


def test_a_longest_key_is_taken(app: Flask, client: FlaskClient, body: dict[str, str]) -> None:
    """255 characters, and a longer one is not the same key cut off."""
    assert client.post("/subscribe", json=body, headers={"Idempotency-Key": "x" * 255}).status_code == 202
    assert len(stored(app)) == 1


def test_mistakes_do_not_use_up_the_key(app: Flask, client: FlaskClient, body: dict[str, str]) -> None:
    """Nothing was stored: corrected, it may be sent with the same key."""
    assert client.post("/subscribe", json=body | {"email": "ada"}, headers=KEY).status_code == 422
    assert client.post("/subscribe", json=body, headers=KEY).status_code == 202
    assert stored(app) == ["ada@example.org"]


def test_of_many_repeats_at_once_one_is_stored(app: Flask, body: dict[str, str]) -> None:
    """And each of them is told of that one."""

    def send(_: int) -> TestResponse:
        return app.test_client().post("/subscribe", json=body, headers=KEY)

    answers = in_threads(8, send)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    assert stored(app) == ["ada@example.org"]


def test_a_repeated_form_is_thanked_again(app: Flask, client: FlaskClient, body: dict[str, str]) -> None:
    """Its visitor sees no difference."""
    for _ in range(2):
        assert client.post("/subscribe", data=body, headers=KEY).location == "/thank-you"
    assert len(stored(app)) == 1


def test_a_form_with_another_body_gets_a_page(client: FlaskClient, body: dict[str, str]) -> None:
    """A person is looking."""
    client.post("/subscribe", data=body, headers=KEY)
    other = client.post("/subscribe", data=body | {"first_name": "Eve"}, headers=KEY)
    assert (other.status_code, other.mimetype) == (409, "text/html")


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        (["respond-async"], "respond-async"),
        (["Respond-Async"], "respond-async"),
        (["wait=0"], "wait=0"),
        (['wait="0"; x=1'], "wait=0"),
        (["respond-async, wait=0"], "respond-async, wait=0"),
        (["handling=lenient", "wait=0", "wait=100"], "wait=0"),
    ],
)
def test_who_does_not_wish_to_wait_does_not(
    make_app: MakeApp, list_id: str, prefer: list[str], applied: str
) -> None:
    """202 at once although the service would wait for long, and the answer says which wish it followed."""
    app = make_app(SUBSCRIBE_WAIT_SECONDS="10")
    client = app.test_client()
    sign_in(client)
    connect(client)
    began = time.monotonic()
    answer = client.post(
        "/subscribe",
        json={"email": "ada@example.org", "list_id": list_id},
        headers=[*BY_KEY.items(), *(("Prefer", value) for value in prefer)],
    )
    assert time.monotonic() - began < 8
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == applied


@pytest.mark.parametrize(
    "prefer", ["wait", "wait=", "wait=-1", "wait=1.5", "wait=soon", "return=minimal", ","]
)
def test_a_wish_that_is_not_understood_is_passed_over(
    client: FlaskClient, body: dict[str, str], prefer: str
) -> None:
    """RFC 7240 asks for that; the answer does not claim to have followed it."""
    answer = client.post("/subscribe", json=body, headers=BY_KEY | {"Prefer": prefer})
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize("prefer", ["respond-async", "wait=10", "respond-async, wait=0"])
def test_a_strangers_wish_to_wait_is_passed_over(
    client: FlaskClient, body: dict[str, str], prefer: str
) -> None:
    """Whoever may wait for the result may measure it."""
    answer = client.post("/subscribe", json=body, headers={"Prefer": prefer})
    assert (answer.status_code, answer.get_json()["status"]) == (202, "received")
    assert "Preference-Applied" not in answer.headers


def test_scripts_of_allowed_sites_may_send_and_read_the_headers(
    client: FlaskClient, body: dict[str, str]
) -> None:
    """Both headers pass the preflight, and the answer's can be read."""
    asks = {
        "Origin": SITE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, idempotency-key, prefer",
    }
    granted = client.options("/subscribe", headers=asks).headers["Access-Control-Allow-Headers"]
    assert {"idempotency-key", "prefer"} <= set(granted.split(", "))
    answer = client.post("/subscribe", json=body, headers={"Origin": SITE, "Prefer": "respond-async"})
    assert "Preference-Applied" in answer.headers["Access-Control-Expose-Headers"]
