"""The delivery's thread inside a web worker."""

from __future__ import annotations

import threading

import structlog

from services.delivery.delivery import Delivery

log = structlog.get_logger(__name__)

CALL_DEADLINE_SECONDS = 15.0


class DeliveryThread:
    """Starts and stops the delivery loop. Start it after the fork: threads do not survive one."""

    def __init__(self, delivery: Delivery) -> None:
        """Nothing runs yet."""
        self._delivery = delivery
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to deliver in the background."""
        self._thread = threading.Thread(
            target=self._delivery.run, args=(self._stop,), name="delivery", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Let the call in flight finish within its deadline, and end. A lease covers what is cut off."""
        self._stop.set()
        self._delivery.wake()
        if self._thread is not None:
            self._thread.join(CALL_DEADLINE_SECONDS)
            log.info("delivery_stopped", finished=not self._thread.is_alive())
