"""One attempt at a delivery: claim it, send it by its kind, store how the call ended."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import structlog

from services.account.opt_outs import OptOutTable
from services.connection.status import ConnectionStatus
from services.constant_contact.errors import (
    ConnectionUnusable,
    ConstantContactError,
    QuotaExceeded,
    Throttled,
    Unreachable,
)
from services.constant_contact.quota import AHEAD_MS
from services.delivery.causes import CauseWords
from services.delivery.kind import Kind, Sent
from services.delivery.pacing import NotSent, Pacing, departing
from services.delivery.refusal_sentence import vendor_sentence
from services.delivery.retry import (
    Decision,
    RetryCase,
    after_own_fault,
    decide,
    is_flagged,
    is_of_a_row,
    words_of,
)
from store.errors import RowRefused, StoreError
from store.outbox.calls import EndedCall
from store.outbox.claimed import Claimed
from store.outbox.deliveries import Deliveries
from store.quota.causes import Cause, Causes
from store.quota.ledger import QuotaLedger, SameRefusals
from store.quota.refusals import Common, Refused
from store.quota.state import Wait

log = structlog.get_logger(__name__)

UNUSABLE_CHECK_MS = 5_000
OWN_FAULT = (
    "A fault of this program keeps this sign-up from being sent. Please report it, with the lines of the log "
    "that say “delivery_fault”."
)
FINISH_AGAIN_SECONDS = (0.5, 1.0, 2.0, 4.0)


class Outcome(Enum):
    """How one attempt ended; IDLE where there was nothing to claim."""

    DELIVERED = "delivered"
    POSTPONED = "postponed"
    PARKED = "parked"
    IDLE = "idle"


@dataclass(frozen=True)
class Step:
    """The outcome of one attempt, for how many deliveries.

    An idle one says in `until` (epoch ms) when to ask again, None for "when woken".
    """

    outcome: Outcome
    until: int | None = None
    signups: int = 1


@dataclass(frozen=True, kw_only=True)
class DeliveryAttempt:
    """Claims a delivery, makes its calls and finishes it, in any number of threads and processes at once.

    `authorize` sees to a valid access token, or raises ConnectionUnusable. It comes before the claim, so that
    no reserved call waits for a token: late calls would break the vendor's four a second. `clock` tells epoch
    milliseconds.
    """

    deliveries: Deliveries
    quota: QuotaLedger
    connection: ConnectionStatus
    authorize: Callable[[], None]
    pacing: Pacing
    kinds: Mapping[str, Kind]
    words: CauseWords
    opt_outs: OptOutTable
    clock: Callable[[], int]

    def step(self) -> Step:
        """Attempt the next delivery that is due, or return when to ask again. Raise StoreUnavailable."""
        claimed = self.claim()
        return claimed if isinstance(claimed, Step) else self.carry(claimed, threading.Event())

    def claim(self) -> Claimed | Step:
        """Claim the next delivery with its first call reserved, or return when to ask again.

        Raises:
            StoreUnavailable: nothing was claimed.
        """
        if not self.deliveries.pending_up_to(1) and not self.deliveries.waits_for_causes():
            return Step(Outcome.IDLE)
        if not self.connection.usable():
            return Step(Outcome.IDLE, until=self.clock() + UNUSABLE_CHECK_MS)
        try:
            self.authorize()
        except ConnectionUnusable as error:
            log.warning("delivery_waits_for_token", error=error.detail)
            return Step(Outcome.IDLE, until=self.clock() + UNUSABLE_CHECK_MS)
        reading_until = self.opt_outs.before_claim()
        if reading_until is not None:
            return Step(Outcome.IDLE, until=reading_until)
        claimed = self.deliveries.claim(self.clock(), ahead_ms=AHEAD_MS)
        return Step(Outcome.IDLE, until=claimed.until) if isinstance(claimed, Wait) else claimed

    def carry(self, claimed: Claimed, stop: threading.Event) -> Step:
        """Send what was claimed. Once `stop` is set, a delivery that was not sent yet is given back.

        Raises:
            StoreUnavailable: the outcome could not be stored; the row can be claimed again after its lease.
        """
        try:
            return self._carry(claimed, stop)
        except RowRefused as error:
            return self._own_fault(claimed, error)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - without an end of its own the row would come back each minute for ever
            return self._own_fault(claimed, error)

    def _own_fault(self, claimed: Claimed, error: Exception) -> Step:
        # The payload is not looked at here: it may be what the program failed at.
        log.error("delivery_fault", **claimed.log_id, error=type(error).__name__, exc_info=error)
        now = self.clock()
        due_at = after_own_fault(now=now, attempts=claimed.attempts)
        if due_at is None:
            self.deliveries.park(claimed, now=now, error=OWN_FAULT, cause=claimed.probe_of)
            return Step(Outcome.PARKED)
        alone = bool(claimed.younger)
        self.deliveries.postpone(
            claimed, due_at=due_at, error=OWN_FAULT, count=True, alone=alone, call=EndedCall(now)
        )
        return Step(Outcome.POSTPONED)

    def _carry(self, claimed: Claimed, stop: threading.Event) -> Step:
        try:
            with departing(lambda: self.pacing.wait_for(claimed, stop)):
                sent = self.kinds[claimed.kind].send(claimed, self.pacing.calls(claimed, stop))
        except NotSent:
            return self.give_back(claimed)
        except ConstantContactError as error:
            return self._failed(claimed, error)
        return self._delivered(claimed, sent, stop)

    def give_back(self, claimed: Claimed) -> Step:
        """Make a delivery that was not sent due again at once, without counting the attempt."""
        self.deliveries.postpone(claimed, due_at=self.clock(), error=None, count=False)
        log.info("delivery_given_back", **claimed.log_id)
        return Step(Outcome.POSTPONED)

    def _delivered(self, claimed: Claimed, sent: Sent, stop: threading.Event) -> Step:
        for pause in FINISH_AGAIN_SECONDS:
            try:
                kept = self._write_down(claimed, sent)
                break
            except StoreError as error:
                # Unless its end is stored, the call will be made a second time.
                log.warning("delivery_not_written_down", **claimed.log_id, error=type(error).__name__)
                stop.wait(pause)
        else:
            kept = self._write_down(claimed, sent)
        log.info(
            self.kinds[claimed.kind].delivered_event,
            **claimed.log_id,
            action=sent.action,
            carried=len(sent.carried),
            lease_kept=kept,
        )
        return Step(Outcome.DELIVERED, signups=1 + len(sent.carried))

    def _write_down(self, claimed: Claimed, sent: Sent) -> bool:
        now = self.clock()
        common = self.quota.succeeded(now, claimed.traits, control=claimed.control)
        if common is not None:
            self._put_aside(common, now)
        return self.deliveries.delivered(
            claimed,
            now=now,
            contact_id=sent.contact_id,
            action=sent.action,
            carried=sent.carried,
            note=sent.note,
        )

    def _failed(self, claimed: Claimed, error: ConstantContactError) -> Step:
        now, quota = self.clock(), self.quota.read()
        said = vendor_sentence(error, claimed)
        refused = self._record_refusal(claimed, error)
        case = RetryCase(
            now=now,
            received_at=claimed.received_at,
            attempts=claimed.attempts,
            failures=quota.failures,
            refused=refused.count,
            again=refused.again,
            merged=self._carries(claimed),
            margin_ms=quota.margin_at(now),
            failed_alone=self._failed_alone(claimed, error, others_fail=quota.failures > 0),
        )
        decision = decide(error, case)
        if decision.pause_until is not None and quota.failures:
            # While the vendor could not be reached, people may have left.
            self.opt_outs.doubt()
        # Before the delivery is postponed, which ends the half-open probe.
        self._pause(error, decision, now)
        # Calls that were under way together are throttled together: one step of the guard is enough.
        if isinstance(error, Throttled) and claimed.starts_at - AHEAD_MS > (quota.guard_since or 0):
            self.quota.throttled(now, reason=error.plain)
        log.warning(
            "delivery_failed",
            **claimed.log_id,
            error=type(error).__name__,
            remedy=error.remedy.name,
            error_key=error.key,
            detail=said if error.quotes_vendor else error.detail,
            paused_ms=decision.pause_until - now if decision.pause_until else 0,
        )
        if decision.put_back:
            parked = [
                other.delivery_id for other in refused.alike if other.delivery_id != claimed.delivery_id
            ]
            self.deliveries.put_back(parked, due_at=decision.due_at)
        parks = decision.park or bool(claimed.probe_of and is_of_a_row(error))
        if parks:
            self._park(claimed, error, said, now)
        else:
            self.deliveries.postpone(
                claimed,
                due_at=decision.due_at,
                error=error.reason,
                count=decision.counts,
                alone=decision.alone,
                call=EndedCall(now, failed_alone=decision.failed_alone, vendor_said=said),
            )
        if refused.common is not None:
            self._put_aside(refused.common, now)
        return Step(Outcome.PARKED if parks else Outcome.POSTPONED)

    def _failed_alone(self, claimed: Claimed, error: ConstantContactError, *, others_fail: bool) -> int:
        if others_fail or not isinstance(error, Unreachable):
            return 0
        return self.deliveries.failed_alone(claimed)

    def _record_refusal(self, claimed: Claimed, error: ConstantContactError) -> SameRefusals:
        """Record a refusal and return those in the same words.

        Nothing is recorded for a probe, a failure that is not this delivery's, an address that the vendor has
        flagged, or a call that carried other deliveries: that is repeated without them first.
        """
        if claimed.probe_of or self._carries(claimed) or not is_of_a_row(error) or is_flagged(error):
            return SameRefusals()
        refusal = Refused.of(claimed.contact_key, claimed.delivery_id, words_of(error), claimed.traits)
        return self.quota.refused(refusal, control=claimed.control)

    def _park(self, claimed: Claimed, error: ConstantContactError, said: str | None, now: int) -> None:
        """Park the delivery: for a person, or until a cause is mended that it shares with others."""
        if error.shared is None:
            known = Causes.parse(self.quota.read().causes).known if claimed.probe_of else {}
            standing = known.get(claimed.probe_of or "")
            sentence = standing.sentence if standing else error.reason
            self.deliveries.park(claimed, now=now, error=sentence, cause=claimed.probe_of, vendor_said=said)
            return
        cause = Cause.of((error.shared,), error.reason, now)
        self.deliveries.establish(cause, (claimed.delivery_id,), now=now)
        self.deliveries.park(claimed, now=now, error=error.reason, cause=cause.id, vendor_said=said)
        log.warning("cause_found", traits=list(cause.traits))

    def _put_aside(self, common: Common, now: int) -> None:
        """Set aside what shares the traits of the refused deliveries, which no accepted one has."""
        cause = Cause.of(common.traits, self.words.sentence(common), now)
        self.deliveries.establish(cause, common.delivery_ids, now=now)
        log.warning("cause_found", traits=list(cause.traits))

    def _pause(self, error: ConstantContactError, decision: Decision, now: int) -> None:
        if decision.pause_until is None:
            return
        reason = decision.reason or error.reason
        if isinstance(error, QuotaExceeded):
            self.quota.quota_exceeded(now, decision.pause_until, reason=reason)
        else:
            self.quota.pause(until=decision.pause_until, reason=reason, now=now, refused=is_of_a_row(error))

    def _carries(self, claimed: Claimed) -> bool:
        """Return whether the call was for younger deliveries of the contact too."""
        return bool(self.kinds[claimed.kind].carries(claimed))
