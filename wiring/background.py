"""The threads of a serving process: refreshing tokens, housekeeping, delivery; and opening the database."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from oauth.refresh.thread import RefreshThread
from services.delivery.thread import DeliveryThread
from services.operations.housekeeping import HousekeepingThread
from settings import Settings
from store.engine.database import Database
from store.errors import StoreError

# A migration is over by then, unless something like a dump holds the database.
OPENING_SECONDS = 5.0
SERVING_PATIENCE_SECONDS = 0.8
OPEN_AGAIN_SECONDS = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Background:
    """The threads of a serving process. Start them after the fork: threads do not survive one.

    `when_opened` is called in order once the database is open.
    """

    settings: Settings
    database: Database
    when_opened: tuple[Callable[[], None], ...]
    tokens: RefreshThread
    housekeeping: HousekeepingThread
    alerts: HousekeepingThread
    delivery: DeliveryThread
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Migrate the database, then start the threads; delivery only where the settings say so."""
        settings = self.settings
        for warning in settings.warnings():
            log.critical("settings_warning", problem=warning.sentence)
        if not settings.production:
            for weakness in settings.weak_secrets():
                log.warning("weak_secret", problem=weakness, cure="production does not start with it")
        with suppress(OSError):
            # The rescue file needs a place also where PostgreSQL keeps everything else.
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.database.patience_seconds = OPENING_SECONDS
        opened = self._open()
        # From here on a sign-up that finds the database being migrated goes to the spool.
        self.database.patience_seconds = SERVING_PATIENCE_SECONDS
        if not opened:
            threading.Thread(target=self._open_later, name="open-later", daemon=True).start()
        self.tokens.start()
        # Also where another process delivers: what this one spooled lies on its own disk.
        self.housekeeping.start()
        self.alerts.start()
        if settings.delivery == "thread":
            self.delivery.start()

    def stop(self) -> None:
        """Finish the calls in flight and end the threads."""
        self._stopping.set()
        self.delivery.stop()
        self.alerts.stop()
        self.housekeeping.stop()
        self.tokens.stop()

    def _open(self, *, tell: bool = True) -> bool:
        """Migrate the database and call `when_opened`; return whether that was possible."""
        try:
            self.database.prepare()
            for first in self.when_opened:
                first()
        except StoreError as error:
            # Not fatal: each use tries again, and /health says so meanwhile.
            if tell:
                log.critical("database_not_ready", error=type(error).__name__, problem=str(error))
            return False
        return True

    def _open_later(self) -> None:
        while not self._stopping.wait(OPEN_AGAIN_SECONDS):
            if self._open(tell=False):
                log.info("database_ready")
                return
