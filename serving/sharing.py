"""How many peers each worker of one server serves, in memory that the workers share."""

import mmap
from collections.abc import Callable, Iterator

# In place of a number of peers: no worker has that place, or one will serve there soon.
NOBODY, STARTING = -1, -2
# A worker reports at least once a second. One whose report is older is frozen, killed or overloaded.
FRESH_SECONDS = 2.5


class Loads:
    """A number for each place of a worker; made before the fork, written by the worker at that place only.

    All workers accept from one queue, and kept connections stay with the worker that accepted them. Without
    this comparison the first worker to wake would accept them all, and the CPUs of the others would be idle.
    """

    def __init__(self, clock: Callable[[], float], places: int = 32) -> None:
        """`clock` counts seconds, the same for all processes."""
        self._clock = clock
        self._places = places
        self._loads = memoryview(mmap.mmap(-1, places * 8)).cast("q")
        self._reported_at = memoryview(mmap.mmap(-1, places * 8)).cast("d")
        for place in range(places):
            self._loads[place] = NOBODY

    def report(self, place: int, load: int) -> None:
        """Record how many peers the worker at `place` serves, or that it is STARTING, or ended (NOBODY)."""
        self._loads[place % self._places] = load
        self._reported_at[place % self._places] = self._clock()

    def least_of_others(self, place: int) -> int | None:
        """Return how many peers the least busy of the other workers serves; None without others."""
        others = (load for other, load in self._fresh() if load >= 0 and other != place % self._places)
        return min(others, default=None)

    def any_starting(self) -> bool:
        """Return whether a worker is starting."""
        return any(load == STARTING for _, load in self._fresh())

    def _fresh(self) -> Iterator[tuple[int, int]]:
        since = self._clock() - FRESH_SECONDS
        for place, load in enumerate(self._loads):
            if load != NOBODY and self._reported_at[place] > since:
                yield place, load
