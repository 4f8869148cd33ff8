"""POST /subscribe with JSON."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.conftest import API_KEY, SITE, MakeApp, connect, sign_in


def by_key(key: str = API_KEY) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def delivering(make_app: MakeApp) -> Iterator[Flask]:
    """A connected app whose delivery thread runs."""
    app = make_app(SUBSCRIBE_WAIT_SECONDS="5")
    browser = app.test_client()
    sign_in(browser)
    connect(browser)
    app.extensions["parts"].background.delivery.start()
    yield app
    app.extensions["parts"].background.delivery.stop()


def test_a_new_contact_is_201_and_a_known_one_200(delivering: Flask, list_id: str) -> None:
    """Once Constant Contact has confirmed, the answer says created or updated."""
    client = delivering.test_client()
    body = {"email": "ada@example.org", "first_name": "Ada", "list_id": list_id}
    created = client.post("/subscribe", json=body, headers=by_key())
    assert created.status_code == 201, created.text
    assert set(created.get_json()) == {"id", "status", "action", "contact_id"}
    assert (created.get_json()["status"], created.get_json()["action"]) == ("subscribed", "created")
    updated = client.post("/subscribe", json=body, headers=by_key())
    assert updated.status_code == 200
    assert updated.get_json()["action"] == "updated"
    assert updated.get_json()["contact_id"] == created.get_json()["contact_id"]


def test_without_a_verdict_it_is_202_with_the_way_to_it(client: FlaskClient, list_id: str) -> None:
    """A sign-up that waits tells where to look, absolutely, and looking there works."""
    body = {"email": "ada@example.org", "list_id": list_id}
    answer = client.post("/subscribe", json=body, headers=by_key())
    assert answer.status_code == 202
    document = answer.get_json()
    assert document == {
        "id": document["id"],
        "status": "queued",
        "status_url": f"http://localhost/signups/{document['id']}",
    }
    assert answer.location == document["status_url"]
    assert client.get(document["status_url"], headers=by_key()).get_json()["status"] == "queued"


def test_the_way_to_it_is_an_address_that_a_header_may_hold(make_app: MakeApp, list_id: str) -> None:
    """Headers are ASCII; the address of a service whose name is not is translated."""
    client = make_app(PUBLIC_BASE_URL="http://bücher.example").test_client()
    body = {"email": "ada@example.org", "list_id": list_id}
    answer = client.post("/subscribe", json=body, headers=by_key())
    assert answer.status_code == 202
    assert answer.location == f"http://xn--bcher-kva.example/signups/{answer.get_json()['id']}"


def test_the_public_address_is_used(make_app: MakeApp, list_id: str) -> None:
    """Behind a proxy the status address is the configured one, not the request's host."""
    client = make_app(PUBLIC_BASE_URL="https://signup.example.com/").test_client()
    body = {"email": "ada@example.org", "list_id": list_id}
    answer = client.post("/subscribe", json=body, headers=by_key())
    assert answer.location.startswith("https://signup.example.com/signups/")


def test_mistakes_are_named(client: FlaskClient, list_id: str) -> None:
    """A wrong field is a 422 problem that names the field."""
    answer = client.post("/subscribe", json={"email": "no address", "list_id": list_id})
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert [error["field"] for error in answer.get_json()["errors"]] == ["email"]


def test_what_is_not_json_is_400(client: FlaskClient) -> None:
    """A body that cannot be read is told apart from wrong fields."""
    answer = client.post("/subscribe", data=b"{", content_type="application/json")
    assert answer.status_code == 400
    assert answer.get_json()["title"] == "Bad Request"


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", None])
def test_other_content_types_are_415(client: FlaskClient, content_type: str | None) -> None:
    """Only JSON and forms are read; text/plain would let other sites post JSON without asking."""
    answer = client.post("/subscribe", data=b'{"email":"ada@example.org"}', content_type=content_type)
    assert answer.status_code == 415


