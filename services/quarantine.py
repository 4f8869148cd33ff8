"""Sign-ups that look like a program's, and the person who decides on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from services.delivery import Delivery
from services.protection import RULES
from store import Suspect, SuspectedSignups

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SuspectView:
    """A suspected sign-up as an admin sees it; `received_at` is epoch ms, `reasons` are sentences."""

    id: str
    received_at: int
    email: str
    first_name: str | None
    last_name: str | None
    list_ids: tuple[str, ...]
    form_id: int | None
    page: str | None
    network_address: str | None
    reasons: tuple[str, ...]


class Quarantine:
    """Keeps suspected sign-ups apart until an admin releases or deletes them; nothing is sent before."""

    def __init__(self, *, suspected: SuspectedSignups, delivery: Delivery, clock: Callable[[], int]) -> None:
        """`clock` tells epoch ms."""
        self._suspected = suspected
        self._delivery = delivery
        self._clock = clock

    def holds(self, signup_id: str) -> bool:
        """Whether it was kept here, released or not. Raises store.StoreUnavailable."""
        return self._suspected.find(signup_id) is not None

    def waiting(self, limit: int) -> list[SuspectView]:
        """Those that nobody has decided on, newest first. Raises store.StoreUnavailable."""
        return [_view(suspect) for suspect in self._suspected.waiting(limit)]

    def count(self) -> int:
        """How many wait for a decision, a thousand at most. Raises store.StoreUnavailable."""
        return self._suspected.count()

    def release(self, signup_id: str) -> bool:
        """Deliver it like any other sign-up; False when it does not wait here (any more)."""
        released = self._suspected.release(signup_id, now=self._clock())
        if released:
            log.info("suspected_signup_released", signup_id=signup_id)
            self._delivery.wake()
        return released

    def delete(self, signup_id: str) -> bool:
        """Remove it for good; False when it does not wait here (any more)."""
        deleted = self._suspected.delete(signup_id)
        if deleted:
            log.info("suspected_signup_deleted", signup_id=signup_id)
        return deleted


def _view(suspect: Suspect) -> SuspectView:
    return SuspectView(
        id=suspect.id,
        received_at=suspect.received_at,
        email=suspect.email,
        first_name=suspect.person.get("first_name"),
        last_name=suspect.person.get("last_name"),
        list_ids=suspect.list_ids,
        form_id=suspect.form_id,
        page=suspect.page,
        network_address=suspect.network_address,
        reasons=tuple(RULES.get(name, name) for name in suspect.reasons),
    )
