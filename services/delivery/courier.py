"""Deliver stored sign-ups, one claimed row and one call at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import structlog

from services.connection import ConnectionStatus
from services.constant_contact import ConstantContact, ConstantContactError, Remedy
from services.delivery.decisions import decide
from store import Budget, Claimed, Deliveries, Wait

log = structlog.get_logger(__name__)

UNUSABLE_CHECK_MS = 5_000


class Outcome(Enum):
    """What one step did."""

    DELIVERED = "delivered"
    POSTPONED = "postponed"
    PARKED = "parked"
    IDLE = "idle"


@dataclass(frozen=True)
class Step:
    """One step's outcome; an idle one says when (epoch ms) the next makes sense, None for "when woken"."""

    outcome: Outcome
    until: int | None = None


class Courier:
    """Claims, calls, finishes. Couriers of several processes may work at once: the claim keeps them apart."""

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        budget: Budget,
        connection: ConnectionStatus,
        vendor: ConstantContact,
        clock: Callable[[], int],
    ) -> None:
        """`clock` tells epoch milliseconds."""
        self._deliveries = deliveries
        self._budget = budget
        self._connection = connection
        self._vendor = vendor
        self._clock = clock

    def step(self) -> Step:
        """Deliver the next sign-up that is due, or say when to ask again. Raises store.StoreUnavailable."""
        now = self._clock()
        if not self._connection.usable():
            return Step(Outcome.IDLE, until=now + UNUSABLE_CHECK_MS)
        claimed = self._deliveries.claim(now)
        if isinstance(claimed, Wait):
            return Step(Outcome.IDLE, until=claimed.until)
        try:
            signed_up = self._vendor.sign_up(claimed.payload)
        except ConstantContactError as error:
            return self._failed(claimed, error)
        now = self._clock()
        kept = self._deliveries.delivered(
            claimed, now=now, contact_id=signed_up.contact_id, action=signed_up.action
        )
        self._budget.succeeded(now)
        log.info("signup_delivered", signup_id=claimed.signup_id, action=signed_up.action, lease_kept=kept)
        return Step(Outcome.DELIVERED)

    def _failed(self, claimed: Claimed, error: ConstantContactError) -> Step:
        now = self._clock()
        decision = decide(error, now=now, attempts=claimed.attempts, failures=self._budget.read().failures)
        if decision.pause_until is not None:
            self._budget.pause(until=decision.pause_until, reason=error.plain)
        log.warning(
            "delivery_failed",
            signup_id=claimed.signup_id,
            error=type(error).__name__,
            remedy=error.remedy.name,
            error_key=error.key,
            detail=error.detail if error.remedy is Remedy.PAUSE_ALL else None,
            paused_ms=decision.pause_until - now if decision.pause_until else 0,
        )
        if decision.park:
            self._deliveries.park(claimed, now=now, error=error.reason)
            return Step(Outcome.PARKED)
        self._deliveries.postpone(claimed, due_at=decision.due_at, error=error.reason, count=decision.counts)
        return Step(Outcome.POSTPONED)
