"""Waiting that takes a test's clock forward, and none of the test's own time."""

from __future__ import annotations

import threading
from typing import Protocol


class MovedByHand(Protocol):
    """A clock of a test; `now` is epoch milliseconds."""

    now: int


class Patient(threading.Event):
    """An event that never comes: who waits for it finds the clock so much later."""

    def __init__(self, clock: MovedByHand) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        """Let the clock go on."""
        self._clock.now += int((timeout or 0) * 1000)
        return False
