"""One line per event on standard error: readable in development, JSON in production.

No caller logs secrets; the redaction here is a second safeguard.
"""

import logging
import os
import re
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import Any, TextIO

import structlog

# Bearer and Basic credentials, JWTs, and secret parameters of OAuth.
SECRET = re.compile(
    r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
    r"|\b(access_token|refresh_token|code|code_verifier|client_secret|password|state)=[^&\s\"']+"
)
SECRET_NAMES = frozenset(
    {"authorization", "password", "token", "access_token", "refresh_token", "client_secret", "code"}
)
# Every text that SECRET or ADDRESS matches also matches this, which is much faster.
MAY_NEED_REDACTION = re.compile(r"(?i)[@=\s]|eyJ")
ADDRESS = re.compile(r"([\w.+-])[\w.+-]*@([\w-]+\.[\w.-]+)")
# Control characters of C0 and C1, line separators, and those that change the direction of writing.
_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
CONTROLS, CONTROLS_OR_BREAK = re.compile(f"[{_CONTROLS}]"), re.compile(f"[{_CONTROLS}\t\n]")
HIDDEN = "[hidden]"
# In characters: one line must not fill the disk. A traceback is shorter.
LONGEST_VALUE = 20_000

# Always the same list object, since loggers keep the one of their first use.
_processors: list[Any] = []


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to the present `sys.stderr`, also after that was replaced."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class _DirectLogger:
    """structlog's logger for our own lines: writes them directly, which is far faster than `logging`.

    A thread that finds another one writing leaves its line to that one. Each write releases the interpreter's
    lock, and then waits for it behind all other threads: one write for many lines saves those waits.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name

    def write(self, line: str) -> None:
        _unwritten.append(line)
        # Tested again after the release: a line may have come between the last write and the release.
        while _unwritten and _writing.acquire(blocking=False):
            try:
                _write_all()
            finally:
                _writing.release()

    debug = info = warning = error = critical = write


_unwritten: deque[str] = deque()
_writing = threading.Lock()


def _write_all() -> None:
    lines = [_unwritten.popleft() for _ in range(len(_unwritten))]
    # On a full disk, or a closed pipe, the request must be answered all the same.
    with suppress(OSError, ValueError):
        sys.stderr.write("".join(f"{line}\n" for line in lines))


def _new_lock_in_child() -> None:
    global _writing  # noqa: PLW0603 - a thread of the parent may hold the old one
    _writing = threading.Lock()
    _unwritten.clear()


os.register_at_fork(after_in_child=_new_lock_in_child)


def escape_controls(_logger: Any, _method: str, event: Any) -> Any:
    """Escape characters that would control a terminal, or begin a forged line."""
    return {
        name: _escaped(value, CONTROLS if name == "exception" else CONTROLS_OR_BREAK)
        for name, value in event.items()
    }


def _escaped(value: Any, controls: re.Pattern[str]) -> Any:
    if not isinstance(value, str):
        return value
    return controls.sub(lambda found: found[0].encode("unicode_escape").decode(), value)


def redact(_logger: Any, _method: str, event: Any) -> Any:
    """Hide secrets by name and by shape, and mask e-mail addresses, in every value of an event."""
    return {name: HIDDEN if name in SECRET_NAMES else _redacted(value) for name, value in event.items()}


def _redacted(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        value = f"{value[:LONGEST_VALUE]}…"
    if isinstance(value, str) and MAY_NEED_REDACTION.search(value):
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
    # JSON escapes control characters itself.
    rendering: list[Any] = (
        [structlog.processors.JSONRenderer()]
        if production
        else [escape_controls, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    _processors[:] = [*shared, redact, *rendering]
    structlog.configure(
        processors=_processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_DirectLogger,
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
