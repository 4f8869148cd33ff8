"""Calls that end in time, although the server does not end them."""

import datetime
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from urllib3 import Timeout

from oauth.authorization_server import AuthorizationServer
from oauth.errors import Ambiguous, NeverSent, TokenCallFailed
from services.constant_contact.client import ConstantContact
from services.constant_contact.errors import Unreachable
from services.delivery.pacing import depart
from tests.services.conftest import Clock, System
from tests.services.vendor import data_of
from transport.deadline import DeadlineSession

SECONDS = 0.25
# Time for a busy machine; without a deadline each call would last 4 s and more.
LATEST = 2.5
HEAD = b"HTTP/1.1 200 OK\r\n"
ANSWER = HEAD + b"Content-Length: 2\r\n\r\n{}"

Serve = Callable[[socket.socket], None]


def drip(connection: socket.socket, first: bytes) -> None:
    """Send `first`, then a byte every 50 ms, for 4 s: without a deadline the tests fail, they do not hang."""
    connection.sendall(first)
    for _ in range(80):
        time.sleep(0.05)
        connection.sendall(b"x")


def ask(connection: socket.socket) -> None:
    """Read one request."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError
        received += more


def after_asking(connection: socket.socket, then: Serve) -> None:
    ask(connection)
    then(connection)


def say_nothing(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def answer_then_drip(connection: socket.socket) -> None:
    """Answer the first request of a kept connection, and drip at the second."""
    ask(connection)
    connection.sendall(ANSWER)
    ask(connection)
    drip(connection, HEAD + b"X-Header: ")


STUBBORN: dict[str, Serve] = {
    "accepts and says nothing": say_nothing,
    "drips headers": partial(after_asking, then=partial(drip, first=HEAD + b"X-Header: ")),
    "drips a body of a known length": partial(
        after_asking, then=partial(drip, first=HEAD + b"Content-Length: 99999\r\n\r\n")
    ),
    "drips a body that ends with its connection": partial(
        after_asking, then=partial(drip, first=HEAD + b"\r\n{")
    ),
}


@contextmanager
def serving(serve: Serve, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Run a server that calls `serve` with each connection; yield its address without the scheme."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads: list[threading.Thread] = []

        def treat(connection: socket.socket) -> None:
            # Ends when the other side does.
            with suppress(OSError):
                secured = connection if tls is None else tls.wrap_socket(connection, server_side=True)
                with secured:
                    serve(secured)
            connection.close()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threads.append(threading.Thread(target=treat, args=(connection,), daemon=True))
                    threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join(5)


@contextmanager
def in_time() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < LATEST


@pytest.fixture
def session() -> Iterator[DeadlineSession]:
    with DeadlineSession(SECONDS) as session:
        yield session


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of 127.0.0.1 in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize("serve", STUBBORN.values(), ids=STUBBORN.keys())
def test_a_stubborn_server_is_cut_off(session: DeadlineSession, serve: Serve) -> None:
    """Wherever the server drips or stops, the call ends; a part of an answer never counts as one."""
    with serving(serve) as address, in_time(), pytest.raises(requests.RequestException):
        session.get(f"http://{address}/", timeout=4)


@pytest.mark.parametrize("serve", STUBBORN.values(), ids=STUBBORN.keys())
def test_a_stubborn_server_is_cut_off_behind_tls(
    session: DeadlineSession, serve: Serve, tls: ssl.SSLContext, certificate: Path
) -> None:
    """The same over TLS."""
    with serving(serve, tls) as address, in_time(), pytest.raises(requests.RequestException):
        session.get(f"https://{address}/", timeout=4, verify=str(certificate))


def test_a_handshake_that_drips_is_cut_off(session: DeadlineSession, certificate: Path) -> None:
    """The server announces a TLS record that never ends."""
    serve = partial(drip, first=b"\x16\x03\x03\x3f\xff\x02")
    with serving(serve) as address, in_time(), pytest.raises(requests.RequestException):
        session.get(f"https://{address}/", timeout=4, verify=str(certificate))


def test_a_kept_connection_is_cut_off(session: DeadlineSession) -> None:
    """The second call over one connection has its own deadline."""
    with serving(answer_then_drip) as address:
        assert session.get(f"http://{address}/", timeout=4).json() == {}
        with in_time(), pytest.raises(requests.RequestException):
            session.get(f"http://{address}/", timeout=4)


def test_a_connection_that_is_never_made_is_given_up_unsent(session: DeadlineSession) -> None:
    """A host whose queue is full does not answer; the exception says that nothing was sent."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        with in_time(), pytest.raises(requests.ConnectTimeout):
            session.get(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=4)


