"""The only code that speaks to Constant Contact's API (v3).

One method per operation. Retries are not here: the delivery row is the one layer that retries, so that every
call is counted against the vendor's quota.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import requests

from services.constant_contact.account import Account, TokenAuth, account, claims
from services.constant_contact.catalog import CustomField, Page, Tag, custom_field, tag
from services.constant_contact.causes import words_of
from services.constant_contact.contact_data import ContactData
from services.constant_contact.contacts import (
    SUB_RESOURCES,
    Contact,
    contact,
    creation,
    replacement,
    unsubscription,
)
from services.constant_contact.errors import (
    Conflict,
    ConnectionUnusable,
    ConstantContactError,
    Misconfigured,
    NotAsked,
    Unreachable,
)
from services.constant_contact.fields import an_id, text, unlike
from services.constant_contact.paging import address_of, next_link
from services.constant_contact.responses import failure, json_body, json_object, not_theirs
from store.opt_outs import OptedOut

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
# The contract allows 500 in words and 1,000 in its schema; an account holds 1,000 lists at most.
LISTS_PER_PAGE = 500
FIELDS_PER_PAGE, TAGS_PER_PAGE, CONTACTS_PER_PAGE = 100, 500, 500
MOST_MEMBERS = 10**9
GONE = "The contact was deleted at the same moment; the sign-up will be sent again."


@dataclass(frozen=True)
class SignedUp:
    """The vendor's answer to a sign-up; `action` is "created", "updated" or what was done instead."""

    contact_id: str
    action: str


@dataclass(frozen=True)
class ContactList:
    """One list of the account."""

    list_id: str
    name: str
    description: str
    favorite: bool
    membership_count: int


