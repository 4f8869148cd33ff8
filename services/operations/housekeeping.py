"""What must be done now and then, whatever else goes on: each task in its own time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from store.engine.clock import Clock
from store.errors import StoreError

log = structlog.get_logger(__name__)

TURN_SECONDS = 1.0


@dataclass(frozen=True)
class Task:
    """`every_seconds` pass between the end of one run and the next; the first is due at once.

    A run that took long is followed by a rest of `rest_factor` times as long.
    """

    name: str
    every_seconds: float
    run: Callable[[], object]
    rest_factor: int = 0


class Housekeeping:
    """Runs what is due. One turn at a time in a process: a second caller goes on without waiting."""

    def __init__(self, tasks: Sequence[Task], clock: Clock) -> None:
        """Nothing runs yet; the first run of each task is due at once."""
        self._tasks = tasks
        self._clock = clock
        self._rests: dict[str, tuple[int, int]] = {}
        self._turn = threading.Lock()

    def turn(self) -> None:
        """Run every task that is due; a failure is logged and never raised, and spoils no other task."""
        if not self._turn.acquire(blocking=False):
            return
        try:
            for task in self._tasks:
                if self._due(task):
                    self._run(task)
        finally:
            self._turn.release()

    def _due(self, task: Task) -> bool:
        ended, rest = self._rests.get(task.name, (0, 0))
        # A clock that went back must not put a task off until the old time returns.
        return not 0 <= self._clock() - ended < rest

    def _run(self, task: Task) -> None:
        began = self._clock()
        try:
            task.run()
        except StoreError as error:
            # Its text names the cause, and never the values of a row.
            log.warning(
                "housekeeping_waits_for_store",
                task=task.name,
                error=type(error).__name__,
                detail=str(error),
            )
        except Exception:  # a fault that nobody foresaw must not end the other tasks
            log.exception("housekeeping_fault", task=task.name)
        ended = self._clock()
        rest = max(int(task.every_seconds * 1000), (ended - began) * task.rest_factor)
        self._rests[task.name] = (ended, rest)


class HousekeepingThread:
    """Turns in a thread of its own: neither a long backlog nor an idle delivery holds them up."""

    def __init__(self, housekeeping: Housekeeping) -> None:
        """Nothing runs yet."""
        self._housekeeping = housekeeping
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; after the fork, since threads do not survive one."""
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Let the turn under way end within `seconds`; what is cut off is begun again by the next process."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._housekeeping.turn()
            self._stop.wait(TURN_SECONDS)