def test_a_call_may_have_a_deadline_of_its_own() -> None:
    """The total of its time-out counts instead of the session's."""
    timeout: Any = Timeout(total=SECONDS, connect=4, read=4)
    with serving(STUBBORN["drips headers"]) as address, DeadlineSession(60) as session:  # noqa: SIM117
        with in_time(), pytest.raises(requests.RequestException):
            session.get(f"http://{address}/", timeout=timeout)


def test_what_a_hook_repeats_is_cut_off_at_the_same_moment(session: DeadlineSession) -> None:
    """A repeat after a 401 gets no time of its own."""

    def again(response: requests.Response, **options: Any) -> requests.Response:
        response.content  # noqa: B018 - to the end, so that the connection is free again
        repeated: requests.Response = response.connection.send(response.request.copy(), **options)
        return repeated

    with serving(answer_then_drip) as address, in_time(), pytest.raises(requests.RequestException):
        session.get(f"http://{address}/", timeout=4, hooks={"response": again})


def test_a_call_within_a_call_has_its_own_deadline(session: DeadlineSession) -> None:
    """The outer deadline does not cut off the inner call, which may be a refresh."""
    inner: list[int] = []

    def answer_late(connection: socket.socket) -> None:
        ask(connection)
        time.sleep(2 * SECONDS)
        connection.sendall(ANSWER)

    def answer(connection: socket.socket) -> None:
        ask(connection)
        connection.sendall(ANSWER)

    with serving(answer_late) as slow, serving(answer) as quick, DeadlineSession(10) as patient:

        def refresh(response: requests.Response, **_: Any) -> None:
            inner.append(patient.get(f"http://{slow}/", timeout=4).status_code)

        with pytest.raises(requests.RequestException):
            session.get(f"http://{quick}/", timeout=4, hooks={"response": refresh})
    assert inner == [200]


def test_a_call_departs_when_its_connection_stands(tls: ssl.SSLContext, certificate: Path) -> None:
    """Handshakes come first, then the moment to leave, then the first byte; over a kept connection, too."""
    order: list[str] = []
    connected = threading.Event()

    def leave() -> None:
        connected.wait(2)
        order.append("departs")

    def answer_all(connection: socket.socket) -> None:
        order.append("connected")
        while True:
            ask(connection)
            order.append("asked")
            connection.sendall(ANSWER)

    for scheme, context in (("http", None), ("https", tls)):
        with (
            serving(answer_all, context) as address,
            DeadlineSession(5, depart=leave) as session,
        ):
            for _ in range(2):
                session.get(f"{scheme}://{address}/", timeout=4, verify=str(certificate))
        assert order == ["connected", "departs", "asked", "departs", "asked"]
        order.clear()
        connected.clear()


def test_a_connection_that_is_closed_before_the_departure_is_opened_anew(
    tls: ssl.SSLContext, certificate: Path
) -> None:
    """Servers close idle connections, also while a call waits to depart."""
    served: list[socket.socket] = []
    closing = False

    def answer_once_kept(connection: socket.socket) -> None:
        served.append(connection)
        while True:
            ask(connection)
            connection.sendall(ANSWER)

    def close_meanwhile() -> None:
        if closing:
            served[0].shutdown(socket.SHUT_RDWR)
            time.sleep(0.1)

    for scheme, context in (("http", None), ("https", tls)):
        with (
            serving(answer_once_kept, context) as address,
            DeadlineSession(5, depart=close_meanwhile) as session,
        ):
            session.get(f"{scheme}://{address}/", timeout=4, verify=str(certificate))
            closing = True
            answer = session.get(f"{scheme}://{address}/", timeout=4, verify=str(certificate))
            assert (answer.json(), len(served)) == ({}, 2)
        closing = False
        served.clear()


