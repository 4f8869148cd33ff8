"""An admin's consent, step by step, and the account behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from oauth.connecting.connector import Connector
from oauth.errors import OAuthError

SCOPES = ("contact_data", "account_read", "offline_access")
CALLBACK = "https://app.test/oauth/callback"


class Calls:
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@dataclass(frozen=True)
class Account:
    account_id: str = "a-1"
    name: str = "Friends of the River"
    user: str = "olivia"
    may_manage_contacts: bool = True


class Accounts:
    """Tells whose account a token opens; ``meanwhile`` runs while it is asked."""

    def __init__(self) -> None:
        self.answer: Account | OAuthError = Account()
        self.asked: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self, access_token: str) -> Account:
        self.asked.append(access_token)
        self.meanwhile()
        if isinstance(self.answer, OAuthError):
            raise self.answer
        return self.answer


class Happenings:
    """The events that were told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None]] = []
        self.actors: list[str | None] = []

    def __call__(self, kind: str, detail: str | None, actor: str | None = None) -> None:
        self.told.append((kind, detail))
        self.actors.append(actor)


def started(connector: Connector, browser: str = "browser") -> str:
    """The state that the vendor would send back."""
    return parse_qs(urlsplit(connector.start(browser=browser, redirect_uri=CALLBACK)).query)["state"][0]


def finish(connector: Connector, state: str, **changes: str | None) -> None:
    given: dict[str, str | None] = {"browser": "browser", "code": "the-code", "error": None, **changes}
    connector.finish(browser=given["browser"] or "", state=state, code=given["code"], error=given["error"])
