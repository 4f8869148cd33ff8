"""POST /subscribe with bodies that mean harm: a clear 4xx, nothing stored, nothing slow."""

import json
import time

import pytest
from flask import Flask
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.web.conftest import API_KEY

JSON, FORM, PARTS = "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
EMAIL = "ada@example.org"


def stored(app: Flask) -> int:
    return len(app.extensions["services"].signups.newest(limit=10))


def part(name: str, value: bytes) -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (JSON, '{"email":"EMAIL","list_id":"LIST","first_name":"\0"}', 400),
        (JSON, '{"email":"EMAIL","list_id":"LIST","first_name":"\\u0000"}', 422),
        (JSON, '{"email":"EMAIL","list_id":"LIST","first_name":"\\ud800"}', 422),
        (JSON, '{"email":"eve@example.org","list_id":"LIST","email":"EMAIL"}', 400),
        (JSON, '{"email":"EMAIL","list_id":"LIST","x":' + "[" * 900 + "]" * 900 + "}", 400),
        (JSON, '{"email":"EMAIL","list_ids":' + "[" * 30_000 + "]" * 30_000 + "}", 400),
        (JSON, '{"email":"EMAIL","list_id":"LIST","x":' + '{"x":' * 9_000 + "}" * 9_001, 400),
        (JSON, '{"email":"EMAIL","list_ids":["LIST"' + ",1" * 30_000 + "]}", 400),
        (JSON, '{"email":"EMAIL","list_id":"LIST"' + "".join(f',"{n:x}":0' for n in range(6_000)) + "}", 400),
        (JSON, '{"list_id":"LIST","email":"' + "a." * 31_000 + 'a@example.org"}', 422),
        (JSON, '{"list_id":"LIST","email":"a@' + "a." * 31_000 + 'org"}', 422),
        (JSON, '{"email":"EMAIL","list_id":"LIST","first_name":"' + "\\u0301" * 10_000 + '"}', 422),
        (JSON, '{"email":"EMAIL","list_id":"LIST","phone":' + "9" * 60_000 + "}", 400),
        (FORM, "email=EMAIL&list_id=LIST&first_name=%ef%bf%bd", 422),
        (FORM, "email=EMAIL&list_id=LIST&first_name=a%00b", 422),
        (FORM, "email=EMAIL&list_id=LIST" + "&=" * 10_000, 400),
        (FORM, "email=EMAIL" + "&list_id=x" * 6_000, 400),
        (FORM, "email=EMAIL&list_id=LIST" + "".join(f"&{n:x}" for n in range(10_000)), 400),
        (PARTS, part("email", b"EMAIL") + part("list_id", b"LIST") + part("f", b"") * 600 + b"--b--", 400),
    ],
    ids=lambda value: f"{value[:40]!r}" if isinstance(value, str | bytes) else None,
)
def test_a_hostile_body_is_refused_quickly(
    app: Flask, list_id: str, kind: str, body: str | bytes, status: int
) -> None:
    """Each is told why; the same body with harmless contents is taken, so it is the harm that is refused.

    With an API key, since bodies of this size are refused without one.
    """
    raw = body if isinstance(body, bytes) else body.encode("latin-1")
    raw = raw.replace(b"EMAIL", EMAIL.encode()).replace(b"LIST", list_id.encode())
    assert len(raw) <= 64 * 1024
    client = app.test_client()
    began = time.thread_time()
    headers = {"Accept": JSON, "Authorization": f"Bearer {API_KEY}"}
    answer = client.post("/subscribe", data=raw, content_type=kind, headers=headers)
    took = time.thread_time() - began
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text
    assert stored(app) == 0
    # Of computing; how long a busy machine makes it wait says nothing about us.
    assert took < 1


@given(
    kind=st.sampled_from([JSON, FORM, PARTS]),
    raw=st.binary(max_size=200)
    | st.dictionaries(st.sampled_from(["email", "list_id", "phone"]), st.text()).map(
        lambda fields: json.dumps(fields).encode()
    ),
)
@example(kind=PARTS, raw=b"--b\r\n\r\n\r\n--b--")
@example(kind=FORM, raw=b"%=%&%zz=\xff")
@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_bytes_are_answered_with_4xx(app: Flask, kind: str, raw: bytes) -> None:
    """No body makes the service fail, and none of these is a sign-up."""
    answer = app.test_client().post("/subscribe", data=raw, content_type=kind, headers={"Accept": JSON})
    assert answer.status_code in {400, 413, 422}
    assert answer.get_json()["detail"]
    assert stored(app) == 0
