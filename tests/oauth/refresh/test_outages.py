"""An hour of any passing fault, of the token endpoint and the API alike, and what is left of it."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import responses
from requests.auth import AuthBase
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError, SSLError

from oauth.authorization_server import AuthorizationServer
from oauth.errors import OAuthError
from services.constant_contact.client import ConstantContact
from services.delivery.attempt import Outcome, Step
from tests.oauth.vendor import DAY, HOUR, START, Answer, HttpAnswer, given
from tests.oauth.vendor import Vendor as TokenEndpoint
from tests.services.conftest import Clock, System
from tests.store.conftest import signup
from tests.support.patience import Patient
from wiring.constant_contact import Vendor

API = "https://api.test/v3"
MINUTE = 60_000


def unreachable(reason: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(MaxRetryError(None, "/", reason))  # type: ignore[arg-type]


OUTAGES: dict[str, Answer] = {
    "refused": unreachable(NewConnectionError(None, "refused")),  # type: ignore[arg-type]
    "no such name": unreachable(NameResolutionError("h", None, OSError())),  # type: ignore[arg-type]
    "bad certificate": requests.exceptions.SSLError(
        MaxRetryError(None, "/", SSLError(ssl.SSLCertVerificationError("expired")))  # type: ignore[arg-type]
    ),
    "broken TLS": requests.exceptions.SSLError("record"),
    "no connection in time": requests.ConnectTimeout("late"),
    "no answer in time": requests.ReadTimeout("late"),
    "reset": requests.ConnectionError("reset"),
    "half an answer": requests.exceptions.ChunkedEncodingError("half"),
    "500": (500, ""),
    "502": (502, "<html>Bad Gateway</html>"),
    "503": (503, '{"error_message": "down"}'),
    "maintenance page": (200, "<html>maintenance</html>"),
    "empty answer": (200, ""),
    "redirect": (302, ""),
    "throttled": (429, '{"error_key": "throttled"}'),
}


def client(auth: AuthBase) -> ConstantContact:
    session = requests.Session()
    session.auth = auth
    return ConstantContact(session, base_url=API, connection_errors=(OAuthError,))


class Installation(System):
    """From stored sign-ups to the vendor, on a clock moved by hand."""

    def __init__(self, path: Path, server: AuthorizationServer) -> None:
        clock = Clock()
        clock.now = START
        super().__init__(
            path, vendor=Vendor(server, client), clock=clock, tuning={"new_event": lambda: Patient(clock)}
        )
        self.states: set[str] = set()

    def accept(self, *names: str) -> None:
        """Sign-ups of now."""
        for name in names:
            address = f"{name}@example.org"
            self.signups.accept(
                signup(name, contact=address, at=self.clock.now),
                kind="sign_up",
                payload={"email_address": address, "list_memberships": ["l-1"]},
            )

    def live(self, until: int) -> None:
        """What the background threads do until then."""
        while self.clock.now < until:
            self.parts.tokens.source.tend()
            claimed = self.attempt.claim()
            step = claimed if isinstance(claimed, Step) else self.attempt.carry(claimed, Patient(self.clock))
            self.states.add(self.connections.read().state)
            self.clock.now += 300 if step.outcome is Outcome.DELIVERED else 2 * MINUTE

    def pending(self) -> int:
        return self.deliveries.backlog().pending


@pytest.fixture
def system(
    tmp_path: Path, server: AuthorizationServer, vendor: TokenEndpoint, http: responses.RequestsMock
) -> Iterator[Installation]:
    """Connected at START."""

    def sign_up(_request: requests.PreparedRequest) -> HttpAnswer:
        if vendor.outage is not None:
            return given(vendor.outage)
        return 201, {}, json.dumps({"contact_id": "c-1", "action": "created"})

    http.add_callback(responses.POST, f"{API}/contacts/sign_up_form", callback=sign_up)

    def nobody_left(_request: requests.PreparedRequest) -> HttpAnswer:
        return given(vendor.outage) if vendor.outage is not None else (200, {}, '{"contacts": []}')

    http.add_callback(responses.GET, f"{API}/contacts", callback=nobody_left)
    system = Installation(tmp_path, server)
    system.connections.store_connected(
        access_sealed=system.cipher.seal("access-secret-0"),
        refresh_sealed=system.cipher.seal("refresh-secret-0"),
        access_issued_at=START,
        access_expires_at=START + DAY,
        scope=None,
        now=START,
        account_id="a-1",
    )
    yield system
    system.database.close()


EXPIRED = START + DAY
RENEWAL_DUE = EXPIRED - 90 * MINUTE


@pytest.mark.parametrize(
    ("outage", "begins"),
    [pytest.param(outage, EXPIRED, id=name) for name, outage in OUTAGES.items()]
    + [pytest.param(OUTAGES[name], RENEWAL_DUE, id=f"{name}, early") for name in ("refused", "503")],
)
def test_an_hour_of_any_passing_fault_costs_nothing_but_the_hour(
    system: Installation, vendor: TokenEndpoint, outage: Answer, begins: int
) -> None:
    """No admin is called, few calls are made, and soon after the fault everything is delivered by itself."""
    system.clock.now = begins
    system.accept("ann", "bob", "cleo")
    vendor.outage = outage
    system.live(begins + HOUR)
    assert system.pending() == 3
    assert system.states <= {"connected", "refresh_failing"}
    assert 1 <= len(vendor.forms) <= 12
    vendor.outage = None
    system.live(begins + HOUR + 20 * MINUTE)
    row = system.connections.read()
    assert (system.pending(), row.state, row.failures) == (0, "connected", 0)
    assert system.states <= {"connected", "refresh_failing"}
    assert system.cipher.unseal(row.refresh_sealed or "") == vendor.refresh == "refresh-secret-1"
