"""Waiting that sets a test's clock forward and takes no real time."""

import threading
from typing import Protocol


class MovedByHand(Protocol):
    """A clock of a test; `now` is epoch milliseconds."""

    now: int


class Patient(threading.Event):
    """An event that is never set: waiting for it sets the clock forward."""

    def __init__(self, clock: MovedByHand) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        """Set the clock forward by the time-out."""
        self._clock.now += int((timeout or 0) * 1000)
        return False
