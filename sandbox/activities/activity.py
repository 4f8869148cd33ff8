"""The activities of the account, from the request to the ten days after (vendor page: activity_status)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sandbox.contacts.records import timestamp
from sandbox.errors import TooManyActivities

DAYS_KEPT = 10
MOST_QUEUED = 1_000
_DAY = 86_400

# Does the work, as of a time in epoch seconds; returns what could not be done, in words.
Work = Callable[[float], list[str]]


@dataclass
class Activity:
    """One activity; times are epoch seconds.

    `counts` are the members of its `status`, None where the contract has none; `work` is what is still to be
    done.
    """

    created_at: float
    seconds: float
    counts: dict[str, int] | None = None
    work: Work | None = None
    activity_id: str = field(default_factory=lambda: str(uuid4()))
    errors: list[str] = field(default_factory=list)

    @property
    def started_at(self) -> float:
        """When it leaves the queue, half way to its completion."""
        return self.created_at + self.seconds / 2

    @property
    def completed_at(self) -> float:
        """When its work is done."""
        return self.created_at + self.seconds

    def state(self, now: float) -> str:
        """Return the contract's state; `initialized` is a request that waits in the queue."""
        if now >= self.completed_at:
            return "completed"
        return "processing" if now >= self.started_at else "initialized"

    def accepted(self, href: str) -> dict[str, Any]:
        """Return the answer to the request for it, before anything happened; `href` leads to its resource."""
        return self._resource("initialized", self.created_at, href)

    def resource(self, now: float, href: str) -> dict[str, Any]:
        """Return the contract's Activity; members that do not apply yet are left out."""
        state = self.state(now)
        shown = self._resource(state, {"initialized": self.created_at}.get(state, self.started_at), href)
        if state != "initialized":
            shown["started_at"] = timestamp(self.started_at)
        if state == "completed":
            shown["completed_at"] = shown["updated_at"] = timestamp(self.completed_at)
        return shown

    def _resource(self, state: str, updated_at: float, href: str) -> dict[str, Any]:
        percent = {"initialized": 0, "processing": 50, "completed": 100}[state]
        shown: dict[str, Any] = {
            "activity_id": self.activity_id,
            "state": state,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(updated_at),
            "percent_done": percent,
            "activity_errors": self.errors,
            "_links": {"self": {"href": href}},
        }
        if self.counts is not None:
            done = self.counts["items_total_count"] * percent // 100
            shown["status"] = self.counts | {"items_completed_count": done}
        return shown


class Activities:
    """All activities, oldest first, and the work that waits. The caller holds the world's lock."""

    def __init__(self) -> None:
        self._kept: dict[str, Activity] = {}
        self._waiting: list[Activity] = []

    def refuse_when_full(self, now: float) -> None:
        """Keep to the vendor's limit for bulk operations.

        Raises:
            TooManyActivities: 1,000 activities are not completed yet.
        """
        if sum(each.completed_at > now for each in self._kept.values()) >= MOST_QUEUED:
            raise TooManyActivities

    def add(self, activity: Activity) -> None:
        """Queue an activity."""
        self._kept[activity.activity_id] = activity
        if activity.work is not None:
            self._waiting.append(activity)

    def settle(self, now: float) -> None:
        """Do the work that is due at `now`, in its order, and forget what is older than ten days."""
        due = sorted(
            (each for each in self._waiting if each.completed_at <= now), key=lambda each: each.completed_at
        )
        for activity in due:
            self._waiting.remove(activity)
            if activity.work is not None:
                activity.errors = activity.work(activity.completed_at)
                activity.work = None
        while self._kept and self._oldest.created_at < now - DAYS_KEPT * _DAY:
            self._kept.pop(self._oldest.activity_id)

    def find(self, activity_id: str) -> Activity | None:
        """Return the activity with this id, if it is kept."""
        return self._kept.get(activity_id)

    def in_state(self, now: float, state: str | None) -> list[Activity]:
        """Return all activities, or those in one state."""
        return [each for each in self._kept.values() if state in (None, each.state(now))]

    @property
    def _oldest(self) -> Activity:
        return next(iter(self._kept.values()))
