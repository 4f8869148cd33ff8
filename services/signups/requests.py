"""Changes to contacts that a person on the server asks for, and no sign-up: so far that somebody leaves."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from services.constant_contact.contacts import LONGEST_REASON
from services.delivery.kinds import KINDS, leave
from services.plain_text import mended
from services.signups.advice import moment
from services.signups.manage import UnusableDecision, contact_key
from store.opt_outs import LEAVE
from store.outbox.deliveries import Deliveries
from store.outbox.requested import Added, NewRequest, Requested, RequestedDeliveries

log = structlog.get_logger(__name__)

# `deliveries.source` of what a command asked for.
COMMAND = "command"


class ContactRequests:
    """Stores such a change as a delivery, which is retried, counted and ordered like those of sign-ups."""

    def __init__(
        self,
        *,
        requested: RequestedDeliveries,
        deliveries: Deliveries,
        new_id: Callable[[int], str],
        clock: Callable[[], int],
    ) -> None:
        """`clock` tells epoch milliseconds; `new_id` makes an id that is stored at such a time."""
        self._requested = requested
        self._deliveries = deliveries
        self._new_id = new_id
        self._clock = clock

    def unsubscribe(self, address: str, reason: str) -> Added:
        """Have the contact with this address unsubscribed; on return that is on disk.

        Where it waits already nothing changes; one that was refused is due again. Older sign-ups of the
        address that still wait are put aside, and later ones are judged as those of whoever had left.

        Raises:
            AddressUnclear: it is no address.
            UnusableDecision: there is no reason, or it is too long.
            StoreError: nothing is known to be stored.
        """
        reason = " ".join(mended(reason).split())
        if not reason or len(reason) > LONGEST_REASON:
            raise UnusableDecision(f"Say why, in at most {LONGEST_REASON} characters.")
        key, now = contact_key(address), self._clock()
        payload = leave.payload(key, reason)
        added = self._requested.add(NewRequest(self._new_id(now), COMMAND, LEAVE, key, payload, now))
        if added.state == "parked":
            self._deliveries.retry(added.id, now=now)
        log.info("leave_requested", command_id=added.id, stored=added.state is None)
        return added

    def newest(self, limit: int) -> list[Requested]:
        """The newest such changes, newest first."""
        return self._requested.newest(limit)


def sentences(address: str, added: Added) -> list[str]:
    """What to tell whoever asked to have the address unsubscribed."""
    if added.state is None:
        told = [f"{address} will be unsubscribed: delivery {added.id}."]
    elif added.state == "parked":
        told = [f"To unsubscribe {address} was refused before and is tried again: delivery {added.id}."]
    else:
        told = [f"{address} is being unsubscribed already: delivery {added.id}."]
    if added.left_at is not None:
        told.append(f"By what is known here they had left before, at {moment(added.left_at)}.")
    return [*told, "`flask contacts list` shows what becomes of it."]


def line(requested: Requested) -> str:
    """One line about it: id, time, state, address, what it does, how it ended or what went wrong."""
    kind = KINDS.get(requested.kind)
    does = kind.describe(requested.payload) if kind else requested.kind
    ended = leave.WORDS.get(requested.action or "", requested.last_error or "")
    parts = (requested.id, moment(requested.received_at), requested.state, requested.contact_key, does, ended)
    return "  ".join(part for part in parts if part)
