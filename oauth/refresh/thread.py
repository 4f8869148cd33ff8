"""The background thread that refreshes early, so that no caller waits."""

import os
import threading
from typing import Protocol

_LONGEST_SECONDS = 600.0


class Tended(Protocol):
    """What has something to do in the background now and then."""

    def tend(self) -> None:
        """Do what is due; raise nothing."""
        ...


class Refreshable(Tended, Protocol):
    """What hands out access tokens and refreshes them: the token source."""

    refresh_due: threading.Event

    def seconds_between(self) -> float:
        """How often to tend, in seconds: a quarter of the soft margin."""
        ...


class RefreshThread:
    """Calls ``tend`` every 10 minutes, sooner for short-lived tokens, and at once when a refresh is due.

    Args:
        source: Refreshes the tokens; its event ``refresh_due`` wakes the thread.
        others: Tended after it each time.
    """

    def __init__(self, source: Refreshable, *others: Tended) -> None:
        self._source = source
        self._others = others
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid: int | None = None

    def start(self) -> None:
        """Start the thread; to be called after a fork, as threads do not survive one."""
        if self._thread is not None and self._pid == os.getpid():
            return
        # Recreated, since a thread of the parent may hold the lock inside an event at the moment of the fork.
        self._stopping = threading.Event()
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="token-care", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for a refresh under way, at most 30 s, so that its pair is stored."""
        self._stopping.set()
        self._source.refresh_due.set()
        if self._thread is not None and self._pid == os.getpid():
            self._thread.join(30)
        self._thread = None

    def _run(self) -> None:
        due, stopping = self._source.refresh_due, self._stopping
        while not stopping.is_set():
            due.clear()
            for tended in (self._source, *self._others):
                tended.tend()
            if not stopping.is_set():
                due.wait(min(_LONGEST_SECONDS, self._source.seconds_between()))
