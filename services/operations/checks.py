"""What a doctor can find: each check is a function of values, and each finding one line for a person."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from services.account.lists import ListsView
from services.connection.status import IDLE_CRITICAL_DAYS, ConnectionView
from services.connection.token_ages import TokenAges
from services.operations.health import OLD_BACKLOG_SECONDS
from services.problems import Problem
from store.errors import StoreError, StoreMisconfigured
from store.outbox.deliveries import Backlog
from store.quota.causes import Causes
from store.quota.state import QuotaState

MEGABYTE = 1024 * 1024
LEAST_FREE_BYTES = 64 * MEGABYTE
# A scheduler that drains is asked to come every few minutes.
DRAINED_WITHIN_SECONDS = 15 * 60
# The part of a plain URL that holds no secret. What does not match to the end is not shown: a password that
# was not escaped may hold any of its signs.
SERVER = re.compile(
    r"[\w+]+://(?:[^:/?#@]*(?::[^/?#@]*)?@)?(?P<where>[\w.-]+(?::\d+)?(?:/[\w.-]*)?)(?:\?[^@]*)?"
)


class Level(Enum):
    """How bad a finding is; a problem keeps the service from doing its work."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """What was found, and the cure where the sentence does not hold it; neither holds a secret."""

    level: Level
    sentence: str
    cure: str | None = None

    def __str__(self) -> str:
        """One line, as in "problem: what is wrong — what to do"."""
        return f"{self.level.value}: {self.sentence}" + (f" — {self.cure}" if self.cure else "")


def settings(warnings: Iterable[Problem]) -> list[Finding]:
    """The settings' own warnings, which name their cures."""
    found = [Finding(Level.WARNING, warning.sentence) for warning in warnings]
    return found or [Finding(Level.OK, "The settings are complete.")]


def disk(folder: Path, free_bytes: int) -> list[Finding]:
    """Whether the disk of `folder` has room."""
    sentence = f"{free_bytes // MEGABYTE} MB are free on the disk of {folder}."
    if free_bytes < LEAST_FREE_BYTES:
        return [Finding(Level.PROBLEM, f"Only {sentence}", "Make room before writing fails.")]
    return [Finding(Level.OK, sentence)]


def spool(waiting: int, damaged: int, data_dir: Path) -> list[Finding]:
    """Whether sign-ups wait outside the database, or could not be brought into it."""
    found = []
    if waiting:
        sentence = f"Sign-ups that wait in {data_dir / 'spool'} for the database: {waiting}."
        found.append(Finding(Level.WARNING, sentence, "They are imported within seconds once it works."))
    if damaged:
        sentence = f"Lines in {data_dir / 'spool'} that could not be imported: {damaged}."
        cure = "Read the files whose names begin with “damaged”, enter what they tell, and delete them."
        found.append(Finding(Level.PROBLEM, sentence, cure))
    return found


def copies(problem: str | None) -> list[Finding]:
    """Whether what is stored is also written down a second time."""
    return [Finding(Level.PROBLEM, problem)] if problem else []


def proxies(problems: Iterable[Problem]) -> list[Finding]:
    """Whether what requests showed fits PROXY_HOPS."""
    found = [Finding(Level.WARNING, problem.sentence) for problem in problems]
    return found or [Finding(Level.OK, "Nothing that was seen speaks against PROXY_HOPS.")]


def salvaged(problems: Iterable[Problem]) -> list[Finding]:
    """Whether the database had to begin anew."""
    return [Finding(Level.PROBLEM, problem.sentence) for problem in problems]


def redirect(uri: str | None, *, sandbox: bool) -> list[Finding]:
    """The redirect URI, exactly as Constant Contact must know it."""
    if sandbox:
        return [Finding(Level.OK, "The built-in sandbox plays Constant Contact; it needs no redirect URI.")]
    if uri is None:
        return [
            Finding(
                Level.WARNING,
                "PUBLIC_BASE_URL is not set, so the redirect URI follows the address in the browser.",
                "Set it to this service's address.",
            )
        ]
    return [Finding(Level.OK, f"The redirect URI to register, to the letter: {uri}")]