class ConstantContact:
    """The API behind a session whose `auth` adds the access token.

    `connection_errors` are what that `auth` raises when it has no token; they become ConnectionUnusable.
    `own_errors` are raised by our own code within a call: they say nothing about the vendor and
    are passed on. Whatever else a call raises becomes Unreachable, since no list of a network's exceptions is
    complete. So every method raises ConstantContactError or one of `own_errors`.
    """

    def __init__(
        self,
        session: requests.Session,
        *,
        base_url: str,
        connection_errors: tuple[type[Exception], ...] = (),
        own_errors: tuple[type[Exception], ...] = (),
    ) -> None:
        """`base_url` ends in /v3, without a slash."""
        self._session = session
        self._base_url = base_url
        self._connection_errors = connection_errors
        self._own_errors: tuple[type[Exception], ...] = (ConstantContactError, *own_errors)

    def sign_up(self, data: ContactData) -> SignedUp:
        """Create or update a contact for its own sign-up; lists are appended, omitted fields stay.

        https://developer.constantcontact.com/api_guide/contacts_create_or_update.html
        """
        response = self._send("POST", f"{self._base_url}/contacts/sign_up_form", json=data.sign_up_body())
        if response.status_code not in {200, 201}:
            raise failure(response)
        answer = json_object(response)
        try:
            contact_id, action = an_id(answer["contact_id"]), text(answer["action"])
        except (KeyError, TypeError):
            raise not_theirs(response, "a success without contact_id and action") from None
        if action not in {"created", "updated"}:
            raise not_theirs(response, "a success without contact_id and action")
        return SignedUp(contact_id=contact_id, action=action)

    def find_contact(self, address: str) -> Contact | None:
        """Return the contact with this address, also an unsubscribed or deleted one; None when there is none.

        https://developer.constantcontact.com/api_guide/contacts_get_all.html
        """
        query = {"email": address, "status": "all", "include": ",".join(SUB_RESOURCES)}
        response = self._send("GET", f"{self._base_url}/contacts", params=query)
        if response.status_code != 200:
            raise failure(response)
        found = json_object(response).get("contacts")
        if not isinstance(found, list):
            raise not_theirs(response, "a success without contacts")
        same = (one for one in map(contact, found) if one.address == address.lower())
        return next(same, None)

    def create_contact(self, data: ContactData) -> SignedUp:
        """Create a contact as sign_up_form does for shorter addresses; Conflict when the account has it.

        https://developer.constantcontact.com/api_guide/contacts_create.html
        """
        response = self._send("POST", f"{self._base_url}/contacts", json=creation(data))
        if response.status_code != 201:
            raise failure(response)
        return SignedUp(contact(json_object(response)).contact_id, "created")

    def update_contact(self, existing: Contact, data: ContactData) -> SignedUp:
        """Add a sign-up to a contact as it was found; repeating it changes nothing more.

        Conflict when the contact has been removed for good since.

        https://developer.constantcontact.com/api_guide/contacts_update.html
        """
        return SignedUp(self._put(existing, replacement(existing, data)), "updated")

    def unsubscribe(self, existing: Contact, reason: str | None) -> None:
        """Unsubscribe a contact as it was found, for the `reason` it gave; Conflict when it is gone since.

        https://developer.constantcontact.com/api_guide/contacts_update.html
        """
        self._put(existing, unsubscription(existing, reason))

    def opt_outs(self, since: int, page: str | None = None) -> Page[OptedOut]:
        """Return one page of who opted out or was deleted after `since` (epoch ms).

        `page` is the link of the page before.

        https://developer.constantcontact.com/api_guide/contacts_get_all.html
        """
        query = {
            "status": "unsubscribed,deleted",
            "optout_after": datetime.fromtimestamp(since / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "limit": str(CONTACTS_PER_PAGE),
        }
        found, following = self._page("contacts", f"/contacts?{urlencode(query)}", page)
        contacts = [contact(entry) for entry in found]
        left = (OptedOut(each.address, each.left_at or 0) for each in contacts if each.address)
        return Page(tuple(left), following)

    def ask_to_return(self, existing: Contact, list_ids: Sequence[str]) -> None:
        """Have a contact who opted out asked once by mail whether to come back to these lists.

        Raises NotAsked when the vendor will not.

        https://developer.constantcontact.com/api_guide/contacts_re-subscribe.html
        """
        address = f"{self._base_url}/contacts/resubscribe/{existing.contact_id}"
        response = self._send("PUT", address, json={"list_ids": list(list_ids)})
        if response.status_code == 200:
            return
        error = failure(response)
        if response.status_code in {400, 404, 409} and not isinstance(error, Unreachable):
            raise NotAsked(key=error.key, detail=error.detail)
        raise error

    def contact_lists(self, page: str | None = None) -> Page[ContactList]:
        """Return one page of the account's lists with member counts; `page` is the link of the page before.

        https://developer.constantcontact.com/api_guide/lists_get_all.html
        """
        first = f"/contact_lists?limit={LISTS_PER_PAGE}&include_membership_count=all"
        found, following = self._page("lists", first, page)
        return Page(tuple(_contact_list(entry) for entry in found), following)

    def custom_fields(self, page: str | None = None) -> Page[CustomField]:
        """Return one page of the account's custom fields; `page` is the link of the page before.

        https://developer.constantcontact.com/api_guide/get_custom_fields.html
        """
        first = f"/contact_custom_fields?limit={FIELDS_PER_PAGE}"
        found, following = self._page("custom_fields", first, page)
        return Page(tuple(custom_field(entry) for entry in found), following)

    def tags(self, page: str | None = None) -> Page[Tag]:
        """Return one page of the account's tags; `page` is the link of the page before.

        https://developer.constantcontact.com/api_guide/tags_get.html
        """
        found, following = self._page("tags", f"/contact_tags?limit={TAGS_PER_PAGE}", page)
        return Page(tuple(tag(entry) for entry in found), following)

    def create_tag(self, name: str) -> Tag:
        """Create a tag; Conflict when the account has one of that name.

        https://developer.constantcontact.com/api_guide/tags_create.html
        """
        response = self._send("POST", f"{self._base_url}/contact_tags", json={"name": name})
        if response.status_code != 201:
            raise failure(response)
        return tag(json_object(response))

    def add_tags(self, contact_id: str, tag_ids: Sequence[str]) -> None:
        """Give a contact 50 tags at most; repeating it changes nothing. The vendor does it a little later.

        https://developer.constantcontact.com/api_guide/add_tagging_activity.html
        """
        body = {"source": {"contact_ids": [contact_id]}, "tag_ids": list(tag_ids)}
        response = self._send("POST", f"{self._base_url}/activities/contacts_taggings_add", json=body)
        if response.status_code != 201:
            raise failure(response)

    def account(self, access_token: str, *, permit: Callable[[], object]) -> Account:
        """Return the account behind this token, which need not be the stored connection's.

        `permit` is called before each of the two calls, so that neither is made later than it was reserved.

        https://developer.constantcontact.com/api_guide/account_details_get.html
        https://developer.constantcontact.com/api_guide/user_privileges.html
        """
        token_claims = claims(access_token)
        user = str(token_claims.get("sub") or "")
        # The vendor's mark for a user without an account: every call with such a token is a 401.
        if token_claims.get("platform_user_id") == "UNASSIGNED":
            return Account(account_id="", name="", user=user, may_manage_contacts=False)
        auth = TokenAuth(access_token)
        permit()
        summary = self._send("GET", f"{self._base_url}/account/summary", auth=auth)
        if summary.status_code != 200:
            raise failure(summary)
        permit()
        privileges = self._send("GET", f"{self._base_url}/account/user/privileges", auth=auth)
        if privileges.status_code != 200:
            raise failure(privileges)
        return account(user, json_object(summary), json_body(privileges))

    def _put(self, existing: Contact, body: Mapping[str, Any]) -> str:
        response = self._send("PUT", f"{self._base_url}/contacts/{existing.contact_id}", json=body)
        if response.status_code != 200:
            refused = failure(response)
            gone = response.status_code == 404 and isinstance(refused, Misconfigured)
            raise Conflict(words=GONE) if gone else refused
        return contact(json_object(response)).contact_id

    def _page(self, member: str, first: str, page: str | None) -> tuple[list[Any], str | None]:
        address = address_of(page, self._base_url) if page else f"{self._base_url}{first}"
        response = self._send("GET", address)
        if response.status_code != 200:
            raise failure(response)
        answer = json_object(response)
        found = answer.get(member)
        if not isinstance(found, list):
            raise not_theirs(response, f"a success without {member}")
        return found, next_link(answer, self._base_url)

    def _send(self, method: str, address: str, **more: Any) -> requests.Response:
        try:
            return self._session.request(
                method,
                address,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                **more,
            )
        except self._connection_errors as error:
            raise ConnectionUnusable(detail=type(error).__name__) from error
        except self._own_errors:
            raise
        except Exception as error:
            cause = words_of(error)
            words = f"Constant Contact cannot be reached: {cause}."
            raise Unreachable(detail=f"{type(error).__name__}: {cause}", words=words) from error


def _contact_list(entry: Any) -> ContactList:
    try:
        members, description = entry.get("membership_count"), entry.get("description")
        return ContactList(
            list_id=an_id(entry["list_id"]),
            name=text(entry["name"]),
            description=description if isinstance(description, str) else "",
            favorite=entry.get("favorite") is True,
            membership_count=members if type(members) is int and 0 <= members <= MOST_MEMBERS else 0,
        )
    except (KeyError, TypeError, AttributeError):
        raise unlike("a list without id or name") from None
