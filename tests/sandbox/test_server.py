"""Cut connections, as seen through a real server."""

import http.client
import json
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from tests.sandbox.vendor import SIGN_UP, Vendor, person


@pytest.fixture
def port(client: FlaskClient) -> Iterator[int]:
    server = make_server("127.0.0.1", 0, client.application, threaded=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def sign_up(port: int, token: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request("POST", SIGN_UP, json.dumps(person()), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_drop_and_half_body_on_the_wire(vendor: Vendor, port: int) -> None:
    """A dropped call has no answer, half a body stays below its announced length, and the server lives on."""
    token = vendor.connect()["access_token"]
    for when, contacts in (("before", 0), ("after", 1)):
        vendor.fault(drop=when)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            sign_up(port, token)
        assert len(vendor.state()["contacts"]) == contacts
    vendor.fault(half_body=True)
    with pytest.raises(http.client.IncompleteRead) as broken:
        sign_up(port, token)
    assert broken.value.partial
    assert sign_up(port, token)[0] == 200
