"""A vendor whose answers a test writes down beforehand. It records what it was asked."""

from collections.abc import Callable, Mapping
from typing import Any

import requests

from oauth.authorization_server import TOTAL_SECONDS, AuthorizationServer
from oauth.errors import OAuthError
from oauth.tokens import TokenPair
from services.constant_contact.catalog import CustomField, Page, Tag
from services.constant_contact.client import ConstantContact, ContactList, SignedUp
from services.constant_contact.contact_data import ContactData, PersonFields
from services.constant_contact.contacts import Contact
from services.constant_contact.errors import ConstantContactError, Rejected
from services.delivery.pacing import depart
from store.opt_outs import OptedOut

DAY_MS = 86_400_000
NEWSLETTER = ContactList("11111111-1111-4111-8111-111111111111", "Newsletter", "", True, 3)
EVENTS = ContactList("22222222-2222-4222-8222-222222222222", "Events", "", False, 0)


def data_of(body: Mapping[str, Any]) -> ContactData:
    """What a body of POST /contacts/sign_up_form sets."""
    properties = {
        name: value
        for name, value in body.items()
        if name not in {"email_address", "list_memberships", "custom_fields"}
    }
    entries = {entry["custom_field_id"]: entry for entry in body.get("custom_fields", ())}
    lists = tuple(body.get("list_memberships", ()))
    return ContactData(body.get("email_address", ""), lists, PersonFields(properties, entries))


class ScriptedAuthorization(AuthorizationServer):
    """Refreshes tokens, or raises `fault`; `meanwhile` happens during each refresh."""

    def __init__(self) -> None:
        super().__init__(
            requests.Session(), base_url="https://authz.test", client_id="client-id", client_secret="secret"
        )
        self.refreshes = 0
        self.fault: OAuthError | None = None
        self.meanwhile: Callable[[], None] = lambda: None

    def refresh(self, refresh_token: str, now: int, seconds: float = TOTAL_SECONDS) -> TokenPair:
        self.refreshes += 1
        self.meanwhile()
        if self.fault is not None:
            raise self.fault
        return TokenPair(f"access-{now}", f"refresh-{now}", now, now + DAY_MS, "contact_data")


class ScriptedVendor(ConstantContact):
    """Answers `script` entry by entry, then with success for ever."""

    def __init__(self, *script: Exception | SignedUp) -> None:
        self.script = list(script)
        self.refuses: set[str] = set()
        self.errors: dict[str, Exception] = {}
        self.signed_up: list[Mapping[str, Any]] = []
        self.pages: list[str | None] = []
        self.lists_error: ConstantContactError | None = None
        self.endless = False
        self.fields: tuple[CustomField, ...] = ()
        self.made_tags: tuple[Tag, ...] = ()
        self.asked_for: list[str] = []
        self.opt_outs_since: list[int] = []
        self.looked_up: list[str] = []

    def sign_up(self, data: ContactData) -> SignedUp:
        depart()
        person = data.sign_up_body()
        self.signed_up.append(person)
        if person["email_address"] in self.refuses:
            raise Rejected(key="contacts.api.validation")
        if error := self.errors.get(person["email_address"]):
            raise error
        answer = self.script.pop(0) if self.script else SignedUp("contact-1", "created")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def find_contact(self, address: str) -> Contact | None:
        depart()
        self.looked_up.append(address)
        return None

    def opt_outs(self, since: int, page: str | None = None) -> Page[OptedOut]:
        self.opt_outs_since.append(since)
        return Page((), None)

    def contact_lists(self, page: str | None = None) -> Page[ContactList]:
        self.pages.append(page)
        if self.lists_error:
            raise self.lists_error
        if self.endless and len(self.pages) > 2:
            raise AssertionError("the same page over and over")
        if page is None or self.endless:
            return Page((NEWSLETTER,), "/v3/contact_lists?cursor=2")
        return Page((EVENTS,), None)

    def custom_fields(self, page: str | None = None) -> Page[CustomField]:
        self.asked_for.append("custom_fields")
        if self.lists_error:
            raise self.lists_error
        return Page(self.fields, None)

    def tags(self, page: str | None = None) -> Page[Tag]:
        self.asked_for.append("tags")
        if self.lists_error:
            raise self.lists_error
        return Page(self.made_tags, None)
