"""The thread of the delivery loop inside a web worker, and the thread that watches it."""

import threading
from collections.abc import Callable

import structlog

from services.delivery.worker import CALL_DEADLINE_SECONDS, Delivery

log = structlog.get_logger(__name__)

SILENT_SECONDS = 60.0
LOOK_EVERY_SECONDS = 5.0


class DeliveryThread:
    """Starts and stops the delivery loop. Start it after the fork: threads do not survive one."""

    def __init__(self, delivery: Delivery, *, look_every_seconds: float = LOOK_EVERY_SECONDS) -> None:
        """Start nothing."""
        self._delivery = delivery
        self._look_every = look_every_seconds
        self._stop = threading.Event()
        self._stop_loop = threading.Event()
        self._loop: threading.Thread | None = None

    def start(self) -> None:
        """Begin to deliver in the background."""
        self._begin()
        threading.Thread(target=self._watch, name="delivery-watch", daemon=True).start()

    def stop(self) -> None:
        """Let the calls in flight finish within their deadline, and end. What is cut off keeps its lease."""
        self._stop.set()
        self._stop_loop.set()
        self._delivery.wake()
        if self._loop is not None:
            self._loop.join(CALL_DEADLINE_SECONDS + 1)
            log.info("delivery_stopped", finished=not self._loop.is_alive())

    def _begin(self) -> None:
        self._stop_loop = threading.Event()
        self._loop = threading.Thread(
            target=self._delivery.run, args=(self._stop_loop,), name="delivery", daemon=True
        )
        self._loop.start()

    def _watch(self) -> None:
        while not self._stop.wait(self._look_every):
            dead = self._loop is None or not self._loop.is_alive()
            if dead or (self._delivery.silent_seconds() or 0) > SILENT_SECONDS:
                # The old loop ends if it ever runs again; until then both may claim, which is safe.
                log.error("delivery_thread_replaced", died=dead)
                self._stop_loop.set()
                self._begin()
        # A loop may have begun at the moment of the stop.
        self._stop_loop.set()


def watch(
    delivery: Delivery,
    stop: threading.Event,
    *,
    end: Callable[[], None],
    look_every_seconds: float = LOOK_EVERY_SECONDS,
) -> None:
    """Call `end` once the loop has hung for a minute, in a process whose supervisor starts it anew.

    Returns then, or when `stop` is set.
    """
    silent_before = False
    while not stop.wait(look_every_seconds):
        silent = (delivery.silent_seconds() or 0) > SILENT_SECONDS
        # Twice in a row: a process that was frozen as a whole continues by itself.
        if silent and silent_before:
            log.error("delivery_hangs")
            end()
            return
        silent_before = silent