def test_a_departure_that_fails_ends_the_call_unsent() -> None:
    """Its exception comes out as it is."""
    asked: list[bytes] = []

    class Stay(Exception):
        """Refuse to depart."""

    def stay() -> None:
        raise Stay

    def listen(connection: socket.socket) -> None:
        asked.append(connection.recv(1))

    with serving(listen) as address, DeadlineSession(5, depart=stay) as session, pytest.raises(Stay):
        session.get(f"http://{address}/", timeout=4)
    assert asked in ([], [b""])


def test_a_call_in_time_leaves_nothing_behind(session: DeadlineSession) -> None:
    """Neither timers nor open files pile up."""

    def answer(connection: socket.socket) -> None:
        while True:
            ask(connection)
            connection.sendall(ANSWER)

    with serving(answer) as address:
        session.get(f"http://{address}/", timeout=4)
        files, threads = open_files(), threading.active_count()
        for _ in range(20):
            assert session.get(f"http://{address}/", timeout=4).json() == {}
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.join(5)
        assert open_files() == files
        assert threading.active_count() <= threads


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("serve", STUBBORN.values(), ids=STUBBORN.keys())
def test_a_token_call_that_is_cut_off_is_ambiguous(session: DeadlineSession, serve: Serve) -> None:
    """The vendor may have rotated the token: only a call that was never sent is known not to have arrived."""
    with serving(serve) as address, in_time(), pytest.raises(Ambiguous):
        token_call(session, address)


def test_a_token_call_that_never_left_is_known_as_such(session: DeadlineSession) -> None:
    """A refused connection through the deadline's own machinery keeps its meaning."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(NeverSent):
        token_call(session, address)


def token_call(session: DeadlineSession, address: str) -> TokenCallFailed:
    server = AuthorizationServer(
        session, base_url=f"http://{address}", client_id="client-id", client_secret="client-secret"
    )
    server.refresh("refresh", 0, seconds=SECONDS)
    raise AssertionError


@pytest.mark.parametrize("serve", STUBBORN.values(), ids=STUBBORN.keys())
def test_an_api_call_that_is_cut_off_is_unreachable(session: DeadlineSession, serve: Serve) -> None:
    """A sign-up is an upsert, so the delivery repeats it."""
    with serving(serve) as address, in_time(), pytest.raises(Unreachable):
        ConstantContact(session, base_url=f"http://{address}/v3").sign_up(data_of({}))


class SlowHandshake(ssl.SSLContext):
    """A server whose handshake takes as long as across the world, with a lost packet."""

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        time.sleep(0.3)
        return super().wrap_socket(*args, **options)


class RealClock(Clock):
    """The real clock."""

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


def test_first_calls_with_slow_handshakes_never_make_five_in_a_second(
    tmp_path: Path, certificate: Path
) -> None:
    """Sent late, four calls over new connections would meet the first of those over kept ones."""
    arrived: list[float] = []
    body = b'{"contact_id": "c-1", "action": "created"}'
    answer = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    slow = SlowHandshake(ssl.PROTOCOL_TLS_SERVER)
    slow.load_cert_chain(certificate)

    def serve(connection: socket.socket) -> None:
        while True:
            ask(connection)
            arrived.append(time.monotonic())
            connection.sendall(answer)

    with serving(serve, slow) as address, DeadlineSession(15, depart=depart) as session:
        session.trust_env, session.verify = False, str(certificate)
        api = ConstantContact(session, base_url=f"https://{address}/v3")
        system = System(tmp_path, vendor=api, clock=(clock := RealClock()))
        clock.now = clock()
        system.connect()
        for number in range(9):
            system.sign_up(f"p{number}@example.org")
        clock.now = clock()
        system.nobody_left()
        assert system.delivery.drain(20).delivered == 9
        system.database.close()
    arrived.sort()
    assert len(arrived) == 9
    assert min(fifth - first for first, fifth in zip(arrived, arrived[4:], strict=False)) >= 1
