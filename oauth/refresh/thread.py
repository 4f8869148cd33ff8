"""The background thread that refreshes early, so that no caller waits."""

import os
import threading
from typing import Protocol

_LONGEST_SECONDS = 600.0


class Refreshable(Protocol):
    """What the ticker looks after: the keeper."""

    def tend(self) -> None:
        """Does what is due; raises nothing."""
        ...

    def seconds_between(self) -> float:
        """A quarter of the soft margin, in seconds."""
        ...


class RefreshThread:
    """Calls ``tend`` every 10 minutes, sooner for short-lived tokens, and at once when nudged."""

    def __init__(self, keeper: Refreshable) -> None:
        self._keeper = keeper
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid: int | None = None

    def start(self) -> None:
        """Starts the thread; to be called after a fork, as threads do not survive one."""
        if self._thread is not None and self._pid == os.getpid():
            return
        # An event of the parent may be held at the moment of the fork.
        self._awake, self._stopping = threading.Event(), threading.Event()
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="token-care", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and waits for a refresh under way, at most 30 s, so that its pair is stored."""
        self._stopping.set()
        self._awake.set()
        if self._thread is not None and self._pid == os.getpid():
            self._thread.join(30)
        self._thread = None

    def nudge(self) -> None:
        """Lets the thread look now."""
        self._awake.set()

    def _run(self) -> None:
        awake, stopping = self._awake, self._stopping
        while not stopping.is_set():
            awake.clear()
            self._keeper.tend()
            if not stopping.is_set():
                awake.wait(min(_LONGEST_SECONDS, self._keeper.seconds_between()))
