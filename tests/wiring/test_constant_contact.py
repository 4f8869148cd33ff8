"""How the vendor's client and the source of tokens are wired."""

import ssl
from pathlib import Path

import pytest

from oauth.errors import NotConnected
from oauth.token_source import TokenSource
from services.constant_contact.errors import ConnectionUnusable
from tests.transport.test_deadline import HEAD, ask, certificate, serving, tls
from tests.transport.test_strange_wires import answer
from wiring.constant_contact import authorizing, reached

__all__ = ["certificate", "tls"]


class Disconnected(TokenSource):
    """Has no token to give."""

    def __init__(self) -> None:
        self.asked = 0

    def current(self) -> str:
        self.asked += 1
        raise NotConnected


def test_who_has_no_token_books_no_call() -> None:
    """An error of the token source becomes the one that the delivery understands, when it asks."""
    source = Disconnected()
    authorize = authorizing(source)
    assert source.asked == 0
    with pytest.raises(ConnectionUnusable) as caught:
        authorize()
    assert (caught.value.detail, source.asked) == ("NotConnected", 1)


def test_reaching_a_host_is_a_real_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the certificates, proxies and time-outs of all others; what is wrong is said in words."""
    with serving(lambda connection: answer(connection, HEAD + b"Content-Length: 2\r\n\r\n{}")) as address:
        assert reached(f"http://{address}/v3") is None
        gone = tmp_path / "ca.pem"
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(gone))
        assert reached(f"https://{address}/v3") == f"the certificate file {gone} is missing"
    moved = b"HTTP/1.1 302 Found\r\nLocation: https://portal.example/\r\nContent-Length: 0\r\n\r\n"
    with serving(lambda connection: answer(connection, moved)) as address:
        assert "a redirect (302)" in str(reached(f"http://{address}/v3"))
    assert reached("http://127.0.0.1:9/v3") == "the connection was refused"


def test_a_certificate_that_nobody_trusts_is_told(tls: ssl.SSLContext) -> None:
    """The handshake is made."""
    with serving(ask, tls) as address:
        assert "certificate verify failed" in str(reached(f"https://{address}/v3"))
