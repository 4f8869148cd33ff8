"""Changes to contacts that a person on the server asks for, and no sign-up: so far that somebody leaves."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from services.constant_contact.contacts import LONGEST_REASON
from services.delivery.kinds import KINDS, leave
from services.signups.advice import moment
from services.signups.manage import contact_key, usable_reason
from store.engine.clock import Clock
from store.opt_outs import LEAVE
from store.outbox.deliveries import Deliveries
from store.outbox.requested import Added, NewRequest, Requested, RequestedDeliveries

log = structlog.get_logger(__name__)

# `deliveries.source` of what a command asked for.
COMMAND = "command"


@dataclass(frozen=True)
class ContactRequests:
    """Stores such a change as a delivery, which is retried, counted and ordered like those of sign-ups.

    `new_id` makes the id of a change that is stored at a time (epoch ms).
    """

    requested: RequestedDeliveries
    deliveries: Deliveries
    new_id: Callable[[int], str]
    clock: Clock

    def unsubscribe(self, address: str, reason: str) -> Added:
        """Have the contact with this address unsubscribed; on return the delivery is on disk.

        Where such a delivery waits already nothing changes; a parked one is due again. Older sign-ups of the
        address that still wait are parked, and later ones are judged as those of somebody who had left.

        Raises:
            AddressUnclear: It is no address.
            UnusableDecision: There is no reason, or it is too long.
            StoreError: The delivery may not be stored.
        """
        reason = usable_reason(reason, LONGEST_REASON)
        key, now = contact_key(address), self.clock()
        payload = leave.payload(key, reason)
        added = self.requested.add(NewRequest(self.new_id(now), COMMAND, LEAVE, key, payload, now))
        if added.state == "parked":
            self.deliveries.retry(added.id, now=now)
        log.info("leave_requested", command_id=added.id, stored=added.state is None)
        return added

    def newest(self, limit: int) -> list[Requested]:
        """Return the newest such changes, newest first."""
        return self.requested.newest(limit)


def sentences(address: str, added: Added) -> list[str]:
    """Return sentences for whoever asked to have the address unsubscribed."""
    if added.state is None:
        said = [f"{address} will be unsubscribed: delivery {added.id}."]
    elif added.state == "parked":
        said = [f"To unsubscribe {address} was refused before and is tried again: delivery {added.id}."]
    else:
        said = [f"{address} is being unsubscribed already: delivery {added.id}."]
    if added.left_at is not None:
        said.append(f"By what is known here they had left before, at {moment(added.left_at)}.")
    return [*said, "`flask contacts list` shows what becomes of it."]


def line(requested: Requested) -> str:
    """Return one line: id, time, state, address, what it does, how it ended or what went wrong."""
    kind = KINDS.get(requested.kind)
    does = kind.describe(requested.payload) if kind else requested.kind
    ended = leave.WORDS.get(requested.action or "", requested.last_error or "")
    parts = (requested.id, moment(requested.received_at), requested.state, requested.contact_key, does, ended)
    return "  ".join(part for part in parts if part)
