"""Look at everything a deployment needs at once, and say what is wrong and how to mend it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from services.account.lists import ListCache
from services.connection.status import ConnectionControl, ConnectionStatus
from services.connection.token_ages import TokenClock
from services.forms.open_lists import OpenLists
from services.operations import checks as findings
from services.operations.checks import Finding
from services.operations.health import salvage_problems
from services.operations.planned_waits import OWN_WAIT_MS, planned_waits, used_up
from services.problems import Problem
from store.engine.database import Database
from store.errors import StoreError
from store.outbox.deliveries import Backlog, Deliveries
from store.quota.ledger import QuotaLedger
from store.quota.state import QuotaState
from store.recovery.salvage import Salvage
from store.recovery.spool import Spool


@dataclass(frozen=True)
class Deployment:
    """What the settings say; `vendor_urls` is empty where the built-in sandbox plays Constant Contact.

    `store_url` may hold a password, which no finding repeats. `public_client` says that no secret of the
    vendor's application is set.
    """

    warnings: tuple[Problem, ...]
    store_url: str
    data_dir: Path
    redirect_uri: str | None
    public_list_ids: tuple[str, ...]
    delivers_itself: bool
    vendor_urls: tuple[str, ...]
    public_client: bool = False


def _no_call(_url: str) -> str | None:
    return None


class Doctor:
    """Looks at everything a deployment needs."""

    def __init__(  # noqa: PLR0913 - one argument for each thing to look at
        self,
        deployment: Deployment,
        *,
        database: Database,
        connection: ConnectionStatus,
        control: ConnectionControl,
        tokens: TokenClock,
        lists: ListCache,
        open_lists: OpenLists,
        deliveries: Deliveries,
        budget: QuotaLedger,
        spool: Spool,
        salvage: Salvage | None,
        proxies: Callable[[], Iterable[Problem]],
        form_faults: Callable[[], list[str]] = list,
        clock: Callable[[], int],
        reach: Callable[[str], str | None] = _no_call,
    ) -> None:
        """`salvage` is for SQLite; `proxies` tells what requests showed; `clock` tells epoch milliseconds.

        `reach` makes a call to an address of the vendor, and says in words why it came to nothing.
        """
        self._reach = reach
        self._form_faults = form_faults
        self._spool = spool
        self._salvage = salvage
        self._deployment = deployment
        self._proxies = proxies
        self._database = database
        self._connection = connection
        self._control = control
        self._tokens = tokens
        self._lists = lists
        self._open_lists = open_lists
        self._deliveries = deliveries
        self._budget = budget
        self._clock = clock

    def examine(self, *, online: bool = False) -> list[Finding]:
        """Every finding, whatever fails; only `online` uses the network beyond the database."""
        deployment = self._deployment
        folder = _folder(deployment)
        found = [
            *findings.settings(deployment.warnings),
            *findings.disk(folder, shutil.disk_usage(folder).free),
            *findings.public_client(used=deployment.public_client),
            *findings.redirect(deployment.redirect_uri, sandbox=not deployment.vendor_urls),
            *findings.spool(self._spool.count(), self._spool.damaged(), deployment.data_dir),
        ]
        try:
            for part in (self._stored, self._connected, self._delivered):
                found += part()
        except StoreError as error:
            found += findings.unusable(deployment.store_url, error)
        return found + (self._online() if online else [])

    def _online(self) -> list[Finding]:
        urls = self._deployment.vendor_urls
        calls = [finding for url in urls for finding in findings.reached(url, self._reach(url))]
        return calls + findings.hosts(urls)

    def _stored(self) -> list[Finding]:
        self._database.probe()
        place = findings.place(self._deployment.store_url)
        return [
            *findings.database(self._database.description(), place),
            *findings.copies(self._database.copies.problem()),
            *findings.proxies(self._proxies()),
            *findings.salvaged(salvage_problems(self._salvage) if self._salvage else []),
        ]

    def _connected(self) -> list[Finding]:
        view = self._connection.read()
        return [
            *findings.connection(view, self._tokens.read()),
            *findings.keys(opened=self._control.decryptable()),
            *findings.idle(view),
            *findings.public_lists(self._deployment.public_list_ids, self._lists.known()),
            *findings.open_lists(self._open_lists.problems(), self._open_lists.weak_doors()),
        ]

    def _delivered(self) -> list[Finding]:
        now, backlog, budget = self._clock(), self._deliveries.backlog(), self._budget.read()
        paused = (budget.paused_until or 0) > now
        age = 0 if backlog.oldest_received_at is None else max(0, (now - backlog.oldest_received_at) // 1000)
        return [
            *findings.waiting(backlog, age),
            *findings.refused(backlog),
            *findings.causes(budget),
            *findings.forms(self._form_faults()),
            *findings.planned(self._waits(budget, backlog, now)),
            *([] if used_up(budget, now) else findings.pause(budget, now)),
            *findings.worker(
                self._deployment.delivers_itself, age, possible=self._connection.usable() and not paused
            ),
        ]

    def _waits(self, budget: QuotaState, backlog: Backlog, now: int) -> list[Problem]:
        own = self._deliveries.waiting_beyond(now + OWN_WAIT_MS)
        # Who delivers has a finding of its own.
        return planned_waits(budget, backlog, own, now=now, delivers_itself=True)


def _folder(deployment: Deployment) -> Path:
    """The folder that is written to, or the nearest one above it that exists."""
    file = findings.database_file(deployment.store_url)
    folder = file.parent if file else deployment.data_dir.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())