def database(description: str, where: str) -> list[Finding]:
    """A database that was written to a moment ago."""
    return [Finding(Level.OK, f"{description} at {where} can be written.")]


def unusable(store_url: str, error: StoreError) -> list[Finding]:
    """A database that fails; what it would have told is not looked at."""
    sentence = f"The database at {place(store_url)} cannot be used: {error}"
    if isinstance(error, StoreMisconfigured):
        return [Finding(Level.PROBLEM, sentence)]
    if database_file(store_url):
        cure = "See that its folder is on a local disk, has room, and may be written by this user."
    else:
        cure = "See that the server runs, and that DATABASE_URL names it."
    return [Finding(Level.PROBLEM, sentence, cure)]


def public_client(*, used: bool) -> list[Finding]:
    """That the service does without a secret, which is in order where the application has none."""
    if not used:
        return []
    return [
        Finding(
            Level.OK,
            "There is no CONSTANT_CONTACT_CLIENT_SECRET: "
            "this service connects as a public application, by PKCE alone.",
        )
    ]


def connection(view: ConnectionView, ages: TokenAges) -> list[Finding]:
    """How the connection stands; a failure that passes is a warning as long as the token in hand lasts."""
    if view.state == "connected":
        account = f" The account: {view.account_name}." if view.account_name else ""
        return [Finding(Level.OK, view.sentence + account)]
    lasts = view.state == "refresh_failing" and (ages.access_ends_in or 0) > 0
    told = not ages.last_error or ages.last_error in view.sentence
    reason = "" if told else f" The last error: {ages.last_error}"
    return [
        Finding(
            Level.WARNING if lasts else Level.PROBLEM,
            view.sentence + reason,
            "Press Connect at /admin/." if view.action == "connect" else None,
        )
    ]


def keys(*, opened: bool) -> list[Finding]:
    """Whether the tokens can be read at all."""
    if opened:
        return [Finding(Level.OK, "ENCRYPTION_KEYS open what is stored.")]
    cure = "Put the earlier key back behind the newest, or press Connect at /admin/."
    return [Finding(Level.PROBLEM, "ENCRYPTION_KEYS do not open the stored tokens.", cure)]


def idle(view: ConnectionView) -> list[Finding]:
    """How near the vendor is to ending an unused connection."""
    if view.idle_days is None:
        return []
    if view.warning is None:
        return [Finding(Level.OK, f"Days since the connection was used: {view.idle_days}, of 180.")]
    critical = view.idle_days >= IDLE_CRITICAL_DAYS
    return [Finding(Level.PROBLEM if critical else Level.WARNING, view.warning)]


def public_lists(wanted: Iterable[str], known: ListsView | None) -> list[Finding]:
    """Whether website forms sign up to lists that exist, as far as the account's lists are known."""
    wanted = tuple(wanted)
    if not wanted:
        return []
    if known is None:
        cure = "Connect, then run `flask lists`."
        return [
            Finding(
                Level.WARNING,
                "The account's lists are not known yet, so PUBLIC_LIST_IDS is not compared.",
                cure,
            )
        ]
    existing = {entry.list_id for entry in known.lists}
    missing = [list_id for list_id in wanted if list_id not in existing]
    if not missing:
        return [Finding(Level.OK, "The account has every list in PUBLIC_LIST_IDS.")]
    sentence = f"PUBLIC_LIST_IDS names lists that the account does not have: {', '.join(missing)}."
    return [Finding(Level.PROBLEM, sentence, "`flask lists` asks again and prints the ids there are.")]


def open_lists(problems: Iterable[Problem], weak_doors: Iterable[str]) -> list[Finding]:
    """Whether visitors find an open door, and only those that were meant to be open."""
    cure = "Protect that form too, if its pages can bring what the protection asks for."
    return [
        *(Finding(Level.WARNING, problem.sentence) for problem in problems),
        *(Finding(Level.WARNING, sentence, cure) for sentence in weak_doors),
    ]


