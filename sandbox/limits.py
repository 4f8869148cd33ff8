"""The application's limits: calls in a sliding second and in a UTC day (vendor page: rate_limits)."""

from collections import Counter, deque
from datetime import UTC, datetime

from sandbox.errors import QuotaExceeded, Throttled

DAY = 86_400
TIMES_KEPT = 50_000


class Limits:
    """Counts the calls of the one application, and how far it exceeded the limits. The caller holds the lock.

    Times are epoch seconds. `accepted` are the times of the latest calls that were not refused here.
    """

    def __init__(self) -> None:
        self.accepted: deque[float] = deque(maxlen=TIMES_KEPT)
        self.most_in_a_second = 0
        self._arrived: deque[float] = deque()
        self._calls_of_day: Counter[int] = Counter()
        self._accepted_of_day: Counter[int] = Counter()

    def admit(self, now: float, *, per_second: int, per_day: int, enforce: bool) -> None:
        """Count one call at `now`.

        The vendor does not say whether the second is a calendar or a sliding one, nor whether refused calls
        count. Assumed: sliding, with refused calls outside it; and refused calls do use up the day.

        Raises:
            QuotaExceeded: the UTC day's calls are used up.
            Throttled: `per_second` calls were accepted within the last second.
        """
        self._arrive(now)
        day = int(now // DAY)
        self._calls_of_day[day] += 1
        if enforce and self._calls_of_day[day] > per_day:
            raise QuotaExceeded
        if enforce and len(self.accepted) >= per_second and self.accepted[-per_second] > now - 1:
            raise Throttled
        self.accepted.append(now)
        self._accepted_of_day[day] += 1

    @property
    def accepted_in_all(self) -> int:
        """Calls that were not refused here, since the start."""
        return self._accepted_of_day.total()

    def used_today(self, now: float) -> int:
        """Return how many calls there were since 00:00:00 UTC, refused ones included."""
        return self._calls_of_day[int(now // DAY)]

    def days(self) -> dict[str, dict[str, int]]:
        """Return the calls of each UTC day that had any, and how many of them were accepted."""
        return {
            datetime.fromtimestamp(day * DAY, UTC).date().isoformat(): {
                "calls": calls,
                "accepted": self._accepted_of_day[day],
            }
            for day, calls in self._calls_of_day.items()
        }

    def _arrive(self, now: float) -> None:
        # Refused calls count here: accepted ones never exceed the limit, whatever the caller does.
        self._arrived.append(now)
        while self._arrived[0] <= now - 1:
            self._arrived.popleft()
        self.most_in_a_second = max(self.most_in_a_second, len(self._arrived))
