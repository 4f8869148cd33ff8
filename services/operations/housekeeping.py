"""Tasks that every serving process does from time to time, each at its own interval."""

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
    """What to run and how often: `every_seconds` after the end of the last run; the first is due at once.

    After a long run the pause is at least `rest_factor` times as long as the run.
    """

    name: str
    every_seconds: float
    run: Callable[[], object]
    rest_factor: int = 0


class Housekeeping:
    """Runs the tasks that are due. One turn at a time in a process: a second caller returns at once."""

    def __init__(self, tasks: Sequence[Task], clock: Clock) -> None:
        """Nothing runs yet; the first run of each task is due at once."""
        self._tasks = tasks
        self._clock = clock
        self._rests: dict[str, tuple[int, int]] = {}
        self._turn = threading.Lock()

    def turn(self) -> None:
        """Run every task that is due. A failure is logged, and the other tasks still run. Never raises."""
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
        # A clock that was set back must not delay a task until it has reached the old time again.
        return not 0 <= self._clock() - ended < rest

    def _run(self, task: Task) -> None:
        began = self._clock()
        try:
            task.run()
        except StoreError as error:
            # The error's text names the cause, and no values of a row.
            log.warning(
                "housekeeping_waits_for_store",
                task=task.name,
                error=type(error).__name__,
                detail=str(error),
            )
        except Exception:  # a fault in our own code must not end the other tasks
            log.exception("housekeeping_fault", task=task.name)
        ended = self._clock()
        rest = max(int(task.every_seconds * 1000), (ended - began) * task.rest_factor)
        self._rests[task.name] = (ended, rest)


class HousekeepingThread:
    """Takes turns in a thread of its own, so that neither a long backlog nor an idle delivery delays them."""

    def __init__(self, housekeeping: Housekeeping, *, name: str = "housekeeping") -> None:
        """Nothing runs yet; `name` is the thread's."""
        self._housekeeping = housekeeping
        self._name = name
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def turn(self) -> None:
        """Run what is due, in the caller's thread; see Housekeeping.turn."""
        self._housekeeping.turn()

    def start(self) -> None:
        """Start the thread; to be called after the fork, since threads do not survive one."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """End the thread, after the current turn if that ends within `seconds`; it can be repeated later."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._housekeeping.turn()
            self._stop.wait(TURN_SECONDS)
