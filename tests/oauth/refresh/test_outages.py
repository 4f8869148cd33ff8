"""An hour of any passing fault, of the token endpoint and the API alike, and what is left of it."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import responses
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError, SSLError

from oauth.authorization_server import AuthorizationServer
from oauth.bearer import BearerAuth
from oauth.context import OAuthContext
from oauth.encryption import TokenCipher
from oauth.errors import OAuthError
from oauth.refresh.schedule import lasts
from oauth.token_source import TokenSource
from services.account.fields_and_tags import FieldsAndTags
from services.account.lists import ListCache
from services.account.opt_outs import OptOutTable
from services.connection.status import ConnectionStatus
from services.constant_contact.client import ConstantContact
from services.constant_contact.quota import CallQuota
from services.delivery.attempt import DeliveryAttempt, Outcome, Step
from services.delivery.causes import CauseWords
from services.delivery.kind import Collaborators
from services.delivery.kinds import build_kinds
from services.delivery.pacing import Pacing
from store.connection.oauth_connection import OAuthConnections
from store.engine.database import Database
from store.key_value import KeyValue
from store.opt_outs import OptOuts
from store.outbox.deliveries import Deliveries
from store.quota.ledger import QuotaLedger
from store.signups.accept import Signups
from tests.oauth.vendor import DAY, HOUR, START, Answer, Clock, HttpAnswer, Vendor, given
from tests.store.conftest import signup
from tests.support.patience import Patient
from wiring.constant_contact import authorizing

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


class House:
    """From stored sign-ups to the vendor, as the app wires it, on a clock moved by hand."""

    def __init__(
        self,
        database: Database,
        server: AuthorizationServer,
        cipher: TokenCipher,
        vendor: Vendor,
        clock: Clock,
    ) -> None:
        self.clock, self.vendor = clock, vendor
        self.connections, self.deliveries = OAuthConnections(database), Deliveries(database)
        self.source = TokenSource(
            OAuthContext(self.connections, server, cipher, clock=clock, wait=clock.wait)
        )
        session = requests.Session()
        session.auth = BearerAuth(self.source, booked=lambda: None)
        quota, authorize = QuotaLedger(database), authorizing(self.source)
        api = ConstantContact(session, base_url=API, connection_errors=(OAuthError,))
        permits = CallQuota(
            quota,
            clock=clock,
            authorize=authorize,
            new_event=lambda: Patient(clock),
            monotonic=lambda: clock() / 1000,
        )
        connection = ConnectionStatus(self.connections, lasts=lasts, clock=clock)
        lists = ListCache(
            vendor=api, connection=connection, meta=KeyValue(database), permits=permits, clock=clock
        )
        vocabulary = FieldsAndTags.of(
            vendor=api, connection=connection, meta=KeyValue(database), permits=permits, clock=clock
        )
        opt_outs = OptOutTable(
            opt_outs=OptOuts(database), vendor=api, permits=permits, connection=connection, clock=clock
        )
        self.courier = DeliveryAttempt(
            deliveries=self.deliveries,
            quota=quota,
            connection=connection,
            authorize=authorize,
            departures=Pacing(permits=permits, quota=quota, clock=clock),
            kinds=build_kinds(
                Collaborators(
                    vendor=api,
                    lists=lists,
                    vocabulary=vocabulary,
                    opt_outs=opt_outs,
                    returning="confirm",
                    clock=clock,
                )
            ),
            opt_outs=opt_outs,
            words=CauseWords(list_names=lists.names, form_names=dict),
            clock=clock,
        )
        self.states: set[str] = set()
        self.database = database

    def accept(self, *names: str) -> None:
        """Sign-ups of now."""
        for name in names:
            address = f"{name}@example.org"
            Signups(self.database).accept(
                signup(name, contact=address, at=self.clock.now),
                kind="sign_up",
                payload={"email_address": address, "list_memberships": ["l-1"]},
            )

    def live(self, until: int) -> None:
        """What the background threads do until then."""
        while self.clock.now < until:
            self.source.tend()
            claimed = self.courier.claim()
            step = claimed if isinstance(claimed, Step) else self.courier.carry(claimed, Patient(self.clock))
            self.states.add(self.connections.read().state)
            self.clock.now += 300 if step.outcome is Outcome.DELIVERED else 2 * MINUTE

    def pending(self) -> int:
        return self.deliveries.backlog().pending


@pytest.fixture
def house(
    tmp_path: Path,
    server: AuthorizationServer,
    cipher: TokenCipher,
    vendor: Vendor,
    clock: Clock,
    http: responses.RequestsMock,
) -> Iterator[House]:
    """Connected at START."""

    def sign_up(_request: requests.PreparedRequest) -> HttpAnswer:
        if vendor.outage is not None:
            return given(vendor.outage)
        return 201, {}, json.dumps({"contact_id": "c-1", "action": "created"})

    http.add_callback(responses.POST, f"{API}/contacts/sign_up_form", callback=sign_up)

    def nobody_left(_request: requests.PreparedRequest) -> HttpAnswer:
        return given(vendor.outage) if vendor.outage is not None else (200, {}, '{"contacts": []}')

    http.add_callback(responses.GET, f"{API}/contacts", callback=nobody_left)
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    house = House(database, server, cipher, vendor, clock)
    house.connections.store_connected(
        access_sealed=cipher.seal("access-secret-0"),
        refresh_sealed=cipher.seal("refresh-secret-0"),
        access_issued_at=START,
        access_expires_at=START + DAY,
        scope=None,
        now=START,
        account_id="a-1",
    )
    yield house
    database.close()


EXPIRED = START + DAY
RENEWAL_DUE = EXPIRED - 90 * MINUTE


@pytest.mark.parametrize(
    ("outage", "begins"),
    [pytest.param(outage, EXPIRED, id=name) for name, outage in OUTAGES.items()]
    + [pytest.param(OUTAGES[name], RENEWAL_DUE, id=f"{name}, early") for name in ("refused", "503")],
)
def test_an_hour_of_any_passing_fault_costs_nothing_but_the_hour(
    house: House, vendor: Vendor, clock: Clock, cipher: TokenCipher, outage: Answer, begins: int
) -> None:
    """No admin is called, few calls are made, and soon after the fault everything is delivered by itself."""
    clock.now = begins
    house.accept("ann", "bob", "cleo")
    vendor.outage = outage
    house.live(begins + HOUR)
    assert house.pending() == 3
    assert house.states <= {"connected", "refresh_failing"}
    assert 1 <= len(vendor.forms) <= 12
    vendor.outage = None
    house.live(begins + HOUR + 20 * MINUTE)
    row = house.connections.read()
    assert (house.pending(), row.state, row.failures) == (0, "connected", 0)
    assert house.states <= {"connected", "refresh_failing"}
    assert cipher.unseal(row.refresh_sealed or "") == vendor.refresh == "refresh-secret-1"
