"""The application's budget: calls in a sliding second and in a UTC day (vendor page: rate_limits)."""

from __future__ import annotations

from collections import deque

from .errors import QuotaExceeded, Throttled

DAY = 86_400


class Limits:
    """Counts the calls of the one application. The caller holds the world's lock."""

    def __init__(self) -> None:
        self._accepted: deque[float] = deque()
        self._day = -1
        self._used = 0

    def admit(self, now: float, *, per_second: int, per_day: int, enforce: bool) -> None:
        """Book one call at `now` (epoch seconds).

        The vendor does not say whether the second is a calendar or a sliding one, nor whether refused calls
        count. Assumed: sliding, with refused calls outside it; and refused calls do use up the day.

        Raises:
            QuotaExceeded: the UTC day's calls are used up.
            Throttled: `per_second` calls were accepted within the last second.
        """
        used = self.used_today(now)
        self._used = used + 1
        while self._accepted and self._accepted[0] <= now - 1:
            self._accepted.popleft()
        if enforce and used >= per_day:
            raise QuotaExceeded
        if enforce and len(self._accepted) >= per_second:
            raise Throttled
        self._accepted.append(now)

    def used_today(self, now: float) -> int:
        """Calls since 00:00:00 UTC, refused ones included."""
        day = int(now // DAY)
        if day != self._day:
            self._day, self._used = day, 0
        return self._used
