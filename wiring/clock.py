"""The machine's clock, and what else only a test replaces."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from services.delivery.worker import AFTER_FAULT_SECONDS
from services.protection.proof_of_work import HIGHEST


def real_clock() -> int:
    """Return the machine's time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Tuning:
    """Values without a setting, which a test replaces so that it takes no time.

    `monotonic` tells seconds that only grow. To wait for the clock to go on is to wait for an event that
    `new_event` has made. `hardest_proof` is how many numbers a proof of work may take.
    """

    monotonic: Callable[[], float] = time.monotonic
    new_event: Callable[[], threading.Event] = threading.Event
    after_fault_seconds: float = AFTER_FAULT_SECONDS
    hardest_proof: int = HIGHEST
