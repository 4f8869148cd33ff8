"""What happens next with a sign-up, or what a person must do."""

from datetime import UTC, datetime

from services.delivery.errors import LeftSince
from services.delivery.kinds.sign_up.confirmed_opt_in import PENDING
from services.delivery.kinds.sign_up.returning import ASKED
from store.signups.records import SignupRecord

WHAT_RETRY_LEADS_TO = (
    "The running service sends what is due within half a minute, unless Constant Contact is away or today's "
    "calls are used up; where DELIVERY=off, `flask worker` or the next drain does."
)

HAS_BEEN_ASKED = (
    "Nothing to do: the person had left, and Constant Contact has mailed them the question whether to come "
    "back. They are subscribed as soon as they say yes."
)
LEFT_SINCE = "Nothing to mend: it stays on record and is not sent, also not when it is retried."
IS_TO_CONFIRM = (
    "Nothing to do: Constant Contact has mailed them the question whether to sign up, as this account "
    "confirms sign-ups. They are subscribed as soon as they say yes."
)
_WAITS_FOR_A_YES = {ASKED: HAS_BEEN_ASKED, PENDING: IS_TO_CONFIRM}
_ENDED = {
    "delivered": "Nothing to do: Constant Contact has it.",
    "dropped": "Nothing to do: a person decided that it is not to be sent.",
}


def moment(epoch_ms: int) -> str:
    """Return a time (epoch ms) as ISO 8601 in UTC, as in “2026-11-21T09:38:16.123Z”."""
    return f"{datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec='milliseconds')[:-6]}Z"


def advice(record: SignupRecord, *, carrier: str | None, now: int) -> str:
    """Return what happens next, or what a person must do, at `now` (epoch ms).

    `carrier` is the id of the sign-up that this one was merged into.
    """
    if record.state in _ENDED:
        return _WAITS_FOR_A_YES.get(record.action or "", _ENDED[record.state])
    if record.state == "merged":
        return f"Nothing to do: the call for {carrier}, a sign-up of the same person, carried it."
    if record.state == "parked":
        mend = (
            "It stays here until a person decides. Mend what the last error says, "
            f"then run `flask signups retry {record.id}`. `flask signups drop {record.id}` ends it instead."
        )
        return LEFT_SINCE if record.last_error == LeftSince.plain else mend
    due_at = record.due_at or now
    if record.state == "sending":
        return (
            f"It is being sent. Should the sending process have died, it is sent again at {moment(due_at)}."
        )
    if due_at > now:
        return f"Nothing to do: it is tried again by itself at {moment(due_at)}."
    return "It is due and goes out in its turn. If it does not, `flask doctor` says why."
