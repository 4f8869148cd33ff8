"""What the workers of one server know of each other: how many peers each one serves, in memory they share."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator

# In place of a number of peers: nobody works at that place, or somebody will soon.
NOBODY, STARTING = -1, -2
# A worker tells at least once a second. One that has not done so for longer is frozen, killed or overwhelmed.
FRESH_SECONDS = 2.5


class Loads:
    """Numbers for each place of a worker; made before the fork, written by the worker at that place only.

    All workers accept from one queue, and kept connections stay with who took them. Without a look at the
    others the first worker to wake would take them all, and the CPUs of the others would be idle.
    """

    def __init__(self, clock: Callable[[], float], places: int = 32) -> None:
        """`clock` counts seconds, the same for all processes."""
        self._clock = clock
        self._places = places
        self._loads = memoryview(mmap.mmap(-1, places * 8)).cast("q")
        self._told = memoryview(mmap.mmap(-1, places * 8)).cast("d")
        for place in range(places):
            self._loads[place] = NOBODY

    def tell(self, place: int, load: int) -> None:
        """The worker at `place` serves so many peers, or is STARTING, or serves NOBODY any longer."""
        self._loads[place % self._places] = load
        self._told[place % self._places] = self._clock()

    def least_of_others(self, place: int) -> int | None:
        """How many peers the least busy of the other workers serves; None without others."""
        others = (load for other, load in self._fresh() if load >= 0 and other != place % self._places)
        return min(others, default=None)

    def any_starting(self) -> bool:
        """Whether a worker will serve soon."""
        return any(load == STARTING for _, load in self._fresh())

    def _fresh(self) -> Iterator[tuple[int, int]]:
        since = self._clock() - FRESH_SECONDS
        for place, load in enumerate(self._loads):
            if load != NOBODY and self._told[place] > since:
                yield place, load
