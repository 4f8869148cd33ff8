"""The sandbox's account in this process, with the application's own client in front of it."""

from collections.abc import Callable
from typing import Any

import requests
from werkzeug.test import TestResponse

from sandbox import PRESET_LIST_ID, ConnectionDropped, create_sandbox
from services.constant_contact.account import TokenAuth
from services.constant_contact.client import ConstantContact
from tests.sandbox.vendor import Vendor as Sandbox
from transport.in_process import InProcessAdapter

HOST = "http://sandbox.invalid"
LEFT = "/v3/contacts?optout_after"
EVENTS_ID = "22222222-2222-4222-8222-222222222222"
SOURCE_FIELD, INTERESTS_FIELD = (
    "44444444-4444-4444-8444-444444444444",
    "55555555-5555-4555-8555-555555555555",
)


class Account:
    """An account at the vendor; `api` is how the application speaks to it."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """`clock` tells epoch ms."""
        self.app = app = create_sandbox(lambda: clock() / 1000)
        self.vendor = Sandbox(app.test_client())
        self.vendor.settings(access_token_seconds=10**9)
        self.token = self.vendor.connect()["access_token"]
        self.session = session = requests.Session()
        session.auth = TokenAuth(self.token)
        session.mount(HOST, InProcessAdapter(app, dropped=ConnectionDropped))
        self.session, self.base_url = session, f"{HOST}/v3"
        self.api = ConstantContact(session, base_url=self.base_url)

    def edit(self, method: str, path: str, body: Any = None) -> TestResponse:
        """What the account's people do themselves, outside the limits."""
        self.vendor.settings(rate_limit=False)
        answer = self.vendor.call(self.token, method, f"/v3/contacts{path}", body)
        self.vendor.settings(rate_limit=True)
        assert answer.status_code < 300, answer.text
        return answer

    def add(self, address: str, **members: Any) -> str:
        """A contact made by the account; its id."""
        body = {
            "email_address": {"address": address, "permission_to_send": "implicit"},
            "create_source": "Account",
            "list_memberships": [EVENTS_ID],
        }
        return str((self.edit("POST", "", body | members).json or {})["contact_id"])

    def unsubscribe(self, contact_id: str, address: str) -> None:
        """The person opts out; the contact keeps its lists."""
        body = {
            "email_address": {"address": address, "permission_to_send": "unsubscribed"},
            "update_source": "Contact",
        }
        self.edit("PUT", f"/{contact_id}", body)

    def find(self, address: str) -> dict[str, Any]:
        """The contact as the API shows it, with everything that belongs to it."""
        include = "custom_fields,list_memberships,phone_numbers,street_addresses"
        answer = self.edit("GET", f"?email={address}&status=all&include={include}")
        (contact,) = (answer.json or {})["contacts"]
        return dict(contact)

    def calls_since(self, count: int) -> list[tuple[str, str, int]]:
        """Method, path and status of the calls after the first `count`; of the list of opt-outs `LEFT`."""
        return [
            (c["method"], LEFT if "optout_after" in c["query"] else c["path"], c["status"])
            for c in self.vendor.calls()[count:]
        ]

    @property
    def calls(self) -> int:
        """How many calls were made so far."""
        return len(self.vendor.calls())


__all__ = ["EVENTS_ID", "INTERESTS_FIELD", "PRESET_LIST_ID", "SOURCE_FIELD", "Account"]