def waiting(backlog: Backlog, oldest_seconds: int) -> list[Finding]:
    """Whether sign-ups get through."""
    if not backlog.pending:
        return [Finding(Level.OK, "No sign-up waits for its delivery.")]
    sentence = f"Sign-ups waiting: {backlog.pending}, the oldest for {oldest_seconds // 60} minutes."
    if oldest_seconds <= OLD_BACKLOG_SECONDS:
        return [Finding(Level.OK, sentence)]
    return [Finding(Level.PROBLEM, sentence, "Mend what else is found here; the log names each failure.")]


def refused(backlog: Backlog) -> list[Finding]:
    """Whether a person must look."""
    if not backlog.parked:
        return []
    sentence = f"Sign-ups that were put aside and wait for a person: {backlog.parked}. They are kept."
    return [Finding(Level.WARNING, sentence, "/admin/ says why.")]


def causes(budget: QuotaState) -> list[Finding]:
    """What whole kinds of sign-ups are refused for, which wait until it is mended."""
    standing = [cause for cause in Causes.parse(budget.causes) if not cause.lifted]
    return [Finding(Level.PROBLEM, cause.sentence) for cause in standing]


def forms(faults: Iterable[str]) -> list[Finding]:
    """Which form uses something that the account does not have any more."""
    return [Finding(Level.PROBLEM, fault) for fault in faults]


def pause(budget: QuotaState, now: int) -> list[Finding]:
    """Whether everybody waits for the vendor."""
    if budget.paused_until is None or budget.paused_until <= now:
        return []
    seconds = (budget.paused_until - now) // 1000 + 1
    sentence = f"Delivery pauses for another {seconds} s: {budget.pause_reason}"
    return [Finding(Level.WARNING, sentence, "It goes on by itself.")]


def planned(waits: Iterable[Problem]) -> list[Finding]:
    """Waits that end by themselves at a known time."""
    return [Finding(Level.OK if wait.planned else Level.WARNING, wait.sentence) for wait in waits]


def worker(delivers_itself: bool, oldest_seconds: int, *, possible: bool) -> list[Finding]:
    """Whether somebody delivers where the web processes do not; only a sign-up that waits can show it."""
    if delivers_itself:
        return []
    if possible and oldest_seconds > DRAINED_WITHIN_SECONDS:
        sentence = f"DELIVERY=off, and for {oldest_seconds // 60} minutes nobody has delivered what waits."
        cure = "Start `flask worker`, or have a scheduler run `flask drain`."
        return [Finding(Level.PROBLEM, sentence, cure)]
    return [Finding(Level.OK, "DELIVERY=off: `flask worker` or `flask drain` delivers.")]


def hosts(urls: Iterable[str], resolve: Callable[[str, None], object] = socket.getaddrinfo) -> list[Finding]:
    """Whether the vendor's hosts are found in the DNS."""
    found = []
    for host in sorted({urlsplit(url).hostname or "" for url in urls}):
        try:
            resolve(host, None)
            found.append(Finding(Level.OK, f"{host} is found in the DNS."))
        except (OSError, UnicodeError):
            cure = "Check this machine's network and its name servers."
            found.append(Finding(Level.PROBLEM, f"{host} is not found in the DNS.", cure))
    return found


def reached(url: str, failure: str | None) -> list[Finding]:
    """Whether a call got through to `url`; `failure` says in words why not, without a full stop."""
    host = urlsplit(url).hostname or url
    if failure is None:
        return [Finding(Level.OK, f"{host} answers.")]
    cure = (
        "See that this machine may call it: firewall, proxy (HTTPS_PROXY), certificates (REQUESTS_CA_BUNDLE)."
    )
    return [Finding(Level.PROBLEM, f"{host} cannot be used: {failure}.", cure)]


def database_file(store_url: str) -> Path | None:
    """The file of an SQLite database, None for another one."""
    scheme, _, path = store_url.partition(":///")
    return Path(path.partition("?")[0]).absolute() if scheme.startswith("sqlite") else None


def place(store_url: str) -> str:
    """Where the database lies: a path, or host and name, without user, password and options."""
    if file := database_file(store_url):
        return str(file)
    server = SERVER.fullmatch(store_url)
    return server["where"] if server else "DATABASE_URL"
