"""One line per event on standard error: readable in development, JSON in production.

Secrets never get this far by design; the redaction here is the second fence.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import Any, TextIO

import structlog

# Bearer and Basic credentials, JWTs, and the parameters of OAuth that are worth stealing.
SECRET = re.compile(
    r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
    r"|\b(access_token|refresh_token|code|code_verifier|client_secret|password|state)=[^&\s\"']+"
)
SECRET_NAMES = frozenset(
    {"authorization", "password", "token", "access_token", "refresh_token", "client_secret", "code"}
)
# What every match of the two patterns contains.
MAY_HIDE = re.compile(r"(?i)[@=\s]|eyJ")
ADDRESS = re.compile(r"([\w.+-])[\w.+-]*@([\w-]+\.[\w.-]+)")
# Control characters of C0 and C1, and what turns the direction of a line.
_STEERING = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
STEERING, STEERING_OR_BREAK = re.compile(f"[{_STEERING}]"), re.compile(f"[{_STEERING}\t\n]")
HIDDEN = "[hidden]"
# In characters: one line must not fill the disk. A traceback takes less.
LONGEST_VALUE = 20_000

# One list for good: loggers keep the one that they first met.
_chain: list[Any] = []


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is now; one that is replaced later is followed."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class _Lines:
    """Where our own lines go: straight there, because the standard library's way there takes far longer.

    A thread that finds another one writing leaves its line to that one. Each write lets go of the
    interpreter, and then waits for it behind all other threads: one write for many lines spares those waits.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name

    def write(self, line: str) -> None:
        _unwritten.append(line)
        # Looked at again after the release: a line may have come between the last look and that.
        while _unwritten and _turn.acquire(blocking=False):
            try:
                _write_all()
            finally:
                _turn.release()

    debug = info = warning = error = critical = write


_unwritten: deque[str] = deque()
_turn = threading.Lock()


def _write_all() -> None:
    lines = [_unwritten.popleft() for _ in range(len(_unwritten))]
    # On a full disk, or without anybody who listens: what could not be told must still be answered.
    with suppress(OSError, ValueError):
        sys.stderr.write("".join(f"{line}\n" for line in lines))


def _begin_anew_in_child() -> None:
    global _turn  # noqa: PLW0603 - whoever had the turn is a thread of the parent's
    _turn = threading.Lock()
    _unwritten.clear()


os.register_at_fork(after_in_child=_begin_anew_in_child)


def without_steering(_logger: Any, _method: str, event: Any) -> Any:
    """Show as escapes what would steer a terminal, or begin a line that nobody logged."""
    return {
        name: _shown(value, STEERING if name == "exception" else STEERING_OR_BREAK)
        for name, value in event.items()
    }


def _shown(value: Any, steering: re.Pattern[str]) -> Any:
    if not isinstance(value, str):
        return value
    return steering.sub(lambda found: found[0].encode("unicode_escape").decode(), value)


def redact(_logger: Any, _method: str, event: Any) -> Any:
    """Hide secrets by name and by shape, and mask e-mail addresses, in every value of an event."""
    return {name: HIDDEN if name in SECRET_NAMES else _clean(value) for name, value in event.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        value = f"{value[:LONGEST_VALUE]}…"
    # Most values hold none of the signs, and looking for them is far cheaper than the two substitutions.
    if isinstance(value, str) and MAY_HIDE.search(value):
        return ADDRESS.sub(r"\1***@\2", SECRET.sub(HIDDEN, value))
    return value


def configure(*, production: bool) -> None:
    """Send structlog's lines and the standard library's records to standard error in one form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Plain tracebacks: local variables hold tokens and people's data.
        structlog.processors.format_exc_info,
    ]
    # JSON has escapes of its own.
    rendering: list[Any] = (
        [structlog.processors.JSONRenderer()]
        if production
        else [without_steering, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    _chain[:] = [*shared, redact, *rendering]
    structlog.configure(
        processors=_chain,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )
    handler = _StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [*(kept for kept in root.handlers if not isinstance(kept, _StandardError)), handler]
    root.setLevel(logging.INFO)
    for chatty in ("urllib3", "alembic", "werkzeug", "sqlalchemy"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