def test_a_closed_list_is_422_for_strangers_only(client: FlaskClient) -> None:
    """A list that is not public can be joined with an API key, and by nobody else."""
    body = {"email": "ada@example.org", "list_id": "00000000-0000-4000-8000-000000000000"}
    assert client.post("/subscribe", json=body).status_code == 422
    assert client.post("/subscribe", json=body, headers=by_key()).status_code == 202


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer", "Bearer ", f"Basic {API_KEY}", API_KEY, ""])
def test_a_wrong_key_is_never_taken_for_a_form(client: FlaskClient, list_id: str, header: str) -> None:
    """A server with a mistyped key hears 401 and stores nothing."""
    body = {"email": "ada@example.org", "list_id": list_id}
    answer = client.post("/subscribe", json=body, headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert client.get("/health").get_json()["pending"] == 0


@pytest.mark.parametrize(("headers", "most"), [({}, 16 * 1024), (by_key(), 64 * 1024)])
def test_too_large_is_413(client: FlaskClient, list_id: str, headers: dict[str, str], most: int) -> None:
    """A stranger may send 16 KB, the holder of an API key 64 KB; the answer says so."""
    whole = f'{{"email":"ada@example.org","list_id":"{list_id}"}}'.encode().ljust(most)
    sent = {"content_type": "application/json", "headers": headers}
    assert client.post("/subscribe", data=whole, **sent).status_code < 300
    answer = client.post("/subscribe", data=whole + b" ", **sent)
    assert (answer.status_code, answer.content_type) == (413, "application/problem+json")
    assert "16 KB" in answer.get_json()["detail"]


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"])
def test_too_large_a_form_is_a_page_with_413(client: FlaskClient, kind: str) -> None:
    """A browser is told in words as well."""
    answer = client.post("/subscribe", data=b"a" * (16 * 1024 + 1), content_type=kind)
    assert (answer.status_code, answer.mimetype) == (413, "text/html")
    assert "16 KB" in answer.text


@pytest.mark.parametrize(
    ("content_type", "start"),
    [
        ("application/json", '{"email":"ada@example.org","list_id":"LIST"}'),
        ("application/x-www-form-urlencoded", "email=ada@example.org&list_id=LIST&source="),
        ("multipart/form-data; boundary=b", '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'),
    ],
)
def test_too_large_without_a_length_is_413(
    client: FlaskClient, list_id: str, content_type: str, start: str
) -> None:
    """A chunked body has no length to refuse by; half a sign-up is still never taken for a whole one."""
    answer = client.post(
        "/subscribe",
        data=start.replace("LIST", list_id).encode().ljust(16 * 1024 + 1),
        content_type=content_type,
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    assert answer.status_code == 413
    assert client.get("/health").get_json()["pending"] == 0


def test_a_dead_database_is_202_from_the_spool(make_app: MakeApp, list_id: str, tmp_path: Path) -> None:
    """The sign-up is kept beside the database; how it stands is not known before the database is back."""
    (tmp_path / "file").touch()
    client = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/file/x.db").test_client()
    body = {"email": "ada@example.org", "list_id": list_id}
    answer = client.post("/subscribe", json=body, headers=by_key())
    assert (answer.status_code, answer.get_json()["status"]) == (202, "queued")
    assert b"ada@example.org" in (tmp_path / "spool" / "waiting").read_bytes()
    status_url = answer.get_json()["status_url"]
    status = client.get(status_url, headers=by_key())
    assert (status.status_code, status.headers["Retry-After"]) == (503, "30")
    assert client.get(status_url).get_json()["status"] == "received"


def test_a_dead_database_without_a_spool_is_503(make_app: MakeApp, list_id: str, tmp_path: Path) -> None:
    """When nothing can be stored nothing is promised, and the caller learns when to come back."""
    (tmp_path / "file").touch()
    (tmp_path / "spool").touch()
    client = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/file/x.db").test_client()
    answer = client.post("/subscribe", json={"email": "ada@example.org", "list_id": list_id})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_scripts_of_allowed_sites_may_read_every_answer(client: FlaskClient, list_id: str) -> None:
    """CORS headers are on success and on refusal, for the allowed site alone."""
    for body in ({"email": "ada@example.org", "list_id": list_id}, {}):
        allowed = client.post("/subscribe", json=body, headers={"Origin": SITE})
        assert allowed.headers["Access-Control-Allow-Origin"] == SITE
        assert "Access-Control-Allow-Credentials" not in allowed.headers
        foreign = client.post("/subscribe", json=body, headers={"Origin": f"{SITE}.evil.example"})
        assert "Access-Control-Allow-Origin" not in foreign.headers


def test_preflight(client: FlaskClient) -> None:
    """A script may post JSON from an allowed site, with whatever headers it asks for."""
    asks = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, authorization",
    }
    allowed = client.options("/subscribe", headers={"Origin": SITE, **asks})
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert allowed.headers["Access-Control-Allow-Headers"] == "content-type, authorization"
    foreign = client.options("/subscribe", headers={"Origin": "https://evil.example", **asks})
    assert "Access-Control-Allow-Origin" not in foreign.headers


def test_no_allowed_origins_means_none(make_app: MakeApp) -> None:
    """An empty setting opens nothing."""
    client = make_app(ALLOWED_ORIGINS="").test_client()
    answer = client.post("/subscribe", json={}, headers={"Origin": SITE})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_other_routes_have_no_cors(client: FlaskClient) -> None:
    """Only the sign-up routes are open to other sites."""
    for path in ("/health", "/lists", "/admin/sign-in", "/"):
        assert "Access-Control-Allow-Origin" not in client.get(path, headers={"Origin": SITE}).headers
