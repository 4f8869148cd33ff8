"""When a token is refreshed, and how long to pause after a failure. All times are milliseconds."""

import secrets

LEASE_MS = 20_000
HARD_MARGIN_MS = 120_000
SOFT_MARGIN_MS = 7_200_000
SLOW_RETRY_MS = 900_000
FORCED_REFRESH_MS = 300_000
KEEP_ALIVE_MS = 7 * 86_400_000
# "Refresh tokens expire after 180 days without use" (server_flow).
IDLE_END_MS = 180 * 86_400_000
_BACKOFF_MS = (30_000, 60_000, 120_000, 300_000, SLOW_RETRY_MS)
# Jitter is this part of the margin: 10 minutes of 2 hours.
_JITTER_SHARE = 12


def lasts(issued_at: int | None, expires_at: int, now: int) -> bool:
    """Tell whether a token lasts beyond the hard margin: 120 s, or a tenth of a shorter lifetime."""
    return expires_at - now > min(HARD_MARGIN_MS, _lifetime(issued_at, expires_at) // 10)


def soft_margin(issued_at: int | None, expires_at: int) -> int:
    """Return how long before its end the background refreshes a token: 2 h, or a quarter of its lifetime."""
    return min(SOFT_MARGIN_MS, _lifetime(issued_at, expires_at) // 4)


def soft_at(issued_at: int | None, expires_at: int, jitter: float) -> int:
    """Return when the background refresh is due; ``jitter`` in [0, 1) differs between processes."""
    margin = soft_margin(issued_at, expires_at)
    return expires_at - margin - int(jitter * margin / _JITTER_SHARE)


def backoff(failures: int) -> int:
    """Return the pause after ``failures`` earlier failures in a row, 20 % more or less by chance."""
    return _BACKOFF_MS[min(failures, len(_BACKOFF_MS) - 1)] * (80 + secrets.randbelow(41)) // 100


def _lifetime(issued_at: int | None, expires_at: int) -> int:
    return expires_at - issued_at if issued_at is not None else HARD_MARGIN_MS * 10
