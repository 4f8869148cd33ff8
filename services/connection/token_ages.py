"""How old the tokens are and how refreshing them goes; never a token itself."""

from dataclasses import dataclass

from store.connection.oauth_connection import ConnectionRow

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class TokenAges:
    """Spans are in seconds, None where there is no such token; `last_success_at` is in epoch ms.

    `access_ends_in` is negative once the access token is over; `retry_in` is None unless a failure has set a
    time before which nobody tries again.
    """

    access_age: int | None
    access_ends_in: int | None
    refresh_age: int | None
    refresh_unused_for: int | None
    last_success_at: int | None
    failures: int
    last_error: str | None
    retry_in: int | None

    @classmethod
    def of(cls, row: ConnectionRow, now: int) -> "TokenAges":
        """Read the ages at `now` (epoch ms) off the stored connection."""
        access, refresh = row.access_sealed is not None, row.refresh_sealed is not None
        # Obtaining a token counts as its first use: the vendor's 180 days run from then.
        used_at = max(
            (at for at in (row.refresh_issued_at, row.refresh_used_at) if at is not None), default=None
        )
        return cls(
            access_age=_seconds(row.access_issued_at, now) if access else None,
            access_ends_in=_seconds(now, row.access_expires_at) if access else None,
            refresh_age=_seconds(row.refresh_issued_at, now) if refresh else None,
            refresh_unused_for=_seconds(used_at, now) if refresh else None,
            last_success_at=row.refreshed_at if refresh else None,
            failures=row.failures,
            last_error=row.last_error,
            retry_in=_seconds(now, row.next_refresh_at) if (row.next_refresh_at or 0) > now else None,
        )

    @property
    def idle_days(self) -> int | None:
        """Whole days since the refresh token was last used."""
        unused_for = self.refresh_unused_for
        return None if unused_for is None else max(0, unused_for // DAY_SECONDS)


def _seconds(start: int | None, end: int | None) -> int | None:
    return None if start is None or end is None else (end - start) // 1000
