"""Real connections that fail in many ways: each is Unreachable, with its cause in words."""

import gzip
import socket
import ssl
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import requests

from oauth.authorization_server import AuthorizationServer
from oauth.errors import Ambiguous, NeverSent, TokenCallFailed
from services.constant_contact.causes import words_of
from services.constant_contact.client import ConstantContact
from services.constant_contact.errors import Unreachable
from tests.services.vendor import data_of
from tests.transport.test_deadline import HEAD, Serve, after_asking, ask, certificate, in_time, serving, tls
from transport.deadline import AnswerTooLarge, DeadlineSession

__all__ = ["certificate", "tls"]

MEGABYTE = 1024 * 1024


@pytest.fixture
def session() -> Iterator[DeadlineSession]:
    with DeadlineSession(2) as session:
        session.trust_env = False
        yield session


def reason_of(session: DeadlineSession, base: str) -> str:
    """Return what the client says of a sign-up sent there."""
    with pytest.raises(Unreachable) as caught:
        ConstantContact(session, base_url=f"{base}/v3").sign_up(data_of({}))
    return caught.value.reason


def endless(connection: socket.socket, head: bytes, piece: bytes) -> None:
    """Send an answer without an end, until the other side closes."""
    ask(connection)
    connection.sendall(head)
    while True:
        connection.sendall(piece)


def bomb() -> bytes:
    """Send 64 MB of zeros, compressed to 64 kB."""
    packed = gzip.compress(bytes(64 * MEGABYTE))
    return HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)


def twice() -> bytes:
    """Send the same, compressed twice: some hundred bytes that would be 64 MB."""
    packed = gzip.compress(gzip.compress(bytes(64 * MEGABYTE)))
    return HEAD + b"Content-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)


TOO_LARGE: dict[str, Serve] = {
    "a body without an end": partial(endless, head=HEAD + b"\r\n", piece=b"x" * 65_536),
    "chunks without an end": partial(
        endless,
        head=HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        piece=b"8000\r\n" + b"x" * 32_768 + b"\r\n",
    ),
    "a gzip bomb": partial(after_asking, then=lambda connection: connection.sendall(bomb())),
    "a bomb in a bomb": partial(after_asking, then=lambda connection: connection.sendall(twice())),
    "a redirect with a large body": partial(
        endless,
        head=b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\n\r\n",
        piece=b"x" * 65_536,
    ),
    "a 401 with a large body": partial(endless, head=b"HTTP/1.1 401 No\r\n\r\n", piece=b"x" * 65_536),
}


