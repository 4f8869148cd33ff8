"""Whether Constant Contact can be called, with settings that fit its account: for an operator."""

import socket
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from services.account.lists import KnownLists
from services.connection.status import ConnectionView
from services.problems import Level, Problem, well


def redirect(uri: str | None, *, sandbox: bool) -> list[Problem]:
    """Return the redirect URI, exactly as Constant Contact must know it."""
    if sandbox:
        return [well("The built-in sandbox plays Constant Contact; it needs no redirect URI.")]
    if uri is not None:
        return [well(f"The redirect URI to register, to the letter: {uri}")]
    sentence = "PUBLIC_BASE_URL is not set, so the redirect URI follows the address in the browser."
    cure = "Set it to this service's address."
    return [Problem("public_base_url_missing", Level.WARNING, sentence, cure, public=False)]


def public_client(*, used: bool) -> list[Problem]:
    """Return that the service does without a secret, which is in order where the application has none."""
    if not used:
        return []
    return [
        well(
            "There is no CONSTANT_CONTACT_CLIENT_SECRET: "
            "this service connects as a public application, by PKCE alone."
        )
    ]


def connection(view: ConnectionView) -> list[Problem]:
    """Return how the connection stands."""
    if view.state == "connected":
        account = f" The account: {view.account_name}." if view.account_name else ""
        return [well(view.sentence + account)]
    error = view.tokens.last_error
    reason = f" The last error: {error}" if error and error not in view.sentence else ""
    cure = "Press Connect at /admin/." if view.action == "connect" else None
    return [view.problem(view.sentence + reason, cure)]


def keys(*, opened: bool) -> list[Problem]:
    """Return whether the tokens can be read at all."""
    if opened:
        return [well("ENCRYPTION_KEYS open what is stored.")]
    sentence = "ENCRYPTION_KEYS do not open the stored tokens."
    cure = "Put the earlier key back behind the newest, or press Connect at /admin/."
    return [Problem("connection_undecryptable", Level.PROBLEM, sentence, cure, public=False)]


def idle(view: ConnectionView) -> list[Problem]:
    """Return how near the vendor is to ending an unused connection."""
    if view.idle_days is None:
        return []
    in_order = [well(f"Days since the connection was used: {view.idle_days}, of 180.")]
    return list(view.idle_problems()) or in_order


def public_lists(wanted: Iterable[str], known: KnownLists | None) -> list[Problem]:
    """Return whether PUBLIC_LIST_IDS names lists that exist, as far as the account's lists are known."""
    wanted = tuple(wanted)
    if not wanted:
        return []
    if known is None:
        sentence = "The account's lists are not known yet, so PUBLIC_LIST_IDS is not compared."
        return [Problem("lists_unknown", Level.WARNING, sentence, "Connect, then run `flask lists`.")]
    existing = {entry.list_id for entry in known.entries}
    missing = [list_id for list_id in wanted if list_id not in existing]
    if not missing:
        return [well("The account has every list in PUBLIC_LIST_IDS.")]
    sentence = f"PUBLIC_LIST_IDS names lists that the account does not have: {', '.join(missing)}."
    cure = "`flask lists` asks again and prints the ids there are."
    return [Problem("public_lists_missing", Level.PROBLEM, sentence, cure, public=False)]


def weak_doors(sentences: Iterable[str]) -> list[Problem]:
    """Return which lists one form protects and another does not."""
    cure = "Protect that form too, if its pages can bring what the protection asks for."
    return [
        Problem("list_protected_by_halves", Level.WARNING, sentence, cure, public=False)
        for sentence in sentences
    ]


def hosts(urls: Iterable[str], resolve: Callable[[str, None], object] = socket.getaddrinfo) -> list[Problem]:
    """Return whether the vendor's hosts are found in the DNS."""
    found = []
    for host in sorted({urlsplit(url).hostname or "" for url in urls}):
        try:
            resolve(host, None)
            found.append(well(f"{host} is found in the DNS."))
        except (OSError, UnicodeError):
            cure = "Check this machine's network and its name servers."
            sentence = f"{host} is not found in the DNS."
            found.append(Problem("host_not_found", Level.PROBLEM, sentence, cure, public=False))
    return found


def reached(url: str, failure: str | None) -> list[Problem]:
    """Return whether a call got through to `url`; `failure` says in words why not, without a full stop."""
    host = urlsplit(url).hostname or url
    if failure is None:
        return [well(f"{host} answers.")]
    sentence = f"{host} cannot be used: {failure}."
    cure = (
        "See that this machine may call it: firewall, proxy (HTTPS_PROXY), certificates (REQUESTS_CA_BUNDLE)."
    )
    return [Problem("host_unusable", Level.PROBLEM, sentence, cure, public=False)]
