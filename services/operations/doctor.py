"""Look at everything a deployment needs at once, and say what is wrong and how to mend it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.connection.control import ConnectionControl
from services.operations.checks import connection, delivery, storage
from services.operations.reader import SnapshotReader
from services.problems import Problem, well
from store.engine.database import database_file
from store.errors import StoreError


@dataclass(frozen=True)
class Deployment:
    """What the settings say; `vendor_urls` is empty where the built-in sandbox plays Constant Contact.

    `store_url` may hold a password, which no problem repeats. `public_client` says that no secret of the
    vendor's application is set.
    """

    warnings: tuple[Problem, ...]
    store_url: str
    data_dir: Path
    redirect_uri: str | None
    public_list_ids: tuple[str, ...]
    vendor_urls: tuple[str, ...]
    public_client: bool = False

    @property
    def folder(self) -> Path:
        """The folder that is written to, or the nearest one above it that exists."""
        file = database_file(self.store_url)
        folder = file.parent if file else self.data_dir.absolute()
        return next(path for path in (folder, *folder.parents) if path.exists())


@dataclass(frozen=True)
class Doctor:
    """Looks at everything a deployment needs.

    `reach` makes a call to an address of the vendor, and says in words why it came to nothing.
    """

    deployment: Deployment
    reader: SnapshotReader
    control: ConnectionControl
    reach: Callable[[str], str | None]

    def examine(self, *, online: bool = False) -> list[Problem]:
        """Return all that was looked at, in order or not, whatever fails.

        Only `online` uses the network beyond the database.
        """
        deployment, files = self.deployment, self.reader.read_files()
        found = [
            *(deployment.warnings or [well("The settings are complete.")]),
            *storage.disk(files, deployment.folder),
            *connection.public_client(used=deployment.public_client),
            *connection.redirect(deployment.redirect_uri, sandbox=not deployment.vendor_urls),
            *storage.spool_folder(files, deployment.data_dir),
        ]
        try:
            # Each tells what it finds even where the database fails the next one.
            for part in (self._stored, self._connected, self._delivered):
                found += part()
        except StoreError as error:
            found += storage.database_away(deployment.store_url, error)
        return found + (self._online() if online else [])

    def _online(self) -> list[Problem]:
        urls = self.deployment.vendor_urls
        calls = [problem for url in urls for problem in connection.reached(url, self.reach(url))]
        return calls + connection.hosts(urls)

    def _stored(self) -> list[Problem]:
        found = self.reader.read_storage()
        return [
            *storage.database(self.reader.database.description(), self.deployment.store_url),
            *storage.second_copy(found),
            *(found.proxies or [well("Nothing that was seen speaks against PROXY_HOPS.")]),
            *storage.salvage(found),
        ]

    def _connected(self) -> list[Problem]:
        found = self.reader.read_account()
        return [
            *connection.connection(found.connection),
            *connection.keys(opened=self.control.decryptable()),
            *connection.idle(found.connection),
            *connection.public_lists(self.deployment.public_list_ids, found.lists),
            *found.open_lists,
            *connection.weak_doors(found.weak_doors),
        ]

    def _delivered(self) -> list[Problem]:
        found = self.reader.read_delivery(self.reader.read_queue())
        usable = self.reader.status.usable()
        return [
            *delivery.waiting(found.queue),
            *delivery.parked(found.queue, then="They are kept.", cure="/admin/ says why."),
            *delivery.causes(found.queue),
            *delivery.forms(found),
            *delivery.day_used_up(found.queue),
            *delivery.own_wait(found),
            *delivery.pause(found.queue),
            *delivery.worker(found, usable=usable),
        ]