@pytest.mark.parametrize("serve", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_a_large_answer_is_read_no_further(session: DeadlineSession, serve: Serve) -> None:
    """Neither memory nor time is spent on it, and the reason says so."""
    with serving(serve) as address, in_time():
        assert "the answer is larger than 2 MB" in reason_of(session, f"http://{address}")
        with pytest.raises(AnswerTooLarge):
            session.get(f"http://{address}/")


@pytest.mark.parametrize("serve", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_a_large_token_answer_is_read_no_further(session: DeadlineSession, serve: Serve) -> None:
    """Its outcome is unknown: the token may have been spent."""
    server = AuthorizationServer(session, base_url="http://", client_id="i", client_secret="s")
    with serving(serve) as address, in_time():
        server = AuthorizationServer(
            session, base_url=f"http://{address}", client_id="i", client_secret="s", words_of=words_of
        )
        with pytest.raises(Ambiguous):
            server.refresh("refresh-secret", 0)


def test_an_answer_of_two_megabytes_is_read(session: DeadlineSession) -> None:
    """The limit itself is no fault."""
    body = b" " * (2 * MEGABYTE)
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(body)
    with serving(partial(after_asking, then=lambda connection: connection.sendall(head + body))) as address:
        assert len(session.get(f"http://{address}/").content) == 2 * MEGABYTE


BROKEN: dict[str, tuple[bytes, str]] = {
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", ""),
    "nothing": (b"", "closed without an answer"),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", ""),
    "half a body": (HEAD + b"Content-Length: 99\r\n\r\n{", "cut off"),
    "a chunk of no size": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", ""),
    "a length of no number": (HEAD + b"Content-Length: abc\r\n\r\n{}", ""),
    "broken gzip": (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "decompressed"),
    "cut deflate": (
        HEAD + b"Content-Encoding: deflate\r\nContent-Length: 4\r\n\r\n" + zlib.compress(b"x" * 99)[:4],
        "",
    ),
    "another coding": (HEAD + b"Content-Encoding: rot13\r\nContent-Length: 2\r\n\r\n{}", "not as Constant"),
    "a header without end": (HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n{}", ""),
    "two hundred headers": (HEAD + b"X: y\r\n" * 200 + b"\r\n{}", ""),
    "a redirect to nowhere": (
        b"HTTP/1.1 302 F\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
        "redirect",
    ),
    "a redirect of bytes": (
        b"HTTP/1.1 301 M\r\nLocation: http://\xff\xfe.\xe9/\r\nContent-Length: 0\r\n\r\n",
        "redirect",
    ),
    "a redirect to a port of words": (
        b"HTTP/1.1 307 T\r\nLocation: https://x:port/\r\nContent-Length: 0\r\n\r\n",
        "redirect",
    ),
}


def answer(connection: socket.socket, with_: bytes) -> None:
    ask(connection)
    # Closed with a part of the request unread, a connection is reset, and what was answered may be lost.
    with suppress(OSError):
        connection.sendall(with_)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass


@pytest.mark.parametrize(("sent", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_is_unreachable(session: DeadlineSession, sent: bytes, said: str) -> None:
    """Also a 200 of which only the head is right."""
    with serving(partial(answer, with_=sent)) as address, in_time():
        assert said in reason_of(session, f"http://{address}")


@pytest.mark.parametrize(("sent", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_token_answer_leaves_the_outcome_open(
    session: DeadlineSession, sent: bytes, said: str
) -> None:
    """It never says that the token or the secret is refused."""
    with serving(partial(answer, with_=sent)) as address, in_time():
        assert isinstance(token_failure(session, f"http://{address}"), Ambiguous)


def token_failure(session: DeadlineSession, base: str) -> TokenCallFailed:
    server = AuthorizationServer(
        session, base_url=base, client_id="i", client_secret="client-secret", words_of=words_of
    )
    with pytest.raises(TokenCallFailed) as caught:
        server.refresh("refresh-secret", 0)
    assert "secret" not in str(caught.value)
    return caught.value


def test_a_certificate_file_that_went_missing_is_named(
    session: DeadlineSession, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    """REQUESTS_CA_BUNDLE pointed to it; requests raises an OSError of its own, before anything is sent."""
    gone = tmp_path / "company-ca.pem"
    session.verify = str(gone)
    with serving(ask, tls) as address:
        assert f"the certificate file {gone} is missing" in reason_of(session, f"https://{address}")
        failure = token_failure(session, f"https://{address}")
    assert isinstance(failure, NeverSent), "the token is unspent"
    assert f"the certificate file {gone} is missing" in str(failure)


def test_a_client_certificate_that_went_missing_is_named(
    session: DeadlineSession, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    """The same kind, another file."""
    session.verify, session.cert = False, str(tmp_path / "client.pem")
    with serving(ask, tls) as address:
        assert f"{tmp_path / 'client.pem'} is missing" in reason_of(session, f"https://{address}")


def test_a_certificate_file_that_is_none_is_a_tls_fault(
    session: DeadlineSession, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    """Half written by a renewal, say."""
    broken = tmp_path / "ca.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nhalf")
    session.verify = str(broken)
    with serving(ask, tls) as address:
        assert "TLS failed" in reason_of(session, f"https://{address}")


def test_a_certificate_that_nobody_trusts_is_named(session: DeadlineSession, tls: ssl.SSLContext) -> None:
    """A proxy that looks into TLS shows its own."""
    with serving(ask, tls) as address:
        assert "certificate verify failed: self" in reason_of(session, f"https://{address}")
        assert isinstance(token_failure(session, f"https://{address}"), NeverSent)


def test_a_certificate_for_another_name_is_named(
    session: DeadlineSession, tls: ssl.SSLContext, certificate: Path
) -> None:
    """As at a host that answers for many names."""
    session.verify = str(certificate)
    with serving(ask, tls) as address:
        reason = reason_of(session, f"https://localhost:{address.split(':')[1]}")
    assert "certificate verify failed: " in reason
    assert "localhost" in reason


def test_plain_http_where_tls_is_expected_is_a_tls_fault(session: DeadlineSession) -> None:
    """A port that was mixed up."""
    with serving(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as address:
        assert reason_of(session, f"https://{address}").startswith("Constant Contact cannot be reached: ")


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("http://api.nowhere.invalid", "its name is not found in the DNS"),
        ("http://127.0.0.1:9", "the connection was refused"),
        ("http://" + "a" * 70 + ".example", ""),
        ("http://exa mple", ""),
        ("http://[::1", ""),
        ("http://127.0.0.1:99999", ""),
        ("ftp://127.0.0.1", ""),
        ("http://xn--a.example.invalid", ""),
    ],
)
def test_an_address_of_any_shape_is_unreachable(session: DeadlineSession, base: str, said: str) -> None:
    """A setting that is wrong must not end in a page that nobody can read."""
    assert said in reason_of(session, base)
    assert isinstance(token_failure(session, base), TokenCallFailed)


def test_a_proxy_that_is_away_is_named(session: DeadlineSession) -> None:
    """HTTPS_PROXY of a company's network."""
    session.proxies = {"http": "http://127.0.0.1:9", "https": "http://127.0.0.1:9"}
    reason = reason_of(session, "http://api.cc.example")
    assert "refused" in reason or "proxy" in reason


def test_what_a_departure_raises_comes_out_as_it_is() -> None:
    """The exception is our own, and nothing was sent."""

    class NotNow(Exception):
        """What a departure may raise."""

    def not_now() -> None:
        raise NotNow

    with serving(ask) as address, DeadlineSession(2, depart=not_now) as session:
        api = ConstantContact(session, base_url=f"http://{address}/v3", own_errors=(NotNow,))
        with pytest.raises(NotNow):
            api.sign_up(data_of({}))


def test_the_words_of_any_exception_can_be_had() -> None:
    """Also of one that cannot be shown, one that holds itself, and one of many layers."""

    class Unshowable(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    itself = requests.ConnectionError()
    itself.args = (itself,)
    deep: BaseException = ValueError("deep")
    for _ in range(50):
        deep = requests.ConnectionError(deep)
    assert words_of(Unshowable()) == "Unshowable"
    assert words_of(itself) == "ConnectionError"
    assert words_of(deep)
    assert words_of(OSError("\x1b[31m\u0085 red")) == "OSError: [31m red"
